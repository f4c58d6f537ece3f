/* common/memory.h
 *
 * How malloc keeps a daemon's memory. glibc's own way is made for speed on many cores: an arena for each thread, and a
 * limit that grows with every large block given back, above which blocks are the system's again; after a while a model's
 * worth of holes lies between small things, in several arenas, and a server has twice the memory that it uses. */
#ifndef WM_COMMON_MEMORY_H
#define WM_COMMON_MEMORY_H

/* In a daemon's first moments, before it has threads. Does nothing where malloc is not glibc's. */
void wm_memory_settle(void);

#endif
