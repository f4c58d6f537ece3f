/* common/arena.c */
#include "common/arena.h"

#include "common/memory.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Its bytes lie behind it, from the next multiple of WM_ARENA_ALIGN on. */
typedef struct block {
    struct block *before; /* the block that was full when this one was taken */
    size_t        size, used;
    size_t        dirty; /* bytes that have ever been given out: the others are zero as they came from the system */
    uint8_t      *bytes;
} block;

struct wm_arena {
    block *last;
    size_t limit; /* bytes of all blocks together; 0 for none */
    size_t total; /* bytes of all blocks together, now */
    int    growing;
};

enum { BLOCK_SIZE = 64 << 10 };

/* Cleared by the system, so that of a large block only those pages are taken that are used, and when they are. */
static block *block_new(size_t size)
{
    size_t head = sizeof(block) + WM_ARENA_ALIGN, all = head + size;
    block *b = all < size ? NULL : calloc(1, all);

    if (b == NULL)
        return NULL;
    b->size = size;
    b->bytes = (uint8_t *)(((uintptr_t)(b + 1) + WM_ARENA_ALIGN - 1) / WM_ARENA_ALIGN * WM_ARENA_ALIGN);
    return b;
}

wm_status wm_arena_new(size_t bytes, wm_arena **ret, wm_error *err)
{
    wm_arena *arena = calloc(1, sizeof *arena);
    size_t    size = wm_arena_cost(bytes > 0 ? bytes : 1);

    if (arena == NULL || size < bytes || (arena->last = block_new(size)) == NULL) {
        free(arena);
        return wm_fail(err, WM_E_NOMEM, "no memory for a working area of %zu bytes", bytes);
    }
    arena->total = size;
    *ret = arena;
    return WM_OK;
}

wm_status wm_arena_new_growing(size_t limit, wm_arena **ret, wm_error *err)
{
    wm_arena *arena = calloc(1, sizeof *arena);

    if (arena == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a working area");
    arena->limit = limit;
    arena->growing = 1;
    *ret = arena;
    return WM_OK;
}

void wm_arena_free(wm_arena *arena)
{
    if (arena == NULL)
        return;
    for (block *b = arena->last, *before; b != NULL; b = before) {
        before = b->before;
        free(b);
    }
    free(arena);
}

static int grow(wm_arena *arena, size_t need)
{
    size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
    block *b;

    if (arena->limit > 0 && (size > arena->limit || arena->total > arena->limit - size))
        return 0;
    b = block_new(size);
    if (b == NULL)
        return 0;
    b->before = arena->last;
    arena->last = b;
    arena->total += size;
    return 1;
}

void *wm_arena_alloc(wm_arena *arena, size_t bytes)
{
    size_t cost = wm_arena_cost(bytes);
    block *b = arena->last;
    void  *ret;

    assert(bytes > 0);
    if (cost < bytes)
        return NULL; /* the size wrapped around */
    if (b == NULL || b->size - b->used < cost) {
        if (!arena->growing || !grow(arena, cost))
            return NULL;
        b = arena->last;
    }
    ret = b->bytes + b->used;
    if (b->dirty > b->used)
        memset(ret, 0, b->dirty - b->used < bytes ? b->dirty - b->used : bytes);
    b->used += cost;
    b->dirty = b->dirty > b->used ? b->dirty : b->used;
    return ret;
}

float *wm_arena_floats(wm_arena *arena, size_t n)
{
    return n > SIZE_MAX / sizeof(float) ? NULL : wm_arena_alloc(arena, n * sizeof(float));
}

char *wm_arena_text(wm_arena *arena, const char *text, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : wm_arena_alloc(arena, n + 1);

    if (copy != NULL && n > 0)
        memcpy(copy, text, n);
    return copy;
}

wm_arena_mark wm_arena_save(const wm_arena *arena)
{
    return (wm_arena_mark){ .block = arena->last, .used = arena->last != NULL ? arena->last->used : 0 };
}

void wm_arena_rewind(wm_arena *arena, wm_arena_mark mark)
{
    while (arena->last != mark.block) {
        block *b = arena->last;

        arena->last = b->before;
        arena->total -= b->size;
        free(b);
    }
    if (arena->last != NULL) {
        assert(mark.used <= arena->last->used);
        arena->last->used = mark.used;
    }
}

void wm_arena_rest(wm_arena *arena)
{
    for (block *b = arena->last; b != NULL; b = b->before)
        wm_memory_clear(b->bytes, b->dirty);
}

size_t wm_arena_used(const wm_arena *arena)
{
    size_t used = 0;

    for (const block *b = arena->last; b != NULL; b = b->before)
        used += b->used;
    return used;
}
