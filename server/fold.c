/* server/fold.c
 *
 * The kernels of the fold. The wide one is picked at run time, so that a portable build runs at memory speed
 * where the processor can: int64 products are two 32-bit multiplications, since AVX2 has no 64-bit one. */
#include "server/fold.h"

#include <math.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static const double rounder = 0x1.8p52;
enum { ROUNDER_BITS = 51 };
enum { SUMS_AHEAD = 192, VALUES_AHEAD = 384 }; /* 1.5 KiB each */

void wm_fold_plain(int64_t *sum, const float *x, size_t n, int shift, uint64_t weight)
{
    double scale = ldexp(1.0, shift);

    for (size_t i = 0; i < n; i++)
        sum[i] += (int64_t)llrint((double)x[i] * scale) * (int64_t)weight;
}

static void fold_portable(int64_t *sum, const float *x, size_t n, double scale, uint32_t weight)
{
    int64_t zero;

    memcpy(&zero, &rounder, sizeof zero);
    for (size_t i = 0; i < n; i++) {
        double  rounded = (double)x[i] * scale + rounder;
        int64_t q;

        memcpy(&q, &rounded, sizeof q);
        sum[i] += (q - zero) * (int64_t)weight;
    }
}

#ifdef __x86_64__
/* Four sums <- four floats. q * w modulo 2^64 is lo(q) * w + (hi(q) * w << 32), whatever q's sign. */
__attribute__((target("avx2"), always_inline)) static inline void fold_four(int64_t *sum, const float *x,
                                                                            __m256d scale, __m256i weight)
{
    __m256d rounded =
        _mm256_add_pd(_mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(x)), scale), _mm256_set1_pd(rounder));
    __m256i q = _mm256_sub_epi64(_mm256_castpd_si256(rounded), _mm256_castpd_si256(_mm256_set1_pd(rounder)));
    __m256i low = _mm256_mul_epu32(q, weight);
    __m256i high = _mm256_slli_epi64(_mm256_mul_epu32(_mm256_srli_epi64(q, 32), weight), 32);
    __m256i was = _mm256_loadu_si256((const __m256i *)(const void *)sum);

    _mm256_storeu_si256((__m256i *)(void *)sum, _mm256_add_epi64(was, _mm256_add_epi64(low, high)));
}

__attribute__((target("avx2"))) static void fold_avx2(int64_t *sum, const float *x, size_t n, double scale,
                                                      uint32_t weight)
{
    __m256d scales = _mm256_set1_pd(scale);
    __m256i weights = _mm256_set1_epi64x(weight);
    size_t  i = 0;

    /* The processor's own prefetching ends at each page, and beyond the end nothing is harmed by ours. */
    for (; i + 8 <= n; i += 8) {
        __builtin_prefetch(sum + i + SUMS_AHEAD, 1);
        __builtin_prefetch(x + i + VALUES_AHEAD);
        fold_four(sum + i, x + i, scales, weights);
        fold_four(sum + i + 4, x + i + 4, scales, weights);
    }
    fold_portable(sum + i, x + i, n - i, scale, weight);
}
#endif

void wm_fold(int64_t *sum, const float *x, size_t n, int shift, int bits, uint64_t weight)
{
    if (bits > ROUNDER_BITS || weight > UINT32_MAX) {
        wm_fold_plain(sum, x, n, shift, weight);
        return;
    }
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        fold_avx2(sum, x, n, ldexp(1.0, shift), (uint32_t)weight);
        return;
    }
#endif
    fold_portable(sum, x, n, ldexp(1.0, shift), (uint32_t)weight);
}
