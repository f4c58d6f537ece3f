/* common/wire/calling.h
 *
 * The inside of a caller, shared by caller.c (calls), caller_dial.c (how a connection comes about) and caller_talk.c
 * (bytes there and back, by a deadline). Private to them.
 *
 * One thread calls and waits; nng's threads carry on what it began. The rules are those at the head of serving.h, for one
 * connection: what is in flight is ended by closing the stream, and the caller waits until it has ended before it lets
 * the memory go. A dial that has not reached TCP yet is cancelled instead: there, and only there, nng honours it. */
#ifndef WM_COMMON_WIRE_CALLING_H
#define WM_COMMON_WIRE_CALLING_H

#include "common/wire/caller.h"
#include "common/wire/channel.h"
#include "common/wire/frame.h"

#include <pthread.h>

struct wm_caller {
    char             **urls;       /* owned */
    size_t             n_urls, at; /* at: the one to dial next */
    size_t             answered;   /* the one that answered last */
    wm_tls            *tls;
    size_t             reply_max;
    int                dial_ms;
    wm_frame_kind      kind;
    uint32_t           next_id;
    uint8_t           *room; /* for requests; reused */
    size_t             n_room;
    wm_peer            peer;
    bool               connected; /* hello is over, and the connection is to be used again */
    nng_aio           *dialling;
    nng_stream_dialer *dialer; /* NULL: there is none, nor a channel */

    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t  cond;        /* on the monotonic clock */
    bool            dials;       /* a dial is in flight */
    bool            open;        /* there is a channel */
    bool            closing;     /* nothing is put in flight any more */
    int             flying;      /* raw reads and writes in flight */
    bool            interrupted; /* for good */
    wm_channel      channel;
    const uint8_t  *out; /* what is to be said; the calling thread's bytes */
    uint8_t        *in;  /* where what is heard goes; likewise */
    size_t          out_left, in_left;
    wm_tls_step     step; /* WM_TLS_DONE, or how it came to an end before */
};

int64_t wm_caller_now_ms(void);

/* ---- caller_talk.c: on the calling thread, no lock held ---- */

/* Makes a channel of a stream, which it takes in any case. */
wm_status wm_caller_open(wm_caller *c, nng_stream *stream, const char *server_name, wm_error *err);
void      wm_caller_shut(wm_caller *c); /* closes and waits until nothing is in flight; fine if nothing is open */

/* Says out[n_out] and hears in[n_in]. Fails as wm_caller_call does, but for the answer's contents. */
wm_status wm_caller_talk(wm_caller *c, const void *out, size_t n_out, void *in, size_t n_in, int64_t deadline,
                         wm_error *err);

/* Lock held: until `pending` is over (which somebody else makes so, and then signals cond), the deadline has passed or
 * the caller is interrupted. */
wm_status wm_caller_wait(wm_caller *c, bool (*pending)(const wm_caller *c), int64_t deadline, wm_error *err);

/* ---- caller_dial.c ---- */

/* Connects to one of the addresses in turn, TLS and hello included. */
wm_status wm_caller_dial(wm_caller *c, int64_t deadline, wm_error *err);
void      wm_caller_dialled(void *caller); /* nng's callback of c->dialling */

bool wm_caller_is_interrupted(wm_caller *c);

#endif
