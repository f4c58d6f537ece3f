/* models/layers/norm.h
 *
 * What normalising layers share: values in groups, each brought to mean 0 and deviation 1 by its own mean and variance,
 * then scaled and shifted by `weight` and `bias`, one of each for a channel. A group is some channels side by side at
 * all positions of an example; to layer_norm every step is an example of one position. */
#ifndef WM_MODELS_LAYERS_NORM_H
#define WM_MODELS_LAYERS_NORM_H

#include "models/layer.h"

typedef struct wm_norm {
    size_t examples, groups, positions; /* groups and positions of one example */
    size_t width;                       /* channels of a group */
    float  epsilon;
} wm_norm;

/* The output as the input, weight and bias, and two floats saved for each of `groups` groups of an example: its mean and
 * 1 / sqrt(variance + epsilon). */
void wm_norm_fit(wm_fit *fit, size_t groups);

void wm_norm_forward(const wm_norm *norm, const wm_layer_run *run);
void wm_norm_backward(const wm_norm *norm, const wm_layer_run *run);

#define WM_NORM_EPSILON(type)                                                                             \
    {                                                                                                     \
        .name = "epsilon", .kind = WM_REAL, .offset = offsetof(type, epsilon), .least = 1e-12, .most = 1, \
        .standard = "1e-5", .doc = "Added to the variance, so that nothing is divided by zero."           \
    }

#endif
