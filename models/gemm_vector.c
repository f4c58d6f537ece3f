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

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

bool wm_gemm_vector_known(void)
{
    return has_avx512() || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

void wm_gemm_vector(const product *p)
{
    (has_avx512() ? gemm_avx512 : gemm_avx2)(p);
}

#else

bool wm_gemm_vector_known(void)
{
    return false;
}

void wm_gemm_vector(const product *p)
{
    (void)p;
}

#endif
