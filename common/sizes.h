/* common/sizes.h
 *
 * Sums and products of sizes that come from outside, without wrapping around: true and *ret, or false. */
#ifndef WM_COMMON_SIZES_H
#define WM_COMMON_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool wm_size_add(size_t a, size_t b, size_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

static inline bool wm_size_mul(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

/* The smallest k with 2^k >= n; n > 0. */
static inline int wm_log2_ceil(uint64_t n)
{
    return n <= 1 ? 0 : 64 - __builtin_clzll(n - 1);
}

#endif
