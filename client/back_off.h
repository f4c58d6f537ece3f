/* client/back_off.h
 *
 * How long a gateway waits after a failure, so that a server which is down or overwhelmed is not run over by thousands of
 * them, and one that is there again does not wait for them.
 *
 * A server that is not reached is tried ever more seldom. One that was reached, and whose next answer was lost, is there:
 * it has died a moment ago and comes back, or a link has hiccups. That grows as well, but not as far. Every wait is
 * between a half and the whole by chance, so that a thousand gateways do not come back in the same second. */
#ifndef WM_CLIENT_BACK_OFF_H
#define WM_CLIENT_BACK_OFF_H

#include "common/rng.h"
#include "common/status.h"

#include <stdbool.h>

enum {
    WM_BACK_OFF_FIRST_MS = 500,
    WM_BACK_OFF_LOST_MS = 2 * 1000,       /* no longer after a lost answer */
    WM_BACK_OFF_LAST_MS = 30 * 1000,      /* nor at all: a server that comes back gives an open round as much */
    WM_BACK_OFF_REVOKED_MS = 3600 * 1000, /* nothing but a word of the operator's can change it */
};

typedef struct wm_back_off {
    unsigned unreached, lost; /* failures since one of the other kind, and since everything went well */
    wm_rng   jitter;
} wm_back_off;

/* Everything went well. */
void wm_back_off_reset(wm_back_off *back_off);

/* A failure: the ms to wait. `reached`: the server had answered since the failure before. Only what is of the link counts
 * as lost then; a server that answers and refuses is tried ever more seldom, and one that has revoked us once an hour: we
 * do not give up, since the office may have been restored from a backup that does not know it yet, but its log is not to
 * be filled either. */
int64_t wm_back_off_failed(wm_back_off *back_off, wm_status status, bool reached);

#endif
