/* server/issuer_keeper.h
 *
 * Keeps the issuing process alive beside the aggregator: starts it (this very program, as `issuer DIR`), starts it again
 * when it has died or hangs, and ends it. Its standard input is a socket of ours, so that it ends with us however we end.
 * What it has promised is durable, so that killing it loses nothing.
 *
 * _start, _tick and _end are called by one thread; _ask by any. */
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

/* Starts it again if it has died, and kills it first if it has left a question without an answer. */
void wm_issuer_keeper_tick(wm_issuer_keeper *keeper);

/* As wm_issuer_ask, with a deadline of some seconds. Once that has passed in vain the process counts as hanging, and until
 * another one runs every question fails at once: a hundred who ask wait no longer than the first. */
wm_status wm_issuer_keeper_ask(wm_issuer_keeper *keeper, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err);

/* Ends it and waits for that; one that does not end within some seconds is killed. NULL is fine. */
void wm_issuer_keeper_end(wm_issuer_keeper *keeper);

#endif
