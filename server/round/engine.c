/* server/round/engine.c
 *
 * How it is laid out: what follows what (the `aim_` functions, which set `pending` and `next`), when a phase closes
 * (`settle`, `deadline_passed`), and one handler an event. `pending` is the only way to move: a handler that wants the
 * run to go on aims, and the state changes when DONE comes back. */
#include "server/round/engine.h"

#include "common/clock.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING_WAIT_MS = 1000, /* what clients are told while a durable action is under way */
    WAIT_LEAST_MS = 100,    /* and otherwise the time to the deadline, within these */
    WAIT_MOST_MS = 30000,
    PATIENT_ATTEMPTS = 3, /* where no deadline passes, asking the same clients for ever would help nobody */
    NAMES_MOST = 4,       /* of those who were waited for, in the sentence of a failure */
};

struct wm_engine {
    wm_engine_settings settings;
    wm_standing        standing;
    wm_action_kind     pending;
    wm_standing        next; /* after `pending` */
    bool               stopping;
    char               stop_why[sizeof((wm_standing *)0)->why];
    wm_cohort          cohort;
    wm_engine_counts   counts;
    int64_t            opened_ms, deadline_ms; /* mono; deadline INT64_MAX: none */
};

/* ---- what follows what ---- */

/* Of names and numbers: cut off where it is too long, which loses nothing that a program needs. */
__attribute__((format(printf, 3, 4))) static void say(char *to, size_t room, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(to, room, fmt, args);
    va_end(args);
}

static void aim(wm_engine *engine, wm_action_kind action, wm_phase phase, uint32_t round, uint32_t attempt)
{
    assert(engine->pending == WM_ACTION_NONE);
    engine->pending = action;
    engine->next = engine->standing;
    engine->next.phase = phase;
    engine->next.round = round;
    engine->next.attempt = attempt;
}

static void aim_close(wm_engine *engine, wm_outcome outcome, const char *why)
{
    aim(engine, WM_ACTION_CLOSE, WM_PHASE_CLOSED, engine->standing.round, 0);
    engine->next.outcome = outcome;
    say(engine->next.why, sizeof engine->next.why, "%s", why);
}

static void aim_first(wm_engine *engine)
{
    bool statistics = engine->settings.statistics;

    aim(engine, WM_ACTION_OPEN, statistics ? WM_PHASE_STATISTICS : WM_PHASE_TRAIN, statistics ? 0 : 1, 0);
}

static void aim_commit(wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    uint32_t      round = engine->standing.round;
    bool          evaluate = round % job->evaluate.every == 0 || round == job->rounds;

    aim(engine, WM_ACTION_COMMIT, evaluate ? WM_PHASE_EVALUATE : WM_PHASE_TRAIN, evaluate ? round : round + 1, 0);
}

/* The mean loss of the examples of all who reported, added in order of name. NaN if nobody did. */
static double reported_loss(const wm_engine *engine)
{
    double   sum = 0;
    uint64_t examples = 0;

    for (size_t k = 0; k < engine->cohort.n_population; k++) {
        const wm_contribution *part = &engine->cohort.seats[k].part;

        if (part->verdict == WM_VERDICT_ACCEPTED) {
            sum += part->loss * (double)part->weight;
            examples += part->weight;
        }
    }
    return examples > 0 ? sum / (double)examples : NAN;
}

static void aim_evaluated(wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    uint32_t      round = engine->standing.round, without = engine->standing.evaluations_without_gain;
    double        loss = reported_loss(engine), best = engine->standing.best_loss;
    bool          gain = isnan(best) ? !isnan(loss) : loss < best;
    bool          enough;

    without = gain ? 0 : without + 1;
    enough = job->evaluate.patience > 0 && without >= (uint64_t)job->evaluate.patience;
    if (round == job->rounds || enough)
        aim(engine, WM_ACTION_EVALUATED, WM_PHASE_FINAL, round, 0);
    else
        aim(engine, WM_ACTION_EVALUATED, WM_PHASE_TRAIN, round + 1, 0);
    engine->next.evaluations_without_gain = without;
    engine->next.best_loss = gain ? loss : best;
}

static void aim_end(wm_engine *engine)
{
    char why[sizeof engine->next.why];

    if (engine->standing.round == engine->settings.job->rounds) {
        say(why, sizeof why, "all %u rounds are done", engine->standing.round);
        aim_close(engine, WM_OUTCOME_DONE, why);
        return;
    }
    say(why, sizeof why, "the loss has not got better in %u evaluations",
        engine->standing.evaluations_without_gain);
    aim_close(engine, WM_OUTCOME_EARLY, why);
}

/* "training of round 3: 1 of 3 updates that are needed after 2 attempts; waited for east, north since 2026-..." */
static void aim_failure(wm_engine *engine)
{
    const wm_standing *at = &engine->standing;
    wm_text            names = WM_TEXT_INIT;
    char               why[sizeof engine->next.why], since[WM_TIME_TEXT], where[64];

    if (at->phase == WM_PHASE_STATISTICS)
        say(where, sizeof where, "statistics");
    else
        say(where, sizeof where, "%s of round %u", wm_phase_name(at->phase), at->round);
    wm_cohort_waiting_for(&engine->cohort, engine->settings.names, NAMES_MOST, &names);
    if (wm_cohort_outstanding(&engine->cohort) > 0)
        say(why, sizeof why, "%s: %zu of %zu answers needed, after attempt %u; waited since %s for %s", where,
            engine->cohort.accepted, engine->counts.need, at->attempt + 1, wm_time_text(at->opened_wall_ms, since),
            wm_text_chars(&names));
    else
        say(why, sizeof why, "%s: %zu of %zu answers needed, after attempt %u; %zu refused and %zu declined", where,
            engine->cohort.accepted, engine->counts.need, at->attempt + 1, engine->cohort.refused,
            engine->cohort.declined);
    wm_text_release(&names);
    aim_close(engine, WM_OUTCOME_FAILED, why);
}

static void aim_again(wm_engine *engine)
{
    int64_t most = engine->settings.job->cohort.attempts;

    if (most == 0 && engine->settings.patient)
        most = PATIENT_ATTEMPTS;
    if (most > 0 && (int64_t)engine->standing.attempt + 1 >= most)
        aim_failure(engine);
    else
        aim(engine, WM_ACTION_OPEN, engine->standing.phase, engine->standing.round, engine->standing.attempt + 1);
}

/* ---- when a phase closes ---- */

static void aim_complete(wm_engine *engine)
{
    switch (engine->standing.phase) {
    case WM_PHASE_STATISTICS:
        aim(engine, WM_ACTION_SCALE, WM_PHASE_TRAIN, 1, 0);
        break;
    case WM_PHASE_TRAIN:
        aim_commit(engine);
        break;
    case WM_PHASE_EVALUATE:
        aim_evaluated(engine);
        break;
    case WM_PHASE_FINAL:
        aim_end(engine);
        break;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        assert(false && "a phase that nobody takes part in is complete");
    }
}

static void deadline_passed(wm_engine *engine)
{
    if (engine->cohort.accepted >= engine->counts.need)
        aim_complete(engine);
    else
        aim_again(engine);
}

/* Somebody has answered, or a phase was opened: is it over? */
static void settle(wm_engine *engine)
{
    bool evaluation = engine->standing.phase == WM_PHASE_EVALUATE || engine->standing.phase == WM_PHASE_FINAL;
    bool all = wm_cohort_outstanding(&engine->cohort) == 0;

    if (engine->pending != WM_ACTION_NONE || engine->standing.phase == WM_PHASE_CLOSED)
        return;
    if (engine->cohort.accepted >= engine->counts.goal)
        aim_complete(engine);
    else if (all && (evaluation || engine->cohort.accepted >= engine->counts.need))
        aim_complete(engine); /* an evaluation that nobody has data for is closed without figures */
    else if (all && engine->settings.patient)
        deadline_passed(engine);
    /* Otherwise all have answered below the quorum: wait for the deadline, or a round would be asked again at once. */
}

/* ---- opening ---- */

static int64_t saturating(int64_t a, int64_t times)
{
    int64_t product;

    return __builtin_mul_overflow(a, times, &product) ? INT64_MAX : product;
}

static int64_t phase_deadline_ms(const wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    bool          alone = (job->evaluate.baselines & WM_BASELINE_ALONE) != 0;

    if (engine->settings.patient)
        return INT64_MAX;
    if (engine->standing.phase != WM_PHASE_FINAL)
        return job->cohort.deadline_ms;
    return saturating(job->cohort.deadline_ms, 2 + (alone ? job->rounds : 0)); /* a client alone trains them all */
}

static size_t quorum_of(const wm_job *job, size_t goal)
{
    assert(job->cohort.quorum <= 1);
    /* 0.7 * 10 is 7.000000000000001 in some arithmetic: a hair less, so that it needs 7 and not 8. */
    size_t need = (size_t)ceil(job->cohort.quorum * (double)goal - 1e-9);

    return need < 1 ? 1 : need;
}

/* Adds the draws of attempts `from` to the standing's, and sets what the phase aims for. */
static void draw_cohort(wm_engine *engine, uint32_t from)
{
    const wm_job      *job = engine->settings.job;
    const wm_standing *at = &engine->standing;
    wm_cohort         *cohort = &engine->cohort;
    size_t             n = cohort->n_population;

    switch (at->phase) {
    case WM_PHASE_TRAIN:
        for (uint32_t attempt = from; attempt <= at->attempt && cohort->drawn < n; attempt++)
            wm_cohort_draw(cohort, &job->cohort.select, job->cohort.over, engine->settings.seed, "cohort",
                           at->round, attempt);
        engine->counts.goal = wm_cohort_goal(&job->cohort.select, n);
        engine->counts.need = quorum_of(job, engine->counts.goal);
        break;
    case WM_PHASE_EVALUATE:
        for (uint32_t attempt = from; attempt <= at->attempt && cohort->drawn < n; attempt++)
            wm_cohort_draw(cohort, &job->evaluate.select, 1, engine->settings.seed, "evaluators", at->round,
                           attempt);
        engine->counts.goal = cohort->drawn;
        engine->counts.need = 1;
        break;
    case WM_PHASE_STATISTICS:
    case WM_PHASE_FINAL:
        wm_cohort_draw_all(cohort);
        engine->counts.goal = n;
        engine->counts.need = at->phase == WM_PHASE_FINAL ? 0 : quorum_of(job, n);
        break;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        break;
    }
}

static void open_phase(wm_engine *engine, bool another_attempt, int64_t now_ms, int64_t left_ms)
{
    if (another_attempt) {
        wm_cohort_ask_again(&engine->cohort);
    } else {
        wm_cohort_clear(&engine->cohort);
        engine->counts = (wm_engine_counts){ 0 };
    }
    draw_cohort(engine, another_attempt ? engine->standing.attempt : 0);
    engine->opened_ms = now_ms;
    engine->deadline_ms = left_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + left_ms;
}

static wm_action *act(wm_actions *actions, wm_action_kind kind)
{
    wm_action *action;

    assert(actions->n < WM_ACTIONS_MAX);
    action = &actions->items[actions->n++];
    *action = (wm_action){ .kind = kind };
    return action;
}

/* If the event made something durable necessary, it is the last action. */
static void act_pending(const wm_engine *engine, wm_action_kind before, wm_actions *actions)
{
    if (engine->pending != WM_ACTION_NONE && engine->pending != before)
        act(actions, engine->pending);
}

wm_status wm_engine_new(const wm_engine_settings *settings, const wm_standing *standing, int64_t mono_ms,
                        int64_t wall_ms, wm_actions *actions, wm_engine **ret, wm_error *err)
{
    wm_engine *engine = calloc(1, sizeof *engine);
    int64_t    deadline_ms, elapsed_ms, left_ms;
    wm_status  st;

    assert(settings->n_population > 0);
    if (engine == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the round engine");
    st = wm_cohort_init(&engine->cohort, settings->n_population, err);
    if (st != WM_OK) {
        free(engine);
        return st;
    }
    engine->settings = *settings;
    engine->standing = *standing;

    /* A wall clock that was set back must not give more time than the job does. */
    deadline_ms = phase_deadline_ms(engine);
    elapsed_ms = wall_ms > standing->opened_wall_ms ? wall_ms - standing->opened_wall_ms : 0;
    left_ms = deadline_ms == INT64_MAX ? INT64_MAX : deadline_ms - elapsed_ms;
    open_phase(engine, false, mono_ms, left_ms > settings->grace_ms ? left_ms : settings->grace_ms);
    *actions = (wm_actions){ 0 };
    if (standing->phase == WM_PHASE_NONE)
        aim_first(engine);
    act_pending(engine, WM_ACTION_NONE, actions);
    *ret = engine;
    return WM_OK;
}

void wm_engine_free(wm_engine *engine)
{
    if (engine == NULL)
        return;
    wm_cohort_release(&engine->cohort);
    free(engine);
}

/* ---- events ---- */

static void refuse(wm_engine *engine, uint32_t client, const char *reason, wm_actions *actions)
{
    wm_contribution *part = &engine->cohort.seats[client].part;

    engine->counts.refused++;
    say(act(actions, WM_ACTION_REFUSE)->text, WM_REASON_TEXT, "%s", reason);
    if (part->verdict != WM_VERDICT_NONE)
        return; /* what it said before stands */
    part->verdict = WM_VERDICT_REFUSED;
    say(part->reason, sizeof part->reason, "%s", reason);
    engine->cohort.refused += engine->cohort.seats[client].drawn;
}

static void late(wm_engine *engine, uint32_t client, wm_actions *actions)
{
    wm_seat *seat = &engine->cohort.seats[client];

    engine->counts.late++;
    if (!seat->drawn && seat->part.verdict == WM_VERDICT_NONE)
        seat->part.verdict = WM_VERDICT_LATE;
    act(actions, WM_ACTION_LATE);
}

static void stamp(const wm_engine *engine, wm_seat *seat, int64_t now_ms)
{
    seat->part.seconds = (double)(now_ms - (seat->offered ? seat->offered_ms : engine->opened_ms)) / 1000;
}

static void accept(wm_engine *engine, const wm_event *event, int64_t now_ms, wm_actions *actions)
{
    wm_seat *seat = &engine->cohort.seats[event->client];

    seat->part.verdict = WM_VERDICT_ACCEPTED;
    seat->part.reason[0] = '\0';
    seat->part.digest = event->digest;
    seat->part.weight = event->weight;
    seat->part.loss = event->loss;
    stamp(engine, seat, now_ms);
    engine->cohort.accepted++;
    act(actions, WM_ACTION_FOLD);
    settle(engine);
}

/* Refuses, or says that it is late, what does not belong to the open phase; false if it belongs. */
static bool belongs_elsewhere(wm_engine *engine, const wm_event *event, wm_actions *actions)
{
    int  order = wm_engine_order(engine, event->phase, event->round);
    char reason[WM_REASON_TEXT];

    if (order == 0)
        return false;
    if (order < 0) {
        late(engine, event->client, actions);
        return true;
    }
    say(reason, sizeof reason, "%s of round %u is not open: %s of round %u is", wm_phase_name(event->phase),
        event->round, wm_phase_name(engine->standing.phase), engine->standing.round);
    refuse(engine, event->client, reason, actions);
    return true;
}

/* An update or a report. */
static void on_answer(wm_engine *engine, const wm_event *event, int64_t now_ms, wm_actions *actions)
{
    wm_seat *seat = &engine->cohort.seats[event->client];

    if (belongs_elsewhere(engine, event, actions))
        return;
    if (seat->part.verdict == WM_VERDICT_ACCEPTED) {
        if (event->kind == WM_EVENT_REPORT || wm_digest_equal(&seat->part.digest, &event->digest))
            act(actions, WM_ACTION_AGAIN);
        else
            refuse(engine, event->client, "another update was already accepted", actions);
    } else if (engine->pending != WM_ACTION_NONE) {
        late(engine, event->client, actions); /* the phase is closed, only not yet on disk */
    } else if (!seat->drawn) {
        refuse(engine, event->client, "not in this round's cohort", actions);
    } else if (seat->part.verdict != WM_VERDICT_NONE) {
        refuse(engine, event->client, "already refused or declined in this attempt: it is asked again in the next",
               actions);
    } else {
        accept(engine, event, now_ms, actions);
    }
}

static void on_refuse(wm_engine *engine, const wm_event *event, int64_t now_ms, wm_actions *actions)
{
    if (event->phase != WM_PHASE_NONE && belongs_elsewhere(engine, event, actions))
        return;
    if (engine->cohort.seats[event->client].part.verdict == WM_VERDICT_NONE)
        stamp(engine, &engine->cohort.seats[event->client], now_ms);
    refuse(engine, event->client, event->reason, actions);
    settle(engine);
}

static void on_decline(wm_engine *engine, const wm_event *event, int64_t now_ms)
{
    wm_seat *seat = &engine->cohort.seats[event->client];

    if (wm_engine_order(engine, event->phase, event->round) != 0 || engine->pending != WM_ACTION_NONE ||
        !seat->drawn || seat->part.verdict != WM_VERDICT_NONE)
        return; /* it is about something that is over, or was said already */
    seat->part.verdict = WM_VERDICT_DECLINED;
    say(seat->part.reason, sizeof seat->part.reason, "%s", event->reason);
    stamp(engine, seat, now_ms);
    engine->cohort.declined++;
    settle(engine);
}

static void on_ask(wm_engine *engine, const wm_event *event, int64_t now_ms, wm_actions *actions)
{
    wm_seat *seat = &engine->cohort.seats[event->client];
    int64_t  left_ms = wm_engine_left_ms(engine, now_ms);

    if (engine->standing.phase == WM_PHASE_CLOSED) {
        act(actions, WM_ACTION_OVER);
    } else if (engine->pending != WM_ACTION_NONE) {
        act(actions, WM_ACTION_WAIT)->come_back_ms = PENDING_WAIT_MS;
    } else if (seat->drawn && seat->part.verdict == WM_VERDICT_NONE) {
        if (!seat->offered)
            seat->offered_ms = now_ms;
        seat->offered = true;
        act(actions, WM_ACTION_OFFER);
    } else {
        act(actions, WM_ACTION_WAIT)->come_back_ms = left_ms < WAIT_LEAST_MS  ? WAIT_LEAST_MS
                                                     : left_ms > WAIT_MOST_MS ? WAIT_MOST_MS
                                                                              : left_ms;
    }
}

static void on_stop(wm_engine *engine, const wm_event *event, wm_actions *actions)
{
    if (engine->standing.phase == WM_PHASE_CLOSED || engine->pending == WM_ACTION_CLOSE) {
        say(act(actions, WM_ACTION_REFUSE)->text, WM_REASON_TEXT, "the run is over already");
    } else if (engine->pending != WM_ACTION_NONE) {
        engine->stopping = true; /* what was begun is finished first, so that no accepted update is lost */
        say(engine->stop_why, sizeof engine->stop_why, "%s", event->reason);
    } else {
        aim_close(engine, WM_OUTCOME_STOPPED, event->reason);
    }
}

static void on_done(wm_engine *engine, const wm_event *event, int64_t now_ms)
{
    bool another_attempt = engine->pending == WM_ACTION_OPEN && event->standing->attempt > 0;

    assert(engine->pending != WM_ACTION_NONE && event->standing->phase == engine->next.phase);
    engine->standing = *event->standing;
    engine->pending = WM_ACTION_NONE;
    open_phase(engine, another_attempt, now_ms, phase_deadline_ms(engine));
    if (engine->stopping && engine->standing.phase != WM_PHASE_CLOSED)
        aim_close(engine, WM_OUTCOME_STOPPED, engine->stop_why);
}

static void on_fail(wm_engine *engine, const wm_event *event)
{
    assert(engine->pending != WM_ACTION_NONE && engine->pending != WM_ACTION_CLOSE);
    engine->pending = WM_ACTION_NONE;
    aim_close(engine, WM_OUTCOME_FAILED, event->reason);
}

void wm_engine_handle(wm_engine *engine, const wm_event *event, int64_t mono_ms, wm_actions *ret)
{
    wm_action_kind before = engine->pending;

    assert(event->client < engine->settings.n_population);
    *ret = (wm_actions){ 0 };
    switch (event->kind) {
    case WM_EVENT_TICK:
        if (engine->pending == WM_ACTION_NONE && engine->standing.phase != WM_PHASE_CLOSED &&
            mono_ms >= engine->deadline_ms)
            deadline_passed(engine);
        break;
    case WM_EVENT_ASK:
        on_ask(engine, event, mono_ms, ret);
        break;
    case WM_EVENT_UPDATE:
    case WM_EVENT_REPORT:
        on_answer(engine, event, mono_ms, ret);
        break;
    case WM_EVENT_REFUSE:
        on_refuse(engine, event, mono_ms, ret);
        break;
    case WM_EVENT_DECLINE:
        on_decline(engine, event, mono_ms);
        break;
    case WM_EVENT_STOP:
        on_stop(engine, event, ret);
        break;
    case WM_EVENT_DONE:
        on_done(engine, event, mono_ms);
        before = WM_ACTION_NONE;
        break;
    case WM_EVENT_FAIL:
        on_fail(engine, event);
        break;
    }
    act_pending(engine, before, ret);
}

/* ---- what it is ---- */

wm_action_kind wm_engine_pending(const wm_engine *engine)
{
    return engine->pending;
}

const wm_standing *wm_engine_next(const wm_engine *engine)
{
    assert(engine->pending != WM_ACTION_NONE);
    return &engine->next;
}

const wm_standing *wm_engine_standing(const wm_engine *engine)
{
    return &engine->standing;
}

const wm_cohort *wm_engine_cohort(const wm_engine *engine)
{
    return &engine->cohort;
}

void wm_engine_counts_get(const wm_engine *engine, wm_engine_counts *ret)
{
    *ret = engine->counts;
}

int64_t wm_engine_left_ms(const wm_engine *engine, int64_t mono_ms)
{
    if (engine->deadline_ms == INT64_MAX || engine->standing.phase == WM_PHASE_CLOSED)
        return INT64_MAX;
    return engine->deadline_ms > mono_ms ? engine->deadline_ms - mono_ms : 0;
}

int64_t wm_engine_open_ms(const wm_engine *engine, int64_t mono_ms)
{
    return mono_ms - engine->opened_ms;
}

int wm_engine_order(const wm_engine *engine, wm_phase phase, uint32_t round)
{
    const wm_standing *at = &engine->standing;
    bool               ends = at->phase == WM_PHASE_FINAL || at->phase == WM_PHASE_CLOSED;

    if (phase == at->phase && round == at->round)
        return 0;
    switch (phase) {
    case WM_PHASE_STATISTICS:
        return round != 0 || at->phase == WM_PHASE_NONE ? 1 : -1;
    case WM_PHASE_TRAIN:
    case WM_PHASE_EVALUATE:
        if (round == 0 || round > at->round)
            return 1;
        if (round < at->round || ends)
            return -1;
        return phase < at->phase ? -1 : 1;
    case WM_PHASE_FINAL:
        return at->phase == WM_PHASE_CLOSED ? -1 : 1;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        break;
    }
    return 1;
}
