/* server/run.c
 *
 * The door of a run: every call takes the lock, makes an event of what it was asked, gives it to the engine, performs
 * what the engine answers, and lets go. Here: opening and closing, time and the operator. What clients ask and say is in
 * run/asking.c, run/submission.c and run/answers.c, durable actions in run/actions.c, what people see in run/progress.c. */
#include "server/run.h"

#include "common/job/scaling.h"
#include "server/run/state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static wm_status check_population(const wm_run_settings *settings, wm_error *err)
{
    const wm_run_record *record = settings->record;

    if (record->n_population == 0 || (int64_t)record->n_population < settings->job->cohort.minimum)
        return wm_fail(err, WM_E_INVALID,
                       "job %s needs at least %lld clients, and there are %zu: enrol more, or lower "
                       "cohort.minimum",
                       record->job_name, (long long)settings->job->cohort.minimum, record->n_population);
    for (size_t k = 1; k < record->n_population; k++)
        if (strcmp(record->population[k - 1], record->population[k]) >= 0)
            return wm_fail(err, WM_E_INVALID,
                           "the names of the clients are not sorted, or one is there twice: %s, %s",
                           record->population[k - 1], record->population[k]);
    return WM_OK;
}

static wm_status allocate(wm_run *run, wm_error *err)
{
    size_t n = run->n_population;

    run->state = run->n_state > 0 ? calloc(run->n_state, sizeof *run->state) : NULL;
    run->results = calloc(n, sizeof *run->results);
    run->inexact = calloc(n * WM_CONTENDERS * run->measures.inexact + 1, sizeof *run->inexact);
    run->exact = calloc(WM_CONTENDERS * run->measures.n_sums + 1, sizeof *run->exact);
    run->present = calloc(n, sizeof *run->present);
    run->contained = calloc(n, sizeof *run->contained);
    run->in_scaling = calloc(n, sizeof *run->in_scaling);
    run->late = calloc(n, sizeof *run->late);
    run->contributions = calloc(n, sizeof *run->contributions);
    if ((run->n_state > 0 && run->state == NULL) || run->results == NULL || run->inexact == NULL ||
        run->exact == NULL || run->present == NULL || run->contained == NULL || run->in_scaling == NULL || run->late == NULL || run->contributions == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a run of %zu parameters and %zu clients", run->n_params, n);
    return WM_OK;
}

/* The declarations of updates, and their sums: where a job without head-room is refused. */
static wm_status declare(wm_run *run, wm_error *err)
{
    const wm_job *job = run->settings.job;
    wm_status     st;

    run->strategy = wm_strategy_of(job);
    run->n_state = run->strategy->server_state(job->strategy.options, run->n_trained);
    wm_strategy_spec(job, run->n_trained, &run->train_spec);
    run->loss_part = wm_update_part(&run->train_spec, WM_PART_TRAIN_LOSS);
    wm_statistics_spec(job, &run->statistics_spec);
    run->statistics = wm_job_needs_statistics(job);
    if (!wm_update_size(&run->train_spec, &run->train_size) ||
        !wm_update_size(&run->statistics_spec, &run->statistics_size))
        return wm_fail(err, WM_E_RANGE, "an update of %zu parameters does not fit into memory", run->n_params);
    st = wm_accumulator_new(&run->train_spec, run->n_population, &run->train_sums, err);
    if (st == WM_OK && run->statistics)
        st = wm_accumulator_new(&run->statistics_spec, run->n_population, &run->statistics_sums, err);
    return st;
}

/* Where the round that was open when the process ended takes up its clock and its counters. */
static void take_up(wm_run *run, const wm_standing *standing)
{
    run->round_opened = standing->round;
    run->round_opened_ms = wm_mono_ms(&run->settings.clock);
    run->round_opened_wall_ms = standing->opened_wall_ms;
    if (standing->phase != WM_PHASE_EVALUATE)
        return;
    run->round_opened_ms -= (int64_t)(run->record.seconds * 1000);
    run->bytes_up = run->record.bytes_up;
    run->bytes_down = run->record.bytes_down;
}

/* *ret, to free() in any case <- who was drawn into that round in the place of another. */
static wm_status read_substitutes(wm_run *run, uint32_t round, wm_substitution **ret, size_t *n, wm_error *err)
{
    wm_ledger *ledger = run->settings.ledger;

    *ret = calloc(run->n_population, sizeof **ret);
    if (*ret == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the cohort of round %u", round);
    return ledger->substitutes(ledger, run->settings.record->id, round, *ret, run->n_population, n, err);
}

static wm_status start_engine(wm_run *run, wm_error *err)
{
    wm_engine_settings settings = {
        .job = run->settings.job,
        .names = (const char *const *)run->settings.record->population,
        .n_population = run->n_population,
        .seed = run->settings.record->seed,
        .grace_ms = run->settings.grace_ms,
        .patient = run->settings.patient,
        .statistics = run->statistics,
    };
    const wm_clock  *clock = &run->settings.clock;
    wm_substitution *substitutes = NULL;
    wm_standing      standing;
    wm_actions       actions;
    wm_status        st = wm_run_begin(run, &standing, err);

    if (st == WM_OK && standing.phase == WM_PHASE_EVALUATE && run->record.round != standing.round)
        st = wm_fail(err, WM_E_DAMAGED, "the ledger stands at the evaluation of round %u, and its last round is %u",
                     standing.round, run->record.round);
    if (st != WM_OK)
        return st;
    if (standing.phase == WM_PHASE_TRAIN)
        st = read_substitutes(run, standing.round, &substitutes, &settings.n_substitutes, err);
    settings.substitutes = substitutes;
    take_up(run, &standing);
    if (st == WM_OK)
        st = wm_engine_new(&settings, &standing, wm_mono_ms(clock), wm_wall_ms(clock), &actions, &run->engine, err);
    free(substitutes);
    if (st != WM_OK)
        return st;
    if (standing.phase != WM_PHASE_NONE)
        wm_log_line(run->settings.log, WM_LOG_INFO, "run", "goes on where it stood",
                    WM_TEXT_FIELD("phase", wm_phase_name(standing.phase)), WM_INT_FIELD("round", standing.round));
    run->changed = true;
    wm_run_advance(run);
    return run->dead ? wm_fail(err, WM_E_CLOSED, "killed by a test") : WM_OK;
}

wm_status wm_run_open(const wm_run_settings *settings, wm_run **ret, wm_error *err)
{
    wm_run   *run;
    wm_status st = check_population(settings, err);

    assert(settings->job->cohort.deadline_ms > 0 && settings->job->rounds > 0 && settings->job->evaluate.every > 0);
    if (st != WM_OK)
        return st;
    run = calloc(1, sizeof *run);
    if (run == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a run");
    pthread_mutex_init(&run->lock, NULL);
    run->settings = *settings;
    run->n_population = settings->record->n_population;
    run->n_params = wm_model_n_params(settings->model);
    run->n_trained = wm_model_n_trained(settings->model);
    run->train_loss = run->eval_loss = run->metric = NAN;
    run->news_end = &run->news;
    wm_measures_of(settings->job, NULL, &run->measures);
    st = declare(run, err);
    if (st == WM_OK)
        st = allocate(run, err);
    if (st == WM_OK)
        st = start_engine(run, err);
    if (st != WM_OK) {
        wm_run_free(run);
        return st;
    }
    *ret = run;
    wm_news_deliver(run);
    return WM_OK;
}

void wm_run_free(wm_run *run)
{
    if (run == NULL)
        return;
    wm_news_release(run);
    wm_commit_release(&run->commit);
    wm_final_record_free(run->final);
    wm_engine_free(run->engine);
    wm_accumulator_free(run->train_sums);
    wm_accumulator_free(run->statistics_sums);
    free(run->params);
    free(run->state);
    free(run->results);
    free(run->inexact);
    free(run->exact);
    free(run->present);
    free(run->contained);
    free(run->in_scaling);
    free(run->late);
    free(run->contributions);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

/* ---- what the calls have in common ---- */

static int by_name(const void *key, const void *member)
{
    return strcmp(key, *(char *const *)member);
}

bool wm_run_find_client(const wm_run *run, const char *name, uint32_t *ret)
{
    char **population = run->settings.record->population;
    char **found = bsearch(name, population, run->n_population, sizeof *population, by_name);

    if (found == NULL)
        return false;
    *ret = (uint32_t)(found - population);
    return true;
}

wm_action_kind wm_run_tell(wm_run *run, const wm_event *event, wm_action *ret)
{
    wm_actions actions;

    *ret = (wm_action){ 0 };
    wm_engine_handle(run->engine, event, wm_mono_ms(&run->settings.clock), &actions);
    if (actions.n > 0 && actions.items[0].kind < WM_ACTION_OPEN)
        *ret = actions.items[0];
    return ret->kind;
}

void wm_run_leave(wm_run *run)
{
    pthread_mutex_unlock(&run->lock);
    wm_news_deliver(run);
}

void wm_run_log_refusal(const wm_run *run, const char *client, const char *reason)
{
    wm_log_line(run->settings.log, WM_LOG_WARNING, "round", "refused", WM_TEXT_FIELD("client", client),
                WM_INT_FIELD("round", wm_engine_standing(run->engine)->round), WM_TEXT_FIELD("reason", reason));
}

/* What the engine told the client, as a verdict. */
wm_verdict wm_run_verdict(const wm_run *run, const char *client, const wm_action *told, wm_error *err)
{
    switch (told->kind) {
    case WM_ACTION_FOLD:
    case WM_ACTION_AGAIN:
        return WM_VERDICT_ACCEPTED;
    case WM_ACTION_LATE:
        wm_fail(err, WM_E_CLOSED, "that round is over");
        return WM_VERDICT_LATE;
    case WM_ACTION_REFUSE:
        wm_run_log_refusal(run, client, told->text);
        wm_fail(err, WM_E_REFUSED, "%s", told->text);
        return WM_VERDICT_REFUSED;
    default:
        assert(false && "an answer that no submission gets");
        return WM_VERDICT_REFUSED;
    }
}

wm_verdict wm_run_unknown_client(const char *client, wm_error *err)
{
    wm_fail(err, WM_E_REFUSED, "%s is not among the clients of this run", client);
    return WM_VERDICT_REFUSED;
}

wm_verdict wm_run_unheard(wm_error *err)
{
    wm_fail(err, WM_E_CLOSED, "killed by a test");
    return WM_VERDICT_NONE;
}

/* ---- time and the operator ---- */

/* Under the lock: ms until something may have to be done without anybody asking; -1: never. */
static int64_t until_next(const wm_run *run)
{
    int64_t now_ms = wm_mono_ms(&run->settings.clock), left_ms;

    if (run->dead)
        return -1;
    if (wm_engine_pending(run->engine) != WM_ACTION_NONE)
        return run->retry_at_ms > now_ms ? run->retry_at_ms - now_ms : 0;
    left_ms = wm_engine_left_ms(run->engine, now_ms);
    return left_ms == INT64_MAX ? -1 : left_ms;
}

int64_t wm_run_tick(wm_run *run)
{
    wm_event  event = { .kind = WM_EVENT_TICK };
    wm_action told;
    int64_t   next_ms;

    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        wm_run_tell(run, &event, &told);
        wm_run_advance(run);
    }
    next_ms = until_next(run);
    wm_run_leave(run);
    return next_ms;
}

wm_status wm_run_stop(wm_run *run, const char *why, wm_error *err)
{
    wm_event  event = { .kind = WM_EVENT_STOP, .reason = why };
    wm_action told;
    wm_status st = WM_OK;

    pthread_mutex_lock(&run->lock);
    if (run->dead) {
        st = wm_fail(err, WM_E_CLOSED, "killed by a test");
    } else if (wm_run_tell(run, &event, &told) == WM_ACTION_REFUSE) {
        st = wm_fail(err, WM_E_EXISTS, "%s", told.text);
    } else {
        wm_run_advance(run);
        if (!run->dead && wm_engine_pending(run->engine) != WM_ACTION_NONE)
            st = wm_fail(err, run->failure.status, "the run will stop as soon as it can be written: %s",
                         run->failure.text);
    }
    wm_run_leave(run);
    return st;
}

bool wm_run_params(wm_run *run, const wm_digest *model, float *ret)
{
    float *params = NULL;
    bool   is;

    pthread_mutex_lock(&run->lock);
    is = wm_digest_equal(model, &wm_engine_standing(run->engine)->model);
    if (is && run->params == NULL)
        is = wm_run_get_floats(run, "model", model, run->n_params, &params, NULL) == WM_OK;
    if (is)
        memcpy(ret, params != NULL ? params : run->params, run->n_params * sizeof *ret);
    pthread_mutex_unlock(&run->lock);
    free(params);
    return is;
}
