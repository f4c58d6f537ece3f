/* models/passes.h
 *
 * A batch's ways through the graph of a plan: down from the inputs, the losses at the heads, and up again with their
 * gradients. For the files of this folder; the batch has been checked. */
#ifndef WM_MODELS_PASSES_H
#define WM_MODELS_PASSES_H

#include "models/layout.h"

/* A node's output, or the batch's input. */
const float *wm_pass_value(const wm_plan *plan, const wm_batch *batch, size_t node);

/* Every node's output. *penalty (when training): what layers add to the sum of the losses. */
void wm_pass_down(wm_plan *plan, const float *params, const wm_batch *batch, bool training, double *penalty);

/* The sum of all heads' losses over the examples; with `grads` also the gradient of the batch's mean at each head. */
double wm_pass_losses(wm_plan *plan, const wm_batch *batch, bool grads);

/* From the gradients at the heads to all others; those of the parameters are added to plan->grads. */
void wm_pass_up(wm_plan *plan, const float *params, const wm_batch *batch);

/* The same, and on the way each layer's parameters are stepped on: by the layer itself, or by the optimiser while its gradient
 * is still in the cache. For an optimiser that is plain. plan->grads were zeros, and are. */
void wm_pass_up_stepping(wm_plan *plan, float *params, const wm_batch *batch, double rate);

#endif
