/* client/conversation.c */
#include "client/conversation.h"

#include "common/wire/envelope.h"

#include <stdlib.h>

struct wm_conversation {
    wm_conversation_settings set;
    bool                     checked_in; /* since the last failure */
    wm_fetcher               fetcher;
    int64_t                  handed_in_ms; /* when the bulk line was last used for that; -1 for never */
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

/* Fetches what the task needs, and puts it on the desk. */
static wm_status take_on(wm_conversation *self, const Wm__Work *work, int64_t *wait_ms, wm_error *err)
{
    wm_order  order;
    wm_task   task;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_digest job;
    wm_status st = wm_offer_read(work, &task, run, &job, err);

    if (st == WM_OK)
        st = wm_offer_collect(&self->fetcher, work, wm_desk_has_job(self->set.desk, &job, run), &order, wait_ms,
                              err);
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
    return WM_OK;
}

/* ---- results that go ---- */

/* What lies finished on the desk becomes durable (an update) or is noted for sending. */
static wm_status clear_desk(wm_conversation *self, int64_t wait_ms, wm_error *err)
{
    wm_outcome_of_work outcome;
    wm_status          st;

    if (self->has_report || !wm_desk_take(self->set.desk, wait_ms, &outcome))
        return WM_OK;
    if (outcome.status == WM_E_CLOSED) {
        wm_outcome_of_work_release(&outcome);
        return WM_OK;
    }
    if (outcome.status == WM_OK && outcome.result.has_update) {
        st = wm_pending_keep(self->set.pending, outcome.task.phase, &outcome.result.update, outcome.result.loss,
                             outcome.state, outcome.n_state, err);
        if (st == WM_OK)
            outcome.result.has_update = false; /* the store's now */
        wm_outcome_of_work_release(&outcome);
        return st; /* without room on the disk the task is asked for again, and trained to the same bits */
    }
    if (outcome.status != WM_OK)
        wm_log_line(self->set.log, WM_LOG_WARNING, "round", "declined",
                    WM_TEXT_FIELD("phase", wm_phase_name(outcome.task.phase)),
                    WM_INT_FIELD("round", outcome.task.round), WM_TEXT_FIELD("why", outcome.error.text));
    self->report = outcome;
    self->has_report = true;
    return WM_OK;
}

static wm_status send_report(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    wm_status st = wm_hand_in_outcome(&self->set.lines, &self->report, self->set.log, wait_ms, err);

    if (st == WM_OK) {
        wm_outcome_of_work_release(&self->report);
        self->has_report = false;
    }
    return st;
}

/* ---- the held update ---- */

/* A receipt's or an answer's last word on the held update. */
static wm_status let_go(wm_conversation *self, const wm_held *held, bool committed, const char *why, wm_error *err)
{
    wm_log_line(self->set.log, committed ? WM_LOG_INFO : WM_LOG_WARNING, "round", why,
                WM_TEXT_FIELD("phase", wm_phase_name(held->phase)), WM_INT_FIELD("round", held->round));
    return wm_pending_let_go(self->set.pending, committed, err);
}

static wm_status act_on_receipt(wm_conversation *self, const wm_held *held, const wm_receipt *receipt,
                                int64_t *wait_ms, wm_error *err)
{
    switch (receipt->state) {
    case WM__RECEIPT__STATE__LATER:
        *wait_ms = (int64_t)receipt->come_back_ms;
        return WM_OK;
    case WM__RECEIPT__STATE__ACCEPTED:
        wm_log_line(self->set.log, WM_LOG_INFO, "round", "update accepted",
                    WM_TEXT_FIELD("phase", wm_phase_name(held->phase)), WM_INT_FIELD("round", held->round),
                    WM_REAL_FIELD("loss", held->loss));
        return WM_OK; /* kept until a committed model contains it */
    case WM__RECEIPT__STATE__COMMITTED:
        return let_go(self, held, true, "update committed", err);
    case WM__RECEIPT__STATE__OVER:
        return let_go(self, held, false, "the round is over without our update", err);
    case WM__RECEIPT__STATE__REFUSED:
        wm_log_line(self->set.log, WM_LOG_ERROR, "round", "the server refused the update",
                    WM_INT_FIELD("round", held->round), WM_TEXT_FIELD("why", receipt->reason));
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
    case WM__WORK__FATE__NO_UPDATE:
    default:
        return WM_OK;
    }
}

static wm_status act_on_work(wm_conversation *self, const Wm__Work *work, int64_t *wait_ms, wm_error *err)
{
    bool      submit_now, busy;
    wm_held   held;
    wm_task   task;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_status st;

    wm_server_time_heard(self->set.time, (int64_t)work->server_time_ms);
    if (work->renew && self->set.renew != NULL)
        self->set.renew(self->set.context);
    if (work->abandon)
        wm_desk_abandon(self->set.desk);
    st = act_on_fate(self, work, &submit_now, err);
    if (st != WM_OK)
        return st;
    if (submit_now && wm_pending_held(self->set.pending, &held))
        return submit(self, &held, wait_ms, err);
    busy = wm_desk_busy(self->set.desk, &task, run);
    if (work->kind == WM__WORK__KIND__TASK && !busy && !wm_pending_held(self->set.pending, &held))
        return take_on(self, work, wait_ms, err);
    if (work->kind == WM__WORK__KIND__NOTHING && !busy)
        *wait_ms = (int64_t)work->come_back_ms;
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
    busy = wm_desk_busy(self->set.desk, &task, run);
    st = ask_for_work(self, busy ? 0 : poll_ms, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    st = act_on_work(self, answer->work, wait_ms, err);
    wm_envelope_free(answer);
    return st;
}

wm_status wm_conversation_turn(wm_conversation *conversation, int64_t poll_ms, int64_t *wait_ms, wm_error *err)
{
    wm_status st;

    *wait_ms = 0;
    st = turn(conversation, poll_ms, wait_ms, err);
    if (st != WM_OK)
        conversation->checked_in = false;
    return st;
}
