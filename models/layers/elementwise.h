/* models/layers/elementwise.h: what the layers that treat every value by itself share. */
#ifndef WM_MODELS_LAYERS_ELEMENTWISE_H
#define WM_MODELS_LAYERS_ELEMENTWISE_H

#include "models/kernel.h"
#include "models/layer.h"

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

#endif
