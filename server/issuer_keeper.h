/* server/issuer_keeper.h
 *
 * Keeps the issuing process alive beside the aggregator: starts it (this very program, as `issuer DIR`), starts it again
 * when it has died, and ends it. Its standard input is a socket of ours, so that it ends with us however we end.
 *
 * _start, _tick and _end are called by one thread; the client is thread-safe. */
#ifndef WM_SERVER_ISSUER_KEEPER_H
#define WM_SERVER_ISSUER_KEEPER_H

#include "server/issuer/issuer_client.h"

typedef struct wm_issuer_keeper wm_issuer_keeper;

typedef struct wm_issuer_keeper_settings {
    const char  *program; /* path of this program */
    const char  *office;
    int64_t      gateway_ms, server_ms; /* how long certificates are valid */
    wm_clock     clock;
    wm_log      *log;
    wm_log_form  log_form; /* of the issuer's own log */
    wm_log_level log_level;
} wm_issuer_keeper_settings;

/* Starts it and waits until it answers. WM_E_CLOSED: it ended at once; it has said why on standard error. */
wm_status wm_issuer_keeper_start(const wm_issuer_keeper_settings *settings, wm_issuer_keeper **ret, wm_error *err);

/* Starts it again if it has died. */
void wm_issuer_keeper_tick(wm_issuer_keeper *keeper);

/* To ask it; fails while it is not there. */
wm_issuer_client *wm_issuer_keeper_client(wm_issuer_keeper *keeper);

/* Ends it and waits for that. NULL is fine. */
void wm_issuer_keeper_end(wm_issuer_keeper *keeper);

#endif
