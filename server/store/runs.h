/* server/store/runs.h
 *
 * Runs as the operator lists them, what a restart needs to go on with one, and the jobs that wait for their
 * turn. A queued job has its run's id from the beginning: the ledger's `start` of that id takes it off the
 * queue in the same transaction, so a job is either waiting or started, whatever happens. */
#ifndef WM_SERVER_STORE_RUNS_H
#define WM_SERVER_STORE_RUNS_H

#include "server/store/store.h"

/* One run, without its population. Texts are valid during the call that gives it. */
typedef struct wm_run_entry {
    uint8_t     id[WM_RUN_ID_SIZE];
    const char *job_name;
    uint64_t    seed;
    uint32_t    rounds;               /* of the job; 0: unknown */
    int64_t     started_ms, ended_ms; /* ended_ms 0: still going */
    wm_standing standing;             /* round, phase, outcome and why */
    size_t      n_population;
} wm_run_entry;

/* Every run, the oldest first. */
wm_status wm_store_runs(wm_store *store, void (*each)(void *context, const wm_run_entry *run), void *context,
                        wm_error *err);

/* What a run is, as it was given to the ledger's `start`; to be given to wm_store_run_record_free.
 * WM_E_MISSING. */
wm_status wm_store_run_record(wm_store *store, const uint8_t *run, wm_run_record **ret, wm_error *err);
void      wm_store_run_record_free(wm_run_record *record);

/* The last evaluation of a closed run; `clients` has n_population rows and is to be free()d. WM_E_MISSING: it
 * had none. */
wm_status wm_store_final(wm_store *store, const uint8_t *run, wm_final_record *ret, wm_error *err);

/* ---- the queue ---- */

typedef struct wm_queued_job {
    uint8_t     id[WM_RUN_ID_SIZE]; /* of the run that it will be */
    const char *job_name;
    const char *job_text;
    uint64_t    seed;
    int64_t     added_ms; /* set by the store */
} wm_queued_job;

/* At the end of the queue. WM_E_EXISTS: that id waits already or has run. */
wm_status wm_store_queue_add(wm_store *store, const wm_queued_job *job, wm_error *err);

/* Takes a job off the queue unstarted. WM_E_MISSING: it does not wait. */
wm_status wm_store_queue_remove(wm_store *store, const uint8_t *id, wm_error *err);

/* Every waiting job, the next one first; texts are valid during the call. */
wm_status wm_store_queue(wm_store *store, void (*each)(void *context, const wm_queued_job *job), void *context,
                         wm_error *err);

#endif
