/* models/metrics/mae.c: mean absolute error over all values. */
#include "models/metric.h"

#include <float.h>
#include <math.h>

static void mae_add(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                    size_t n, size_t width, double sums[WM_METRIC_SUMS_MAX])
{
    (void)options;
    (void)classes;
    for (size_t i = 0; i < n * width; i++)
        sums[0] += fabs((double)predicted[i] - (double)truth[i]);
}

static double mae_figure(const void *options, const double sums[WM_METRIC_SUMS_MAX], double count)
{
    (void)options;
    return count > 0 ? sums[0] / count : NAN;
}

const wm_metric_ops wm_metric_mae = {
    .member = { .name = "mae", .doc = "Mean absolute error, in the target's own unit." },
    .n_sums = 1,
    .unit = "data",
    .value_most = 2.0 * FLT_MAX,
    .add = mae_add,
    .figure = mae_figure,
};
