/* common/memory.c */
#include "common/memory.h"

#include "common/sizes.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* What a container was given: cgroup v2 as the container sees it, or v1. SIZE_MAX: there is no such limit. */
static size_t control_group(void)
{
    static const char *const paths[] = { "/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    size_t                   least = SIZE_MAX;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        FILE              *file = fopen(paths[i], "re");
        unsigned long long bytes;

        if (file == NULL)
            continue;
        if (fscanf(file, "%llu", &bytes) == 1 && bytes > 0 && bytes < least) /* "max" is none */
            least = (size_t)bytes;
        fclose(file);
    }
    return least;
}

size_t wm_memory_machine(void)
{
    long   pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t bytes, group = control_group();

    if (pages <= 0 || page <= 0 || !wm_size_mul((size_t)pages, (size_t)page, &bytes))
        bytes = SIZE_MAX;
    return bytes < group ? bytes : group;
}

/* Whether the system took the pages, which come back with zeros where the mapping is a process's own, as malloc's are. */
static bool taken_back(uintptr_t from, uintptr_t to)
{
#ifdef __linux__
    return to - from >= WORTHWHILE && madvise((void *)from, to - from, MADV_DONTNEED) == 0;
#else
    (void)from, (void)to;
    return false;
#endif
}

void wm_memory_clear(void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)p, end = begin + n;
    uintptr_t from = (begin + page - 1) / page * page, to = end / page * page;

    if (to > from && taken_back(from, to)) {
        memset(p, 0, from - begin);
        memset((void *)to, 0, end - to);
    } else {
        memset(p, 0, n);
    }
}
