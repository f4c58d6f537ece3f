/* models/initialiser.h
 *
 * The family of initialisers: how the weights of a layer begin, where the job says otherwise than the layer would. They
 * are torch.nn.init's, of the same names: an initialiser looks at the shape of a tensor and says which distribution its
 * values are drawn from. Biases and scales, tensors of one dimension, begin as their layer says.
 *
 * Adding one: a member in models/initialisers/, one line in initialisers.c. */
#ifndef WM_MODELS_INITIALISER_H
#define WM_MODELS_INITIALISER_H

#include "models/layer.h"

/* The shorter side of a matrix that orthogonal lets through is below. */
enum { WM_ORTHOGONAL_SIDE_MAX = 1300 };

typedef struct wm_initialiser_ops {
    wm_member member; /* first: see family.h */

    /* Of a tensor of two dimensions or more. */
    wm_initial (*of)(const void *options, const wm_shape *shape);

    /* Whether it goes with that shape: NULL, or a sentence that becomes a fault. May be NULL. */
    const char *(*mismatch)(const wm_shape *shape, char text[WM_ERROR_TEXT]);
} wm_initialiser_ops;

#endif
