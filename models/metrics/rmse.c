/* models/metrics/rmse.c: root of the mean squared error over all values. */
#include "models/metric.h"

#include <float.h>
#include <math.h>

static void rmse_add(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                     size_t n, size_t width, double sums[WM_METRIC_SUMS_MAX])
{
    (void)options;
    (void)classes;
    for (size_t i = 0; i < n * width; i++) {
        double d = (double)predicted[i] - (double)truth[i];

        sums[0] += d * d;
    }
}

static double rmse_figure(const void *options, const double sums[WM_METRIC_SUMS_MAX], double count)
{
    (void)options;
    return count > 0 ? sqrt(sums[0] / count) : NAN;
}

const wm_metric_ops wm_metric_rmse = {
    .member = { .name = "rmse", .doc = "Root of the mean squared error, in the target's own unit." },
    .n_sums = 1,
    .unit = "data",
    .value_most = 4.0 * FLT_MAX * FLT_MAX,
    .add = rmse_add,
    .figure = rmse_figure,
};
