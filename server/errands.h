/* server/errands.h
 *
 * Work that waits for another process, done one after the other on a thread of its own, so that nobody else waits: what
 * is asked of the issuer. The queue is bounded; what does not fit is told so at once, by its asker.
 *
 * Knows nothing of what an errand is: its `run` does. Thread-safe. */
#ifndef WM_SERVER_ERRANDS_H
#define WM_SERVER_ERRANDS_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct wm_errands wm_errands;

/* Stands inside of whatever has to be done; `next` is the queue's. */
typedef struct wm_errand {
    struct wm_errand *next;

    /* On the queue's thread; the errand is the runner's from here on. `closing`: there is no time to wait for anybody. */
    void (*run)(void *context, struct wm_errand *errand, bool closing);
    void *context;
} wm_errand;

/* `most` errands wait at once. */
wm_status wm_errands_new(size_t most, wm_errands **ret, wm_error *err);

/* false: there are too many, or it is closed, and the errand is still the caller's. Never blocks. */
bool wm_errands_put(wm_errands *errands, wm_errand *errand);

/* Takes no more, and runs those that wait as closing. Never blocks. NULL is fine, here and below. */
void wm_errands_close(wm_errands *errands);

/* Closes, waits until the last one is done, and frees. */
void wm_errands_free(wm_errands *errands);

#endif
