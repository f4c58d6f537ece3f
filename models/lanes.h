/* models/lanes.h
 *
 * Sums, and the largest, of a row in sixteen lanes side by side: they vectorise without -ffast-math, and the order of the
 * additions is the same whatever the width of the machine. For kernels (kernel.h): each becomes part of its caller. */
#ifndef WM_MODELS_LANES_H
#define WM_MODELS_LANES_H

#include <stddef.h>

enum { WM_LANES = 16 };

static inline __attribute__((always_inline)) float wm_lanes_total(const float lanes[WM_LANES])
{
    float sum = 0;

    for (size_t j = 0; j < WM_LANES; j++)
        sum += lanes[j];
    return sum;
}

/* sum x */
static inline __attribute__((always_inline)) float wm_lanes_sum(const float *x, size_t n)
{
    float  lanes[WM_LANES] = { 0 };
    size_t i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < WM_LANES; j++)
            lanes[j] += x[i + j];
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += x[i];
    return wm_lanes_total(lanes);
}

/* sum x y */
static inline __attribute__((always_inline)) float wm_lanes_dot(const float *x, const float *y, size_t n)
{
    float  lanes[WM_LANES] = { 0 };
    size_t i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < WM_LANES; j++)
            lanes[j] += x[i + j] * y[i + j];
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += x[i] * y[i];
    return wm_lanes_total(lanes);
}

/* The largest of n > 0; NaN only counts where it stands first. */
static inline __attribute__((always_inline)) float wm_lanes_most(const float *x, size_t n)
{
    float  lanes[WM_LANES], most;
    size_t i = 0;

    for (size_t j = 0; j < WM_LANES; j++)
        lanes[j] = x[0];
    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < WM_LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    most = lanes[0];
    for (size_t j = 1; j < WM_LANES; j++)
        most = lanes[j] > most ? lanes[j] : most;
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

#endif
