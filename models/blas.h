/* models/blas.h
 *
 * OpenBLAS, brought into the process by the first product that is worth it (models/gemm.c). Most networks of sensors never
 * need it, and it is large: linked as other libraries are it took 3 MiB of each gateway's memory, 60 KiB of these for every
 * thread, and milliseconds of each start. */
#ifndef WM_MODELS_BLAS_H
#define WM_MODELS_BLAS_H

#include <cblas.h>
#include <stdbool.h>

typedef struct wm_blas {
    __typeof__(cblas_sgemm) *sgemm;
    bool                     in_turn; /* of two calls at once one has to wait */
} wm_blas;

/* NULL: this machine has none, or could not load it now, which goes for the process's life and the first call says on the standard error. Any thread; the first call may take
 * milliseconds. */
const wm_blas *wm_blas_get(void);

#endif
