/* models/gemm.h
 *
 * Every matrix product of a network goes through here, so that how it is cut up, and which library multiplies, is
 * decided in one place. Row-major, as cblas: `ld` is the distance of rows. All forms add to c: a layer fills it with
 * zeros, a bias or what is there already, which costs less than the pass that OpenBLAS makes to clear it, and no more than
 * kernels of ours that wrote c without reading it (.91 to 1.02 of the speed of whole steps, where that was tried).
 *
 *     NN   c[m][n] += a[m][k] b[k][n]
 *     NT   c[m][n] += a[m][k] b[n][k] transposed
 *     TN   c[m][n] += a[k][m] transposed  b[k][n]
 *
 * Results depend on the sizes, the type of machine and on whether it has OpenBLAS, not on alignment, thread or what ran before. The product
 * runs on the caller's thread alone: models run side by side, one on each core, which is faster by far for networks
 * of this size than several threads in one product. NaN and infinity go through as IEEE 754 has it. */
#ifndef WM_MODELS_GEMM_H
#define WM_MODELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

typedef enum wm_gemm_form { WM_GEMM_NN, WM_GEMM_NT, WM_GEMM_TN } wm_gemm_form;

void wm_gemm(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
             size_t ldb, float *c, size_t ldc);

/* The same, alpha times the product added: a step of plain gradient descent is minus the rate times one. */
void wm_gemm_scaled(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *c, size_t ldc);

/* A matrix whose rows are windows of x, as a kernel that slides over it sees them; they may overlap. Rows come in `lines`,
 * `line` apart, of `each` rows, `ld` apart; a row is `runs`, `next` apart, of `run` consecutive values. The first window begins
 * `before` values in front of x, which has `size`: row r has at column q, with o = r / each * line + q / run * next,
 *
 *     x[o - before + r % each * ld + q % run] where before <= o < before + size, else 0
 *
 * What lies outside is left out, not multiplied: there a NaN in b does not show. */
typedef struct wm_windows {
    size_t lines, line, each, ld;
    size_t runs, next, run;
    size_t before, size;
} wm_windows;

/* The forms NN and TN with windows for the matrix a; b and c without gaps. Only where it is known: OpenBLAS has no such
 * matrix; its rows must be made then, one by one. */
bool wm_gemm_knows_windows(void);
void wm_gemm_windows(wm_gemm_form form, const wm_windows *windows, size_t n, const float *x, const float *b,
                     float *c);

/* wm_gemm_scaled in three plain loops, summed in double: for tests and beside benchmarks. */
void wm_gemm_reference(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                       const float *b, size_t ldb, float *c, size_t ldc);

#endif
