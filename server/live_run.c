/* server/live_run.c */
#include "server/live_run.h"

#include "server/store/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 30 * 1000 }; /* what an open phase has left at least after a restart */

wm_live_run *wm_live_run_new(const wm_jobs_settings *set, wm_folder_trouble *trouble)
{
    wm_live_run *live = calloc(1, sizeof *live);

    if (live == NULL)
        return NULL;
    live->set = set;
    live->trouble = trouble;
    pthread_mutex_init(&live->folder_lock, NULL);
    return live;
}

/* ---- the observer of a run ---- */

static void run_changed(void *context)
{
    wm_live_run *live = context;
    wm_fleet    *fleet = wm_remote_fleet(live->set->remote);

    fleet->ops->wake(fleet);
    live->set->stirred(live->set->context);
}

static void note_folder(wm_folder_trouble *trouble, const char *text, bool *again)
{
    pthread_mutex_lock(&trouble->lock);
    *again = strcmp(trouble->text, text) == 0;
    snprintf(trouble->text, sizeof trouble->text, "%s", text);
    pthread_mutex_unlock(&trouble->lock);
}

/* What it lacks is in the store, and is written later; the same failure is said once. Under the folder's lock. */
static void folder_failed(wm_live_run *live, const wm_error *err)
{
    bool again;

    live->behind = true;
    live->again_at_ms = wm_mono_ms(&live->set->clock) + WM_LIVE_RETRY_MS;
    note_folder(live->trouble, err->text, &again);
    if (!again)
        wm_log_line(live->set->log, WM_LOG_ERROR, "run",
                    "the run's folder cannot be written; nothing is lost, and it is tried again",
                    WM_TEXT_FIELD("run", live->id), WM_TEXT_FIELD("why", err->text));
}

static void folder_written(wm_live_run *live)
{
    bool again;

    live->behind = false;
    note_folder(live->trouble, "", &again);
    if (!again)
        wm_log_line(live->set->log, WM_LOG_INFO, "run", "the run's folder is whole again",
                    WM_TEXT_FIELD("run", live->id));
}

static void round_done(void *context, const wm_round_record *round)
{
    wm_live_run    *live = context;
    const wm_job   *job = live->admitted.job;
    wm_run_progress now = { .eta_ms = -1 };
    char            left[WM_DURATION_TEXT], metric[WM_MEASURE_NAME], rounds[32];
    wm_error        err;

    if (live->run != NULL) /* else it is just being opened */
        wm_run_progress_get(live->run, &now);
    snprintf(rounds, sizeof rounds, "%u/%lld", round->round, (long long)job->rounds);
    wm_measure_first(job, metric);
    wm_log_line(live->set->log, WM_LOG_INFO, "round", "committed", WM_TEXT_FIELD("round", rounds),
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
    wm_live_run *live = context;
    char         model[WM_DIGEST_TEXT];
    wm_error     err;

    wm_log_line(live->set->log, standing->outcome == WM_OUTCOME_FAILED ? WM_LOG_ERROR : WM_LOG_INFO, "run", "over",
                WM_TEXT_FIELD("run", live->id), WM_TEXT_FIELD("outcome", wm_outcome_name(standing->outcome)),
                WM_TEXT_FIELD("why", standing->why), WM_INT_FIELD("rounds", standing->round),
                WM_TEXT_FIELD("model", wm_digest_text(&standing->model, model)));
    pthread_mutex_lock(&live->folder_lock);
    if (live->folder != NULL && !live->behind && wm_run_folder_close(live->folder, standing, final, &err) != WM_OK)
        folder_failed(live, &err);
    pthread_mutex_unlock(&live->folder_lock);
    atomic_store(&live->closed, true);
    live->set->stirred(live->set->context);
}

/* ---- its folder ---- */

/* What was written last, as the ledger has it: for a run that was closed while its folder was not open. */
static wm_status close_folder(wm_live_run *live, wm_error *err)
{
    wm_store       *store = live->set->store;
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

static wm_status open_folder(wm_live_run *live, wm_error *err)
{
    const wm_jobs_settings *set = live->set;
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

void wm_live_run_write(wm_live_run *live)
{
    wm_error  err;
    char     *runs;
    wm_status st;

    pthread_mutex_lock(&live->folder_lock);
    wm_run_folder_free(live->folder);
    live->folder = NULL;
    if (live->folder_path == NULL) {
        runs = wm_path_join(live->set->office, "runs");
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

bool wm_live_run_is_behind(wm_live_run *live, bool *due)
{
    bool behind;

    pthread_mutex_lock(&live->folder_lock);
    behind = live->behind;
    *due = behind && wm_mono_ms(&live->set->clock) >= live->again_at_ms;
    pthread_mutex_unlock(&live->folder_lock);
    return behind;
}

/* ---- its life ---- */

wm_status wm_live_run_start(wm_live_run *live, wm_error *err)
{
    const wm_jobs_settings *set = live->set;
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
    wm_live_run_write(live);
    wm_remote_prepare(set->remote, live->record, live->admitted.job, live->admitted.model);
    return fleet->ops->serve(fleet, live->run, err);
}

void wm_live_run_mend(wm_live_run *live, const uint8_t *id)
{
    wm_faults faults;
    wm_error  err;

    live->record_is_stored = true;
    wm_run_id_text(id, live->id);
    wm_faults_init(&faults, live->id);
    if (wm_store_run_record(live->set->store, id, &live->record, &err) != WM_OK ||
        wm_admit(live->id, live->record->job_text, strlen(live->record->job_text), &(wm_admission_limits){ 0 },
                 &faults, &live->admitted, &err) != WM_OK)
        folder_failed(live, &err);
    else
        wm_live_run_write(live);
    wm_faults_release(&faults);
}

void wm_live_record_free(wm_run_record *record)
{
    if (record == NULL)
        return;
    wm_names_free(record->population, record->n_population);
    free((char *)(uintptr_t)record->job_name);
    free((char *)(uintptr_t)record->job_text);
    free(record);
}

void wm_live_run_free(wm_live_run *live)
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
        wm_live_record_free(live->record);
    pthread_mutex_destroy(&live->folder_lock);
    free(live);
}
