/* models/metrics/accuracy.c: the share of examples whose largest logit is the true class's; of equal ones the first
 * counts, and an example with NaN among its logits is wrong. */
#include "models/metric.h"

#include <math.h>

static bool is_right(const float *z, size_t width, int32_t c)
{
    for (size_t j = 0; j < width; j++) {
        if (isnan(z[j]))
            return false;
        if (j < (size_t)c ? z[j] >= z[c] : z[j] > z[c])
            return false;
    }
    return true;
}

static void accuracy_add(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                         size_t n, size_t width, double sums[WM_METRIC_SUMS_MAX])
{
    (void)options;
    (void)truth;
    for (size_t i = 0; i < n; i++)
        sums[0] += is_right(predicted + i * width, width, classes[i]);
}

static double accuracy_figure(const void *options, const double sums[WM_METRIC_SUMS_MAX], double count)
{
    (void)options;
    return count > 0 ? sums[0] / count : NAN;
}

const wm_metric_ops wm_metric_accuracy = {
    .member = { .name = "accuracy", .doc = "Share of the examples that are classified right." },
    .n_sums = 1,
    .for_classes = true,
    .higher_is_better = true,
    .unit = "share",
    .value_most = 1,
    .add = accuracy_add,
    .figure = accuracy_figure,
};
