/* models/loss.h
 *
 * The family of losses: what a head's prediction costs, and its gradient. Values are as the model sees them (scaled).
 *
 * Adding one: a file in models/losses/, one line in losses.c. tests/models/test_losses.c then holds it to numeric
 * gradients. */
#ifndef WM_MODELS_LOSS_H
#define WM_MODELS_LOSS_H

#include "common/config/family.h"
#include "common/status.h"

typedef struct wm_loss_ops {
    wm_member member;      /* first: see family.h */
    bool      for_classes; /* of a class target, with logits; otherwise of values */
    bool      of_inputs;   /* of a target that is one of the inputs, and of no other */
    bool      negative;    /* an example's loss can be below 0 */

    /* Values that the head must give for a target of `width` values or classes (three quantiles of each value need
     * three times as many). NULL: as many. */
    size_t (*head_width)(const void *options, size_t width);

    /* Of a loss that predicts quantiles of each value: *ret <- their levels, rising; gives back how many. NULL: none. */
    size_t (*levels)(const void *options, const double **ret);

    /* p[width] <- the probabilities that logits z[width] of a class target say. NULL: they say none. */
    void (*probabilities)(const float *z, size_t width, double *p);

    /* Whether the options go with a target of `width`: NULL, or a sentence that becomes a fault. May be NULL. */
    const char *(*mismatch)(const void *options, size_t width, char text[WM_ERROR_TEXT]);

    /* The sum of the losses of n examples; each example's is the mean over its values. predicted[n][head width];
     * truth[n][width], or classes[n] that are below the width. grad (NULL: not wanted) [n][head width] <- the
     * gradient of that sum, times `scale`. NaN in, NaN out. */
    double (*sum)(const void *options, const float *predicted, const float *truth, const int32_t *classes, size_t n,
                  size_t width, float *grad, double scale);
} wm_loss_ops;

#endif
