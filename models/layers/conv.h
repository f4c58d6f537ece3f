/* models/layers/conv.h
 *
 * What the two ways to run a convolution share. By windows (conv_windows.c): a product takes the input as it lies, framed
 * by zeros where it is padded; nothing is laid out anew. By rows (conv_rows.c): the places under the kernel become the rows
 * of a matrix, a portion of them at a time; for groups, dilations, narrow outputs, and machines for which gemm.h has no
 * kernel of its own. Both run one example at a time, and add to what they are given. */
#ifndef WM_MODELS_LAYERS_CONV_H
#define WM_MODELS_LAYERS_CONV_H

#include "models/layers/sliding.h"

typedef struct wm_conv {
    wm_sliding s;
    size_t     groups, in, out; /* channels of one group */
    size_t     places, wide;    /* of the kernel; a row: places x in */
    size_t     positions;       /* of an example */
} wm_conv;

/* ---- by rows: weights and their gradients [group][place][in][out] ---- */

size_t wm_conv_rows_scratch(const wm_conv *c); /* floats; undefined before and after */
void   wm_conv_rows_forward(const wm_conv *c, float *scratch, const float *weights, const float *x, float *y);
void   wm_conv_rows_weights(const wm_conv *c, float *scratch, const float *x, const float *dy, float *grads);
void   wm_conv_rows_inputs(const wm_conv *c, float *scratch, const float *weights, const float *dy, float *dx);

/* ---- by windows: where these say that it is possible and worth it ---- */

bool wm_conv_by_windows(const wm_conv *c);        /* forward, and the weights' gradients */
bool wm_conv_inputs_by_windows(const wm_conv *c); /* the inputs' gradients too */

size_t wm_conv_windows_scratch(const wm_conv *c);               /* floats */
void   wm_conv_windows_begin(const wm_conv *c, float *scratch); /* before the first of several examples */

/* As by rows; but the weights of _inputs are [place, the last one first][out][in]. */
void wm_conv_windows_forward(const wm_conv *c, float *scratch, const float *weights, const float *x, float *y);
void wm_conv_windows_weights(const wm_conv *c, float *scratch, const float *x, const float *dy, float *grads);
void wm_conv_windows_inputs(const wm_conv *c, float *scratch, const float *weights, const float *dy, float *dx);

#endif
