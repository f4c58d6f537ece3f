/* server/jobs.c */
#include "server/jobs.h"

#include "server/admission.h"
#include "server/report/run_folder.h"
#include "server/store/runs.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 250,
    GRACE_MS = 30 * 1000, /* what an open phase has left at least after a restart */
    RETRY_MS = 5 * 1000,  /* after a run that cannot be opened */
};

/* A run that is being served, and all that it stands on. Made and freed by the ticking thread. */
typedef struct live_run {
    wm_jobs       *jobs;
    wm_run_record *record;
    bool           record_is_stored; /* from the store, and given back to it; else made here */
    wm_admitted    admitted;
    wm_run        *run;
    char           id[WM_RUN_TEXT];
    atomic_bool    closed;

    pthread_mutex_t folder_lock;
    char           *folder_path; /* borrowed by the folder */
    wm_run_folder  *folder;      /* NULL until it is open */
    bool            behind;      /* it lacks something that could not be written */
    int64_t         again_at_ms; /* mono; then it is tried again */
} live_run;

struct wm_jobs {
    wm_jobs_settings settings;
    int64_t          retry_at_ms; /* mono; 0: at once */
    bool             mended;      /* no closed run's folder is behind, as far as we know */
    int64_t          mend_at_ms;  /* mono; then one that is is tried again */
    bool             behind;      /* this one is, else it may be the newest one, of an earlier life */
    uint8_t          behind_id[WM_RUN_ID_SIZE];
    wm_waiting       waiting;
    pthread_mutex_t  lock; /* guards what follows; the ticking thread alone changes `live` */
    live_run        *live; /* NULL: nothing runs */
    char             trouble[WM_ERROR_TEXT];
    pthread_mutex_t  folder_lock;                   /* guards what follows; taken last */
    char             folder_trouble[WM_ERROR_TEXT]; /* why a run's folder is behind; "" if none is */
};

wm_status wm_jobs_new(const wm_jobs_settings *settings, wm_jobs **ret, wm_error *err)
{
    wm_jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the jobs");
    jobs->settings = *settings;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_mutex_init(&jobs->folder_lock, NULL);
    *ret = jobs;
    return WM_OK;
}

/* ---- the observer of a run ---- */

static void run_changed(void *context)
{
    live_run *live = context;
    wm_fleet *fleet = wm_remote_fleet(live->jobs->settings.remote);

    fleet->ops->wake(fleet);
    live->jobs->settings.stirred(live->jobs->settings.context);
}

static void note_folder(wm_jobs *jobs, const char *trouble, bool *again)
{
    pthread_mutex_lock(&jobs->folder_lock);
    *again = strcmp(jobs->folder_trouble, trouble) == 0;
    snprintf(jobs->folder_trouble, sizeof jobs->folder_trouble, "%s", trouble);
    pthread_mutex_unlock(&jobs->folder_lock);
}

/* What it lacks is in the store, and is written later; the same failure is said once. Under the folder's lock. */
static void folder_failed(live_run *live, const wm_error *err)
{
    bool again;

    live->behind = true;
    live->again_at_ms = wm_mono_ms(&live->jobs->settings.clock) + RETRY_MS;
    note_folder(live->jobs, err->text, &again);
    if (!again)
        wm_log_line(live->jobs->settings.log, WM_LOG_ERROR, "run",
                    "the run's folder cannot be written; nothing is lost, and it is tried again",
                    WM_TEXT_FIELD("run", live->id), WM_TEXT_FIELD("why", err->text));
}

static void folder_written(live_run *live)
{
    bool again;

    live->behind = false;
    note_folder(live->jobs, "", &again);
    if (!again)
        wm_log_line(live->jobs->settings.log, WM_LOG_INFO, "run", "the run's folder is whole again",
                    WM_TEXT_FIELD("run", live->id));
}

static void round_done(void *context, const wm_round_record *round)
{
    live_run       *live = context;
    const wm_job   *job = live->admitted.job;
    wm_run_progress now = { .eta_ms = -1 };
    char            left[WM_DURATION_TEXT], metric[WM_MEASURE_NAME], rounds[32];
    wm_error        err;

    if (live->run != NULL) /* else it is just being opened */
        wm_run_progress_get(live->run, &now);
    snprintf(rounds, sizeof rounds, "%u/%lld", round->round, (long long)job->rounds);
    wm_measure_first(job, metric);
    wm_log_line(live->jobs->settings.log, WM_LOG_INFO, "round", "committed", WM_TEXT_FIELD("round", rounds),
                WM_REAL_FIELD("seconds", round->seconds), WM_INT_FIELD("accepted", round->accepted),
                WM_INT_FIELD("refused", round->refused), WM_INT_FIELD("late", round->late),
                WM_REAL_FIELD("train_loss", round->train_loss),
                WM_REAL_FIELD("eval_loss", round->evaluated ? round->evaluation.loss : NAN),
                WM_REAL_FIELD(metric, round->evaluated ? round->evaluation.metrics[0] : NAN),
                WM_TEXT_FIELD("left", now.eta_ms >= 0 ? wm_duration_text(now.eta_ms, left) : "unknown"));
    pthread_mutex_lock(&live->folder_lock);
    if (live->folder != NULL && !live->behind && wm_run_folder_round(live->folder, round, &err) != WM_OK)
        folder_failed(live, &err);
    pthread_mutex_unlock(&live->folder_lock);
}

static void run_closed(void *context, const wm_standing *standing, const wm_final_record *final)
{
    live_run *live = context;
    char      model[WM_DIGEST_TEXT];
    wm_error  err;

    wm_log_line(live->jobs->settings.log, standing->outcome == WM_OUTCOME_FAILED ? WM_LOG_ERROR : WM_LOG_INFO,
                "run", "over", WM_TEXT_FIELD("run", live->id),
                WM_TEXT_FIELD("outcome", wm_outcome_name(standing->outcome)), WM_TEXT_FIELD("why", standing->why),
                WM_INT_FIELD("rounds", standing->round),
                WM_TEXT_FIELD("model", wm_digest_text(&standing->model, model)));
    pthread_mutex_lock(&live->folder_lock);
    if (live->folder != NULL && !live->behind && wm_run_folder_close(live->folder, standing, final, &err) != WM_OK)
        folder_failed(live, &err);
    pthread_mutex_unlock(&live->folder_lock);
    atomic_store(&live->closed, true);
    live->jobs->settings.stirred(live->jobs->settings.context);
}

/* ---- a run's life ---- */

static void record_free(wm_run_record *record)
{
    if (record == NULL)
        return;
    wm_names_free(record->population, record->n_population);
    free((char *)(uintptr_t)record->job_name);
    free((char *)(uintptr_t)record->job_text);
    free(record);
}

static void live_free(live_run *live)
{
    if (live == NULL)
        return;
    wm_run_free(live->run);
    wm_run_folder_free(live->folder);
    free(live->folder_path);
    wm_admitted_release(&live->admitted);
    if (live->record_is_stored)
        wm_store_run_record_free(live->record);
    else
        record_free(live->record);
    pthread_mutex_destroy(&live->folder_lock);
    free(live);
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
    live_free(jobs->live);
    pthread_mutex_destroy(&jobs->folder_lock);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

/* What was written last, as the ledger has it: for a run that was closed while its folder was not open. */
static wm_status close_folder(live_run *live, wm_error *err)
{
    wm_store       *store = live->jobs->settings.store;
    wm_ledger      *ledger = wm_store_ledger(store);
    wm_standing     standing;
    wm_final_record final = { 0 };
    wm_status       st = ledger->load(ledger, live->record->id, &standing, err);
    bool            has_final;

    if (st != WM_OK || standing.phase != WM_PHASE_CLOSED)
        return st;
    has_final = wm_store_final(store, live->record->id, &final, NULL) == WM_OK;
    st = wm_run_folder_close(live->folder, &standing, has_final ? &final : NULL, err);
    free(final.clients);
    return st;
}

static wm_status open_folder(live_run *live, wm_error *err)
{
    const wm_jobs_settings *set = &live->jobs->settings;
    wm_status               st;

    st = wm_run_folder_open(&(wm_run_folder_settings){ .files = set->files,
                                                       .path = live->folder_path,
                                                       .job = live->admitted.job,
                                                       .model = live->admitted.model,
                                                       .record = live->record,
                                                       .ledger = wm_store_ledger(set->store),
                                                       .blobs = wm_store_blobs(set->store),
                                                       .clock = set->clock },
                            &live->folder, err);
    return st == WM_OK ? close_folder(live, err) : st; /* if it is closed already */
}

/* Writes all of it, as the store has it. */
static void write_folder(live_run *live)
{
    wm_error  err;
    char     *runs;
    wm_status st;

    pthread_mutex_lock(&live->folder_lock);
    wm_run_folder_free(live->folder);
    live->folder = NULL;
    if (live->folder_path == NULL) {
        runs = wm_path_join(live->jobs->settings.office, "runs");
        live->folder_path = runs != NULL ? wm_path_join(runs, live->id) : NULL;
        free(runs);
    }
    st = live->folder_path != NULL ? open_folder(live, &err)
                                   : wm_fail(&err, WM_E_NOMEM, "no memory for the run's folder");
    if (st == WM_OK)
        folder_written(live);
    else
        folder_failed(live, &err);
    pthread_mutex_unlock(&live->folder_lock);
}

static bool is_behind(live_run *live, bool *due)
{
    bool behind;

    pthread_mutex_lock(&live->folder_lock);
    behind = live->behind;
    *due = behind && wm_mono_ms(&live->jobs->settings.clock) >= live->again_at_ms;
    pthread_mutex_unlock(&live->folder_lock);
    return behind;
}

/* `live` has its record; the rest is made here, and the fleet begins to serve it. */
static wm_status live_start(wm_jobs *jobs, live_run *live, wm_error *err)
{
    const wm_jobs_settings *set = &jobs->settings;
    wm_fleet               *fleet = wm_remote_fleet(set->remote);
    wm_faults               faults;
    wm_status               st;

    wm_faults_init(&faults, live->record->job_name);
    st = wm_admit(
        live->record->job_name, live->record->job_text, strlen(live->record->job_text),
        &(wm_admission_limits){ .n_clients = live->record->n_population, .update_bytes = set->update_bytes },
        &faults, &live->admitted, err);
    wm_faults_release(&faults);
    if (st == WM_OK && !live->record_is_stored) {
        live->record->rounds = (uint32_t)live->admitted.job->rounds;
        live->record->keep = live->admitted.job->keep;
    }
    if (st == WM_OK)
        st = wm_run_open(&(wm_run_settings){ .job = live->admitted.job,
                                             .model = live->admitted.model,
                                             .record = live->record,
                                             .ledger = wm_store_ledger(set->store),
                                             .blobs = wm_store_blobs(set->store),
                                             .clock = set->clock,
                                             .log = set->log,
                                             .observer = { .changed = run_changed,
                                                           .round_done = round_done,
                                                           .closed = run_closed,
                                                           .context = live },
                                             .grace_ms = GRACE_MS,
                                             .lean = true },
                         &live->run, err);
    if (st != WM_OK)
        return st;
    /* Without its folder a run is as good: what it has to lose is in the store. */
    write_folder(live);
    wm_remote_prepare(set->remote, live->record, live->admitted.job, live->admitted.model);
    return fleet->ops->serve(fleet, live->run, err);
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
        record_free(record);
}

/* The run that is open, or the first of the queue, as a record; *ret NULL: there is none. */
static wm_status find_next(wm_jobs *jobs, live_run *live, bool *found, wm_error *err)
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
    next_run  newest = { 0 };
    live_run *live = calloc(1, sizeof *live);
    wm_faults faults;
    wm_error  err;

    jobs->mend_at_ms = wm_mono_ms(&jobs->settings.clock) + RETRY_MS;
    if (live == NULL || wm_store_runs(jobs->settings.store, find_newest_closed, &newest, NULL) != WM_OK) {
        free(live);
        return;
    }
    jobs->mended = true;
    if (jobs->behind)
        memcpy(newest.id, jobs->behind_id, sizeof newest.id);
    if (!jobs->behind && !newest.found) {
        free(live);
        return;
    }
    live->jobs = jobs;
    live->record_is_stored = true;
    pthread_mutex_init(&live->folder_lock, NULL);
    wm_run_id_text(newest.id, live->id);
    wm_faults_init(&faults, live->id);
    if (wm_store_run_record(jobs->settings.store, newest.id, &live->record, &err) != WM_OK ||
        wm_admit(live->id, live->record->job_text, strlen(live->record->job_text), &(wm_admission_limits){ 0 },
                 &faults, &live->admitted, &err) != WM_OK)
        folder_failed(live, &err);
    else
        write_folder(live);
    jobs->mended = !live->behind;
    jobs->behind = jobs->behind && live->behind;
    wm_faults_release(&faults);
    live_free(live);
}

static void start_next(wm_jobs *jobs)
{
    int64_t   now = wm_mono_ms(&jobs->settings.clock);
    live_run *live;
    bool      found = false;
    wm_error  err;
    wm_status st;

    if (now < jobs->retry_at_ms)
        return;
    live = calloc(1, sizeof *live);
    if (live == NULL)
        return; /* the next tick tries again */
    live->jobs = jobs;
    pthread_mutex_init(&live->folder_lock, NULL);
    st = find_next(jobs, live, &found, &err);
    if (live->record != NULL)
        wm_run_id_text(live->record->id, live->id);
    if (st == WM_OK && found)
        st = live_start(jobs, live, &err);
    if (st != WM_OK || !found) {
        say_trouble(jobs, live->id, st != WM_OK ? err.text : "");
        live_free(live);
        if (st != WM_OK)
            jobs->retry_at_ms = now + RETRY_MS;
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
    wm_fleet *fleet = wm_remote_fleet(jobs->settings.remote);
    live_run *live = jobs->live;
    bool      due;

    fleet->ops->leave(fleet);
    if (is_behind(live, &due)) { /* the next job does not wait for it */
        jobs->mended = false;
        jobs->behind = true;
        memcpy(jobs->behind_id, live->record->id, sizeof jobs->behind_id);
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->live = NULL;
    pthread_mutex_unlock(&jobs->lock);
    live_free(live);
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
    if (is_behind(jobs->live, &due) && due)
        write_folder(jobs->live);
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
    pthread_mutex_lock(&jobs->folder_lock);
    if (ret->trouble[0] == '\0')
        snprintf(ret->trouble, sizeof ret->trouble, "%s", jobs->folder_trouble);
    pthread_mutex_unlock(&jobs->folder_lock);
    pthread_mutex_unlock(&jobs->lock);
    wm_text_release(&names);
}
