/* common/wire/serving.h
 *
 * The inside of a listener, shared by its sources: listener.c (starting, accepting, stopping), sweeper.c (deadlines),
 * crowd.c (who is here, and who has to go when it gets full), connection.c and connection_talk.c (one connection's life,
 * and what is said on it), request.c (what a handler sees of it) and intake.c (requests on their way to the workers,
 * memory in use). Private to them.
 *
 * Why this cannot wedge. nng's SP transports own the aio of a message that goes out in parts. Closing the
 * pipe stops that aio; if the stop falls between two parts, the next part is refused without a callback and
 * whoever waits for the message waits for ever. Here nng gives us byte streams only, the aios are ours and so
 * are the rules:
 *
 *   1. Never nng_aio_stop, nng_aio_free or nng_aio_cancel an aio in use. nng_stream_close ends it: it completes
 *      everything queued, with an error, on one of nng's threads.
 *   2. Submit only under the connection's lock and only while !closing; set closing under that lock, then close the
 *      stream. So nothing is submitted to a closed stream, where it would lie for ever.
 *   3. TCP may have died between two submissions. So after each submission look whether TCP still has a peer, and close
 *      the stream if not.
 *   4. No aio timeouts: nng's clock is the wall clock. Deadlines are kept here, on CLOCK_MONOTONIC, and swept; the
 *      remedy is again nng_stream_close.
 *   5. A connection is freed when its last user lets go (the open state, a raw read, a raw write, a request outside, the
 *      list of those that wait for memory, a callback at work): nng_aio_reap, since a callback may not free its own
 *      aio.
 *   6. A read stays posted while a request is being worked on, for the head of the next one: it tells when the peer
 *      goes.
 *
 * Locks, in this order: the listener's, a connection's, the intake's. nng's callbacks never run inside its
 * calls, so locks may be held there. No lock is held while a callback of the settings runs, but `match`. */
#ifndef WM_COMMON_WIRE_SERVING_H
#define WM_COMMON_WIRE_SERVING_H

#include "common/wire/channel.h"
#include "common/wire/frame.h"
#include "common/wire/listener.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct wm_connection wm_connection;

/* In order of arrival. Guarded by the listener's lock. */
typedef struct wm_crowd {
    wm_connection *oldest, *newest;
    size_t         n;
} wm_crowd;

typedef enum wm_read_state {
    WM_READ_HELLO,
    WM_READ_WELCOME, /* nothing is read: the hello is here, and being judged */
    WM_READ_HEAD,    /* of the next message, also while a request is being worked on (rule 6) */
    WM_READ_MESSAGE,
    WM_READ_PAUSED,  /* the head of the next message is here, but the answer to the last is not out */
    WM_READ_WAITING, /* for memory: in the intake's list */
} wm_read_state;

enum { WM_REMOTE_TEXT = 64 };

/* The end of an answer that is read as it is sent. */
typedef struct wm_rest {
    wm_source source; /* zeroed: there is none */
    uint64_t  offset, left;
} wm_rest;

struct wm_connection {
    wm_listener     *listener;
    wm_crowd        *crowd;                     /* it is in one always; guarded by the listener's lock */
    wm_connection   *next, *previous;           /* in there: younger, older */
    wm_connection   *same_next, *same_previous; /* of those in the same bucket; guarded likewise */
    bool             named;                     /* on such a list */
    uint64_t         number;                    /* counts up: the lowest is the oldest */
    char             remote[WM_REMOTE_TEXT];
    uint64_t         address; /* the same for all that may be one machine; 0: local */
    wm_peer          peer;    /* written once, before the first request */
    atomic_int       users;
    _Atomic uint64_t bytes_in, bytes_out;

    pthread_mutex_t lock; /* guards what follows */
    wm_channel      channel;
    bool            closing;
    bool            verified;    /* peer is set, and the connection is served */
    bool            answering;   /* a request is outside, or its answer on the way */
    bool            last_answer; /* close when that is out */
    bool            writing;     /* our hello or an answer is not with TCP yet */
    bool            greeted;     /* its hello is here: to be welcomed when the lock is let go */
    wm_request     *ready;       /* a complete request: to be pushed when the lock is let go */
    wm_read_state   state;
    uint8_t         head[WM_FRAME_HEAD_MAX]; /* hello or head */
    uint8_t         hello[WM_FRAME_HELLO];   /* ours */
    uint8_t        *in;                      /* message being read: route and body; owned */
    size_t          in_have, in_want;
    size_t          held;       /* bytes reserved with the intake for that message */
    uint8_t        *frame;      /* being written; owned; NULL for our hello, or when all of it is records */
    size_t          frame_size; /* what the intake counts for it; 0: nothing */
    wm_rest         rest;       /* what goes after it */
    const uint8_t  *out;        /* what is left to write */
    size_t          out_left;
    int64_t         deadline;            /* of what we wait for from the peer; 0: none */
    int64_t         expires;             /* when the peer's certificate does; 0: never */
    bool            lost;                /* the other end or the network ended it, not we */
    char            offence[WM_TLS_WHY]; /* why we closed it, if the log is to say so */

    wm_connection *waiting_next; /* guarded by the intake's lock */
};

struct wm_request {
    wm_connection *connection;
    wm_request    *next;  /* in the intake's queue */
    uint8_t       *bytes; /* route and body; owned */
    size_t         size, route;
    uint8_t       *frame; /* answer: head, route, body; owned */
    size_t         frame_size;
    bool           starved; /* there was no memory for one */
};

/* Requests that are complete, first come first served; connections that wait for memory; and the bell of the
 * sweeper, who lets them in. The queue is as long as there are connections at most: each has one request at a
 * time. */
typedef struct wm_intake {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t  work; /* for the workers: a request, room for an answer, or the end */
    pthread_cond_t  bell; /* for the sweeper, on the monotonic clock */
    wm_request     *first, **last;
    wm_connection  *waiting, **waiting_last;
    size_t          held_in, held_out, held_max;
    bool            rung, gone, ending;
} wm_intake;

enum { WM_NAME_BUCKETS = 256 };

struct wm_listener {
    wm_listener_settings set;
    wm_frame_kind        kind;
    int                  port;
    nng_stream_listener *socket;
    nng_aio             *accept;
    pthread_t            sweeper;
    pthread_t           *workers;
    int                  n_workers; /* started */
    wm_intake            intake;
    _Atomic uint64_t     accepted, refused, requests, bytes_in, bytes_out;

    pthread_mutex_t lock;                        /* guards what follows */
    wm_crowd        strangers, members, leaving; /* crowd.c */
    wm_connection  *named[WM_NAME_BUCKETS];      /* by the peer's name */
    size_t          n_connections;
    uint64_t        next_number;
    bool            stopping, accepting;
};

int64_t wm_now_ms(void); /* CLOCK_MONOTONIC: nng_clock follows the wall clock on Debian */

/* ---- connection.c ---- */

void wm_remote_text(nng_stream *stream, char text[WM_REMOTE_TEXT]);

/* Takes the stream, and closes it if there is no memory for a connection: NULL then. The result has one user
 * besides the open state: the caller. Listener's lock held. */
wm_connection *wm_connection_new(wm_listener *listener, nng_stream *stream);
void           wm_connection_begin(wm_connection *c); /* waits for the hello; connection's lock held */
void wm_connection_close(wm_connection *c); /* lock held; drops the open state's use, never the last one */

/* Close, and let the log say why: the peer's fault, or that there is no memory for it. */
__attribute__((format(printf, 2, 3))) void wm_connection_offend(wm_connection *c, const char *fmt, ...);

void wm_connection_release(wm_connection *c);                /* a user lets go; no lock held */
void wm_connection_admit(wm_connection *c, bool has_memory); /* from the list of those that wait; no lock held */

/* Writes frame[n] and what is in `rest`, and then reads on; takes both over. false: the connection is closing, and they are
 * still the caller's. No lock held. */
bool wm_connection_answer(wm_connection *c, uint8_t *frame, size_t n, const wm_rest *rest);

/* ---- connection_talk.c ---- */

void wm_connection_received(void *c); /* nng's callbacks */
void wm_connection_sent(void *c);
void wm_connection_drop_answer(wm_connection *c); /* frees it, and tells the intake */

/* ---- crowd.c: listener's lock held, but where it says otherwise ---- */

bool wm_crowd_has_place(const wm_listener *listener); /* for one more stranger */
void wm_crowd_enter(wm_connection *c);                /* as a stranger; another one may have to go */
void wm_crowd_drop_stranger(wm_listener *listener);   /* one, if there is one */

/* The connection is that peer's: a member from now on, to be served; if there is no place for it, false and *why. No
 * lock held. */
bool wm_crowd_name(wm_connection *c, const wm_peer *peer, char *why, size_t n);

/* No user is left: off all lists. true: it was the last one of its peer. No lock held. */
bool wm_crowd_leave(wm_connection *c);

/* ---- sweeper.c ---- */

void  wm_sweep(wm_listener *listener, int64_t now_ms); /* listener's lock held */
void *wm_sweep_until_empty(void *listener);            /* the thread's life */

/* ---- listener.c: no lock held ---- */

void wm_listener_one_less(wm_listener *listener); /* everything that a connection held is free */
void wm_listener_turned_away(wm_connection *c, const char *name, const char *why);

/* ---- intake.c ---- */

void  wm_intake_init(wm_intake *intake, size_t held_max);
void  wm_intake_release(wm_intake *intake);
void *wm_intake_work(void *listener); /* a worker's life */
void  wm_intake_end(wm_intake *intake);

void wm_intake_push(wm_intake *intake, wm_request *request);
/* false: it is on the list of those that wait. */
bool wm_intake_reserve(wm_intake *intake, wm_connection *c, size_t n);

void wm_intake_unreserve(wm_intake *intake, size_t n);
void wm_intake_answer(wm_intake *intake, size_t n); /* so many bytes of an answer are in memory */
void wm_intake_answered(wm_intake *intake, size_t n);
void wm_intake_held(wm_intake *intake, size_t *in, size_t *out);

/* The next of those that wait, if there is memory for it (reserved then) or everything is to end. */
wm_connection *wm_intake_next_waiting(wm_intake *intake, bool end, bool *has_memory);

void wm_intake_ring(wm_intake *intake, bool gone);
bool wm_intake_sleep(wm_intake *intake,
                     int64_t    until_ms); /* until the bell; true: a kept request has lost its peer */

#endif
