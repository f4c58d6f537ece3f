/* server/round/events.c
 *
 * One handler an event. */
#include "server/round/state.h"

#include <assert.h>

enum {
    PENDING_WAIT_MS = 1000, /* what clients are told while a durable action is under way */
    WAIT_LEAST_MS = 100,    /* and otherwise the time to the deadline, within these */
    WAIT_MOST_MS = 30000,
};

static wm_action *act(wm_actions *actions, wm_action_kind kind)
{
    wm_action *action;

    assert(actions->n < WM_ACTIONS_MAX);
    action = &actions->items[actions->n++];
    *action = (wm_action){ .kind = kind };
    return action;
}

/* If the event made something durable necessary, it is the last action. */
void wm_engine_act_pending(const wm_engine *engine, wm_action_kind before, wm_actions *actions)
{
    if (engine->pending != WM_ACTION_NONE && engine->pending != before)
        act(actions, engine->pending);
}

/* Whatever it is refused for, a seat that had no answer has one now, and it may have been the last. */
static void refuse(wm_engine *engine, uint32_t client, const char *reason, wm_actions *actions)
{
    wm_contribution *part = &engine->cohort.seats[client].part;

    engine->counts.refused++;
    wm_engine_say(act(actions, WM_ACTION_REFUSE)->text, WM_REASON_TEXT, "%s", reason);
    if (part->verdict != WM_VERDICT_NONE)
        return; /* what it said before stands */
    part->verdict = WM_VERDICT_REFUSED;
    wm_engine_say(part->reason, sizeof part->reason, "%s", reason);
    engine->cohort.refused += engine->cohort.seats[client].drawn;
    wm_engine_settle(engine);
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
    wm_engine_settle(engine);
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
    wm_engine_say(reason, sizeof reason, "%s of round %u is not open: %s of round %u is",
                  wm_phase_name(event->phase), event->round, wm_phase_name(engine->standing.phase),
                  engine->standing.round);
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
    } else if (wm_engine_is_closing(engine)) {
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
}

static void on_decline(wm_engine *engine, const wm_event *event, int64_t now_ms)
{
    wm_seat *seat = &engine->cohort.seats[event->client];

    if (wm_engine_order(engine, event->phase, event->round) != 0 || wm_engine_is_closing(engine) || !seat->drawn ||
        seat->part.verdict != WM_VERDICT_NONE)
        return; /* it is about something that is over, or was said already */
    seat->part.verdict = WM_VERDICT_DECLINED;
    wm_engine_say(seat->part.reason, sizeof seat->part.reason, "%s", event->reason);
    stamp(engine, seat, now_ms);
    engine->cohort.declined++;
    wm_engine_settle(engine);
}

static void on_away(wm_engine *engine, const wm_event *event)
{
    if (!wm_cohort_leave(&engine->cohort, event->client))
        return;
    wm_engine_replace(engine);
    wm_engine_settle(engine);
}

/* Whoever says something is there. */
static void hear(wm_engine *engine, const wm_event *event)
{
    switch (event->kind) {
    case WM_EVENT_ASK:
    case WM_EVENT_UPDATE:
    case WM_EVENT_REPORT:
    case WM_EVENT_REFUSE:
    case WM_EVENT_DECLINE:
        if (wm_cohort_return(&engine->cohort, event->client))
            wm_engine_replace(engine); /* it may be the one that was lacking */
        break;
    case WM_EVENT_AWAY:
    case WM_EVENT_TICK:
    case WM_EVENT_STOP:
    case WM_EVENT_DONE:
    case WM_EVENT_FAIL:
        break;
    }
}

static void on_ask(wm_engine *engine, const wm_event *event, int64_t now_ms, wm_actions *actions)
{
    wm_seat *seat = &engine->cohort.seats[event->client];
    int64_t  left_ms = wm_engine_left_ms(engine, now_ms);

    if (engine->standing.phase == WM_PHASE_CLOSED) {
        act(actions, WM_ACTION_OVER);
    } else if (wm_engine_is_closing(engine)) {
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
        wm_engine_say(act(actions, WM_ACTION_REFUSE)->text, WM_REASON_TEXT, "the run is over already");
    } else if (engine->pending != WM_ACTION_NONE) {
        engine->stopping = true; /* what was begun is finished first, so that no accepted update is lost */
        wm_engine_say(engine->stop_why, sizeof engine->stop_why, "%s", event->reason);
    } else {
        wm_engine_aim_close(engine, WM_OUTCOME_STOPPED, event->reason);
    }
}

/* The next phase or attempt, or only some more clients in this one. */
static void on_done(wm_engine *engine, const wm_event *event, int64_t now_ms)
{
    wm_action_kind done = engine->pending;

    assert(done != WM_ACTION_NONE && event->standing->phase == engine->next.phase);
    engine->pending = WM_ACTION_NONE;
    if (done == WM_ACTION_SUBSTITUTE) {
        for (size_t i = 0; i < engine->n_substitutes; i++)
            wm_cohort_substitute(&engine->cohort, &engine->substitutes[i]);
    } else {
        engine->standing = *event->standing;
        wm_engine_open_phase(engine, done == WM_ACTION_OPEN && event->standing->attempt > 0, now_ms,
                             wm_engine_phase_deadline_ms(engine));
    }
    if (engine->stopping && engine->standing.phase != WM_PHASE_CLOSED) {
        wm_engine_aim_close(engine, WM_OUTCOME_STOPPED, engine->stop_why);
        return;
    }
    wm_engine_replace(engine); /* others may have left meanwhile */
    if (done == WM_ACTION_SUBSTITUTE)
        wm_engine_settle(engine); /* and the last answer may have come */
}

static void on_fail(wm_engine *engine, const wm_event *event)
{
    assert(engine->pending != WM_ACTION_NONE && engine->pending != WM_ACTION_CLOSE);
    engine->pending = WM_ACTION_NONE;
    wm_engine_aim_close(engine, WM_OUTCOME_FAILED, event->reason);
}

void wm_engine_handle(wm_engine *engine, const wm_event *event, int64_t mono_ms, wm_actions *ret)
{
    wm_action_kind before = engine->pending;

    assert(event->client < engine->settings.n_population);
    *ret = (wm_actions){ 0 };
    hear(engine, event);
    switch (event->kind) {
    case WM_EVENT_TICK:
        if (engine->pending == WM_ACTION_NONE && engine->standing.phase != WM_PHASE_CLOSED &&
            mono_ms >= engine->deadline_ms)
            wm_engine_deadline_passed(engine);
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
    case WM_EVENT_AWAY:
        on_away(engine, event);
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
    wm_engine_act_pending(engine, before, ret);
}
