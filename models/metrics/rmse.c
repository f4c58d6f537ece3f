/* models/metrics/rmse.c: root of the mean squared error over all values. */
#include "models/metric.h"

#include <float.h>
#include <math.h>

static void rmse_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n * head->width; i++) {
        double d = (double)batch->predicted[i] - (double)batch->truth[i];

        sums[0] += d * d;
    }
}

static double rmse_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    (void)options;
    (void)head;
    return count > 0 ? sqrt(sums[0] / count) : NAN;
}

const wm_metric_ops wm_metric_rmse = {
    .member = { .name = "rmse",
                .doc = "Root of the mean squared error, in the target's own unit; lower is better." },
    .better = WM_LOWER_IS_BETTER,
    .unit = "data",
    .value_most = 4.0 * FLT_MAX * FLT_MAX,
    .add = rmse_add,
    .figure = rmse_figure,
};
