/* server/run.c
 *
 * The door of a run: every call takes the lock, makes an event of what it was asked, gives it to the engine, performs
 * what the engine answers, and lets go. What costs time and needs nothing of the run (hashing an update, looking at
 * its values) is done before the lock is taken. Durable actions are in run/actions.c. */
#include "server/run.h"

#include "common/job/scaling.h"
#include "server/run/state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEAD_WAIT_MS = 1000 };

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

    run->params = calloc(run->n_params + 1, sizeof *run->params);
    run->state = run->n_state > 0 ? calloc(run->n_state, sizeof *run->state) : NULL;
    run->results = calloc(n, sizeof *run->results);
    run->present = calloc(n, sizeof *run->present);
    run->contained = calloc(n, sizeof *run->contained);
    run->in_scaling = calloc(n, sizeof *run->in_scaling);
    run->late = calloc(n, sizeof *run->late);
    run->contributions = calloc(n, sizeof *run->contributions);
    if (run->params == NULL || (run->n_state > 0 && run->state == NULL) || run->results == NULL ||
        run->present == NULL || run->contained == NULL || run->in_scaling == NULL || run->late == NULL ||
        run->contributions == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a run of %zu parameters and %zu clients", run->n_params, n);
    return WM_OK;
}

/* The declarations of updates, and their sums: where a job without head-room is refused. */
static wm_status declare(wm_run *run, wm_error *err)
{
    const wm_job *job = run->settings.job;
    wm_status     st;

    run->strategy = wm_strategy_of(job);
    run->n_state = run->strategy->server_state(job->strategy.options, run->n_params);
    wm_strategy_spec(job, run->n_params, &run->train_spec);
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
    const wm_clock *clock = &run->settings.clock;
    wm_standing     standing;
    wm_actions      actions;
    wm_status       st = wm_run_begin(run, &standing, err);

    if (st == WM_OK && standing.phase == WM_PHASE_EVALUATE && run->record.round != standing.round)
        st = wm_fail(err, WM_E_DAMAGED, "the ledger stands at the evaluation of round %u, and its last round is %u",
                     standing.round, run->record.round);
    if (st != WM_OK)
        return st;
    take_up(run, &standing);
    st = wm_engine_new(&settings, &standing, wm_mono_ms(clock), wm_wall_ms(clock), &actions, &run->engine, err);
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
    run->train_loss = run->eval_loss = run->metric = NAN;
    run->news_end = &run->news;
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

static bool find_client(const wm_run *run, const char *name, uint32_t *ret)
{
    char **population = run->settings.record->population;
    char **found = bsearch(name, population, run->n_population, sizeof *population, by_name);

    if (found == NULL)
        return false;
    *ret = (uint32_t)(found - population);
    return true;
}

/* Under the lock: an event to the engine, then whatever has become durable. *ret: what the client is told. */
static wm_action_kind tell(wm_run *run, const wm_event *event, wm_action *ret)
{
    wm_actions actions;

    *ret = (wm_action){ 0 };
    wm_engine_handle(run->engine, event, wm_mono_ms(&run->settings.clock), &actions);
    if (actions.n > 0 && actions.items[0].kind < WM_ACTION_OPEN)
        *ret = actions.items[0];
    return ret->kind;
}

/* Lets go of the lock, and tells the observer. */
static void leave(wm_run *run)
{
    pthread_mutex_unlock(&run->lock);
    wm_news_deliver(run);
}

static void log_refusal(const wm_run *run, const char *client, const char *reason)
{
    wm_log_line(run->settings.log, WM_LOG_WARNING, "round", "refused", WM_TEXT_FIELD("client", client),
                WM_INT_FIELD("round", wm_engine_standing(run->engine)->round), WM_TEXT_FIELD("reason", reason));
}

/* What the engine told the client, as a verdict. */
static wm_verdict verdict_of(const wm_run *run, const char *client, const wm_action *told, wm_error *err)
{
    switch (told->kind) {
    case WM_ACTION_FOLD:
    case WM_ACTION_AGAIN:
        return WM_VERDICT_ACCEPTED;
    case WM_ACTION_LATE:
        wm_fail(err, WM_E_CLOSED, "that round is over");
        return WM_VERDICT_LATE;
    case WM_ACTION_REFUSE:
        log_refusal(run, client, told->text);
        wm_fail(err, WM_E_REFUSED, "%s", told->text);
        return WM_VERDICT_REFUSED;
    default:
        assert(false && "an answer that no submission gets");
        return WM_VERDICT_REFUSED;
    }
}

static wm_verdict unknown(const char *client, wm_error *err)
{
    wm_fail(err, WM_E_REFUSED, "%s is not among the clients of this run", client);
    return WM_VERDICT_REFUSED;
}

static wm_verdict unheard(wm_error *err)
{
    wm_fail(err, WM_E_CLOSED, "killed by a test");
    return WM_VERDICT_NONE;
}

/* ---- asking ---- */

/* Epochs that a client's own data has had so far, on average: what `alone` and `pooled` are given too. */
static uint32_t passes(const wm_run *run)
{
    uint64_t epochs = run->trained * (uint64_t)run->settings.job->training.epochs;
    uint64_t each = (epochs + run->n_population / 2) / run->n_population;

    return each < 1 ? 1 : each > UINT32_MAX ? UINT32_MAX : (uint32_t)each;
}

static void fill_task(const wm_run *run, wm_task *task)
{
    const wm_standing *at = wm_engine_standing(run->engine);

    *task = (wm_task){
        .phase = at->phase,
        .round = at->round,
        .attempt = at->attempt,
        .left_ms = wm_engine_left_ms(run->engine, wm_mono_ms(&run->settings.clock)),
    };
    if (at->phase == WM_PHASE_STATISTICS)
        return;
    task->model = at->model;
    task->scaling = at->scaling;
    if (at->phase == WM_PHASE_FINAL) {
        task->baselines = run->settings.job->evaluate.baselines;
        task->passes = passes(run);
    }
}

wm_answer wm_run_ask(wm_run *run, const char *client, wm_task *task, int64_t *come_back_ms)
{
    wm_event  event = { .kind = WM_EVENT_ASK };
    wm_action told;
    wm_answer answer = WM_ANSWER_NOTHING;

    if (!find_client(run, client, &event.client))
        return WM_ANSWER_OVER;
    pthread_mutex_lock(&run->lock);
    *come_back_ms = DEAD_WAIT_MS;
    if (!run->dead) {
        tell(run, &event, &told);
        *come_back_ms = told.come_back_ms;
        if (told.kind == WM_ACTION_OFFER) {
            fill_task(run, task);
            answer = WM_ANSWER_TASK;
        } else if (told.kind == WM_ACTION_OVER) {
            answer = WM_ANSWER_OVER;
        }
    }
    pthread_mutex_unlock(&run->lock);
    return answer;
}

/* Under the lock. */
static wm_fate fate_of(const wm_run *run, uint32_t client, const wm_update_key *key)
{
    const wm_seat *seat = &wm_engine_cohort(run->engine)->seats[client];
    wm_phase       phase = key->kind == WM_TASK_TRAIN ? WM_PHASE_TRAIN : WM_PHASE_STATISTICS;
    int            order = wm_engine_order(run->engine, phase, key->round);

    if (key->kind != WM_TASK_TRAIN && key->kind != WM_TASK_STATISTICS)
        return WM_FATE_OVER;
    if (order < 0 && phase == WM_PHASE_TRAIN && run->contained[client].round == key->round)
        return WM_FATE_COMMITTED;
    if (order < 0 && phase == WM_PHASE_STATISTICS && run->in_scaling[client])
        return WM_FATE_COMMITTED;
    if (order != 0 || !seat->drawn)
        return WM_FATE_OVER;
    if (seat->part.verdict == WM_VERDICT_ACCEPTED)
        return WM_FATE_ACCEPTED;
    return seat->part.verdict == WM_VERDICT_NONE && wm_engine_pending(run->engine) == WM_ACTION_NONE
               ? WM_FATE_WANTED
               : WM_FATE_OVER;
}

wm_fate wm_run_fate(wm_run *run, const char *client, const wm_update_key *key)
{
    uint32_t who;
    wm_fate  fate;

    if (!find_client(run, client, &who) || memcmp(key->run, run->settings.record->id, WM_RUN_ID_SIZE) != 0)
        return WM_FATE_OVER;
    pthread_mutex_lock(&run->lock);
    fate = run->dead ? WM_FATE_ACCEPTED : fate_of(run, who, key); /* dead: nobody may let go of anything */
    pthread_mutex_unlock(&run->lock);
    return fate;
}

/* ---- handing in ---- */

/* A submission on its way. */
typedef struct submission {
    const char   *client;
    uint32_t      who;
    uint8_t      *bytes; /* owned */
    size_t        n_bytes;
    wm_digest     digest;
    bool          readable; /* key is what the header says */
    wm_update_key key;
    wm_update_key want;   /* the task that was open when it was looked at */
    wm_status     checks; /* of the whole against `want` */
    wm_error      why;
    wm_update     update; /* points into bytes; valid if checks is WM_OK */
} submission;

/* Under the lock: the key of an update for the open task; kind 0 if none is wanted. */
static wm_update_key wanted_key(const wm_run *run)
{
    const wm_standing *at = wm_engine_standing(run->engine);
    wm_update_key      key = { 0 };

    memcpy(key.run, run->settings.record->id, WM_RUN_ID_SIZE);
    key.round = at->round;
    if (at->phase == WM_PHASE_STATISTICS)
        key.kind = WM_TASK_STATISTICS;
    if (at->phase == WM_PHASE_TRAIN) {
        key.kind = WM_TASK_TRAIN;
        key.model = at->model;
    }
    return key;
}

static bool same_key(const wm_update_key *a, const wm_update_key *b)
{
    return memcmp(a->run, b->run, WM_RUN_ID_SIZE) == 0 && a->kind == b->kind && a->round == b->round &&
           wm_digest_equal(&a->model, &b->model);
}

static const wm_update_spec *spec_of(const wm_run *run, wm_task_kind kind)
{
    return kind == WM_TASK_STATISTICS ? &run->statistics_spec : &run->train_spec;
}

/* Without the lock: hashes and checks against what was wanted a moment ago. */
static void look_at(const wm_run *run, submission *s)
{
    s->checks = wm_update_open(spec_of(run, s->want.kind), &s->want, s->bytes, s->n_bytes, &s->update, &s->why);
}

static wm_phase phase_of(const submission *s)
{
    return s->key.kind == WM_TASK_TRAIN ? WM_PHASE_TRAIN : WM_PHASE_STATISTICS;
}

/* The loss is in the update where its strategy has a part for it. */
static double loss_in(const wm_run *run, const submission *s, double loss)
{
    if (s->key.kind == WM_TASK_TRAIN && run->loss_part < run->train_spec.n_parts)
        return (double)*(const float *)s->update.values[run->loss_part];
    return loss;
}

/* Under the lock: what it is, as an event. A late or an early one is the engine's to name, whatever is in it. */
static wm_event event_of(const wm_run *run, const submission *s, double loss)
{
    wm_event event = { .kind = WM_EVENT_REFUSE, .client = s->who, .reason = s->why.text };
    bool     ours = s->readable && memcmp(s->key.run, s->want.run, WM_RUN_ID_SIZE) == 0 &&
                (s->key.kind == WM_TASK_TRAIN || s->key.kind == WM_TASK_STATISTICS);

    if (!ours)
        return event; /* garbage, or another run's: counted in the phase that is open */
    event.phase = phase_of(s);
    event.round = s->key.round;
    if (wm_engine_order(run->engine, event.phase, event.round) == 0 && s->checks != WM_OK)
        return event;
    event.kind = WM_EVENT_UPDATE;
    event.digest = s->digest;
    if (s->checks == WM_OK) {
        event.weight = s->update.weight;
        event.loss = loss_in(run, s, loss);
    }
    return event;
}

/* Under the lock: is it in a committed model already? */
static bool is_contained(const wm_run *run, const submission *s)
{
    const wm_contained *contained = &run->contained[s->who];

    return s->readable && s->key.kind == WM_TASK_TRAIN && s->key.round > 0 && contained->round == s->key.round &&
           wm_digest_equal(&contained->digest, &s->digest);
}

static wm_verdict take_in(wm_run *run, submission *s, double loss, wm_error *err)
{
    wm_event   event;
    wm_action  told;
    wm_verdict verdict;

    if (is_contained(run, s))
        return WM_VERDICT_ACCEPTED;
    event = event_of(run, s, loss);
    tell(run, &event, &told);
    if (told.kind == WM_ACTION_FOLD) {
        assert(s->checks == WM_OK && same_key(&s->key, &s->want));
        if (wm_run_dies(run, "fold-before"))
            return unheard(err);
        wm_accumulator_add(s->key.kind == WM_TASK_STATISTICS ? run->statistics_sums : run->train_sums, &s->update);
        if (wm_run_dies(run, "fold-after"))
            return unheard(err);
    }
    verdict = verdict_of(run, s->client, &told, err);
    wm_run_advance(run);
    return run->dead ? unheard(err) : verdict;
}

wm_verdict wm_run_submit(wm_run *run, const char *client, uint8_t *bytes, size_t n_bytes, double loss,
                         wm_error *err)
{
    submission s = { .client = client, .bytes = bytes, .n_bytes = n_bytes };
    wm_verdict verdict;

    if (!find_client(run, client, &s.who)) {
        free(bytes);
        return unknown(client, err);
    }
    s.digest = wm_sha256_of(bytes, n_bytes);
    s.readable = wm_update_peek(bytes, n_bytes, &s.key);
    pthread_mutex_lock(&run->lock);
    for (bool looked = false; !run->dead;) {
        wm_update_key want = wanted_key(run);

        if (looked && same_key(&want, &s.want))
            break;
        s.want = want;
        looked = true;
        pthread_mutex_unlock(&run->lock);
        look_at(run, &s);
        pthread_mutex_lock(&run->lock); /* and once more, if the round has changed meanwhile */
    }
    verdict = run->dead ? unheard(err) : take_in(run, &s, loss, err);
    leave(run);
    free(bytes);
    return verdict;
}

size_t wm_run_update_size(wm_run *run, wm_task_kind kind)
{
    return kind == WM_TASK_STATISTICS ? run->statistics_size : run->train_size;
}

wm_verdict wm_run_report(wm_run *run, const char *client, wm_phase phase, uint32_t round, unsigned present,
                         const wm_evaluation results[WM_CONTENDERS], wm_error *err)
{
    wm_event   event = { .kind = WM_EVENT_REPORT, .phase = phase, .round = round };
    wm_error   why;
    wm_action  told;
    wm_verdict verdict;

    if (!find_client(run, client, &event.client))
        return unknown(client, err);
    if (wm_results_check(run, present, results, &why) != WM_OK) {
        event.kind = WM_EVENT_REFUSE;
        event.reason = why.text;
    } else {
        event.weight = results[WM_FEDERATED].examples;
        event.loss = wm_evaluation_loss(&results[WM_FEDERATED]);
    }
    if (phase != WM_PHASE_EVALUATE && phase != WM_PHASE_FINAL) {
        wm_fail(err, WM_E_REFUSED, "report: %s has none", wm_phase_name(phase));
        return WM_VERDICT_REFUSED;
    }
    pthread_mutex_lock(&run->lock);
    if (run->dead) {
        verdict = unheard(err);
    } else if (wm_engine_order(run->engine, phase, round) < 0) {
        /* Not counted as late: after a restart nobody can tell it from the repeat of one that counts already. */
        verdict = WM_VERDICT_LATE;
    } else {
        if (tell(run, &event, &told) == WM_ACTION_FOLD)
            wm_results_keep(run, event.client, present, results);
        verdict = verdict_of(run, client, &told, err);
        wm_run_advance(run);
        if (run->dead)
            verdict = unheard(err);
    }
    leave(run);
    return verdict;
}

void wm_run_decline(wm_run *run, const char *client, wm_phase phase, uint32_t round, const char *reason)
{
    wm_event  event = { .kind = WM_EVENT_DECLINE, .phase = phase, .round = round, .reason = reason };
    wm_action told;

    if (!find_client(run, client, &event.client))
        return;
    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        wm_log_line(run->settings.log, WM_LOG_WARNING, "round", "declined", WM_TEXT_FIELD("client", client),
                    WM_INT_FIELD("round", round), WM_TEXT_FIELD("reason", reason));
        tell(run, &event, &told);
        wm_run_advance(run);
    }
    leave(run);
}

void wm_run_refuse(wm_run *run, const char *client, const char *reason)
{
    wm_event  event = { .kind = WM_EVENT_REFUSE, .reason = reason };
    wm_action told;

    if (!find_client(run, client, &event.client))
        return;
    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        tell(run, &event, &told);
        log_refusal(run, client, reason);
        wm_run_advance(run);
    }
    leave(run);
}

void wm_run_late(wm_run *run, const char *client, const wm_update_key *key)
{
    wm_event  event = { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_TRAIN, .round = key->round, .reason = "late" };
    wm_action told;

    if (!find_client(run, client, &event.client) ||
        memcmp(key->run, run->settings.record->id, WM_RUN_ID_SIZE) != 0 || key->kind != WM_TASK_TRAIN)
        return;
    pthread_mutex_lock(&run->lock);
    /* Only what is of the past, so that the event can refuse nothing that is open. */
    if (!run->dead && wm_engine_order(run->engine, WM_PHASE_TRAIN, key->round) < 0 &&
        run->contained[event.client].round != key->round && run->late[event.client] < key->round) {
        run->late[event.client] = key->round;
        tell(run, &event, &told);
    }
    leave(run);
}

void wm_run_count_bytes(wm_run *run, uint64_t up, uint64_t down)
{
    pthread_mutex_lock(&run->lock);
    run->bytes_up += up;
    run->bytes_down += down;
    pthread_mutex_unlock(&run->lock);
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
        tell(run, &event, &told);
        wm_run_advance(run);
    }
    next_ms = until_next(run);
    leave(run);
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
    } else if (tell(run, &event, &told) == WM_ACTION_REFUSE) {
        st = wm_fail(err, WM_E_EXISTS, "%s", told.text);
    } else {
        wm_run_advance(run);
        if (!run->dead && wm_engine_pending(run->engine) != WM_ACTION_NONE)
            st = wm_fail(err, run->failure.status, "the run will stop as soon as it can be written: %s",
                         run->failure.text);
    }
    leave(run);
    return st;
}

bool wm_run_params(wm_run *run, const wm_digest *model, float *ret)
{
    bool is;

    pthread_mutex_lock(&run->lock);
    is = wm_digest_equal(model, &wm_engine_standing(run->engine)->model);
    if (is)
        memcpy(ret, run->params, run->n_params * sizeof *ret);
    pthread_mutex_unlock(&run->lock);
    return is;
}

/* ---- for people ---- */

static int64_t time_left(const wm_run *run, const wm_standing *at)
{
    double rounds = (double)run->settings.job->rounds - (double)at->round;

    if (run->seconds_of == 0 || at->phase == WM_PHASE_CLOSED)
        return -1;
    if (at->phase == WM_PHASE_TRAIN)
        rounds += 1;
    return (int64_t)(1000 * run->seconds / run->seconds_of * rounds);
}

void wm_run_progress_get(wm_run *run, wm_run_progress *ret)
{
    const wm_standing *at;
    const wm_cohort   *cohort;
    wm_engine_counts   counts;
    int64_t            now_ms;

    pthread_mutex_lock(&run->lock);
    at = wm_engine_standing(run->engine);
    cohort = wm_engine_cohort(run->engine);
    now_ms = wm_mono_ms(&run->settings.clock);
    wm_engine_counts_get(run->engine, &counts);
    *ret = (wm_run_progress){
        .standing = *at,
        .rounds = (uint32_t)run->settings.job->rounds,
        .cohort = (uint32_t)cohort->drawn,
        .goal = (uint32_t)counts.goal,
        .accepted = (uint32_t)cohort->accepted,
        .refused = counts.refused,
        .declined = (uint32_t)cohort->declined,
        .left_ms = wm_engine_left_ms(run->engine, now_ms),
        .open_ms = wm_engine_open_ms(run->engine, now_ms),
        .eta_ms = time_left(run, at),
        .train_loss = run->train_loss,
        .eval_loss = run->eval_loss,
        .metric = run->metric,
    };
    pthread_mutex_unlock(&run->lock);
}

void wm_run_waiting_for(wm_run *run, size_t most, wm_text *ret)
{
    pthread_mutex_lock(&run->lock);
    wm_cohort_waiting_for(wm_engine_cohort(run->engine), (const char *const *)run->settings.record->population,
                          most, ret);
    pthread_mutex_unlock(&run->lock);
}
