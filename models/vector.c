/* models/vector.c */
#include "models/vector.h"

#include "models/kernel.h"

#include <string.h>

WM_KERNEL static void add(float *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

enum { COLUMNS = 32 }; /* as many sums as stay in registers */

/* Sums first, since they may be small beside what they are added to. */
static inline __attribute__((always_inline)) void sum_columns(float *to, float factor, const float *rows,
                                                              size_t count, size_t n, size_t columns)
{
    float sums[COLUMNS] = { 0 };

    for (size_t r = 0; r < count; r++)
        for (size_t j = 0; j < columns; j++)
            sums[j] += rows[r * n + j];
    for (size_t j = 0; j < columns; j++)
        to[j] += factor * sums[j];
}

WM_KERNEL static void sum_rows(float *to, float factor, const float *rows, size_t count, size_t n)
{
    size_t i = 0;

    for (; i + COLUMNS <= n; i += COLUMNS)
        sum_columns(to + i, factor, rows + i, count, n, COLUMNS);
    if (i < n)
        sum_columns(to + i, factor, rows + i, count, n, n - i);
}

WM_KERNEL static void scale(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* Sixteen sums side by side, so that the order of the additions is fixed here and not by the width of a machine. */
WM_KERNEL static double squares(const float *x, size_t n)
{
    double lanes[16] = { 0 }, sum = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        for (size_t j = 0; j < 16; j++)
            lanes[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (size_t j = 0; j < 16; j++)
        sum += lanes[j];
    return sum;
}

void wm_vector_add(float *to, const float *from, size_t n)
{
    add(to, from, n);
}

void wm_vector_fill_rows(float *to, const float *row, size_t count, size_t n)
{
    for (size_t r = 0; r < count; r++)
        memcpy(to + r * n, row, n * sizeof *to);
}

void wm_vector_sum_rows(float *to, const float *rows, size_t count, size_t n)
{
    sum_rows(to, 1, rows, count, n);
}

void wm_vector_sum_rows_scaled(float *to, float factor, const float *rows, size_t count, size_t n)
{
    sum_rows(to, factor, rows, count, n);
}

void wm_vector_scale(float *x, float factor, size_t n)
{
    scale(x, factor, n);
}

double wm_vector_squares(const float *x, size_t n)
{
    return squares(x, n);
}

bool wm_vector_finite(const float *x, size_t n)
{
    return isfinite(squares(x, n)); /* no sum of squares of floats leaves the range of double */
}
