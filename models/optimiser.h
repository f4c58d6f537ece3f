/* models/optimiser.h
 *
 * The family of optimisers: from a gradient to the next parameters, as torch.optim does it.
 *
 * Adding one: a file in models/optimisers/, one line in optimisers.c. */
#ifndef WM_MODELS_OPTIMISER_H
#define WM_MODELS_OPTIMISER_H

#include "common/config/family.h"

typedef struct wm_optimiser_ops {
    wm_member member; /* first: see family.h */

    /* Floats of state (momenta) that it keeps for each parameter; zero before the first step. */
    size_t (*state_each)(const void *options);

    /* Whether a step is params -= rate * grads and nothing else, so that layers may take it (layer.h). NULL: never. */
    bool (*is_plain)(const void *options);

    /* params[n] one step further; t counts the steps since the state was zero, from 1. Leaves zeros in grads[n], which
     * is cheapest while they are at hand: layers add to them. state: [state_each][n], NULL if that is 0. */
    void (*step)(const void *options, double rate, uint64_t t, float *params, float *grads, float *state, size_t n);
} wm_optimiser_ops;

#endif
