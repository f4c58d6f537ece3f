/* models/blas.c
 *
 * What is said on the standard error is said once in a process's life, by the one product that finds out: no caller of a
 * product has a log, and a wrong installation is to be heard of. */
#include "models/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which builds of OpenBLAS may be called by two threads at once. A product that packs takes one of the library's buffers,
 * and only the build with its own threads locks the list of them; the sequential one, unless it was built with
 * USE_LOCKING, and the one over OpenMP hand the same buffer to both. With Debian's libopenblas0-serial two simulated
 * clients at a time gave another model each time, deltas out of bounds among them, and never an error. */
enum { SEQUENTIAL, OWN_THREADS, OPENMP };

/* A library that was built with threads would start some inside each large product and take a process-wide lock for it; two
 * models on two cores were twelve times slower so. It makes them as it is loaded, by this variable, which is set before
 * there is a second thread that could read it. */
__attribute__((constructor)) static void one_thread(void)
{
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

/* dlsym's answer as a function: ISO C has no cast for that, POSIX promises that the bytes are the same. */
static void find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
}

static wm_blas the_blas; /* written once, by load() */

static void load(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL); /* never closed */
    void (*set_threads)(int) = NULL;
    int (*parallel)(void) = NULL;

    if (library != NULL) {
        find(library, "openblas_set_num_threads", &set_threads);
        find(library, "openblas_get_parallel", &parallel);
        find(library, "cblas_sgemm", &the_blas.sgemm);
    }
    if (the_blas.sgemm == NULL) {
        fprintf(stderr, "There is no OpenBLAS here (%s): %s; apt-get install libopenblas0\n",
                library == NULL ? dlerror() : "a library of that name does not multiply",
                "large products take longer, and models are not the same to the last bit");
        return;
    }
    if (set_threads != NULL)
        set_threads(1);
    the_blas.in_turn = parallel == NULL || parallel() != OWN_THREADS;
}

const wm_blas *wm_blas_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, load);
    return the_blas.sgemm != NULL ? &the_blas : NULL;
}
