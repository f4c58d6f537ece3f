/* models/metrics/balanced_accuracy.c
 *
 * The mean over the classes of their recall: Brodersen et al. 2010, "The balanced accuracy and its posterior
 * distribution"; as scikit-learn's balanced_accuracy_score, a class without an example is left out. */
#include "common/sizes.h"
#include "models/metric.h"

#include <math.h>

enum { RIGHT, EXAMPLES, SUMS }; /* of a class; sums[C][2] */

static size_t balanced_sums(const void *options, const wm_metric_head *head)
{
    size_t n;

    (void)options;
    return wm_size_mul(head->width, SUMS, &n) ? n : SIZE_MAX;
}

static void balanced_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch,
                         double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n; i++) {
        double *of = sums + (size_t)batch->classes[i] * SUMS;

        of[RIGHT] += wm_metric_class(batch->predicted + i * head->width, head->width) == batch->classes[i];
        of[EXAMPLES]++;
    }
}

static double balanced_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    double recall = 0, classes = 0;

    (void)options;
    (void)count;
    for (size_t c = 0; c < head->width; c++)
        if (sums[c * SUMS + EXAMPLES] > 0) {
            recall += sums[c * SUMS + RIGHT] / sums[c * SUMS + EXAMPLES];
            classes++;
        }
    return classes > 0 ? recall / classes : NAN;
}

const wm_metric_ops wm_metric_balanced_accuracy = {
    .member = { .name = "balanced_accuracy",
                .doc =
                    "Mean over the classes of the share of their examples that is classified right: a rare class "
                    "counts as much as a common one. Higher is better." },
    .for_classes = true,
    .better = WM_HIGHER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .value_most = 1,
    .n_sums = balanced_sums,
    .add = balanced_add,
    .figure = balanced_figure,
};
