/* server/jobs.c */
#include "server/jobs.h"

#include "server/live_run.h"
#include "server/store/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 250 };

struct wm_jobs {
    wm_jobs_settings  settings;
    int64_t           retry_at_ms; /* mono; 0: at once */
    bool              mended;      /* no closed run's folder is behind, as far as we know */
    int64_t           mend_at_ms;  /* mono; then one that is is tried again */
    bool              behind;      /* this one is, else it may be the newest one, of an earlier life */
    uint8_t           behind_id[WM_RUN_ID_SIZE];
    wm_waiting        waiting;
    pthread_mutex_t   lock; /* guards what follows; the ticking thread alone changes `live` */
    wm_live_run      *live; /* NULL: nothing runs */
    char              trouble[WM_ERROR_TEXT];
    wm_folder_trouble folder_trouble;
};

wm_status wm_jobs_new(const wm_jobs_settings *settings, wm_jobs **ret, wm_error *err)
{
    wm_jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the jobs");
    jobs->settings = *settings;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_mutex_init(&jobs->folder_trouble.lock, NULL);
    *ret = jobs;
    return WM_OK;
}

void wm_jobs_free(wm_jobs *jobs)
{
    wm_fleet *fleet;

    if (jobs == NULL)
        return;
    if (jobs->live != NULL) {
        fleet = wm_remote_fleet(jobs->settings.remote);
        fleet->ops->leave(fleet);
    }
    wm_live_run_free(jobs->live);
    pthread_mutex_destroy(&jobs->folder_trouble.lock);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

/* ---- what is next ---- */

typedef struct next_run {
    bool    found;
    uint8_t id[WM_RUN_ID_SIZE];
} next_run;

static void find_open(void *context, const wm_run_entry *run)
{
    next_run *next = context;

    if (next->found || run->standing.phase == WM_PHASE_CLOSED)
        return;
    next->found = true;
    memcpy(next->id, run->id, WM_RUN_ID_SIZE);
}

typedef struct next_job {
    bool           found;
    wm_run_record *record; /* NULL if memory ran out */
} next_job;

static void find_queued(void *context, const wm_queued_job *job)
{
    next_job      *next = context;
    wm_run_record *record;

    if (next->found)
        return;
    next->found = true;
    record = calloc(1, sizeof *record);
    if (record == NULL)
        return;
    memcpy(record->id, job->id, WM_RUN_ID_SIZE);
    record->job_name = strdup(job->job_name);
    record->job_text = strdup(job->job_text);
    record->seed = job->seed;
    if (record->job_name != NULL && record->job_text != NULL)
        next->record = record;
    else
        wm_live_record_free(record);
}

/* The run that is open, or the first of the queue, as a record; *ret NULL: there is none. */
static wm_status find_next(wm_jobs *jobs, wm_live_run *live, bool *found, wm_error *err)
{
    const wm_jobs_settings *set = &jobs->settings;
    next_run                run = { 0 };
    next_job                job = { 0 };
    wm_status               st = wm_store_runs(set->store, find_open, &run, err);

    *found = run.found;
    if (st == WM_OK && run.found) {
        live->record_is_stored = true;
        return wm_store_run_record(set->store, run.id, &live->record, err);
    }
    if (st == WM_OK)
        st = wm_store_queue(set->store, find_queued, &job, err);
    *found = job.found;
    if (st != WM_OK || !job.found)
        return st;
    if (job.record == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the next job");
    live->record = job.record;
    live->record->started_wall_ms = wm_wall_ms(&set->clock);
    return wm_roster_names(set->roster, &live->record->population, &live->record->n_population, err);
}

static void say_trouble(wm_jobs *jobs, const char *id, const char *trouble)
{
    bool again;

    pthread_mutex_lock(&jobs->lock);
    again = strncmp(jobs->trouble, trouble, sizeof jobs->trouble - 1) == 0;
    snprintf(jobs->trouble, sizeof jobs->trouble, "%s", trouble);
    pthread_mutex_unlock(&jobs->lock);
    if (!again && trouble[0] != '\0')
        wm_log_line(jobs->settings.log, WM_LOG_ERROR, "run", "the run cannot go on: it is tried again, or stop it",
                    WM_TEXT_FIELD("run", id), WM_TEXT_FIELD("why", trouble));
}

static void find_newest_closed(void *context, const wm_run_entry *run)
{
    next_run *newest = context;

    if (run->standing.phase != WM_PHASE_CLOSED)
        return;
    newest->found = true; /* they come in order */
    memcpy(newest->id, run->id, WM_RUN_ID_SIZE);
}

/* The process may have ended between the end of a run and the last writing of its folder, or the disk was full then. */
static void mend_folder(wm_jobs *jobs)
{
    next_run     newest = { 0 };
    wm_live_run *live;

    jobs->mend_at_ms = wm_mono_ms(&jobs->settings.clock) + WM_LIVE_RETRY_MS;
    if (wm_store_runs(jobs->settings.store, find_newest_closed, &newest, NULL) != WM_OK ||
        (live = wm_live_run_new(&jobs->settings, &jobs->folder_trouble)) == NULL)
        return;
    jobs->mended = true;
    if (jobs->behind || newest.found) {
        wm_live_run_mend(live, jobs->behind ? jobs->behind_id : newest.id);
        jobs->mended = !live->behind;
        jobs->behind = jobs->behind && live->behind;
    }
    wm_live_run_free(live);
}

static void start_next(wm_jobs *jobs)
{
    int64_t      now = wm_mono_ms(&jobs->settings.clock);
    wm_live_run *live;
    bool         found = false;
    wm_error     err;
    wm_status    st;

    if (now < jobs->retry_at_ms)
        return;
    live = wm_live_run_new(&jobs->settings, &jobs->folder_trouble);
    if (live == NULL)
        return; /* the next tick tries again */
    st = find_next(jobs, live, &found, &err);
    if (live->record != NULL)
        wm_run_id_text(live->record->id, live->id);
    if (st == WM_OK && found)
        st = wm_live_run_start(live, &err);
    if (st != WM_OK || !found) {
        say_trouble(jobs, live->id, st != WM_OK ? err.text : "");
        wm_live_run_free(live);
        if (st != WM_OK)
            jobs->retry_at_ms = now + WM_LIVE_RETRY_MS;
        return;
    }
    say_trouble(jobs, live->id, "");
    wm_log_line(jobs->settings.log, WM_LOG_INFO, "run", live->record_is_stored ? "goes on" : "started",
                WM_TEXT_FIELD("run", live->id), WM_TEXT_FIELD("job", live->record->job_name),
                WM_INT_FIELD("gateways", live->record->n_population));
    pthread_mutex_lock(&jobs->lock);
    jobs->live = live;
    pthread_mutex_unlock(&jobs->lock);
}

static void end_live(wm_jobs *jobs)
{
    wm_fleet    *fleet = wm_remote_fleet(jobs->settings.remote);
    wm_live_run *live = jobs->live;
    bool         due;

    fleet->ops->leave(fleet);
    if (wm_live_run_is_behind(live, &due)) { /* the next job does not wait for it */
        jobs->mended = false;
        jobs->behind = true;
        memcpy(jobs->behind_id, live->record->id, sizeof jobs->behind_id);
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->live = NULL;
    pthread_mutex_unlock(&jobs->lock);
    wm_live_run_free(live);
}

int64_t wm_jobs_tick(wm_jobs *jobs)
{
    int64_t next_ms;
    bool    due;

    if (!jobs->mended && wm_mono_ms(&jobs->settings.clock) >= jobs->mend_at_ms)
        mend_folder(jobs);
    if (jobs->live != NULL && atomic_load(&jobs->live->closed))
        end_live(jobs);
    if (jobs->live == NULL)
        start_next(jobs);
    if (jobs->live == NULL)
        return TICK_MS;
    if (wm_live_run_is_behind(jobs->live, &due) && due)
        wm_live_run_write(jobs->live);
    next_ms = wm_run_tick(jobs->live->run);
    wm_waiting_say(&jobs->waiting, jobs->live->run, jobs->live->record, jobs->settings.roster, jobs->settings.log);
    return next_ms >= 0 && next_ms < TICK_MS ? next_ms : TICK_MS;
}

/* ---- for the operator ---- */

/* A run that is open in the store, and is not served: one that cannot be opened. */
static wm_status close_unserved(wm_jobs *jobs, const uint8_t *id, const char *why, wm_error *err)
{
    wm_ledger  *ledger = wm_store_ledger(jobs->settings.store);
    wm_standing standing;
    char        text[WM_RUN_TEXT];
    wm_status   st = ledger->load(ledger, id, &standing, err);

    if (st == WM_E_MISSING)
        return wm_fail(err, WM_E_MISSING, "there is no run %s: `job DIR list` names them",
                       wm_run_id_text(id, text));
    if (st == WM_OK && standing.phase == WM_PHASE_CLOSED)
        return wm_fail(err, WM_E_EXISTS, "run %s is over already", wm_run_id_text(id, text));
    if (st != WM_OK)
        return st;
    standing.phase = WM_PHASE_CLOSED;
    standing.outcome = WM_OUTCOME_STOPPED;
    standing.opened_wall_ms = wm_wall_ms(&jobs->settings.clock);
    snprintf(standing.why, sizeof standing.why, "%s", why);
    st = ledger->close(ledger, id, &standing, NULL, err);
    jobs->settings.stirred(jobs->settings.context);
    return st;
}

wm_status wm_jobs_stop(wm_jobs *jobs, const uint8_t *id, const char *why, wm_error *err)
{
    bool      served;
    wm_status st = WM_OK;

    pthread_mutex_lock(&jobs->lock); /* keeps the run alive meanwhile */
    served = jobs->live != NULL && memcmp(jobs->live->record->id, id, WM_RUN_ID_SIZE) == 0;
    if (served)
        st = wm_run_stop(jobs->live->run, why, err);
    pthread_mutex_unlock(&jobs->lock);
    if (served)
        return st;
    st = wm_store_queue_remove(jobs->settings.store, id, err);
    return st == WM_E_MISSING ? close_unserved(jobs, id, why, err) : st;
}

void wm_jobs_view_get(wm_jobs *jobs, wm_jobs_view *ret)
{
    wm_text names = WM_TEXT_INIT;

    memset(ret, 0, sizeof *ret);
    pthread_mutex_lock(&jobs->lock);
    snprintf(ret->trouble, sizeof ret->trouble, "%s", jobs->trouble);
    if (jobs->live != NULL) {
        ret->running = true;
        memcpy(ret->id, jobs->live->record->id, WM_RUN_ID_SIZE);
        snprintf(ret->job_name, sizeof ret->job_name, "%s", jobs->live->record->job_name);
        wm_run_progress_get(jobs->live->run, &ret->progress);
        wm_run_waiting_for(jobs->live->run, WM_WAITING_NAMES, &names);
        snprintf(ret->waiting_for, sizeof ret->waiting_for, "%s", wm_text_chars(&names));
        wm_waiting_note(&ret->progress, jobs->live->record, jobs->settings.roster, ret->note);
    }
    if (ret->trouble[0] == '\0' && ret->running)
        snprintf(ret->trouble, sizeof ret->trouble, "%s", ret->progress.trouble);
    pthread_mutex_lock(&jobs->folder_trouble.lock);
    if (ret->trouble[0] == '\0')
        snprintf(ret->trouble, sizeof ret->trouble, "%s", jobs->folder_trouble.text);
    pthread_mutex_unlock(&jobs->folder_trouble.lock);
    pthread_mutex_unlock(&jobs->lock);
    wm_text_release(&names);
}
