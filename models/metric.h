/* models/metric.h
 *
 * A measure of how good predictions are, as sums that add up over batches, clients and rounds, and a last step that
 * makes the figure: rmse is sqrt(sum of squares / n). So a federated metric equals the pooled one exactly, whatever
 * the sizes of the clients. Values are in the units of the data (scaling already undone). */
#ifndef WM_MODELS_METRIC_H
#define WM_MODELS_METRIC_H

#include "common/config/family.h"

enum { WM_METRIC_SUMS_MAX = 4 };

typedef struct wm_metric_ops {
    wm_member   member; /* first: see family.h */
    size_t      n_sums;
    bool        for_classes; /* takes classes, not values */
    bool        higher_is_better;
    const char *unit; /* "data": the target's own unit; "share": a number from 0 to 1 */
    double value_most; /* the most that one counted value can add to a sum; the least is 0: what says more is refused */

    /* Adds n examples of `width` predictions. For values: truth[n][width]; for classes: predicted are logits
     * [n][width] and classes[n]. */
    void (*add)(const void *options, const float *predicted, const float *truth, const int32_t *classes, size_t n,
                size_t width, double sums[WM_METRIC_SUMS_MAX]);

    /* count: values seen (n * width), or examples for classes; 0 gives NaN. */
    double (*figure)(const void *options, const double sums[WM_METRIC_SUMS_MAX], double count);
} wm_metric_ops;

#endif
