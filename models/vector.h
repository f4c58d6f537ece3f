/* models/vector.h
 *
 * The few things that are done to whole vectors between layers. The same bits on every machine. */
#ifndef WM_MODELS_VECTOR_H
#define WM_MODELS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

/* to[n] += from[n] */
void wm_vector_add(float *to, const float *from, size_t n);

/* to[count][n] <- row[n], again and again */
void wm_vector_fill_rows(float *to, const float *row, size_t count, size_t n);

/* to[n] += the sum of rows[count][n] */
void wm_vector_sum_rows(float *to, const float *rows, size_t count, size_t n);

/* to[n] += factor times that sum */
void wm_vector_sum_rows_scaled(float *to, float factor, const float *rows, size_t count, size_t n);

/* x[n] *= factor */
void wm_vector_scale(float *x, float factor, size_t n);

/* The sum of the squares of x[n], in double. NaN and infinity show in it. */
double wm_vector_squares(const float *x, size_t n);

bool wm_vector_finite(const float *x, size_t n);

#endif
