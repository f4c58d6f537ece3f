/* models/gemm.c
 *
 * OpenBLAS, fed in portions that it likes. On processors with AVX-512 its kernels for small matrices, which do not
 * pack, serve products of up to 10^6 multiply-adds; beyond that, packing the weights is not repaid at the few rows
 * of a batch. Measured there (0.3.21, one thread): 10 x 200 x 784 takes 48 us whole as NN and 26 us cut along k, 71 us
 * whole as NT and 21 us in strips of 16 columns. Other processors have no such kernels, and cutting costs them up to
 * a quarter, so there every product is given whole. */
#include "models/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { SMALL_MAX = 1000000, ROWS_FEW = 64, STRIP = 16 };

/* Not every library that calls itself BLAS has these, nor every build of OpenBLAS. */
extern void  openblas_set_num_threads(int) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));
extern int   openblas_get_parallel(void) __attribute__((weak));

/* A library that was built with threads would start some inside each large product and take a process-wide lock for
 * it; two models on two cores were twelve times slower so. The number is the library's global; it is set before main,
 * so that it is settled before there is a second thread. */
__attribute__((constructor)) static void one_thread(void)
{
    if (openblas_set_num_threads != NULL)
        openblas_set_num_threads(1);
}

/* Which builds of OpenBLAS may be called by two threads at once. A product that packs takes one of the library's buffers,
 * and only the build with its own threads locks the list of them; the sequential one, unless it was built with
 * USE_LOCKING, and the one over OpenMP hand the same buffer to both. With Debian's libopenblas0-serial two simulated
 * clients at a time gave another model each time, deltas out of bounds among them, and never an error. */
enum { SEQUENTIAL, OWN_THREADS, OPENMP };

static bool needs_turns(void)
{
    return openblas_get_parallel == NULL || openblas_get_parallel() != OWN_THREADS;
}

static bool has_small_kernels(void)
{
    const char *core = openblas_get_corename != NULL ? openblas_get_corename() : "";

    return strcmp(core, "SkylakeX") == 0 || strcmp(core, "Cooperlake") == 0 || strcmp(core, "Sapphirerapids") == 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void blas(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* guards the library's buffers, where it does not */
    bool                   in_turn = needs_turns();

    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    if (in_turn)
        pthread_mutex_lock(&turn);
    cblas_sgemm(CblasRowMajor, form == WM_GEMM_TN ? CblasTrans : CblasNoTrans,
                form == WM_GEMM_NT ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
                (blasint)lda, b, (blasint)ldb, 1, c, (blasint)ldc);
    if (in_turn)
        pthread_mutex_unlock(&turn);
}

void wm_gemm(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
             size_t ldb, float *c, size_t ldc)
{
    size_t step;

    if (m == 0 || n == 0 || k == 0)
        return;
    if (form == WM_GEMM_TN || m > ROWS_FEW || m * n <= SMALL_MAX / k || !has_small_kernels()) {
        blas(form, m, n, k, a, lda, b, ldb, c, ldc);
        return;
    }
    if (form == WM_GEMM_NT) {
        for (size_t j = 0; j < n; j += STRIP)
            blas(form, m, least(STRIP, n - j), k, a, lda, b + j * ldb, ldb, c + j, ldc);
        return;
    }
    step = SMALL_MAX / (m * n) > 0 ? SMALL_MAX / (m * n) : 1;
    for (size_t i = 0; i < k; i += step)
        blas(form, m, n, least(step, k - i), a + i, lda, b + i * ldb, ldb, c, ldc);
}

void wm_gemm_reference(wm_gemm_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                       size_t ldb, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = (double)c[i * ldc + j];

            for (size_t l = 0; l < k; l++)
                sum += (double)(form == WM_GEMM_TN ? a[l * lda + i] : a[i * lda + l]) *
                       (double)(form == WM_GEMM_NT ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = (float)sum;
        }
}
