/* common/wire/caller.h
 *
 * The asking half of request and answer: one connection at a time to one of several addresses, one call at a
 * time, each with a deadline that holds whatever the other end does. Dials when there is something to ask. A
 * connection that failed is closed; the next call dials again, and begins with the next address.
 *
 * One thread calls; wm_caller_interrupt may come from any other. */
#ifndef WM_COMMON_WIRE_CALLER_H
#define WM_COMMON_WIRE_CALLER_H

#include "common/crypto/tls.h"

typedef struct wm_caller wm_caller;

typedef struct wm_caller_settings {
    const char *const *urls; /* "tls+tcp://host:port" or "ipc:///path"; tried in turn */
    size_t             n_urls;
    wm_tls            *tls;       /* for tls+tcp, a client's; kept alive. NULL for ipc */
    size_t             reply_max; /* bytes of an answer that are accepted */
    int                dial_ms;   /* for each address: until TCP, TLS and hello are through; 0: 10 s */
} wm_caller_settings;

/* Copies the addresses; does not dial. WM_E_INVALID: addresses and TLS that do not go together. */
wm_status wm_caller_new(const wm_caller_settings *settings, wm_caller **ret, wm_error *err);
void      wm_caller_free(wm_caller *caller); /* not during a call */

/* Sends bytes[n], waits for the answer: *reply is the caller's to free(), *n_reply may be 0. A call that
 * fails on a connection left open by an earlier one is made once more on a new one, since the server may have
 * closed it while nothing was asked: so what is asked must bear being asked twice.
 *
 *   WM_E_TIMEOUT    timeout_ms passed (also while dialling), or no address was reached within dial_ms
 *   WM_E_UNTRUSTED  the server's certificate does not hold
 *   WM_E_REFUSED    the server would not have ours; the sentence says why, where the server said
 *   WM_E_EXPIRED    so it did: ours has run out
 *   WM_E_REVOKED    so it did: ours was taken back
 *   WM_E_IO         no address can be reached
 *   WM_E_CLOSED     the connection was closed by the server, or wm_caller_interrupt was called
 *   WM_E_MALFORMED  the answer is not a REP socket's; WM_E_RANGE: it is longer than reply_max
 *
 * With several addresses the sentence is about the last one that was tried. */
wm_status wm_caller_call(wm_caller *caller, const void *bytes, size_t n, int timeout_ms, uint8_t **reply,
                         size_t *n_reply, wm_error *err);

/* The same with a question in two pieces, of which the second, as long as it is large, is sent from where it is. */
wm_status wm_caller_call_with(wm_caller *caller, const void *head, size_t n_head, const void *bytes, size_t n,
                              int timeout_ms, uint8_t **reply, size_t *n_reply, wm_error *err);

/* Closes the connection, if there is one: bulk connections are not kept when a transfer is done. */
void wm_caller_hang_up(wm_caller *caller);

/* Ends a call in progress, within milliseconds, and refuses all later ones with WM_E_CLOSED. From any thread,
 * but not from a signal handler. */
void wm_caller_interrupt(wm_caller *caller);

bool           wm_caller_is_connected(const wm_caller *caller);
const wm_peer *wm_caller_peer(const wm_caller *caller); /* who answered last; all zero before, and over ipc */
const char    *wm_caller_url(const wm_caller *caller);  /* that one's address; the first before any was reached */

#endif
