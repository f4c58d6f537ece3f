/* models/metrics/mase.c
 *
 * Mean absolute scaled error: Hyndman and Koehler 2006, "Another look at measures of forecast accuracy", section 3:
 *
 *     q_t = e_t / (1/(n - 1) sum_{i=2..n} |Y_i - Y_{i-1}|),     MASE = mean |q_t|
 *
 * The divisor is the client's own: how far persistence was out, one step ahead, over the readings that it trained on; so
 * gateways of all sizes count alike, which is what the measure was made for. Below 1 the model does better than that.
 * With a season of m steps it is persistence from a season ago, |Y_i - Y_{i-m}|, as Hyndman has it for seasonal data.
 *
 * Of a client whose training readings are all equal there is no q_t (the paper: "infinite or undefined"): its values are
 * not counted. So the second sum counts those that are. */
#include "models/metric.h"

#include <math.h>

typedef struct mase_options {
    int64_t season;
} mase_options;

enum { ERRORS, COUNTED, SUMS };

static size_t mase_sums(const void *options, const wm_metric_head *head)
{
    (void)options;
    (void)head;
    return SUMS;
}

static size_t mase_season(const void *options)
{
    return (size_t)((const mase_options *)options)->season;
}

static void mase_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n; i++) {
        double yardstick = batch->yardstick[i];

        if (!(yardstick > 0))
            continue;
        for (size_t k = i * head->width; k < (i + 1) * head->width; k++)
            sums[ERRORS] += fabs((double)batch->predicted[k] - (double)batch->truth[k]) / yardstick;
        sums[COUNTED] += (double)head->width;
    }
}

static double mase_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    (void)options;
    (void)head;
    (void)count;
    return sums[COUNTED] > 0 ? sums[ERRORS] / sums[COUNTED] : NAN;
}

static const wm_option options[] = {
    { .name = "season",
      .kind = WM_WHOLE,
      .offset = offsetof(mase_options, season),
      .least = 1,
      .most = 1e6,
      .standard = "1",
      .main = true,
      .doc =
          "Steps of the data after which it repeats: 24 for hourly readings with a daily course; 1: it does not." },
};

const wm_metric_ops wm_metric_mase = {
    .member = { .name = "mase",
                .doc = "Mean absolute error, of which 1 is that of persistence one step (or season) ahead on the "
                       "client's training readings (Hyndman and Koehler 2006); lower is better.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(mase_options) },
    .better = WM_LOWER_IS_BETTER,
    .unit = "persistence is 1",
    .value_most = 1e100, /* the largest float over the smallest, and a mean of many of those */
    .n_sums = mase_sums,
    .season = mase_season,
    .add = mase_add,
    .figure = mase_figure,
};
