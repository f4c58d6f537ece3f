/* models/losses/class_weights.h
 *
 * What an example counts by its class, as an option of the losses of classes. */
#ifndef WM_MODELS_LOSSES_CLASS_WEIGHTS_H
#define WM_MODELS_LOSSES_CLASS_WEIGHTS_H

#include "models/loss.h"

#include <stdio.h>

static inline double wm_class_weight(const wm_reals *weights, size_t c)
{
    return weights->count > 0 ? weights->items[c] : 1; /* none are all 1 */
}

static inline void wm_class_weights_check(const wm_reals *weights, wm_faults *faults, wm_place place,
                                          const char *path)
{
    for (size_t i = 0; i < weights->count; i++)
        if (!(weights->items[i] > 0))
            wm_faults_add(faults, place, path, "class_weights[%zu] is %g: a weight is above 0", i,
                          weights->items[i]);
}

/* As wm_loss_ops.mismatch. */
static inline const char *wm_class_weights_mismatch(const wm_reals *weights, size_t width, char text[WM_ERROR_TEXT])
{
    if (weights->count == 0 || weights->count == width)
        return NULL;
    snprintf(text, WM_ERROR_TEXT, "%zu class_weights for %zu classes; give each class one", weights->count, width);
    return text;
}

#endif
