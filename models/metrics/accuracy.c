/* models/metrics/accuracy.c: the share of examples whose largest logit is the true class's; of equal ones the first
 * counts, and an example with NaN among its logits is wrong. */
#include "models/metric.h"

#include <math.h>

static void accuracy_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch,
                         double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n; i++)
        sums[0] += wm_metric_class(batch->predicted + i * head->width, head->width) == batch->classes[i];
}

static double accuracy_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    (void)options;
    (void)head;
    return count > 0 ? sums[0] / count : NAN;
}

const wm_metric_ops wm_metric_accuracy = {
    .member = { .name = "accuracy", .doc = "Share of the examples that are classified right; higher is better." },
    .for_classes = true,
    .better = WM_HIGHER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .value_most = 1,
    .add = accuracy_add,
    .figure = accuracy_figure,
};
