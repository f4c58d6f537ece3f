/* models/metrics/mae.c: mean absolute error over all values. */
#include "models/metric.h"

#include <float.h>
#include <math.h>

static void mae_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n * head->width; i++)
        sums[0] += fabs((double)batch->predicted[i] - (double)batch->truth[i]);
}

static double mae_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    (void)options;
    (void)head;
    return count > 0 ? sums[0] / count : NAN;
}

const wm_metric_ops wm_metric_mae = {
    .member = { .name = "mae", .doc = "Mean absolute error, in the target's own unit; lower is better." },
    .better = WM_LOWER_IS_BETTER,
    .unit = "data",
    .value_most = 2.0 * FLT_MAX,
    .add = mae_add,
    .figure = mae_figure,
};
