/* models/lanes.h
 *
 * Sums, and the largest, of a row in sixteen lanes side by side: the order of the additions is the same whatever the width
 * of the machine. The lanes are four vectors, a type of the compiler's that every machine has, since gcc makes nothing of a
 * loop over sixteen floats but sixteen single additions. For kernels (kernel.h): each becomes part of its caller. */
#ifndef WM_MODELS_LANES_H
#define WM_MODELS_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { WM_LANES = 16 };

typedef float   wm_four __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t wm_four_masks __attribute__((vector_size(16), may_alias));

static inline __attribute__((always_inline)) wm_four wm_four_at(const float *x)
{
    return *(const wm_four *)x;
}

static inline __attribute__((always_inline)) float wm_lanes_total(const wm_four lanes[4])
{
    wm_four sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);

    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* sum x */
static inline __attribute__((always_inline)) float wm_lanes_sum(const float *x, size_t n)
{
    wm_four lanes[4] = { 0 };
    float   rest = 0;
    size_t  i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < 4; j++)
            lanes[j] += wm_four_at(x + i + 4 * j);
    for (; i < n; i++)
        rest += x[i];
    return wm_lanes_total(lanes) + rest;
}

/* sum x y */
static inline __attribute__((always_inline)) float wm_lanes_dot(const float *x, const float *y, size_t n)
{
    wm_four lanes[4] = { 0 };
    float   rest = 0;
    size_t  i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < 4; j++)
            lanes[j] += wm_four_at(x + i + 4 * j) * wm_four_at(y + i + 4 * j);
    for (; i < n; i++)
        rest += x[i] * y[i];
    return wm_lanes_total(lanes) + rest;
}

/* x > y ? x : y; NaN only counts in y. */
static inline __attribute__((always_inline)) wm_four wm_four_most(wm_four x, wm_four y)
{
    wm_four_masks takes = x > y;

    return (wm_four)((takes & (wm_four_masks)x) | (~takes & (wm_four_masks)y));
}

/* The largest of n > 0; NaN only counts where it stands first. */
static inline __attribute__((always_inline)) float wm_lanes_most(const float *x, size_t n)
{
    float   most = x[0];
    wm_four lanes[4] = { { most, most, most, most },
                         { most, most, most, most },
                         { most, most, most, most },
                         { most, most, most, most } };
    size_t  i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < 4; j++)
            lanes[j] = wm_four_most(wm_four_at(x + i + 4 * j), lanes[j]);
    for (size_t j = 1; j < 4; j++)
        lanes[0] = wm_four_most(lanes[j], lanes[0]);
    for (size_t j = 0; j < 4; j++)
        most = lanes[0][j] > most ? lanes[0][j] : most;
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

#endif
