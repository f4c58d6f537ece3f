/* client/stop.h
 *
 * The end of the daemon: SIGTERM or SIGINT, heard by a thread of its own, which interrupts what is going on and wakes who
 * sleeps. One at a time in a process, since a handler has no context. */
#ifndef WM_CLIENT_STOP_H
#define WM_CLIENT_STOP_H

#include "common/log.h"
#include "common/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct wm_stop {
    atomic_bool     asked, closing;
    bool            started;
    pthread_t       thread;
    pthread_mutex_t lock; /* for the sleep */
    pthread_cond_t  woken;
    wm_log         *log;
    void (*interrupt)(void *context);
    void *context;
} wm_stop;

/* Takes the signals over, before anything else, so that a daemon which is stopped while it starts ends as orderly as
 * later. WM_E_IO. To be released, also after a failure. */
wm_status wm_stop_init(wm_stop *stop, wm_error *err);

/* Once there is something to interrupt: called on the stop's own thread, once at most. A signal that has come before is
 * found. WM_E_NOMEM. */
wm_status wm_stop_start(wm_stop *stop, wm_log *log, void (*interrupt)(void *context), void *context, wm_error *err);

/* Gives the signals back; nothing is interrupted any more. */
void wm_stop_release(wm_stop *stop);

bool wm_stop_asked(const wm_stop *stop);

/* Until then, or until a stop. */
void wm_stop_sleep_ms(wm_stop *stop, int64_t ms);

#endif
