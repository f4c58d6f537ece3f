/* client/conversation.c */
#include "client/conversation.h"

#include "client/patience.h"
#include "common/wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_MS = 1000,     /* between two questions that nothing came of and that the server did not hold */
    PAUSE_LEAST_MS = 50, /* the shortest wait that a server may name */
};

struct wm_conversation {
    wm_conversation_settings set;
    bool                     checked_in; /* since the last failure */
    bool                     reached;    /* it had checked in when the last turn failed */
    bool                     moved;      /* something came of this turn */
    bool        fresh; /* an update was finished this turn: nobody need be asked whether it is wanted */
    wm_patience patience;
    bool        abandoned; /* the server has said that the last task is no longer wanted */
    wm_digest   accepted;  /* the update that the server has accepted last */
    wm_fetcher  fetcher;
    int64_t     handed_in_ms; /* when the bulk line was last used for that; -1 for never */
    /* A result that is not durable: evaluations, refusals. Sent until the server has heard it. */
    bool               has_report;
    wm_outcome_of_work report;
};

wm_status wm_conversation_new(const wm_conversation_settings *settings, wm_conversation **ret, wm_error *err)
{
    wm_conversation *self = calloc(1, sizeof *self);

    if (self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the conversation");
    self->set = *settings;
    self->handed_in_ms = -1;
    wm_fetcher_init(&self->fetcher, settings->lines.bulk, settings->lines.clock);
    *ret = self;
    return WM_OK;
}

void wm_conversation_free(wm_conversation *conversation)
{
    if (conversation == NULL)
        return;
    if (conversation->has_report)
        wm_outcome_of_work_release(&conversation->report);
    wm_fetcher_release(&conversation->fetcher);
    free(conversation);
}

/* ---- checking in ---- */

static wm_status check_in(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope        request = wm_envelope(), *answer;
    Wm__CheckIn         check_in = WM__CHECK_IN__INIT;
    wm_examples_summary summary;
    wm_status           st;

    check_in.program = "wardmote-client " WM_VERSION;
    if (wm_desk_summary(self->set.desk, &summary))
        check_in.rows = summary.rows;
    request.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    request.check_in = &check_in;
    st = wm_line_ask(&self->set.lines, &request, WM__ENVELOPE__BODY_WELCOME, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    wm_server_time_heard(self->set.time, (int64_t)answer->welcome->server_time_ms);
    wm_log_line(self->set.log, WM_LOG_INFO, "server", "connected",
                WM_TEXT_FIELD("program", answer->welcome->program));
    wm_envelope_free(answer);
    self->checked_in = true;
    return WM_OK;
}

/* ---- work that comes ---- */

/* A refusal by our own word, to be sent. */
static void declined(wm_conversation *self, const wm_outcome_of_work *outcome)
{
    wm_log_line(self->set.log, WM_LOG_WARNING, "round", "declined",
                WM_TEXT_FIELD("phase", wm_phase_name(outcome->task.phase)),
                WM_INT_FIELD("round", outcome->task.round), WM_TEXT_FIELD("why", outcome->error.text));
    wm_patience_declined(&self->patience, &outcome->error);
    self->report = *outcome;
    self->has_report = true;
}

static void note_taken(wm_conversation *self, const wm_task *task, const uint8_t *run)
{
    wm_patience_taken(&self->patience, task, run);
    self->abandoned = false;
    self->moved = true;
}

/* A model that the policy does not let in is not even fetched. */
static bool is_too_large(const wm_conversation *self, const Wm__Work *work)
{
    return self->set.memory_max > 0 && work->model_bytes > (uint64_t)self->set.memory_max;
}

static void decline_large(wm_conversation *self, const Wm__Work *work, const wm_task *task, const uint8_t *run)
{
    wm_outcome_of_work outcome = { .task = *task };

    memcpy(outcome.run, run, sizeof outcome.run);
    outcome.status = wm_fail(&outcome.error, WM_E_REFUSED,
                             "a model of %llu bytes is more than the %lld that there are for it: client.yaml's "
                             "limits.memory, or all that the machine has",
                             (unsigned long long)work->model_bytes, (long long)self->set.memory_max);
    declined(self, &outcome);
}

/* For the same reason as the last one of its run. Nobody is to wait for a gateway that knows what it will say. */
static void decline_again(wm_conversation *self, const wm_task *task, const uint8_t *run)
{
    wm_outcome_of_work outcome = { .task = *task,
                                   .status = self->patience.why.status,
                                   .error = self->patience.why };

    memcpy(outcome.run, run, sizeof outcome.run);
    self->moved = true;
    declined(self, &outcome);
}

/* Fetches what the task needs, and puts it on the desk. */
static wm_status take_on(wm_conversation *self, const Wm__Work *work, int64_t *wait_ms, wm_error *err)
{
    wm_order  order;
    wm_task   task;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_digest job;
    wm_status st = wm_offer_read(work, &task, run, &job, err);

    if (st != WM_OK)
        return st;
    switch (wm_patience_with(&self->patience, &task, run, wm_mono_ms(&self->set.lines.clock), wait_ms)) {
    case WM_PATIENCE_NOW:
        break;
    case WM_PATIENCE_LATER:
        return WM_OK;
    case WM_PATIENCE_DECLINED:
        decline_again(self, &task, run);
        return WM_OK;
    }
    if (is_too_large(self, work)) {
        note_taken(self, &task, run);
        decline_large(self, work, &task, run);
        return WM_OK;
    }
    st = wm_offer_collect(&self->fetcher, work, wm_desk_has_job(self->set.desk, &job, run), &order, wait_ms, err);
    if (st != WM_OK)
        return st;
    st = wm_pending_state(self->set.pending, order.run, &order.state, &order.n_state, err);
    if (st != WM_OK) {
        wm_order_release(&order);
        return st;
    }
    wm_log_line(self->set.log, WM_LOG_INFO, "round", "working",
                WM_TEXT_FIELD("phase", wm_phase_name(order.task.phase)), WM_INT_FIELD("round", order.task.round));
    wm_desk_give(self->set.desk, &order);
    note_taken(self, &task, run);
    return WM_OK;
}

/* ---- results that go ---- */

/* What comes with a state cannot be done again once the server has committed it, whatever it took. */
static wm_status keep(wm_conversation *self, wm_outcome_of_work *outcome, wm_error *err)
{
    wm_update *update = &outcome->result.update;

    if (outcome->took_ms < self->set.redo_ms && outcome->n_state == 0)
        return wm_pending_hold(self->set.pending, outcome->task.phase, update, outcome->result.loss, err);
    return wm_pending_keep(self->set.pending, outcome->task.phase, update, outcome->result.loss, outcome->state,
                           outcome->n_state, err);
}

/* What lies finished on the desk is kept (an update) or noted for sending. */
static wm_status clear_desk(wm_conversation *self, int64_t wait_ms, wm_error *err)
{
    wm_outcome_of_work outcome;
    wm_status          st;

    if (self->has_report || !wm_desk_take(self->set.desk, wait_ms, &outcome))
        return WM_OK;
    self->moved = true;
    if (outcome.status == WM_E_CLOSED) {
        wm_outcome_of_work_release(&outcome);
        return WM_OK;
    }
    if (outcome.status == WM_OK && outcome.result.has_update) {
        st = keep(self, &outcome, err);
        if (st == WM_OK)
            outcome.result.has_update = false; /* the store's now */
        self->fresh = st == WM_OK;
        wm_outcome_of_work_release(&outcome);
        return st; /* without room on the disk the task is asked for again, and trained to the same bits */
    }
    if (outcome.status != WM_OK) {
        declined(self, &outcome);
        return WM_OK;
    }
    self->report = outcome;
    self->has_report = true;
    return WM_OK;
}

/* Whether a failure says something of the line, or of who we are, and not of what was sent. */
static bool is_of_the_line(wm_status status)
{
    return status == WM_E_IO || status == WM_E_TIMEOUT || status == WM_E_CLOSED || status == WM_E_UNTRUSTED ||
           status == WM_E_REFUSED || status == WM_E_EXPIRED || status == WM_E_REVOKED || status == WM_E_NOMEM;
}

/* A report that the server cannot make sense of is dropped: sent for ever it would keep us from all other work. */
static wm_status send_report(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    wm_status st = wm_hand_in_outcome(&self->set.lines, &self->report, self->set.log, wait_ms, err);

    if (st == WM_OK || (!is_of_the_line(st) && *wait_ms == 0)) {
        wm_outcome_of_work_release(&self->report);
        self->has_report = false;
        self->moved = true;
    }
    return st;
}

/* ---- the held update ---- */

/* A receipt's or an answer's last word on the held update. */
static wm_status let_go(wm_conversation *self, const wm_held *held, bool committed, const char *why, wm_error *err)
{
    self->moved = true;
    wm_log_line(self->set.log, committed ? WM_LOG_INFO : WM_LOG_WARNING, "round", why,
                WM_TEXT_FIELD("phase", wm_phase_name(held->phase)), WM_INT_FIELD("round", held->round));
    return wm_pending_let_go(self->set.pending, committed, err);
}

static wm_status act_on_receipt(wm_conversation *self, const wm_held *held, const wm_receipt *receipt,
                                int64_t *wait_ms, wm_error *err)
{
    switch (receipt->state) {
    case WM__RECEIPT__STATE__LATER:
        *wait_ms = wm_come_back(receipt->come_back_ms);
        self->moved = false;
        return WM_OK;
    case WM__RECEIPT__STATE__ACCEPTED:
        wm_log_line(self->set.log, WM_LOG_INFO, "round", "update accepted",
                    WM_TEXT_FIELD("phase", wm_phase_name(held->phase)), WM_INT_FIELD("round", held->round),
                    WM_REAL_FIELD("loss", held->loss));
        self->moved = !wm_digest_equal(&self->accepted, &held->digest); /* the same again is no news */
        self->accepted = held->digest;
        return WM_OK; /* kept until a committed model contains it */
    case WM__RECEIPT__STATE__COMMITTED:
        return let_go(self, held, true, "update committed", err);
    case WM__RECEIPT__STATE__OVER:
        return let_go(self, held, false, "the round is over without our update", err);
    case WM__RECEIPT__STATE__REFUSED:
        wm_log_line(self->set.log, WM_LOG_ERROR, "round", "the server refused the update",
                    WM_INT_FIELD("round", held->round), WM_TEXT_FIELD("why", receipt->reason));
        self->moved = true;
        return wm_pending_let_go(self->set.pending, false, err);
    case WM__RECEIPT__STATE__SEND:
    default:
        return wm_fail(err, WM_E_MALFORMED, "the server's receipt says neither yes nor no");
    }
}

static wm_status submit(wm_conversation *self, const wm_held *held, int64_t *wait_ms, wm_error *err)
{
    wm_receipt receipt;
    wm_status  st = wm_hand_in(&self->set.lines, held, &receipt, wait_ms, err);

    self->handed_in_ms = wm_mono_ms(&self->set.lines.clock);
    if (st != WM_OK)
        return st;
    wm_server_time_heard(self->set.time, (int64_t)receipt.server_time_ms);
    return act_on_receipt(self, held, &receipt, wait_ms, err);
}

/* ---- a turn ---- */

/* The question, and the answer's word on what we hold and do; *work is the answer's, given back with it. */
static wm_status ask_for_work(wm_conversation *self, int64_t hold_ms, Wm__Envelope **answer, int64_t *wait_ms,
                              wm_error *err)
{
    Wm__Envelope request = wm_envelope();
    Wm__Ask      question = WM__ASK__INIT;
    Wm__Key      busy_key, held_key;
    wm_task      task;
    uint8_t      run[WM_RUN_ID_SIZE];
    wm_held      held;

    question.wait_ms = (uint64_t)hold_ms;
    if (wm_desk_busy(self->set.desk, &task, run)) {
        busy_key = wm_key_message(run, task.phase, task.round, &task.model);
        question.busy_with = &busy_key;
    }
    if (wm_pending_held(self->set.pending, &held)) {
        held_key = wm_key_message(held.run, held.phase, held.round, &held.model);
        question.held = &held_key;
        question.held_digest = wm_bytes_field(held.digest.bytes, WM_DIGEST_SIZE);
    }
    request.body_case = WM__ENVELOPE__BODY_ASK;
    request.ask = &question;
    return wm_line_ask(&self->set.lines, &request, WM__ENVELOPE__BODY_WORK, hold_ms, answer, wait_ms, err);
}

/* WM_OK, and *submit_now if the held update is wanted. */
static wm_status act_on_fate(wm_conversation *self, const Wm__Work *work, bool *submit_now, wm_error *err)
{
    wm_held held;

    *submit_now = false;
    if (!wm_pending_held(self->set.pending, &held))
        return WM_OK;
    switch (work->held) {
    case WM__WORK__FATE__WANTED:
        *submit_now = true;
        return WM_OK;
    case WM__WORK__FATE__COMMITTED:
        return let_go(self, &held, true, "update committed", err);
    case WM__WORK__FATE__OVER:
        return let_go(self, &held, false, "the round is over without our update", err);
    case WM__WORK__FATE__ACCEPTED:
        return WM_OK;
    case WM__WORK__FATE__NO_UPDATE:
    default:
        return wm_fail(err, WM_E_MALFORMED,
                       "the server's answer does not say what becomes of the update that we hold");
    }
}

/* The head of the audit that comes with an offer. What does not fit what was shown before is said, and the work goes on:
 * whether the office was put back from a backup or rewritten is not for a gateway to judge. */
static void look_at_audit(wm_conversation *self, const Wm__Work *work)
{
    wm_error  err;
    wm_digest hash;
    wm_status st;

    if (self->set.heads == NULL || work->audit_head.len == 0)
        return;
    st = wm_field_digest(&work->audit_head, "the head of the server's audit", &hash, &err);
    if (st == WM_OK)
        st = wm_audit_heads_seen(self->set.heads, work->audit_lines, &hash, (int64_t)work->server_time_ms, &err);
    if (st != WM_OK)
        wm_log_line(self->set.log, st == WM_E_UNTRUSTED ? WM_LOG_ERROR : WM_LOG_WARNING, "audit", err.text);
}

static wm_status act_on_work(wm_conversation *self, const Wm__Work *work, int64_t *wait_ms, wm_error *err)
{
    bool      submit_now, busy;
    wm_held   held;
    wm_task   task;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_status st;

    wm_server_time_heard(self->set.time, (int64_t)work->server_time_ms);
    look_at_audit(self, work);
    if (work->renew && self->set.renew != NULL)
        self->set.renew(self->set.context);
    if (work->abandon) {
        wm_desk_abandon(self->set.desk);
        self->moved = !self->abandoned;
        self->abandoned = true;
    }
    st = act_on_fate(self, work, &submit_now, err);
    if (st != WM_OK)
        return st;
    if (submit_now && wm_pending_held(self->set.pending, &held))
        return submit(self, &held, wait_ms, err);
    busy = wm_desk_busy(self->set.desk, &task, run);
    if (work->kind == WM__WORK__KIND__TASK && !busy && !wm_pending_held(self->set.pending, &held))
        return take_on(self, work, wait_ms, err);
    if (work->kind == WM__WORK__KIND__NOTHING && !busy)
        *wait_ms = wm_come_back(work->come_back_ms);
    return WM_OK;
}

int64_t wm_conversation_bulk_ms(const wm_conversation *conversation)
{
    int64_t fetched = conversation->fetcher.used_ms, handed_in = conversation->handed_in_ms;

    return fetched > handed_in ? fetched : handed_in;
}

static wm_status turn(wm_conversation *self, int64_t poll_ms, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope *answer;
    wm_task       task;
    uint8_t       run[WM_RUN_ID_SIZE];
    wm_held       held;
    bool          busy;
    /* While there is work the server hears from us now and then, without holding the question: so that the result
     * goes out at the moment that it is there. */
    wm_status st = clear_desk(self, self->set.beat_ms, err);

    if (st == WM_OK && !self->checked_in)
        st = check_in(self, wait_ms, err);
    if (st == WM_OK && self->has_report)
        st = send_report(self, wait_ms, err);
    if (st != WM_OK)
        return st;
    if (self->fresh && wm_pending_held(self->set.pending, &held)) {
        self->fresh = false;
        return submit(self, &held, wait_ms, err);
    }
    busy = wm_desk_busy(self->set.desk, &task, run);
    st = ask_for_work(self, busy ? 0 : poll_ms, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    st = act_on_work(self, answer->work, wait_ms, err);
    wm_envelope_free(answer);
    return st;
}

/* The next turn waits on the desk if there is work on it; else a turn that nothing came of is not repeated at once. */
static int64_t pause_ms(wm_conversation *self, int64_t wait_ms, int64_t took_ms)
{
    wm_task task;
    uint8_t run[WM_RUN_ID_SIZE];

    if (wait_ms > 0)
        return wait_ms > PAUSE_LEAST_MS ? wait_ms : PAUSE_LEAST_MS;
    if (self->moved || took_ms >= PAUSE_MS || wm_desk_busy(self->set.desk, &task, run))
        return 0;
    return PAUSE_MS - took_ms;
}

wm_status wm_conversation_turn(wm_conversation *conversation, int64_t poll_ms, int64_t *wait_ms, wm_error *err)
{
    int64_t   began = wm_mono_ms(&conversation->set.lines.clock);
    wm_status st;

    *wait_ms = 0;
    conversation->moved = false;
    st = turn(conversation, poll_ms, wait_ms, err);
    if (st != WM_OK) {
        conversation->reached = conversation->checked_in;
        conversation->checked_in = false;
    } else {
        *wait_ms = pause_ms(conversation, *wait_ms, wm_mono_ms(&conversation->set.lines.clock) - began);
    }
    return st;
}

bool wm_conversation_reached(const wm_conversation *conversation)
{
    return conversation->reached;
}
