/* models/gemm.c
 *
 * Who multiplies: kernels of our own (gemm_vector.h) where the rows are few or the product is small, which is nearly all
 * that networks of sensors need; else OpenBLAS, whose laying out of both matrices is then repaid. Measured on Zen 3 (AVX2,
 * OpenBLAS 0.3.21, one thread, us, theirs and ours): NT 10 x 200 x 784 96 and 47, NN 10 x 3136 x 512 876 and 590, NT
 * 48 x 48 x 16 1.5 and 1.0, NN 40 x 64 x 800 52 and 48; but TN 512 x 3136 x 50 1975 and 4764. */
#include "models/gemm.h"

#include "common/sanitized.h"
#include "models/blas.h"
#include "models/gemm_vector.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SMALL_MAX = 8000000 }; /* multiply-adds */

/* A machine without OpenBLAS: slower, and as right. */
static void without_blas(const product *p)
{
    if (wm_gemm_vector_known())
        wm_gemm_vector(p);
    else
        wm_gemm_reference(p->form, p->m, p->n, p->k, p->alpha, p->a, p->lda, p->b, p->ldb, p->c, p->ldc);
}

static void blas(const product *p)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* guards the library's buffers, where it does not */
    const wm_blas         *library = wm_blas_get();

    assert(p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX);
    assert(p->lda <= INT_MAX && p->ldb <= INT_MAX && p->ldc <= INT_MAX);
    if (library == NULL) {
        without_blas(p);
        return;
    }
    if (library->in_turn)
        pthread_mutex_lock(&turn);
    library->sgemm(CblasRowMajor, p->form == WM_GEMM_TN ? CblasTrans : CblasNoTrans,
                   p->form == WM_GEMM_NT ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n, (blasint)p->k,
                   p->alpha, p->a, (blasint)p->lda, p->b, (blasint)p->ldb, 1, p->c, (blasint)p->ldc);
    if (library->in_turn)
        pthread_mutex_unlock(&turn);
}

/* Under a sanitizer, which looks at each access, training would take minutes: there tests of small networks ask for it. */
static bool by_vectors(void)
{
#if WM_SANITIZED
    if (getenv("WM_VECTORS") == NULL)
        return false;
#endif
    return wm_gemm_vector_known();
}

void wm_gemm_scaled(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *c, size_t ldc)
{
    const product p = { form, m, n, k, a, lda, b, ldb, alpha, c, ldc, NULL };

    if (m == 0 || n == 0 || k == 0)
        return;
    (by_vectors() && (m <= GEMM_ROWS_FEW || m * n <= SMALL_MAX / k) ? wm_gemm_vector : blas)(&p);
}

void wm_gemm(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
             size_t ldb, float *c, size_t ldc)
{
    wm_gemm_scaled(form, m, n, k, 1, a, lda, b, ldb, c, ldc);
}

bool wm_gemm_knows_windows(void)
{
    return by_vectors();
}

void wm_gemm_windows(wm_gemm_form form, const wm_windows *windows, size_t n, const float *x, const float *b,
                     float *c)
{
    size_t        rows = windows->lines * windows->each, columns = windows->runs * windows->run;
    const product p = { .form = form,
                        .m = form == WM_GEMM_NN ? rows : columns,
                        .n = n,
                        .k = form == WM_GEMM_NN ? columns : rows,
                        .a = x,
                        .lda = windows->ld,
                        .b = b,
                        .ldb = n,
                        .alpha = 1,
                        .c = c,
                        .ldc = n,
                        .windows = windows };

    assert(form != WM_GEMM_NT && by_vectors());
    wm_gemm_vector(&p);
}

void wm_gemm_reference(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                       const float *b, size_t ldb, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;

            for (size_t l = 0; l < k; l++)
                sum += (double)(form == WM_GEMM_TN ? a[l * lda + i] : a[i * lda + l]) *
                       (double)(form == WM_GEMM_NT ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = (float)((double)c[i * ldc + j] + (double)alpha * sum);
        }
}
