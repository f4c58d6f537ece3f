/* models/layers/softmax_rows.h: softmax of rows and its gradient, for the layer of that name and for attention. */
#ifndef WM_MODELS_LAYERS_SOFTMAX_ROWS_H
#define WM_MODELS_LAYERS_SOFTMAX_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* y[rows][n] <- softmax of scale x[rows][n], row by row; y may be x. `causal`: of row r only the first r + 1 values count,
 * and those beyond become zero. */
void wm_softmax_rows(const float *x, float *y, size_t rows, size_t n, bool causal, float scale);

/* dx[rows][n] <- the gradient of x from dy, that of y = softmax(scale x); dx may be dy. */
void wm_softmax_rows_grad(const float *y, const float *dy, float *dx, size_t rows, size_t n, float scale);

#endif
