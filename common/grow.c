/* common/grow.c */
#include "common/grow.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST = 16 };

void *wm_grow(void *items, size_t n, size_t *room, size_t size)
{
    size_t more = *room > 0 ? 2 * *room : FIRST;
    void  *grown;

    assert(n <= *room && size > 0);
    if (n < *room)
        return items;
    if (*room > SIZE_MAX / 2 / size)
        return NULL;
    grown = realloc(items, more * size);
    if (grown != NULL)
        *room = more;
    return grown;
}
