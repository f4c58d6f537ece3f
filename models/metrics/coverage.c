/* models/metrics/coverage.c
 *
 * Coverage of a forecast of quantiles: how often the truth lay between the lowest and the highest of them (at or below
 * it, where there is one). It is right when it is what they promise: 0.8 for [0.1, 0.5, 0.9]; more is too cautious, less
 * too sure (Gneiting and Raftery 2007, section 6.2). The naive prediction has no quantiles and no figure. */
#include "models/metric.h"

#include <math.h>

enum { WITHIN, COUNTED, SUMS };

static size_t coverage_sums(const void *options, const wm_metric_head *head)
{
    (void)options;
    (void)head;
    return SUMS;
}

static const char *coverage_mismatch(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    (void)options;
    (void)text;
    return head->n_levels == 0 ? "is of quantiles, and there is no head with the loss pinball" : NULL;
}

static double coverage_aim(const void *options, const wm_metric_head *head)
{
    (void)options;
    return head->levels[head->n_levels - 1] - (head->n_levels > 1 ? head->levels[0] : 0);
}

static void coverage_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch,
                         double *sums)
{
    (void)options;
    if (batch->quantiles == NULL)
        return;
    for (size_t i = 0; i < batch->n * head->width; i++) {
        const float *quantiles = batch->quantiles + i * head->n_levels;

        sums[WITHIN] += batch->truth[i] <= quantiles[head->n_levels - 1] &&
                        (head->n_levels == 1 || batch->truth[i] >= quantiles[0]);
        sums[COUNTED]++;
    }
}

static double coverage_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    (void)options;
    (void)head;
    (void)count;
    return sums[COUNTED] > 0 ? sums[WITHIN] / sums[COUNTED] : NAN;
}

const wm_metric_ops wm_metric_coverage = {
    .member = { .name = "coverage",
                .doc =
                    "Share of the truths between the lowest and the highest predicted quantile: right is what these "
                    "promise, 0.8 for 0.1 to 0.9." },
    .better = WM_NEARER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .value_most = 1,
    .n_sums = coverage_sums,
    .mismatch = coverage_mismatch,
    .aim = coverage_aim,
    .add = coverage_add,
    .figure = coverage_figure,
};
