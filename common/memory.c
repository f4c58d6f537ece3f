/* common/memory.c */
#include "common/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ARENAS = 2,
    OWN_MAPPING =
        2 << 20,      /* models and updates; messages, of a MiB and some at most, are of the heap and used again */
    PAGE = 2 << 20,   /* a large one */
    LARGE = 4 * PAGE, /* below this the rounding up is too much */
    WORTHWHILE = 256 << 10, /* less is not worth asking the system */
};

void wm_memory_settle(size_t kept)
{
    (void)kept;
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, ARENAS);
    (void)mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    (void)mallopt(M_TRIM_THRESHOLD, (int)kept);
#endif
}

void wm_memory_rest(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void *wm_memory_large(size_t n)
{
    size_t rounded = n + (PAGE - 1);
    void  *ret;

    if (n < LARGE || rounded < n)
        return malloc(n);
    rounded -= rounded % PAGE;
    ret = aligned_alloc(PAGE, rounded);
#ifdef MADV_HUGEPAGE
    if (ret != NULL)
        (void)madvise(ret, rounded, MADV_HUGEPAGE);
#endif
    return ret;
}

void wm_memory_give_back(void *p, size_t n)
{
#ifdef MADV_DONTNEED
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) / page * page,
              to = ((uintptr_t)p + n) / page * page;

    if (n >= WORTHWHILE)
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
#else
    (void)p, (void)n;
#endif
}
