/* models/gemm_vector.c: gemm_tiles.h for the widths of vectors of x86; which of them is asked of the processor. */
#include "models/gemm_vector.h"

#if defined(__x86_64__)

#define LANES     8
#define ROWS_MOST 6
#define DOT_ROWS  3
#define TARGET    __attribute__((target("avx2,fma")))
#define NAMED(x)  x##_avx2
#include "models/gemm_tiles.h"
#undef LANES
#undef ROWS_MOST
#undef DOT_ROWS
#undef TARGET
#undef NAMED

#define LANES     16
#define ROWS_MOST 12
#define DOT_ROWS  6
#define TARGET    __attribute__((target("avx512f,avx2,fma")))
#define NAMED(x)  x##_avx512
#include "models/gemm_tiles.h"

bool wm_gemm_vector(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *c, size_t ldc)
{
    const product p = { .form = form,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a = a,
                        .lda = lda,
                        .b = b,
                        .ldb = ldb,
                        .alpha = alpha,
                        .c = c,
                        .ldc = ldc };

    if (__builtin_cpu_supports("avx512f"))
        gemm_avx512(&p);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        gemm_avx2(&p);
    else
        return false;
    return true;
}

#else

bool wm_gemm_vector(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *c, size_t ldc)
{
    (void)form, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb, (void)c, (void)ldc;
    return false;
}

#endif
