/* models/gemm_vector.h
 *
 * The products of gemm.h by kernels of our own (gemm_tiles.h), on x86 with AVX2 or AVX-512. */
#ifndef WM_MODELS_GEMM_VECTOR_H
#define WM_MODELS_GEMM_VECTOR_H

#include "models/gemm.h"

#include <stdbool.h>

/* c += alpha a b in the given form. False, and nothing done, where this machine has no kernel. */
bool wm_gemm_vector(wm_gemm_form form, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *c, size_t ldc);

#endif
