/* models/gemm_vector.h: products by kernels of our own (gemm_tiles.h), on x86 with AVX2 or AVX-512. */
#ifndef WM_MODELS_GEMM_VECTOR_H
#define WM_MODELS_GEMM_VECTOR_H

#include "models/gemm_product.h"

/* Whether this machine has a kernel. */
bool wm_gemm_vector_known(void);

/* Only where it has. */
void wm_gemm_vector(const product *p);

#endif
