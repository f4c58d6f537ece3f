/* models/layers/norm.h
 *
 * Sums that normalising layers take, over sixteen lanes side by side: they vectorise without -ffast-math, and the order
 * of the additions is the same whatever the width of the machine. Inlined into the callers' WM_KERNELs. */
#ifndef WM_MODELS_LAYERS_NORM_H
#define WM_MODELS_LAYERS_NORM_H

#include "models/kernel.h"

enum { WM_LANES = 16 };

typedef struct wm_norm_options {
    double epsilon;
} wm_norm_options;

#define WM_NORM_EPSILON(type)                                                                             \
    {                                                                                                     \
        .name = "epsilon", .kind = WM_REAL, .offset = offsetof(type, epsilon), .least = 1e-12, .most = 1, \
        .standard = "1e-5", .doc = "Added to the variance, so that nothing is divided by zero."           \
    }

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

/* sum (x - mean)^2 */
static inline __attribute__((always_inline)) float wm_lanes_spread(const float *x, size_t n, float mean)
{
    float  lanes[WM_LANES] = { 0 };
    size_t i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < WM_LANES; j++)
            lanes[j] += (x[i + j] - mean) * (x[i + j] - mean);
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += (x[i] - mean) * (x[i] - mean);
    return wm_lanes_total(lanes);
}

/* sums <- sum dy w, sum dy w (x - mean) */
static inline __attribute__((always_inline)) void wm_lanes_slopes(const float *x, const float *dy, const float *w,
                                                                  size_t n, float mean, float sums[2])
{
    float  plain[WM_LANES] = { 0 }, moment[WM_LANES] = { 0 };
    size_t i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < WM_LANES; j++) {
            plain[j] += dy[i + j] * w[i + j];
            moment[j] += dy[i + j] * w[i + j] * (x[i + j] - mean);
        }
    for (size_t j = 0; i < n; i++, j++) {
        plain[j] += dy[i] * w[i];
        moment[j] += dy[i] * w[i] * (x[i] - mean);
    }
    sums[0] = wm_lanes_total(plain);
    sums[1] = wm_lanes_total(moment);
}

#endif
