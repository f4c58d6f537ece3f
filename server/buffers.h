/* server/buffers.h
 *
 * Memory for updates while they come in: so much in all, and the same pieces again and again, since fresh memory costs the
 * processor a fault for each 4 KiB, which takes longer than copying it. Not thread-safe. */
#ifndef WM_SERVER_BUFFERS_H
#define WM_SERVER_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

enum { WM_BUFFERS_SPARE = 16 };

typedef struct wm_buffers {
    size_t   most;  /* bytes, of pieces given out and of spare ones */
    size_t   given; /* bytes given out */
    size_t   size;  /* of each spare one */
    size_t   n_spare;
    uint8_t *spare[WM_BUFFERS_SPARE];
} wm_buffers;

void wm_buffers_init(wm_buffers *buffers, size_t most);

/* NULL: it would be more than there may be, or there is no memory. */
uint8_t *wm_buffers_take(wm_buffers *buffers, size_t size);
void     wm_buffers_give_back(wm_buffers *buffers, uint8_t *bytes, size_t size);

/* Gives the spare ones to the system. */
void wm_buffers_rest(wm_buffers *buffers);

#endif
