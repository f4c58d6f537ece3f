/* tests/config/families.c */
#include "tests/config/families.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define PLAIN(variable, says) static const wm_member variable = { .name = says, .doc = "A member without options." }

#define FAMILY(variable, says, list) \
    static const wm_family variable = { .name = says, .members = list, .n_members = COUNT(list) }

static const wm_option dense_options[] = {
    { .name = "units",
      .kind = WM_WHOLE,
      .offset = offsetof(test_dense, units),
      .least = 1,
      .most = 1000000,
      .main = true,
      .doc = "Outputs." },
    { .name = "bias", .kind = WM_BOOL, .offset = offsetof(test_dense, bias), .standard = "true", .doc = "Adds b." },
};
static const wm_member dense = { .name = "dense",
                                 .doc = "Linear.",
                                 .options = dense_options,
                                 .n_options = COUNT(dense_options),
                                 .options_size = sizeof(test_dense) };
PLAIN(flatten, "flatten");
PLAIN(relu, "relu");
PLAIN(concat, "concat");
static const wm_member *const layer_list[] = { &dense, &flatten, &relu, &concat };
FAMILY(layers, "layer", layer_list);

PLAIN(mse, "mse");
PLAIN(cross_entropy, "cross_entropy");
static const wm_option        quantile_options[] = { { .name = "quantiles",
                                                       .kind = WM_REALS,
                                                       .offset = offsetof(test_list, values),
                                                       .least = 0,
                                                       .most = 1,
                                                       .main = true,
                                                       .doc = "Quantiles." } };
static const wm_member        pinball = { .name = "pinball",
                                          .doc = "Quantile loss.",
                                          .options = quantile_options,
                                          .n_options = 1,
                                          .options_size = sizeof(test_list) };
static const wm_member *const loss_list[] = { &mse, &cross_entropy, &pinball };
FAMILY(losses, "loss", loss_list);

#define ONE_NUMBER(variable, says, option, from, to, fallback)                                \
    static const wm_option variable##_options[] = { { .name = option,                         \
                                                      .kind = WM_REAL,                        \
                                                      .offset = offsetof(test_number, value), \
                                                      .least = from,                          \
                                                      .most = to,                             \
                                                      .standard = fallback,                   \
                                                      .main = true,                           \
                                                      .doc = "A number." } };                 \
    static const wm_member variable = { .name = says,                                         \
                                        .doc = "One number.",                                 \
                                        .options = variable##_options,                        \
                                        .n_options = 1,                                       \
                                        .options_size = sizeof(test_number) }

ONE_NUMBER(sgd, "sgd", "momentum", 0, 1, "0");
static const wm_member *const optimiser_list[] = { &sgd };
FAMILY(optimisers, "optimiser", optimiser_list);

ONE_NUMBER(constant, "constant", "rate", 1e-12, 100, NULL);
ONE_NUMBER(halving, "halving", "from", 1e-12, 100, NULL);
static const wm_member *const schedule_list[] = { &constant, &halving };
FAMILY(schedules, "schedule", schedule_list);

PLAIN(rmse, "rmse");
PLAIN(mae, "mae");
PLAIN(accuracy, "accuracy");
static const wm_member *const metric_list[] = { &rmse, &mae, &accuracy };
FAMILY(metrics, "metric", metric_list);

PLAIN(all, "all");
ONE_NUMBER(uniform, "uniform", "share", 0, 1, NULL);
static const wm_member *const selection_list[] = { &all, &uniform };
FAMILY(selections, "selection", selection_list);

PLAIN(fedavg, "fedavg");
ONE_NUMBER(fedprox, "fedprox", "mu", 0, 100, "0.01");
static const wm_member *const strategy_list[] = { &fedavg, &fedprox };
FAMILY(strategies, "strategy", strategy_list);

static const wm_option csv_options[] = {
    { .name = "files", .kind = WM_WORD, .offset = offsetof(test_words, first), .main = true, .doc = "Which." },
    { .name = "separator",
      .kind = WM_WORD,
      .offset = offsetof(test_words, second),
      .standard = "\",\"",
      .doc = "Between the cells." },
};
static const wm_member csv = { .name = "csv",
                               .doc = "Tables.",
                               .options = csv_options,
                               .n_options = COUNT(csv_options),
                               .options_size = sizeof(test_words) };
static const wm_option idx_options[] = {
    { .name = "images", .kind = WM_WORD, .offset = offsetof(test_words, first), .doc = "Images." },
    { .name = "labels", .kind = WM_WORD, .offset = offsetof(test_words, second), .doc = "Labels." },
};
static const wm_member        idx = { .name = "idx",
                                      .doc = "Images.",
                                      .options = idx_options,
                                      .n_options = COUNT(idx_options),
                                      .options_size = sizeof(test_words) };
static const wm_member *const source_list[] = { &csv, &idx };
FAMILY(sources, "source", source_list);

static const wm_option by_column_options[] = {
    { .name = "column", .kind = WM_WORD, .offset = offsetof(test_words, first), .main = true, .doc = "Which." },
};
static const wm_member by_column = { .name = "column",
                                     .doc = "A client for each value.",
                                     .options = by_column_options,
                                     .n_options = 1,
                                     .options_size = sizeof(test_words) };
ONE_NUMBER(iid, "iid", "clients", 1, 1e6, NULL);
static const wm_member *const owner_list[] = { &by_column, &iid };
FAMILY(owners, "owner", owner_list);

const wm_job_families test_families = {
    .sources = &sources,
    .owners = &owners,
    .layers = &layers,
    .losses = &losses,
    .optimisers = &optimisers,
    .schedules = &schedules,
    .metrics = &metrics,
    .selections = &selections,
    .strategies = &strategies,
};
