/* common/shape.h
 *
 * The shape of one example's tensor, without the batch: a window of 24 rows and 6 channels is {24, 6}, an image
 * {28, 28, 1}, a vector {n}. Time before channels, height and width before channels. */
#ifndef WM_COMMON_SHAPE_H
#define WM_COMMON_SHAPE_H

#include "common/sizes.h"

enum { WM_RANK_MAX = 4 };

typedef struct wm_shape {
    uint32_t rank; /* 1 to WM_RANK_MAX */
    uint32_t dim[WM_RANK_MAX];
} wm_shape;

/* The number of values; false if it does not fit a size_t. */
static inline bool wm_shape_count(const wm_shape *shape, size_t *ret)
{
    size_t n = 1;

    for (uint32_t i = 0; i < shape->rank; i++)
        if (!wm_size_mul(n, shape->dim[i], &n))
            return false;
    *ret = n;
    return true;
}

static inline bool wm_shape_equal(const wm_shape *a, const wm_shape *b)
{
    bool equal = a->rank == b->rank;

    for (uint32_t i = 0; equal && i < a->rank; i++)
        equal = a->dim[i] == b->dim[i];
    return equal;
}

#endif
