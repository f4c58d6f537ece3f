/* common/grow.h: arrays that grow by one item at a time, twice as large whenever they are full. */
#ifndef WM_COMMON_GROW_H
#define WM_COMMON_GROW_H

#include <stddef.h>

/* The array with room for one item more than its n, each of `size` bytes: `items` itself, or where it has been moved to;
 * *room, which begins at 0 with NULL, is how many fit now. NULL: no memory, and both are as they were.
 *
 *     item *grown = wm_grow(list->items, list->n, &list->room, sizeof *grown);
 *
 *     if (grown == NULL)
 *         return wm_fail(...);
 *     list->items = grown;
 *     list->items[list->n++] = one; */
void *wm_grow(void *items, size_t n, size_t *room, size_t size);

#endif
