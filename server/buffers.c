/* server/buffers.c */
#include "server/buffers.h"

#include <stdlib.h>

void wm_buffers_init(wm_buffers *buffers, size_t most)
{
    *buffers = (wm_buffers){ .most = most };
}

uint8_t *wm_buffers_take(wm_buffers *buffers, size_t size)
{
    uint8_t *bytes;

    if (size > buffers->most - buffers->given)
        return NULL;
    if (buffers->n_spare > 0 && buffers->size != size) /* another task's updates are coming */
        wm_buffers_rest(buffers);
    bytes = buffers->n_spare > 0 ? buffers->spare[--buffers->n_spare] : malloc(size);
    if (bytes != NULL)
        buffers->given += size;
    return bytes;
}

void wm_buffers_give_back(wm_buffers *buffers, uint8_t *bytes, size_t size)
{
    buffers->given -= size;
    if (buffers->n_spare == WM_BUFFERS_SPARE || (buffers->n_spare > 0 && buffers->size != size)) {
        free(bytes);
        return;
    }
    buffers->size = size;
    buffers->spare[buffers->n_spare++] = bytes;
}

void wm_buffers_rest(wm_buffers *buffers)
{
    while (buffers->n_spare > 0)
        free(buffers->spare[--buffers->n_spare]);
}
