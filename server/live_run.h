/* server/live_run.h
 *
 * A run that is being served, and all that it stands on: its job, its folder, the observer that writes there and says in
 * the log what a round did. Made and freed by one thread, the one that lets time pass; the observer is on any. */
#ifndef WM_SERVER_LIVE_RUN_H
#define WM_SERVER_LIVE_RUN_H

#include "server/admission.h"
#include "server/jobs.h"
#include "server/report/run_folder.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WM_LIVE_RETRY_MS = 5 * 1000 }; /* after a run that cannot be opened, a folder that cannot be written */

/* Why a run's folder is behind; "" if none is. It outlives the run. */
typedef struct wm_folder_trouble {
    pthread_mutex_t lock; /* taken last */
    char            text[WM_ERROR_TEXT];
} wm_folder_trouble;

typedef struct wm_live_run {
    const wm_jobs_settings *set;
    wm_folder_trouble      *trouble;
    wm_run_record          *record;
    bool                    record_is_stored; /* from the store, and given back to it; else made by hand */
    wm_admitted             admitted;
    wm_run                 *run;
    char                    id[WM_RUN_TEXT];
    atomic_bool             closed; /* the run is over */

    pthread_mutex_t folder_lock; /* guards what follows */
    char           *folder_path; /* borrowed by the folder */
    wm_run_folder  *folder;      /* NULL until it is open */
    bool            behind;      /* it lacks something that could not be written */
    int64_t         again_at_ms; /* mono; then it is tried again */
} wm_live_run;

/* Without a record yet. NULL: no memory. Both are borrowed. */
wm_live_run *wm_live_run_new(const wm_jobs_settings *set, wm_folder_trouble *trouble);

/* With what it has. NULL is fine. */
void wm_live_run_free(wm_live_run *live);

/* A record whose texts and names are from malloc. NULL is fine. */
void wm_live_record_free(wm_run_record *record);

/* It has its record; the rest is made here, and the fleet begins to serve it. Without its folder a run is as good: what it
 * has to lose is in the store. */
wm_status wm_live_run_start(wm_live_run *live, wm_error *err);

/* A run of the past, whose record is read from the store and whose folder is written anew; live->behind if it could not
 * be. */
void wm_live_run_mend(wm_live_run *live, const uint8_t *id);

/* Writes all of its folder, as the store has it; or it is behind, which is said. */
void wm_live_run_write(wm_live_run *live);

/* *due: and it is time to try again. */
bool wm_live_run_is_behind(wm_live_run *live, bool *due);

#endif
