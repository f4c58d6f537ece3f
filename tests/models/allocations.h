/* tests/models/allocations.h
 *
 * Counts every allocation of the program that includes it, which one of its files does. */
#ifndef WM_TESTS_MODELS_ALLOCATIONS_H
#define WM_TESTS_MODELS_ALLOCATIONS_H

#include "common/sanitized.h"

#include <stdlib.h>

static size_t allocations, allocated;

static void count(size_t n)
{
    allocations++;
    allocated += n;
}

#if WM_SANITIZED
/* Sanitizers have malloc themselves, and call this. */
void __sanitizer_malloc_hook(const volatile void *p, size_t n);

void __sanitizer_malloc_hook(const volatile void *p, size_t n)
{
    (void)p;
    count(n);
}
#else
/* glibc's own functions under our names */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t n)
{
    count(n);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    count(n);
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    count(n);
    return __libc_memalign(alignment, n);
}
#endif

#endif
