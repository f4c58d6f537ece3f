/* server/fleets/remote_inside.h
 *
 * What the files of the remote fleet share. Nobody else includes this. */
#ifndef WM_SERVER_FLEETS_REMOTE_INSIDE_H
#define WM_SERVER_FLEETS_REMOTE_INSIDE_H

#include "server/fleets/remote.h"

#include <pthread.h>
#include <stdatomic.h>

/* The run that is served, and what an offer says of it. */
typedef struct wm_serving {
    wm_run              *run; /* NULL: none */
    const wm_run_record *record;
    const wm_job        *job;
    wm_digest            job_digest;
    size_t               job_bytes, model_bytes, scaling_bytes;
} wm_serving;

struct wm_remote {
    wm_fleet           fleet; /* first */
    wm_remote_settings settings;
    wm_staging        *staging;
    atomic_bool        closing;
    pthread_rwlock_t   serving_lock; /* held for reading while a question is answered, so that `leave` can wait */
    wm_serving         serving;      /* guarded by it */
};

/* Each is called with serving_lock held for reading. As wm_remote_control and wm_remote_bulk. */
int64_t wm_remote_check_in(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_ask(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_submit(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_report(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_decline(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_sign_off(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_fetch(wm_remote *remote, wm_inquiry *x);
int64_t wm_remote_put(wm_remote *remote, wm_inquiry *x);

/* Where an update stands, whether or not its run is the one that is served. */
wm_fate wm_remote_fate(wm_remote *remote, const char *client, const wm_update_key *key);

/* Whether a key is of the run that is served. */
bool wm_remote_is_served(const wm_remote *remote, const wm_update_key *key);

/* What a person is told of a refusal: log and roster. */
void wm_remote_refused(wm_remote *remote, const char *client, const char *reason);

/* When who cannot be served now should come again: spread, so that a crowd does not come back at once. */
uint64_t wm_remote_come_back(const wm_remote *remote, const char *client, uint64_t least_ms);

#endif
