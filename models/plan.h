/* models/plan.h
 *
 * One thread's memory for running a model, known in bytes before the first batch and allocated once: activations,
 * gradients, optimiser state, scratch. A step calls malloc zero times. The parameters themselves are the caller's
 * vector, so that a resident plan serves one client after the other by copying weights in: the model's, and behind them
 * those of personal layers, [n_params] and no more where there are none. */
#ifndef WM_MODELS_PLAN_H
#define WM_MODELS_PLAN_H

#include "models/batch.h"
#include "models/model.h"

typedef struct wm_plan wm_plan;

typedef enum wm_plan_use { WM_PLAN_EVALUATE, WM_PLAN_TRAIN } wm_plan_use;

/* Batches of up to batch_max examples. `optimiser` (with its options) is the job's; looked at for WM_PLAN_TRAIN only.
 * The model must outlive the plan. WM_E_NOMEM. */
wm_status wm_plan_new(const wm_model *model, size_t batch_max, wm_plan_use use, wm_plan **ret, wm_error *err);
void      wm_plan_free(wm_plan *plan);

/* What wm_plan_new would allocate; WM_E_RANGE if that does not fit a size_t. */
wm_status wm_plan_bytes(const wm_model *model, size_t batch_max, wm_plan_use use, size_t *ret, wm_error *err);

/* *all <- the same; bytes[i] <- what of that is node i's of the model, in the order of wm_model_describe: its output, the
 * gradient of it and what it saves. A layer that works in place, or an input, has less. The rest is the model's as a
 * whole: gradients and optimiser state of the parameters, scratch. WM_E_RANGE. */
wm_status wm_plan_node_bytes(const wm_model *model, size_t batch_max, wm_plan_use use, size_t *bytes, size_t *all,
                             wm_error *err);

/* The plan's buffers, [n_buffer_values of the model]. A step changes them. */
void wm_plan_set_buffers(wm_plan *plan, const float *values);
void wm_plan_get_buffers(const wm_plan *plan, float *values);

/* Optimiser state (momenta) to zero and buffers to their start, as at the start of each client's local training; seeds
 * dropout and its kin. */
void wm_plan_reset(wm_plan *plan, uint64_t seed);

/* The plan is not needed for a while: what it takes, if that is much, is the system's again until then. What it holds is
 * lost: it has to be reset before it trains again, and its buffers to be set before it evaluates. */
void wm_plan_rest(wm_plan *plan);

typedef struct wm_step {
    double rate; /* of the optimiser */
    double clip; /* norm of the gradient over the whole batch; 0: not clipped */

    /* Called between the gradient, already clipped, and the optimiser's step; NULL for none. A strategy's `adjust` goes
     * here: it gets those that are trained together, and no others. */
    void (*adjust)(void *context, const float *params, float *grads, size_t n_params);
    void *context;
} wm_step;

/* One optimiser step on params[n_params]: forward, loss, backward, step. *loss: the batch's mean, before the step.
 * Where nobody sees the gradient in between (the optimiser is sgd without momentum and weight decay, and there is neither
 * clip nor adjust) a layer that can (layer.h, `steps`) adds -rate times it to its parameters at once: the same step but for
 * float rounding, with the gradient never in memory.
 * WM_E_NONFINITE if the loss is not finite (the sentence names the first layer whose output is not) or if the norm of
 * a gradient that is to be clipped is not; WM_E_RANGE if the batch is empty or too large, or holds a class that the
 * target does not have. Params are then as they were. */
wm_status wm_plan_step(wm_plan *plan, float *params, const wm_batch *batch, const wm_step *step, double *loss,
                       wm_error *err);

/* Forward only. outputs[t]: the plan's memory, valid until the next call: [B][width of target t]; for a class target
 * the logits, of a head of quantiles those of each value side by side. *loss_sum (may be NULL): the sum of the
 * examples' losses, all heads weighted as the job says. */
wm_status wm_plan_forward(wm_plan *plan, const float *params, const wm_batch *batch,
                          const float *outputs[WM_TARGETS_MAX], double *loss_sum, wm_error *err);

/* The gradient of the batch's mean loss by all that is trained, frozen layers left out, the plan's memory: for tests
 * against numeric gradients. */
wm_status wm_plan_gradient(wm_plan *plan, const float *params, const wm_batch *batch, const float **grads,
                           double *loss, wm_error *err);

#endif
