/* common/memory.c */
#include "common/memory.h"

#include <malloc.h>

enum {
    ARENAS = 2,
    OWN_MAPPING = 1 << 20, /* models and updates; messages, of 320 KiB at most, are of the heap and used again */
    KEPT = 2 << 20,        /* free memory at a heap's end: some messages' */
};

void wm_memory_settle(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, ARENAS);
    (void)mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}
