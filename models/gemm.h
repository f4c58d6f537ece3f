/* models/gemm.h
 *
 * Every matrix product of a network goes through here, so that how it is cut up, and which library multiplies, is
 * decided in one place. Row-major, as cblas: `ld` is the distance of rows. All forms add to c: a layer fills it with
 * zeros, a bias or what is there already, which costs less than the pass that OpenBLAS makes to clear it.
 *
 *     NN   c[m][n] += a[m][k] b[k][n]
 *     NT   c[m][n] += a[m][k] b[n][k] transposed
 *     TN   c[m][n] += a[k][m] transposed  b[k][n]
 *
 * Results depend on the sizes and on the type of machine, not on alignment, thread or what ran before. The product
 * runs on the caller's thread alone: models run side by side, one on each core, which is faster by far for networks
 * of this size than several threads in one product. NaN and infinity go through as IEEE 754 has it. */
#ifndef WM_MODELS_GEMM_H
#define WM_MODELS_GEMM_H

#include <stddef.h>

typedef enum wm_gemm_form { WM_GEMM_NN, WM_GEMM_NT, WM_GEMM_TN } wm_gemm_form;

void wm_gemm(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
             size_t ldb, float *c, size_t ldc);

/* The same in three plain loops, summed in double: for tests and beside benchmarks. */
void wm_gemm_reference(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                       size_t ldb, float *c, size_t ldc);

#endif
