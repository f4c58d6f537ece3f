/* server/tool/simulation.c */
#include "server/tool/simulation.h"

#include "client/work.h"
#include "common/cond.h"
#include "common/crypto/keys.h"
#include "server/fleets/virtual.h"
#include "server/report/run_folder.h"
#include "server/store/runs.h"
#include "server/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GLANCE_MS = 200 };

typedef struct simulation {
    const wm_simulation_settings *set;
    wm_store                     *store;
    wm_run_record                 fresh;  /* of a new run; its population is borrowed from the owners */
    wm_run_record                *stored; /* of a resumed one, the store's; NULL for a new one */
    wm_run                       *run;
    wm_fleet                     *fleet;
    wm_run_folder                *folder;
    char                         *states; /* NULL: clients keep nothing */
    wm_final_record               final;  /* clients owned, once the run is closed */
    bool                          has_final;
    pthread_mutex_t               lock; /* guards what follows */
    pthread_cond_t                news;
    bool                          closed, folder_failed;
    wm_standing                   standing; /* once closed */
    wm_round_record               round;    /* the last one, without its contributions */
    bool                          has_round;
    wm_error                      folder_error;
} simulation;

/* ---- what the run tells; on the workers' threads ---- */

static void changed(void *context)
{
    simulation *s = context;

    if (s->fleet != NULL)
        s->fleet->ops->wake(s->fleet);
}

/* A folder that cannot be written does not end the run: what counts is in the store, and the error is told at the end. */
static void note_folder(simulation *s, wm_status st, const wm_error *err)
{
    if (st == WM_OK)
        return;
    pthread_mutex_lock(&s->lock);
    if (!s->folder_failed)
        s->folder_error = *err;
    s->folder_failed = true;
    pthread_mutex_unlock(&s->lock);
}

static void round_done(void *context, const wm_round_record *round)
{
    simulation *s = context;
    wm_error    err;

    note_folder(s, wm_run_folder_round(s->folder, round, &err), &err);
    pthread_mutex_lock(&s->lock);
    s->round = *round;
    s->round.contributions = NULL;
    s->has_round = true;
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void run_closed(void *context, const wm_standing *standing, const wm_final_record *final)
{
    simulation *s = context;
    size_t      n = wm_owners_count(s->set->space->owners) * WM_CONTENDERS;
    wm_error    err;

    if (s->folder != NULL) /* NULL: opening the run has ended it; take_end() writes the folder */
        note_folder(s, wm_run_folder_close(s->folder, standing, final, &err), &err);
    if (final != NULL && (s->final.clients = malloc(n * sizeof *s->final.clients)) != NULL) {
        memcpy(s->final.together, final->together, sizeof s->final.together);
        memcpy(s->final.clients, final->clients, n * sizeof *s->final.clients);
        s->has_final = true;
    }
    pthread_mutex_lock(&s->lock);
    s->standing = *standing;
    s->closed = true;
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
}

/* ---- opening ---- */

static wm_status population(const wm_owners *owners, char ***ret, wm_error *err)
{
    size_t n = wm_owners_count(owners);
    char **names = calloc(n > 0 ? n : 1, sizeof *names);

    if (names == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu clients", n);
    for (size_t i = 0; i < n; i++)
        names[i] = (char *)(uintptr_t)wm_owners_name(owners, i);
    *ret = names;
    return WM_OK;
}

typedef struct newest {
    bool    any;
    uint8_t id[WM_RUN_ID_SIZE];
} newest;

static void see_run(void *context, const wm_run_entry *run)
{
    newest *n = context;

    n->any = true;
    memcpy(n->id, run->id, sizeof n->id);
}

/* The run in the folder, which must be this job with these clients. */
static wm_status find_run(simulation *s, const newest *n, wm_error *err)
{
    const wm_job    *job = s->set->space->job;
    const wm_owners *owners = s->set->space->owners;
    wm_status        st;

    if (!n->any)
        return wm_fail(err, WM_E_MISSING, "there is no run in %s to go on with; leave --resume out", s->set->out);
    st = wm_store_run_record(s->store, n->id, &s->stored, err);
    if (st != WM_OK)
        return st;
    if (strlen(s->stored->job_text) != job->n_text || memcmp(s->stored->job_text, job->text, job->n_text) != 0)
        return wm_fail(
            err, WM_E_REFUSED,
            "%s holds a run of another job or with other settings (see %s/job.yaml); choose another --out",
            s->set->out, s->set->out);
    if (s->stored->n_population != wm_owners_count(owners))
        return wm_fail(err, WM_E_REFUSED, "%s holds a run of %zu clients, the data makes %zu", s->set->out,
                       s->stored->n_population, wm_owners_count(owners));
    for (size_t i = 0; i < s->stored->n_population; i++)
        if (strcmp(s->stored->population[i], wm_owners_name(owners, i)) != 0)
            return wm_fail(err, WM_E_REFUSED, "%s holds a run with a client \"%s\", which the data does not make",
                           s->set->out, s->stored->population[i]);
    return WM_OK;
}

static wm_status new_run(simulation *s, wm_error *err)
{
    const wm_job *job = s->set->space->job;
    wm_status     st;

    s->fresh = (wm_run_record){ .job_name = job->name,
                                .job_text = job->text,
                                .seed = job->seed,
                                .rounds = (uint32_t)job->rounds,
                                .keep = (uint32_t)job->keep,
                                .started_wall_ms = wm_wall_ms(&s->set->clock),
                                .n_population = wm_owners_count(s->set->space->owners) };
    st = wm_secret_draw(s->fresh.id, sizeof s->fresh.id, err);
    return st == WM_OK ? population(s->set->space->owners, &s->fresh.population, err) : st;
}

static wm_status open_store(simulation *s, wm_error *err)
{
    char     *path = wm_path_join(s->set->out, "state");
    newest    n = { 0 };
    wm_status st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the store");
    st = wm_store_open(wm_files_system(), path, s->set->clock, &s->store, err);
    free(path);
    if (st == WM_OK)
        st = wm_store_runs(s->store, see_run, &n, err);
    if (st != WM_OK)
        return st;
    if (s->set->resume)
        return find_run(s, &n, err);
    if (n.any)
        return wm_fail(err, WM_E_EXISTS,
                       "%s holds a run already; go on with it by --resume, or choose another --out", s->set->out);
    return new_run(s, err);
}

/* A folder for what clients keep between rounds, beside the store; none where the job lets them keep nothing. */
static wm_status make_states(simulation *s, wm_error *err)
{
    wm_status st;

    if (wm_work_state(s->set->space->job, s->set->space->model) == 0)
        return WM_OK;
    if (asprintf(&s->states, "%s/state/clients", s->set->out) < 0) {
        s->states = NULL;
        return wm_fail(err, WM_E_NOMEM, "no memory for the path of what clients keep");
    }
    st = wm_files_system()->make_folder(wm_files_system(), s->states, 0700, err);
    return st == WM_OK ? wm_folder_sweep(wm_files_system(), s->states, err) : st;
}

/* What the job starts with is where the run will look for it. */
static wm_status put_start(simulation *s, wm_error *err)
{
    const wm_workspace *space = s->set->space;

    if (space->start == NULL)
        return WM_OK;
    return wm_blobs_put(wm_store_blobs(s->store), space->start,
                        wm_model_n_params(space->model) * sizeof *space->start, NULL, err);
}

static wm_status open_run(simulation *s, wm_error *err)
{
    const wm_simulation_settings *set = s->set;
    const wm_run_record          *record = s->stored != NULL ? s->stored : &s->fresh;
    wm_virtual_settings           fleet = { .job = set->space->job,
                                            .model = set->space->model,
                                            .owners = set->space->owners,
                                            .blobs = wm_store_blobs(s->store),
                                            .run = record->id,
                                            .states = s->states,
                                            .workers = set->workers,
                                            .log = set->log };
    wm_run_settings               run = { .job = set->space->job,
                                          .model = set->space->model,
                                          .record = record,
                                          .ledger = wm_store_ledger(s->store),
                                          .blobs = wm_store_blobs(s->store),
                                          .clock = set->clock,
                                          .log = set->log,
                                          .observer = { changed, round_done, run_closed, s },
                                          .patient = true };
    wm_status                     st;

    if ((st = wm_run_open(&run, &s->run, err)) != WM_OK ||
        (st = wm_run_folder_open(&(wm_run_folder_settings){ .files = wm_files_system(),
                                                            .path = set->out,
                                                            .job = set->space->job,
                                                            .model = set->space->model,
                                                            .record = record,
                                                            .ledger = run.ledger,
                                                            .blobs = run.blobs,
                                                            .clock = set->clock },
                                 &s->folder, err)) != WM_OK)
        return st;
    return wm_virtual_fleet_new(&fleet, &s->fleet, err);
}

/* A run that was over before: nobody will tell of its end, and its folder may be older than its store. */
static wm_status take_end(simulation *s, wm_error *err)
{
    const wm_run_record *record = s->stored != NULL ? s->stored : &s->fresh;
    wm_ledger           *ledger = wm_store_ledger(s->store);
    wm_standing          standing;
    wm_status            st = ledger->load(ledger, record->id, &standing, err);

    if (st != WM_OK || standing.phase != WM_PHASE_CLOSED)
        return st;
    free(s->final.clients);
    s->final = (wm_final_record){ 0 };
    s->has_final = wm_store_final(s->store, record->id, &s->final, NULL) == WM_OK;
    s->standing = standing;
    s->closed = true;
    return wm_run_folder_close(s->folder, &standing, s->has_final ? &s->final : NULL, err);
}

/* ---- running ---- */

static void wait_for_news(simulation *s)
{
    if (!s->closed && !s->has_round)
        wm_cond_wait_until(&s->news, &s->lock, wm_cond_after_ms(GLANCE_MS));
}

static void report(simulation *s, bool has_round, const wm_round_record *round, double seconds)
{
    wm_run_progress progress;
    uint64_t        tasks, examples;

    if (s->set->progress == NULL)
        return;
    wm_run_progress_get(s->run, &progress);
    wm_virtual_fleet_count(s->fleet, &tasks, &examples);
    s->set->progress(s->set->context, &progress, has_round ? round : NULL,
                     seconds > 0 ? (double)tasks / seconds : 0);
}

/* Until the run is closed or somebody interrupts. */
static wm_status watch(simulation *s, int64_t began, wm_error *err)
{
    bool closed = false;

    while (!closed) {
        wm_round_record round;
        bool            has_round;

        pthread_mutex_lock(&s->lock);
        wait_for_news(s);
        closed = s->closed;
        has_round = s->has_round;
        round = s->round;
        s->has_round = false;
        pthread_mutex_unlock(&s->lock);
        report(s, has_round, &round, (double)(wm_mono_ms(&s->set->clock) - began) / 1000);
        wm_run_tick(s->run);
        if (!closed && s->set->interrupted != NULL && atomic_load(s->set->interrupted))
            return wm_fail(err, WM_E_CLOSED, "interrupted; go on with --resume --out %s", s->set->out);
    }
    return WM_OK;
}

static void close_all(simulation *s)
{
    if (s->fleet != NULL) {
        s->fleet->ops->leave(s->fleet);
        s->fleet->ops->free(s->fleet);
    }
    wm_run_free(s->run);
    wm_run_folder_free(s->folder);
    wm_store_run_record_free(s->stored);
    free(s->fresh.population);
    free(s->states);
    wm_store_close(s->store);
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
}

wm_status wm_simulate(const wm_simulation_settings *settings, wm_simulation_result *ret, wm_error *err)
{
    simulation s = { .set = settings };
    int64_t    began = wm_mono_ms(&settings->clock);
    wm_status  st;

    pthread_mutex_init(&s.lock, NULL);
    wm_cond_init(&s.news);
    if ((st = open_store(&s, err)) == WM_OK && (st = make_states(&s, err)) == WM_OK &&
        (st = put_start(&s, err)) == WM_OK && (st = open_run(&s, err)) == WM_OK && settings->resume)
        st = take_end(&s, err);
    if (st == WM_OK && !s.closed && (st = s.fleet->ops->serve(s.fleet, s.run, err)) == WM_OK)
        st = watch(&s, began, err);
    if (st == WM_OK && s.folder_failed) {
        st = s.folder_error.status;
        *err = s.folder_error;
    }
    *ret = (wm_simulation_result){ .standing = s.standing,
                                   .has_final = s.has_final,
                                   .final = s.final,
                                   .seconds = (double)(wm_mono_ms(&settings->clock) - began) / 1000 };
    if (s.fleet != NULL)
        wm_virtual_fleet_count(s.fleet, &ret->tasks, &ret->examples);
    close_all(&s);
    return st;
}

void wm_simulation_result_release(wm_simulation_result *result)
{
    free(result->final.clients);
    result->final.clients = NULL;
}
