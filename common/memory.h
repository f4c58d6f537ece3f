/* common/memory.h
 *
 * How malloc keeps a daemon's memory. glibc's own way is made for speed on many cores: an arena for each thread, and a
 * limit that grows with every large block given back, above which blocks are the system's again; after a while a model's
 * worth of holes lies between small things, in several arenas, and a server has twice the memory that it uses. */
#ifndef WM_COMMON_MEMORY_H
#define WM_COMMON_MEMORY_H

#include <stddef.h>

/* In a daemon's first moments, before it has threads. kept: bytes of free memory at a heap's end that stay with the
 * process, to be used again; what was given back costs a fault of the processor for each 4 KiB. Does nothing where malloc
 * is not glibc's. */
void wm_memory_settle(size_t kept);

/* There is nothing to do for a while: gives back what is free. */
void wm_memory_rest(void);

/* Memory for the vectors of large models, not cleared, to free(): in pages of 2 MiB where the system has them, since a
 * fold that goes through tens of MiB once finds hardly a page's address in the processor's cache of them. NULL: none. */
void *wm_memory_large(size_t n);

/* Bytes of memory that this machine has for all its programs, or this process's control group if it may have less; more
 * cannot be had but by what is swapped out. SIZE_MAX where the system does not say. */
size_t wm_memory_machine(void);

/* Zeros in p[n], of malloc. Where that is much, its whole pages are the system's from now on, which clears each when it is
 * needed again. */
void wm_memory_clear(void *p, size_t n);

#endif
