/* models/layers/softmax_rows.h: softmax of one row and its gradient, for the layer of that name and for attention. */
#ifndef WM_MODELS_LAYERS_SOFTMAX_ROWS_H
#define WM_MODELS_LAYERS_SOFTMAX_ROWS_H

#include <stddef.h>

/* y[n] <- softmax of scale x[n] over the first `seen` values, zero beyond; y may be x. */
void wm_softmax_row(const float *x, float *y, size_t n, size_t seen, float scale);

/* dx[n] <- the gradient of x from dy, that of y = softmax(scale x); dx may be dy. */
void wm_softmax_row_grad(const float *y, const float *dy, float *dx, size_t n, float scale);

#endif
