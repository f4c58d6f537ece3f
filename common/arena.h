/* common/arena.h
 *
 * Memory for things that live and die together: a parsed file, a step's scratch. The caller marks, the callee
 * allocates and never frees, the caller rewinds. Two kinds share the interface: a fixed arena is one block, sized
 * beforehand by a plan, and is full when it is full; a growing one takes further blocks from malloc up to a limit.
 * Everything is aligned to 64 bytes (a cache line; the widest vector). Owned by one thread; not locked. */
#ifndef WM_COMMON_ARENA_H
#define WM_COMMON_ARENA_H

#include "common/status.h"

#include <stddef.h>

typedef struct wm_arena wm_arena;

enum { WM_ARENA_ALIGN = 64 };

/* One block of `bytes`. WM_E_NOMEM: *ret is untouched. */
wm_status wm_arena_new(size_t bytes, wm_arena **ret, wm_error *err);

/* Blocks as needed, `limit` bytes in all (0: no limit of its own). */
wm_status wm_arena_new_growing(size_t limit, wm_arena **ret, wm_error *err);

void wm_arena_free(wm_arena *arena);

/* Zeroed memory, or NULL when the arena is full; never for 0 bytes. */
void  *wm_arena_alloc(wm_arena *arena, size_t bytes);
float *wm_arena_floats(wm_arena *arena, size_t n);
char  *wm_arena_text(wm_arena *arena, const char *text, size_t n); /* a copy of n characters and a zero */

typedef struct wm_arena_mark {
    void  *block;
    size_t used;
} wm_arena_mark;

wm_arena_mark wm_arena_save(const wm_arena *arena);
void          wm_arena_rewind(wm_arena *arena, wm_arena_mark mark);

/* Nobody needs what is in it for a while, though all of it stays given out: it is zero again, and large blocks are the
 * system's until they are touched. */
void wm_arena_rest(wm_arena *arena);

size_t wm_arena_used(const wm_arena *arena); /* bytes given out and not rewound */

/* What `bytes` costs in an arena: rounded up to the alignment. For plans. */
static inline size_t wm_arena_cost(size_t bytes)
{
    return (bytes + WM_ARENA_ALIGN - 1) / WM_ARENA_ALIGN * WM_ARENA_ALIGN;
}

#endif
