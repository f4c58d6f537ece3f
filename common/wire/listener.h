/* common/wire/listener.h
 *
 * The answering half of request and answer. Takes connections at one address, tells who is at their other
 * end, reads one request at a time from each, and hands it to a handler on the listener's own threads. The
 * handler answers at once, or keeps the request and answers later from any thread (a long poll).
 *
 * The peer is a stranger until it is verified, and is not trusted after it: every length is checked before
 * memory is taken, every wait has a deadline, a connection ends with its peer's certificate; connections are capped, those of strangers apart from the others, so that
 * strangers never take a gateway's place, and for each name; the bytes that requests and answers hold in memory are
 * capped. What is over that cap waits, unread, and is not lost.
 *
 * Thread-safe, all of it. */
#ifndef WM_COMMON_WIRE_LISTENER_H
#define WM_COMMON_WIRE_LISTENER_H

#include "common/crypto/tls.h"

typedef struct wm_listener wm_listener;
typedef struct wm_request  wm_request;

/* A peer that was turned away, or all that might come: nothing can be accepted, say. */
typedef struct wm_refusal {
    const char *remote; /* "192.0.2.7:51034", "local"; "" if it is about nobody in particular */
    const char *name;   /* what its certificate says; "" if it showed none. Verified only if `verified` */
    bool        verified;
    const char *why; /* one sentence: "its certificate is revoked", "it did not send its request within 30000 ms" */
} wm_refusal;

typedef struct wm_listener_settings {
    const char *url; /* "tls+tcp://0.0.0.0:7443" (port 0: any that is free), "ipc:///run/wardmote/admin" (made
                        with mode 0600; a dead socket that is in the way is replaced) */
    wm_tls     *tls; /* for tls+tcp; kept alive. NULL for ipc */

    size_t request_max;     /* bytes of a request; a longer one ends the connection */
    size_t held_max;        /* bytes of requests, and again of answers, in memory at once (64 MiB) */
    size_t connections_max; /* of verified peers (8192); one more replaces that gateway's oldest, or is closed */
    size_t
        strangers_max; /* that have not finished the handshakes; with one more the oldest is closed of those from the
                             address which has the most (1024) */
    size_t connections_max_per_identity; /* with one more the oldest is closed, which may well be dead (4) */

    int hello_ms;   /* from the connection to the end of the handshakes (10 s) */
    int message_ms; /* to read a request once it has begun; to write an answer (30 s) */
    int idle_ms;    /* between an answer and the next request (90 s) */
    int n_workers;  /* threads that handle requests (2) */

    /* On a worker thread. The request is the handler's, until it is given back by one of wm_request_reply,
     * _send, _drop. */
    void (*handle)(void *context, wm_request *request);

    /* A request that is kept has lost its peer: look through them with wm_request_gone. On a thread of the
     * listener's own that holds none of its locks. May be NULL. */
    void (*gone)(void *context);

    /* A verified peer has no connection any more: the last one has ended, in whatever way. On a thread of the network's,
     * with none of the listener's locks held: quick. May be NULL. */
    void (*left)(void *context, const wm_peer *peer);

    /* For the log, each of them: it is for the log to say many alike as one. On the network's threads: quick. May be
     * NULL. */
    void (*refused)(void *context, const wm_refusal *refusal);
    void *context;
} wm_listener_settings;

/* Zeroes among the numbers stand for the values in brackets; request_max has none. WM_E_INVALID: settings or
 * an address that cannot be used; WM_E_IO: the address cannot be listened at. */
wm_status wm_listener_start(const wm_listener_settings *settings, wm_listener **ret, wm_error *err);

/* No more connections, no more requests; those with a request at work are closed when they have its answer.
 * Returns at once. */
void wm_listener_close(wm_listener *listener);

/* Closes and waits until the last connection is gone: so requests that were kept must have been given back,
 * or are given back meanwhile by another thread. An answer that nobody fetches is given up after message_ms.
 */
void wm_listener_stop(wm_listener *listener);

void wm_listener_free(wm_listener *listener); /* stops first; NULL is fine */

int wm_listener_port(const wm_listener *listener); /* the real one; 0 for ipc */

/* Closes every connection whose peer matches, and returns how many. `match` is called under a lock: quick,
 * and never back into the listener. For revocation: first make `allow` refuse, then call this; a handshake
 * that slips between the two asks `allow` again before it is served. */
size_t wm_listener_close_where(wm_listener *listener, bool (*match)(void *context, const wm_peer *peer),
                               void        *context);

typedef struct wm_listener_counts {
    size_t   connections;                 /* open now, handshakes included */
    uint64_t accepted, refused, requests; /* since the start */
    uint64_t bytes_in, bytes_out;         /* of messages with their framing; TLS adds about 1 % */
    size_t   held_in, held_out;           /* bytes that requests and answers hold now */
} wm_listener_counts;

void wm_listener_counts_get(wm_listener *listener, wm_listener_counts *ret);

/* ---- requests: valid until given back ---- */

const uint8_t *wm_request_bytes(const wm_request *request, size_t *n);
const wm_peer *wm_request_peer(const wm_request *request); /* an empty name on ipc and on anonymous listeners */
const char    *wm_request_remote(const wm_request *request);

/* Bytes of messages that this connection has carried so far, this request included. */
void wm_request_traffic(const wm_request *request, uint64_t *in, uint64_t *out);

/* True once the peer is gone: an answer would reach nobody, and does no harm. */
bool wm_request_gone(wm_request *request);

/* Room for an answer of n bytes, to be filled; NULL if out of memory. Belongs to the request. */
uint8_t *wm_request_room(wm_request *request, size_t n);
void     wm_request_send(wm_request *request); /* what was put in that room; gives the request back */

/* Bytes that lie somewhere else, a file most likely, and are read as the peer takes them: so of a hundred slow peers none
 * holds memory for more than what is with TCP. */
typedef struct wm_source {
    /* bytes[n] <- those from `offset` on. On the network's threads, one call at a time. false: they cannot be had any more,
     * and the connection is closed. */
    bool (*read)(void *state, uint64_t offset, uint8_t *bytes, size_t n);
    void (*close)(void *state); /* once, in any case, before the listener is freed */
    void *state;
} wm_source;

/* As wm_request_send; the answer goes on with n bytes of the source, the first of which is at `offset`. */
void wm_request_send_with(wm_request *request, const wm_source *source, uint64_t offset, uint64_t n);

/* Room, copy, send. If out of memory, drop. */
void wm_request_reply(wm_request *request, const void *bytes, size_t n);

void wm_request_drop(wm_request *request); /* no answer: the connection is closed */

#endif
