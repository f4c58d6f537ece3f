/* server/bell.h
 *
 * What wakes the daemon's loop: SIGTERM or SIGINT, which say stop, or a stir, from any thread. One at a time in a process,
 * since a handler has no context. */
#ifndef WM_SERVER_BELL_H
#define WM_SERVER_BELL_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct wm_bell {
    int stop_fd, stir_fd;
} wm_bell;

#define WM_BELL_INIT                 \
    {                                \
        .stop_fd = -1, .stir_fd = -1 \
    }

/* Takes the signals over; from now on SIGPIPE is ignored. WM_E_IO. To be closed, also after a failure. */
wm_status wm_bell_open(wm_bell *bell, wm_error *err);

/* The present wait, or the next, ends at once. */
void wm_bell_stir(wm_bell *bell);

/* Until a stir, and for so long at most; true: a signal says stop. */
bool wm_bell_wait(wm_bell *bell, int64_t most_ms);

/* Which signal it was, for the log. */
const char *wm_bell_signal(void);

/* Gives the signals back. */
void wm_bell_close(wm_bell *bell);

#endif
