/* server/readback.h
 *
 * Updates in files are read back one at a time, into the same memory: of a model of 100 MB every copy counts, and fresh
 * memory costs as much time as the reading. Thread-safe: who comes second waits. */
#ifndef WM_SERVER_READBACK_H
#define WM_SERVER_READBACK_H

#include "server/gathering.h"

typedef struct wm_readback {
    pthread_mutex_t lock;  /* from a _take to its _done; guards: */
    uint8_t        *bytes; /* [size]; NULL as long as there was nothing to read */
    size_t          size;
} wm_readback;

void wm_readback_init(wm_readback *self);
void wm_readback_release(wm_readback *self);

/* All bytes of a whole update that is in a file, and their SHA-256. WM_OK: *ret until _done. WM_E_NOMEM, WM_E_IO: nothing
 * is to be done. */
wm_status wm_readback_take(wm_readback *self, wm_gathering *update, const uint8_t **ret, wm_digest *digest,
                           wm_error *err);
void      wm_readback_done(wm_readback *self);

/* Gives the memory back, unless somebody reads. */
void wm_readback_rest(wm_readback *self);

#endif
