/* tests/server/test_report.c
 *
 * With WM_REPORT_KEEP=DIR the folders of the two large runs are left there, to be looked at in a browser. */
#include "tests/unit.h"

#include "common/rng.h"
#include "common/strategies/strategy.h"
#include "models/safetensors.h"
#include "server/report/csv.h"
#include "server/report/html.h"
#include "server/report/run_folder.h"
#include "server/report/svg.h"
#include "server/selection/selection.h"
#include "server/store/runs.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

/* ---- a made-up run ---- */

static const char job_text[] =
    "job: air-quality\n"
    "data:\n"
    "  time: {columns: [year, month, day, hour], zone: Asia/Shanghai}\n"
    "  columns:\n"
    "    PM2.5: {range: [0, 1000]}\n"
    "    TEMP: {range: [-40, 60]}\n"
    "  inputs:\n"
    "    past: {window: {columns: [PM2.5, TEMP], length: 24}}\n"
    "  targets:\n"
    "    pm25: {column: PM2.5, ahead: 6h}\n"
    "  split: {time: [0.7, 0.1, 0.2]}\n"
    "model:\n"
    "  layers: [flatten, {dense: 8}, relu, {dense: 1}]\n"
    "  loss: mse\n"
    "training: {optimiser: sgd, rate: 0.05, batch: 32, epochs: 1}\n"
    "rounds: 30\n"
    "cohort: {select: all, quorum: 0.7, deadline: 5m}\n"
    "strategy: fedavg\n"
    "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive, alone, pooled, tuned]}\n"
    "seed: 1\n";

static char *stations[] = { "aotizhongxin", "changping",    "dingling", "dongsi",  "guanyuan", "gucheng",
                            "huairou",      "nongzhanguan", "shunyi",   "tiantan", "wanliu",   "wanshouxigong" };
enum { N_STATIONS = 12 };

static const uint8_t RUN[WM_RUN_ID_SIZE] = { 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

typedef struct fixture {
    char            folder[4096], out[4096];
    wm_manual_clock now;
    wm_job         *job;
    wm_model       *model;
    float          *params;
    wm_store       *store;
    wm_run_record   record;
} fixture;

static void read_job(fixture *f)
{
    static const wm_job_families families = { .layers = &wm_layers,
 .initialisers = &wm_initialisers,
                                              .losses = &wm_losses,
                                              .optimisers = &wm_optimisers,
                                              .schedules = &wm_schedules,
                                              .metrics = &wm_metrics,
                                              .selections = &wm_selections,
                                              .strategies = &wm_strategies };
    wm_faults                    faults;
    wm_error                     err;

    wm_faults_init(&faults, "job");
    assert_ok(wm_job_parse("job", job_text, strlen(job_text), &families, NULL, 0, &faults, &f->job, &err), &err);
    assert_ok(wm_model_new(f->job, &faults, &f->model, &err), &err);
    wm_faults_release(&faults);
    f->params = calloc(wm_model_n_params(f->model), sizeof *f->params);
    assert_non_null(f->params);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char     base[4096];
    wm_error err;

    assert_non_null(f);
    f->now = (wm_manual_clock){ .wall_ms = 1795341600000, .mono_ms = 100000 };
    wm_test_folder(base);
    snprintf(f->folder, sizeof f->folder, "%.4000s/store", base);
    snprintf(f->out, sizeof f->out, "%.4000s/run", base);
    read_job(f);
    assert_ok(wm_store_open(wm_files_system(), f->folder, wm_clock_manual(&f->now), &f->store, &err), &err);
    f->record = (wm_run_record){ .job_name = f->job->name,
                                 .job_text = job_text,
                                 .seed = 1,
                                 .rounds = 30,
                                 .started_wall_ms = f->now.wall_ms,
                                 .population = stations,
                                 .n_population = N_STATIONS };
    memcpy(f->record.id, RUN, sizeof RUN);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    wm_model_free(f->model);
    wm_job_free(f->job);
    free(f->params);
    *strrchr(f->folder, '/') = '\0';
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    free(f);
    return 0;
}

static wm_digest put_params(fixture *f, uint32_t round)
{
    wm_digest digest;
    wm_error  err;

    for (size_t p = 0; p < wm_model_n_params(f->model); p++)
        f->params[p] = (float)p / 64 + (float)round;
    assert_ok(wm_blobs_put(wm_store_blobs(f->store), f->params, wm_model_n_params(f->model) * sizeof *f->params,
                           &digest, &err),
              &err);
    return digest;
}

static wm_standing standing_at(fixture *f, wm_phase phase, uint32_t round)
{
    return (wm_standing){ .phase = phase,
                          .round = round,
                          .opened_wall_ms = f->now.wall_ms,
                          .model = put_params(f, round),
                          .best_loss = (double)NAN };
}

static void start(fixture *f)
{
    wm_standing first = standing_at(f, WM_PHASE_NONE, 0);
    wm_error    err;

    assert_ok(wm_store_ledger(f->store)->start(wm_store_ledger(f->store), &f->record, &first, &err), &err);
}

static wm_run_folder *open_folder(fixture *f, const char *path)
{
    wm_run_folder_settings settings = { .files = wm_files_system(),
                                        .path = path,
                                        .job = f->job,
                                        .model = f->model,
                                        .record = &f->record,
                                        .ledger = wm_store_ledger(f->store),
                                        .blobs = wm_store_blobs(f->store),
                                        .clock = wm_clock_manual(&f->now) };
    wm_run_folder         *folder;
    wm_error               err;

    assert_ok(wm_run_folder_open(&settings, &folder, &err), &err);
    return folder;
}

/* What became of client k: mostly accepted; one station sends NaN now and then, one is slow, one was off for a while. */
static wm_contribution contribution_of(wm_rng *rng, uint32_t round, uint32_t k, double loss)
{
    wm_contribution c = { .client = k,
                          .verdict = WM_VERDICT_ACCEPTED,
                          .weight = 18000 + 311 * k,
                          .loss = loss,
                          .seconds = 1 + wm_rng_unit(rng) };

    if (k % 12 == 4 && round % 7 == 3) {
        c.verdict = WM_VERDICT_REFUSED;
        snprintf(c.reason, sizeof c.reason, "update: part \"delta\" is not finite at index %u", 17 * (round % 2));
    } else if (k % 12 == 9 && round >= 11 && round < 16)
        c.verdict = WM_VERDICT_NONE;
    else if (k % 12 == 6 && wm_rng_unit(rng) < 0.25)
        c.verdict = WM_VERDICT_LATE;
    else if (k % 12 == 2 && round == 21) {
        c.verdict = WM_VERDICT_DECLINED;
        snprintf(c.reason, sizeof c.reason, "fewer than 100 training rows");
    }
    if (c.verdict != WM_VERDICT_ACCEPTED) {
        c.weight = 0;
        c.loss = (double)NAN;
    }
    return c;
}

/* contributions has room for everybody. */
static wm_round_record round_of(fixture *f, uint32_t round, wm_contribution *contributions)
{
    wm_rng          rng;
    double          loss = 0.42 + 0.5 * exp(-(double)round / 5);
    wm_round_record r = { .round = round,
                          .opened_wall_ms = f->now.wall_ms,
                          .contributions = contributions,
                          .n_contributions = f->record.n_population,
                          .selected = (uint32_t)f->record.n_population };

    wm_rng_init_keyed(&rng, 5, "made-up round", round, "");
    for (uint32_t k = 0; k < f->record.n_population; k++) {
        contributions[k] = contribution_of(&rng, round, k, loss);
        r.accepted += contributions[k].verdict == WM_VERDICT_ACCEPTED;
        r.refused += contributions[k].verdict == WM_VERDICT_REFUSED;
        r.late += contributions[k].verdict == WM_VERDICT_LATE;
        r.total_weight += contributions[k].weight;
    }
    r.seconds = 2.25 + wm_rng_unit(&rng) + (round == 12 ? 4 : 0);
    r.train_loss = loss + 0.01 * wm_rng_normal(&rng);
    r.bytes_up = 52340u * r.accepted;
    r.bytes_down = 50120u * r.selected;
    r.model_before = put_params(f, round - 1);
    r.model_after = put_params(f, round);
    r.sums = r.model_after;
    r.evaluated = true;
    r.evaluation = (wm_result){ .present = true,
                                .examples = 41210,
                                .loss = loss + 0.05 + 0.012 * wm_rng_normal(&rng),
                                .metrics = { 58 + 40 * exp(-(double)round / 6) + 0.4 * wm_rng_normal(&rng),
                                             36 + 28 * exp(-(double)round / 6) + 0.3 * wm_rng_normal(&rng) } };
    return r;
}

static void commit(fixture *f, const wm_round_record *round)
{
    wm_standing standing = standing_at(f, WM_PHASE_TRAIN, round->round);
    wm_error    err;

    assert_ok(wm_store_ledger(f->store)->commit(wm_store_ledger(f->store), RUN, &standing, round, &err), &err);
}

static void do_rounds(fixture *f, wm_run_folder *folder, uint32_t first, uint32_t last)
{
    wm_contribution *contributions = calloc(f->record.n_population, sizeof *contributions);
    wm_error         err;

    assert_non_null(contributions);
    for (uint32_t i = first; i <= last; i++) {
        wm_round_record round = round_of(f, i, contributions);

        f->now.wall_ms += 3000;
        f->now.mono_ms += 400; /* so that only some rounds flush the pages */
        commit(f, &round);
        assert_ok(wm_run_folder_round(folder, &round, &err), &err);
    }
    free(contributions);
}

static void finish(fixture *f, wm_run_folder *folder, uint32_t rounds)
{
    static const double gain[WM_CONTENDERS] = { 1, 0.975, 1.09, 0.965, 1.31 };
    wm_final_record final = { .clients = calloc(f->record.n_population, WM_CONTENDERS * sizeof *final.clients) };
    wm_standing     standing = standing_at(f, WM_PHASE_CLOSED, rounds);
    wm_rng          rng;
    wm_error        err;

    assert_non_null(final.clients);
    wm_rng_init_keyed(&rng, 5, "made-up end", 0, "");
    for (size_t k = 0; k < f->record.n_population; k++) {
        double rmse = 52 + 16 * wm_rng_unit(&rng);

        for (size_t c = 0; c < WM_CONTENDERS; c++) {
            wm_result r = { .present = true,
                            .examples = 6870,
                            .loss = c == WM_NAIVE ? (double)NAN : rmse * gain[c] / 130 };

            r.metrics[0] = rmse * gain[c] * (0.985 + 0.03 * wm_rng_unit(&rng));
            r.metrics[1] = r.metrics[0] * 0.62;
            final.clients[k * WM_CONTENDERS + c] = r;
            r.metrics[0] = 60.5 * gain[c];
            r.metrics[1] = 37.2 * gain[c];
            r.examples *= f->record.n_population;
            final.together[c] = r;
        }
    }
    standing.outcome = WM_OUTCOME_DONE;
    f->now.wall_ms += 1500;
    standing.opened_wall_ms = f->now.wall_ms;
    assert_ok(wm_store_ledger(f->store)->close(wm_store_ledger(f->store), RUN, &standing, &final, &err), &err);
    assert_ok(wm_run_folder_close(folder, &standing, &final, &err), &err);
    free(final.clients);
}

static char *file_of(const char *folder, const char *name, size_t *n)
{
    char    *path = wm_path_join(folder, name);
    uint8_t *bytes;
    size_t   size;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 26, &bytes, &size, &err), &err);
    if (n != NULL)
        *n = size;
    free(path);
    return (char *)bytes;
}

static void keep(const fixture *f, const char *as)
{
    const char *folder = getenv("WM_REPORT_KEEP");
    char       *command;

    if (folder == NULL)
        return;
    assert_true(asprintf(&command, "mkdir -p '%s' && cp -r '%s' '%s/%s'", folder, f->out, folder, as) > 0);
    assert_int_equal(system(command), 0);
    free(command);
}

/* ---- csv ---- */

static void a_line_of_rounds_csv_is_what_it_is(void **state)
{
    static const struct {
        const char      *says;
        wm_history_round round;
        const char      *want;
    } cases[] = {
        { "an evaluated round",
          { .round = 3,
            .selected = 12,
            .accepted = 10,
            .refused = 1,
            .late = 1,
            .seconds = 2.5,
            .train_loss = 0.125,
            .bytes_up = 1000,
            .bytes_down = UINT64_MAX,
            .evaluated = true,
            .evaluation = { .loss = 0.5, .metrics = { 61.25, 40 } } },
          "3,2.500,12,10,1,1,0.125,0.5,61.25,1000,18446744073709551615\n" },
        { "a round without an evaluation leaves its columns empty",
          { .round = 4,
            .selected = 4,
            .accepted = 4,
            .seconds = 0.0004,
            .train_loss = 1.0 / 3,
            .evaluation = { .loss = 9, .metrics = { 9 } } },
          "4,0.000,4,4,0,0,0.333333333,,,0,0\n" },
        { "what is not a number is empty",
          { .round = 5,
            .seconds = (double)NAN,
            .train_loss = (double)NAN,
            .evaluated = true,
            .evaluation = { .loss = (double)INFINITY, .metrics = { (double)NAN } } },
          "5,0.000,0,0,0,0,,,,0,0\n" },
    };

    (void)state;
    assert_string_equal(
        wm_rounds_csv_header,
        "round,seconds,selected,accepted,refused,late,train_loss,eval_loss,metric,bytes_up,bytes_down\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text text = WM_TEXT_INIT;

        wm_rounds_csv_row(&cases[i].round, &text);
        assert_case(cases[i].says, strcmp(wm_text_chars(&text), cases[i].want) == 0);
        wm_text_release(&text);
    }
}

static void a_text_in_csv_is_one_field_and_no_formula(void **state)
{
    static const struct {
        const char *says, *text, *want;
    } cases[] = {
        { "plain", "not finite", "not finite" },
        { "a comma", "a, b", "\"a, b\"" },
        { "quotes", "part \"delta\"", "\"part \"\"delta\"\"\"" },
        { "a line end would be another row", "a\nb\r\tc", "a?b??c" },
        { "a formula", "=HYPERLINK(1)", "'=HYPERLINK(1)" },
        { "another", "@SUM(A1,A2)", "\"'@SUM(A1,A2)\"" },
        { "not UTF-8", "a\xff\xc0", "a??" },
        { "UTF-8", "Zürich", "Zürich" },
        { "nothing", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text text = WM_TEXT_INIT;

        wm_csv_text(&text, cases[i].text);
        assert_case(cases[i].says, strcmp(wm_text_chars(&text), cases[i].want) == 0);
        wm_text_release(&text);
    }
}

static void clients_csv_counts_each_round_once(void **state)
{
    static const char want[] = "client,selected,accepted,refused,late,declined,missed,examples,last_refusal\n"
                               "east,2,1,1,0,0,0,500,\"not finite, at 3\"\n"
                               "north,2,0,0,1,1,0,0,few rows\n"
                               "west,1,0,0,0,0,1,0,\n";
    char             *names[] = { "east", "north", "west" };
    fixture          *f = *state;
    wm_run_record     record = { .population = names, .n_population = 3 };
    wm_contribution   c[3] = { { .client = 0, .verdict = WM_VERDICT_ACCEPTED, .weight = 500 },
                               { .client = 1, .verdict = WM_VERDICT_NONE },
                               { .client = 2, .verdict = WM_VERDICT_NONE } };
    wm_round_record   round = { .round = 1, .contributions = c, .n_contributions = 3 };
    wm_history        history;
    wm_text           text = WM_TEXT_INIT;
    wm_error          err;
    bool              again;

    assert_ok(wm_history_init(&history, 3, &err), &err);
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    assert_false(again);
    c[1].verdict = WM_VERDICT_LATE; /* found out while the round was evaluated */
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    assert_true(again);
    round = (wm_round_record){ .round = 2, .contributions = c, .n_contributions = 2 };
    c[0] = (wm_contribution){ .client = 0, .verdict = WM_VERDICT_REFUSED, .reason = "not finite, at 3" };
    c[1] = (wm_contribution){ .client = 1, .verdict = WM_VERDICT_DECLINED, .reason = "few rows" };
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    wm_clients_csv(f->job, &record, &history, NULL, &text);
    assert_string_equal(wm_text_chars(&text), want);
    assert_int_equal(history.n_rounds, 2);
    assert_int_equal(history.n_refusals, 2);
    wm_text_release(&text);
    wm_history_release(&history);
}

/* ---- the folder ---- */

static size_t count_char(const char *text, char c)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == c;
    return n;
}

static void rounds_csv_grows_with_every_round_and_the_pages_follow(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *text;

    start(f);
    folder = open_folder(f, f->out);
    text = file_of(f->out, "rounds.csv", NULL);
    assert_string_equal(text, wm_rounds_csv_header);
    free(text);
    text = file_of(f->out, "job.yaml", NULL);
    assert_string_equal(text, job_text);
    free(text);
    do_rounds(f, folder, 1, 4); /* 400 ms each: the third flushes */
    text = file_of(f->out, "rounds.csv", NULL);
    assert_int_equal(count_char(text, '\n'), 5);
    assert_non_null(strstr(text, "\n4,"));
    free(text);
    text = file_of(f->out, "summary.json", NULL);
    assert_non_null(strstr(text, "\"rounds\": 3,"));
    assert_non_null(strstr(text, "\"outcome\": \"running\""));
    free(text);
    finish(f, folder, 4);
    text = file_of(f->out, "summary.json", NULL);
    assert_non_null(strstr(text, "\"rounds\": 4,"));
    assert_non_null(strstr(text, "\"outcome\": \"done\""));
    free(text);
    wm_run_folder_free(folder);
}

static void summary_json_says_how_it_ended(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *text, digest[WM_DIGEST_TEXT];
    wm_digest      model;
    json_t        *json, *final;

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 5);
    finish(f, folder, 5);
    model = wm_params_digest(f->params, wm_model_n_params(f->model));
    text = file_of(f->out, "summary.json", NULL);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "run")), "ab0102030405060708090a0b0c0d0e0f");
    assert_string_equal(json_string_value(json_object_get(json, "outcome")), "done");
    assert_string_equal(json_string_value(json_object_get(json, "model_sha256")), wm_digest_text(&model, digest));
    assert_int_equal(json_integer_value(json_object_get(json, "rounds")), 5);
    assert_int_equal(json_integer_value(json_object_get(json, "rounds_planned")), 30);
    assert_true(json_real_value(json_object_get(json, "wall_seconds")) == 16.5);
    assert_int_equal(json_integer_value(json_object_get(json, "refused")), 1);
    final = json_object_get(json, "final");
    assert_true(json_real_value(json_object_get(json_object_get(final, "federated"), "rmse")) == 60.5);
    assert_true(json_is_null(json_object_get(json_object_get(final, "naive"), "loss")));
    assert_int_equal(json_object_size(json_object_get(json, "final_per_client")), N_STATIONS);
    json_decref(json);
    free(text);
    wm_run_folder_free(folder);
}

/* The server died when the run was over and its folder did not know; it is back an hour later. */
static void a_run_lasted_until_its_end_and_not_until_somebody_wrote_it_down(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    wm_standing    standing;
    wm_error       err;

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 5);
    finish(f, folder, 5);
    wm_run_folder_free(folder);
    f->now.wall_ms += 3600 * 1000;
    folder = open_folder(f, f->out); /* writes what the ledger has */
    for (int closed = 0; closed < 2; closed++) {
        char   *text = file_of(f->out, "summary.json", NULL);
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

        assert_true(json_real_value(json_object_get(json, "wall_seconds")) == 16.5);
        json_decref(json);
        free(text);
        assert_ok(wm_store_ledger(f->store)->load(wm_store_ledger(f->store), RUN, &standing, &err), &err);
        assert_ok(wm_run_folder_close(folder, &standing, NULL, &err), &err);
    }
    wm_run_folder_free(folder);
}

static void the_newest_model_lies_there_and_can_be_evaluated_alone(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    float         *params = calloc(wm_model_n_params(f->model), sizeof *params);
    char          *path = wm_path_join(f->out, "model.safetensors"), *job;
    wm_error       err;

    assert_non_null(params);
    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 2);
    finish(f, folder, 2);
    assert_ok(wm_safetensors_read(wm_files_system(), path, f->model, params, &err), &err);
    assert_memory_equal(params, f->params, wm_model_n_params(f->model) * sizeof *params);
    assert_ok(wm_safetensors_metadata(wm_files_system(), path, "job", &job, &err), &err);
    assert_string_equal(job, job_text);
    free(job);
    wm_run_folder_free(folder);
    free(params);
    free(path);
}

static void a_run_that_was_interrupted_leaves_the_same_folder(void **state)
{
    static const char *const names[] = { "rounds.csv", "clients.csv",  "model.safetensors",
                                         "job.yaml",   "summary.json", "report.html" };
    fixture                 *f = *state;
    wm_run_folder           *folder;
    char                    *there = wm_path_join(f->folder, "undisturbed");
    wm_error                 err;
    char                    *half = wm_path_join(there, "rounds.csv");

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 3);
    wm_run_folder_free(folder); /* as if killed: nothing was closed */
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 4, 6);
    finish(f, folder, 6);
    wm_run_folder_free(folder);

    /* The same run from its ledger, in one go, over what a torn write left. */
    assert_ok(wm_files_system()->make_folder(wm_files_system(), there, 0755, &err), &err);
    assert_ok(wm_files_system()->append(wm_files_system(), half, "round,sec", 9, &err), &err);
    folder = open_folder(f, there);
    {
        wm_final_record final;
        wm_standing     standing;

        assert_ok(wm_store_final(f->store, RUN, &final, &err), &err);
        assert_ok(wm_store_ledger(f->store)->load(wm_store_ledger(f->store), RUN, &standing, &err), &err);
        assert_ok(wm_run_folder_close(folder, &standing, &final, &err), &err);
        free(final.clients);
    }
    wm_run_folder_free(folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n_one, n_two;
        char  *one = file_of(f->out, names[i], &n_one), *two = file_of(there, names[i], &n_two);

        assert_case(names[i], n_one == n_two && memcmp(one, two, n_one) == 0);
        free(one);
        free(two);
    }
    free(there);
    free(half);
}

/* ---- a disk that fails now and then ---- */

typedef struct failing {
    wm_files files;
    bool     fails;
} failing;

static wm_status failing_append(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err)
{
    if (((const failing *)self->state)->fails) {
        (void)wm_files_system()->append(wm_files_system(), path, bytes, n / 2, NULL); /* a torn row */
        return wm_fail(err, WM_E_FULL, "cannot write %s: no space left", path);
    }
    return wm_files_system()->append(wm_files_system(), path, bytes, n, err);
}

static void a_row_that_was_torn_is_mended_by_the_next_round(void **state)
{
    fixture               *f = *state;
    failing                disk = { .files = *wm_files_system() };
    wm_run_folder_settings settings;
    wm_run_folder         *folder;
    wm_contribution        contributions[N_STATIONS];
    wm_error               err;
    char                  *text;

    disk.files.append = failing_append;
    disk.files.state = &disk;
    start(f);
    settings = (wm_run_folder_settings){ .files = &disk.files,
                                         .path = f->out,
                                         .job = f->job,
                                         .model = f->model,
                                         .record = &f->record,
                                         .ledger = wm_store_ledger(f->store),
                                         .blobs = wm_store_blobs(f->store),
                                         .clock = wm_clock_manual(&f->now) };
    assert_ok(wm_run_folder_open(&settings, &folder, &err), &err);
    for (uint32_t i = 1; i <= 3; i++) {
        wm_round_record round = round_of(f, i, contributions);

        commit(f, &round);
        disk.fails = i == 2;
        assert_int_equal(wm_run_folder_round(folder, &round, &err), i == 2 ? WM_E_FULL : WM_OK);
    }
    text = file_of(f->out, "rounds.csv", NULL);
    assert_int_equal(count_char(text, '\n'), 4);
    assert_non_null(strstr(text, "\n2,"));
    assert_non_null(strstr(text, "\n3,"));
    assert_int_equal(strncmp(text, wm_rounds_csv_header, strlen(wm_rounds_csv_header)), 0);
    free(text);
    wm_run_folder_free(folder);
}

/* ---- the page ---- */

/* Fails unless every tag is closed in its order, every & begins an entity, and attributes are quoted: what XML asks. */
static void assert_well_formed(const char *html)
{
    char   open[64][24];
    size_t depth = 0;

    for (const char *c = html; *c != '\0'; c++) {
        size_t n;

        if (*c == '&') {
            n = strcspn(c, ";");
            assert_true(n > 1 && n < 8);
        }
        if (*c != '<' || strncmp(c, "<!DOCTYPE", 9) == 0)
            continue;
        if (c[1] == '/') {
            n = strcspn(c + 2, ">");
            assert_true(depth > 0);
            depth--;
            if (strlen(open[depth]) != n || strncmp(open[depth], c + 2, n) != 0)
                fail_msg("<%s> is closed by </%.*s>", open[depth], (int)n, c + 2);
            continue;
        }
        n = strcspn(c + 1, " />");
        assert_true(isalpha((unsigned char)c[1]) && n < 24 && depth < 64);
        memcpy(open[depth], c + 1, n);
        open[depth][n] = '\0';
        for (c += 1 + n; *c != '>'; c++) {
            assert_true(*c != '\0' && *c != '<');
            if (*c == '"')
                c += 1 + strcspn(c + 1, "\"");
        }
        if (c[-1] != '/')
            depth++;
    }
    assert_int_equal(depth, 0);
}

static void assert_stands_alone(const char *html)
{
    static const char *const never[] = { "http:", "https:",  "<script", "<link",  "<img",       "src=",
                                         "url(",  "@import", "href=",   "onload", "javascript:" };

    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_case(never[i], strstr(html, never[i]) == NULL);
}

static void the_page_is_well_formed_and_needs_nothing_else(void **state)
{
    static const char *const wanted[] = { "air-quality",
                                          "rmse (in units of PM2.5)",
                                          "loss (mse)",
                                          "wanshouxigong",
                                          "federated + 1 epoch",
                                          "not finite at index 17",
                                          "fewer than 100 training rows",
                                          "model SHA-256",
                                          "layers: [flatten",
                                          "<title>huairou, round" };
    fixture                 *f = *state;
    wm_run_folder           *folder;
    char                    *html;

    start(f);
    folder = open_folder(f, f->out);
    html = file_of(f->out, "report.html", NULL);
    assert_well_formed(html);
    assert_non_null(strstr(html, "No round is done yet"));
    free(html);
    do_rounds(f, folder, 1, 30);
    finish(f, folder, 30);
    html = file_of(f->out, "report.html", NULL);
    assert_well_formed(html);
    assert_stands_alone(html);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_case(wanted[i], strstr(html, wanted[i]) != NULL);
    assert_null(strstr(html, "nan"));
    assert_null(strstr(html, "inf\""));
    keep(f, "small");
    free(html);
    wm_run_folder_free(folder);
}

static void a_run_of_a_thousand_clients_still_fits_a_page(void **state)
{
    enum { N = 1000 };
    static char    names[N][16];
    static char   *population[N];
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *html;
    size_t         n;

    for (size_t k = 0; k < N; k++) {
        snprintf(names[k], sizeof names[k], "mote-%04zu", k);
        population[k] = names[k];
    }
    f->record.population = population;
    f->record.n_population = N;
    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 60);
    finish(f, folder, 60);
    html = file_of(f->out, "report.html", &n);
    assert_well_formed(html);
    assert_stands_alone(html);
    assert_true(n < 600000);
    assert_non_null(strstr(html, "The 24 clients, of 1000, for which the federated model is worst."));
    assert_non_null(strstr(html, "The first 100 of 1,000; clients.csv has them all."));
    keep(f, "large");
    free(html);
    html = file_of(f->out, "clients.csv", &n);
    assert_int_equal(count_char(html, '\n'), N + 1);
    free(html);
    wm_run_folder_free(folder);
}

static void what_came_from_outside_cannot_leave_its_place(void **state)
{
    static char     evil[] = "<b onmouseover='x()'>&\"\xff\xe2\x80\xae";
    static char    *population[] = { evil };
    fixture        *f = *state;
    wm_contribution c = { .client = 0, .verdict = WM_VERDICT_REFUSED };
    wm_round_record round = { .round = 1, .contributions = &c, .n_contributions = 1, .refused = 1, .selected = 1 };
    wm_run_record   record = { .job_name = "</title><script>alert(1)</script>",
                               .job_text = "job: x # </pre><script src=\"https://evil\">\n",
                               .population = population,
                               .n_population = 1 };
    wm_result       results[WM_CONTENDERS] = { { .present = true, .metrics = { 1, 2 } } };
    wm_final_record final = { .clients = results };
    wm_standing     standing = { .outcome = WM_OUTCOME_FAILED, .why = "<i>no</i> & \"never\"" };
    wm_history      history;
    wm_report       report = {
              .job = f->job, .record = &record, .history = &history, .standing = &standing, .final = &final
    };
    wm_text  html = WM_TEXT_INIT;
    wm_error err;

    snprintf(c.reason, sizeof c.reason, "]]></td></table><script>fetch('//x')</script>\x1b[2J");
    assert_ok(wm_history_init(&history, 1, &err), &err);
    assert_ok(wm_history_add(&history, &round, NULL, &err), &err);
    assert_ok(wm_report_html(&report, &html, &err), &err);
    assert_well_formed(wm_text_chars(&html));
    assert_null(strstr(wm_text_chars(&html), "<script"));
    assert_null(strstr(wm_text_chars(&html), "<b on"));
    assert_null(strstr(wm_text_chars(&html), "<i>no"));
    assert_null(strchr(wm_text_chars(&html), 0x1b));
    assert_null(strstr(wm_text_chars(&html), "\xe2\x80\xae"));
    assert_non_null(
        strstr(wm_text_chars(&html), "&lt;b onmouseover=&#39;x()&#39;&gt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd"));
    wm_text_release(&html);
    wm_history_release(&history);
}

static void ticks_are_round_numbers_that_hold_everything(void **state)
{
    static const struct {
        const char *says;
        double      least, most, low, high, step;
        int         digits;
    } cases[] = {
        { "from nought", 0, 97, 0, 100, 20, 0 },
        { "fractions", 0.412, 0.938, 0.4, 1.0, 0.2, 1 },
        { "a narrow band", 58.02, 58.31, 58.0, 58.4, 0.1, 1 },
        { "small ones", 0, 0.00037, 0, 0.0004, 0.0001, 4 },
        { "below nought", -3, 12, -5, 15, 5, 0 },
        { "all the same", 5, 5, 5, 5.5, 0.1, 1 },
        { "nothing but noughts", 0, 0, 0, 1, 0.2, 1 },
        { "nothing at all", (double)INFINITY, -(double)INFINITY, 0, 1, 0.2, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_axis axis;

        wm_axis_init(&axis, cases[i].least, cases[i].most, 5);
        assert_case(cases[i].says, fabs(axis.step - cases[i].step) < 1e-9);
        assert_case(cases[i].says, fabs(axis.low - cases[i].low) < 1e-9);
        if (cases[i].least != cases[i].most)
            assert_case(cases[i].says, fabs(axis.high - cases[i].high) < 1e-9);
        assert_case(cases[i].says, axis.digits == cases[i].digits && axis.high > axis.low);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_rounds_csv_is_what_it_is),
        cmocka_unit_test(a_text_in_csv_is_one_field_and_no_formula),
        CASE(clients_csv_counts_each_round_once),
        CASE(rounds_csv_grows_with_every_round_and_the_pages_follow),
        CASE(summary_json_says_how_it_ended),
        CASE(a_run_lasted_until_its_end_and_not_until_somebody_wrote_it_down),
        CASE(the_newest_model_lies_there_and_can_be_evaluated_alone),
        CASE(a_run_that_was_interrupted_leaves_the_same_folder),
        CASE(a_row_that_was_torn_is_mended_by_the_next_round),
        CASE(the_page_is_well_formed_and_needs_nothing_else),
        CASE(a_run_of_a_thousand_clients_still_fits_a_page),
        CASE(what_came_from_outside_cannot_leave_its_place),
        cmocka_unit_test(ticks_are_round_numbers_that_hold_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
