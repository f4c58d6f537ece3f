/* server/issuer/issuer_client.h
 *
 * Asking the issuer, wherever it is: over the socket pair of a process that was started, or at a socket. One question at a time; thread-safe: others wait their turn, within their deadline. */
#ifndef WM_SERVER_ISSUER_CLIENT_H
#define WM_SERVER_ISSUER_CLIENT_H

#include "server/issuer/issuer.h"

typedef struct wm_issuer_client wm_issuer_client;

/* Takes the descriptor, also on failure. */
wm_status wm_issuer_client_over(int fd, wm_issuer_client **ret, wm_error *err);

/* At a UNIX socket's path; nothing is dialled yet. */
wm_status wm_issuer_client_at(const char *path, wm_issuer_client **ret, wm_error *err);

void wm_issuer_client_free(wm_issuer_client *client);

/* WM_OK: *ret is the issuer's answer, to wm_issued_free, and may well be a refusal: wm_issued_status. WM_E_TIMEOUT,
 * WM_E_CLOSED, WM_E_IO: there is no answer, and it is not known whether it was done; ask again. */
wm_status wm_issuer_ask(wm_issuer_client *client, const Wm__Issue *issue, int timeout_ms, Wm__Issued **ret,
                        wm_error *err);

/* Whoever may be asked in the place of a client, and how long that may take is known there. As wm_issuer_ask. */
typedef struct wm_asker {
    wm_status (*ask)(void *context, const Wm__Issue *issue, Wm__Issued **ret, wm_error *err);
    void *context;
} wm_asker;

/* WM_OK, or what the issuer said against it. */
wm_status wm_issued_status(const Wm__Issued *issued, wm_error *err);

#endif
