/* models/batch.h
 *
 * A batch of examples as a model eats it: one block of floats per named input, one block per target. Plain record;
 * who fills it owns the memory. B is the number of examples in it. */
#ifndef WM_MODELS_BATCH_H
#define WM_MODELS_BATCH_H

#include <stddef.h>
#include <stdint.h>

enum { WM_INPUTS_MAX = 8, WM_TARGETS_MAX = 8 };

typedef struct wm_batch {
    size_t       n;                     /* B */
    const float *inputs[WM_INPUTS_MAX]; /* [B][shape of input i], in the order of the job's inputs */
    /* [B][width] for values, which is the input itself where that is to be given back; NULL for a class target */
    const float   *targets[WM_TARGETS_MAX];
    const int32_t *classes[WM_TARGETS_MAX]; /* [B] for a class target, NULL for values */
} wm_batch;

#endif
