/* server/jobs.h
 *
 * Jobs one after the other: the run that was open when the process ended goes on first, where it stood; then comes what
 * waits in the queue. Each run has its folder, runs/ID. Says in the log what a round did, and for whom it waits.
 *
 * wm_jobs_tick is called by one thread; the others are thread-safe. */
#ifndef WM_SERVER_JOBS_H
#define WM_SERVER_JOBS_H

#include "server/fleets/remote.h"
#include "server/waiting.h"

typedef struct wm_jobs wm_jobs;

typedef struct wm_jobs_settings {
    const char     *office; /* the run's folder is office/runs/ID */
    const wm_files *files;
    wm_store       *store;
    wm_roster      *roster;
    wm_remote      *remote;
    uint64_t        update_bytes; /* room for an update; 0: no limit */
    wm_clock        clock;
    wm_log         *log;

    /* wm_jobs_tick has something to do. Quick, from any thread. */
    void (*stirred)(void *context);
    void *context;
} wm_jobs_settings;

/* All that `settings` points to is borrowed. */
wm_status wm_jobs_new(const wm_jobs_settings *settings, wm_jobs **ret, wm_error *err);

/* Leaves the run where it stands. NULL is fine. */
void wm_jobs_free(wm_jobs *jobs);

/* Starts what is next, lets deadlines pass. Returns the ms until it should be called again at the latest. */
int64_t wm_jobs_tick(wm_jobs *jobs);

/* Ends a run, or takes a job off the queue. WM_E_MISSING: there is no such run; WM_E_EXISTS: it is over already. */
wm_status wm_jobs_stop(wm_jobs *jobs, const uint8_t *id, const char *why, wm_error *err);

/* What runs at this moment. */
typedef struct wm_jobs_view {
    bool            running;
    uint8_t         id[WM_RUN_ID_SIZE];
    char            job_name[64];
    wm_run_progress progress;
    char            waiting_for[200];       /* "" for nobody */
    char            note[WM_WAITING_NOTE];  /* what stands against it; "" if nothing does */
    char            trouble[WM_ERROR_TEXT]; /* why nothing goes on: what cannot be opened or written; "" for none */
} wm_jobs_view;

void wm_jobs_view_get(wm_jobs *jobs, wm_jobs_view *ret);

#endif
