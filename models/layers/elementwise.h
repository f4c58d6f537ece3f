/* models/layers/elementwise.h: what the layers that treat every value by itself share. */
#ifndef WM_MODELS_LAYERS_ELEMENTWISE_H
#define WM_MODELS_LAYERS_ELEMENTWISE_H

#include "models/kernel.h"
#include "models/layer.h"

#include <string.h>

/* `fit` of a layer whose output is as its input. */
static inline void wm_same_shape(const void *options, wm_fit *fit)
{
    (void)options;
    fit->output = fit->inputs[0];
}

/* Values of a shape that the model has checked to fit. */
static inline size_t wm_values(const wm_shape *shape)
{
    size_t n = 0;

    wm_shape_count(shape, &n);
    return n;
}

/* Values of the output, in the whole batch. */
static inline size_t wm_run_values(const wm_layer_run *run)
{
    return wm_values(&run->output_shape) * run->B;
}

/* `forward` and `backward` of a layer that changes the shape alone: nothing moves, unless somebody else needs the input
 * too. */
static inline void wm_same_values(const wm_layer_run *run, const float *from, float *to)
{
    if (to != NULL && to != from)
        memcpy(to, from, wm_run_values(run) * sizeof *to);
}

static inline void wm_same_values_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    wm_same_values(run, run->inputs[0], run->output);
}

static inline void wm_same_values_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    wm_same_values(run, run->output_grad, run->input_grads[0]);
}

#endif
