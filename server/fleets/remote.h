/* server/fleets/remote.h
 *
 * The fleet of real gateways: what they ask, and what they are told. From a verified name and a message to an answer;
 * sockets, TLS and encoding are in server/front.h, so that all of this is tested without them.
 *
 * A question that has no answer yet (a poll without work, an upload without a place) is not answered but held: the
 * handler says for how long at most, and is asked again when `woken` was called. Every request may be repeated safely.
 * Thread-safe. */
#ifndef WM_SERVER_FLEETS_REMOTE_H
#define WM_SERVER_FLEETS_REMOTE_H

#include "common/log.h"
#include "server/fleets/inquiry.h"
#include "server/fleets/fleet.h"
#include "server/roster.h"
#include "server/staging.h"

typedef struct wm_remote wm_remote;

typedef struct wm_remote_settings {
    wm_store           *store;
    wm_roster          *roster;
    wm_staging_settings staging; /* `freed`, `context` and `clock` are the fleet's to set */
    wm_clock            clock;
    wm_log             *log;
    int64_t             renew_ms; /* a certificate that is valid for less than this should be renewed */

    /* Held questions are to be asked again: all of them, or, when a place for an upload has become free, a few of those
     * that wait for one, in the order of their arrival. Quick, from any thread. */
    void (*woken)(void *context, bool only_submits);
    void *context;
} wm_remote_settings;

/* All that `settings` points to is borrowed. */
wm_status wm_remote_new(const wm_remote_settings *settings, wm_remote **ret, wm_error *err);
void      wm_remote_free(wm_remote *remote);

wm_fleet *wm_remote_fleet(wm_remote *remote);

/* What the next run to be served is made of; before wm_fleet_ops.serve. Borrowed until `leave` has returned. */
void wm_remote_prepare(wm_remote *remote, const wm_run_record *record, const wm_job *job, const wm_model *model);

/* Answers x->question and returns 0; or, unless x->last, returns for how many ms at most from its arrival the question
 * may be held. `control`: CheckIn, Ask, Submit, Report, Decline, SignOff; `bulk`: Fetch, Put. */
int64_t wm_remote_control(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_bulk(wm_remote *remote, wm_inquiry *x);

/* bytes[n] <- those of a blob from `offset` on, for an answer whose inquiry says that it streams. false: the log has why.
 * From any thread, for as long as the remote and its store live. */
bool wm_remote_read(wm_remote *remote, const wm_digest *blob, uint64_t offset, uint8_t *bytes, size_t n);

/* Bytes that went over the wire for the run at hand. */
void wm_remote_count_bytes(wm_remote *remote, uint64_t up, uint64_t down);

/* From now on no work is offered and no upload begun; what is on its way may end. */
void wm_remote_close(wm_remote *remote);

/* Takes places from those who have stalled, drops uploads that nobody waits for, declines for gateways that were
 * revoked, and tells the run who is not there. A few times a second, and when the run has changed. */
void wm_remote_tick(wm_remote *remote);

/* A gateway is gone for good: what it has staged is dropped. */
void wm_remote_forget(wm_remote *remote, const char *name);

#endif
