/* server/parking.h
 *
 * Where requests wait for something to happen: a poll for work that is not there yet, an upload for which there is no
 * place. A parked request holds no thread. It is looked at again, by a few threads of the parking's own, when
 * wm_parking_wake is called, in the order of arrival, and for the last time when it has waited as long as it may.
 *
 * Knows nothing of what a request is: `serve` does. Thread-safe; wm_parking_wake never blocks and may be called from
 * inside `serve`. */
#ifndef WM_SERVER_PARKING_H
#define WM_SERVER_PARKING_H

#include "common/clock.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands first in the request's own struct; its fields are the parking's. */
typedef struct wm_parked {
    struct wm_parked *next;
    int64_t           arrived_ms, until_ms;
} wm_parked;

typedef struct wm_parking_settings {
    size_t   workers;    /* threads; 0: wm_parking_work is called by hand (tests) */
    size_t   parked_max; /* one more is served for the last time at once */
    wm_clock clock;

    /* Answers the request and returns 0, after which it is no longer the parking's; or returns for how many ms at most
     * from its arrival it may wait. `last`: it must be answered now. Called by several threads at once. */
    int64_t (*serve)(void *context, wm_parked *item, bool last);
    void *context;
} wm_parking_settings;

typedef struct wm_parking wm_parking;

wm_status wm_parking_new(const wm_parking_settings *settings, wm_parking **ret, wm_error *err);

/* Serves a new request on the caller's thread, and keeps it if it is to wait. */
void wm_parking_put(wm_parking *parking, wm_parked *item);

/* Something happened: every parked request is looked at again. */
void wm_parking_wake(wm_parking *parking);

/* The same, only for those of which `match` is true; called under the lock. */
void wm_parking_wake_where(wm_parking *parking, bool (*match)(void *context, const wm_parked *item), void *context);

/* Looks at those whose time is over. Returns the ms until the next one's is, -1 if nobody is parked. */
int64_t wm_parking_tick(wm_parking *parking);

/* Works off one woken request; false if there was none. For parkings without workers. */
bool wm_parking_work(wm_parking *parking);

size_t wm_parking_count(wm_parking *parking); /* parked, or woken and not yet served */

/* From now on every request is served for the last time, the parked ones too. Never blocks. */
void wm_parking_close(wm_parking *parking);

/* Closes, waits until all is served and the workers have ended, and frees. Nobody calls _put any more. NULL is fine. */
void wm_parking_free(wm_parking *parking);

#endif
