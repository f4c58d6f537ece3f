/* client/conversation.c */
#include "client/conversation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 15 * 1000,          /* beyond the time that the server may hold the question */
    JOB_BYTES_MAX = WM_JOB_TEXT_MAX,
    SCALING_BYTES_MAX = 1 << 20,
};

/* The largest model that is fetched; the policy's own limit is looked at once the job is known. */
static const uint64_t MODEL_BYTES_MAX = (uint64_t)4 << 30;

struct wm_conversation {
    wm_conversation_settings set;
    uint64_t                 checked_in; /* the link's connection that we have checked in on */
    bool                     has_scaling;
    wm_digest                scaling_name;
    uint8_t                 *scaling;
    size_t                   n_scaling;
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
    *ret = self;
    return WM_OK;
}

void wm_conversation_free(wm_conversation *conversation)
{
    if (conversation == NULL)
        return;
    if (conversation->has_report)
        wm_outcome_of_work_release(&conversation->report);
    free(conversation->scaling);
    free(conversation);
}

static ProtobufCBinaryData binary(const uint8_t *bytes, size_t n)
{
    return (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)bytes };
}

/* A key that borrows run and model. */
static Wm__Key key_of(const uint8_t *run, wm_phase phase, uint32_t round, const wm_digest *model)
{
    Wm__Key key = WM__KEY__INIT;

    key.run = binary(run, WM_RUN_ID_SIZE);
    key.phase = (uint32_t)phase;
    key.round = round;
    key.model = binary(model->bytes, WM_DIGEST_SIZE);
    return key;
}

static wm_status ask(wm_conversation *self, Wm__Envelope *request, Wm__Envelope__BodyCase want, int64_t hold_ms,
                     Wm__Envelope **answer, int64_t *come_back_ms, wm_error *err)
{
    wm_status st;

    request->version = 1;
    st = self->set.link->ask(self->set.link, request, hold_ms + ANSWER_MS, answer, come_back_ms, err);
    if (st == WM_OK && (*answer)->body_case != want) {
        wm_link_free_answer(*answer);
        return wm_fail(err, WM_E_MALFORMED, "the server's answer is of a kind that was not asked for (%d)",
                       (int)(*answer)->body_case);
    }
    return st;
}

/* ---- checking in ---- */

static wm_status check_in(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope        request = WM__ENVELOPE__INIT, *answer;
    Wm__CheckIn         check_in = WM__CHECK_IN__INIT;
    wm_examples_summary summary;
    wm_status           st;

    check_in.program = "wardmote-client " WM_VERSION;
    if (wm_desk_summary(self->set.desk, &summary))
        check_in.rows = summary.rows;
    request.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    request.check_in = &check_in;
    st = ask(self, &request, WM__ENVELOPE__BODY_WELCOME, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    wm_server_time_heard(self->set.time, (int64_t)answer->welcome->server_time_ms);
    wm_log_line(self->set.log, WM_LOG_INFO, "server", "connected",
                WM_TEXT_FIELD("program", answer->welcome->program));
    wm_link_free_answer(answer);
    self->checked_in = self->set.link->connection(self->set.link);
    return WM_OK;
}

/* ---- work that comes ---- */

static bool digest_field(const ProtobufCBinaryData *field, wm_digest *ret)
{
    if (field->len != WM_DIGEST_SIZE)
        return false;
    memcpy(ret->bytes, field->data, WM_DIGEST_SIZE);
    return true;
}

/* Reads an offer; WM_E_MALFORMED names what does not hold. */
static wm_status read_offer(const Wm__Work *work, wm_task *task, uint8_t run[WM_RUN_ID_SIZE], wm_digest *job,
                            wm_error *err)
{
    const Wm__Key *key = work->key;

    if (key == NULL || key->run.len != WM_RUN_ID_SIZE || key->phase < WM_PHASE_STATISTICS ||
        key->phase > WM_PHASE_FINAL)
        return wm_fail(err, WM_E_MALFORMED, "the server's offer does not say what it is for");
    *task = (wm_task){ .phase = (wm_phase)key->phase,
                       .round = key->round,
                       .attempt = work->attempt,
                       .left_ms = (int64_t)work->left_ms,
                       .baselines = work->baselines,
                       .passes = work->passes };
    memcpy(run, key->run.data, WM_RUN_ID_SIZE);
    if (!digest_field(&work->job, job) || work->job_bytes == 0 || work->job_bytes > JOB_BYTES_MAX)
        return wm_fail(err, WM_E_MALFORMED, "the server's offer names no job, or one that is too long");
    if (task->phase == WM_PHASE_STATISTICS)
        return WM_OK;
    if (!digest_field(&key->model, &task->model) || work->model_bytes == 0 || work->model_bytes % sizeof(float) != 0 ||
        work->model_bytes > MODEL_BYTES_MAX)
        return wm_fail(err, WM_E_MALFORMED, "the server's offer names no model, or one of an odd size");
    if (work->scaling.len > 0 && (!digest_field(&work->scaling, &task->scaling) || work->scaling_bytes == 0 ||
                                  work->scaling_bytes > SCALING_BYTES_MAX))
        return wm_fail(err, WM_E_MALFORMED, "the server's offer names a scaling of an odd size");
    return WM_OK;
}

static wm_status fetch_scaling(wm_conversation *self, const wm_task *task, uint64_t n, wm_order *order, wm_error *err)
{
    if (wm_digest_is_zero(&task->scaling))
        return WM_OK;
    if (!self->has_scaling || !wm_digest_equal(&self->scaling_name, &task->scaling)) {
        uint8_t  *bytes;
        wm_status st = self->set.link->fetch(self->set.link, &task->scaling, n, &bytes, err);

        if (st != WM_OK)
            return st;
        free(self->scaling);
        self->scaling = bytes;
        self->n_scaling = (size_t)n;
        self->scaling_name = task->scaling;
        self->has_scaling = true;
    }
    order->scaling = malloc(self->n_scaling);
    if (order->scaling == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the scaling");
    memcpy(order->scaling, self->scaling, self->n_scaling);
    order->n_scaling = self->n_scaling;
    return WM_OK;
}

/* Fetches what the task needs and is not here yet, and puts it on the desk. */
static wm_status take_on(wm_conversation *self, const Wm__Work *work, wm_error *err)
{
    wm_link  *link = self->set.link;
    wm_order  order = { 0 };
    uint8_t  *bytes;
    wm_status st = read_offer(work, &order.task, order.run, &order.job, err);

    if (st == WM_OK && !wm_desk_has_job(self->set.desk, &order.job, order.run)) {
        st = link->fetch(link, &order.job, work->job_bytes, &bytes, err);
        if (st == WM_OK) {
            order.text = (char *)bytes;
            order.n_text = (size_t)work->job_bytes;
        }
    }
    if (st == WM_OK && order.task.phase != WM_PHASE_STATISTICS) {
        st = link->fetch(link, &order.task.model, work->model_bytes, &bytes, err);
        if (st == WM_OK) {
            order.params = (float *)(void *)bytes; /* from malloc: aligned for anything */
            order.n_params = (size_t)work->model_bytes / sizeof(float);
            st = fetch_scaling(self, &order.task, work->scaling_bytes, &order, err);
        }
    }
    if (st == WM_OK)
        st = wm_pending_state(self->set.pending, order.run, &order.state, &order.n_state, err);
    if (st != WM_OK) {
        wm_order_release(&order);
        return st;
    }
    wm_log_line(self->set.log, WM_LOG_INFO, "round", "working", WM_TEXT_FIELD("phase", wm_phase_name(order.task.phase)),
                WM_INT_FIELD("round", order.task.round));
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

static wm_status send_decline(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope request = WM__ENVELOPE__INIT, *answer;
    Wm__Decline  decline = WM__DECLINE__INIT;
    Wm__Key      key = key_of(self->report.run, self->report.task.phase, self->report.task.round,
                              &self->report.task.model);
    wm_status    st;

    decline.key = &key;
    decline.reason = self->report.error.text;
    request.body_case = WM__ENVELOPE__BODY_DECLINE;
    request.decline = &decline;
    st = ask(self, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st == WM_OK)
        wm_link_free_answer(answer);
    return st;
}

static wm_status send_evaluation(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    const wm_work_result *result = &self->report.result;
    Wm__Envelope          request = WM__ENVELOPE__INIT, *answer;
    Wm__Report            report = WM__REPORT__INIT;
    Wm__Result            results[WM_CONTENDERS], *list[WM_CONTENDERS];
    Wm__Key               key = key_of(self->report.run, self->report.task.phase, self->report.task.round,
                                       &self->report.task.model);
    wm_status             st;

    report.key = &key;
    report.results = list;
    for (unsigned c = 0; c < WM_CONTENDERS; c++) {
        const wm_evaluation *e = &result->results[c];

        if ((result->present & 1u << c) == 0)
            continue;
        wm__result__init(&results[c]);
        results[c].contender = c;
        results[c].examples = e->examples;
        results[c].loss_sum = e->loss_sum;
        results[c].count = e->count;
        results[c].n_sums = WM_METRICS_MAX * WM_METRIC_SUMS_MAX;
        results[c].sums = (double *)(uintptr_t)&e->sums[0][0];
        list[report.n_results++] = &results[c];
    }
    request.body_case = WM__ENVELOPE__BODY_REPORT;
    request.report = &report;
    st = ask(self, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    if (answer->receipt->state == WM__RECEIPT__STATE__REFUSED)
        wm_log_line(self->set.log, WM_LOG_WARNING, "round", "the server refused the evaluation",
                    WM_INT_FIELD("round", self->report.task.round), WM_TEXT_FIELD("why", answer->receipt->reason));
    wm_link_free_answer(answer);
    return WM_OK;
}

static wm_status send_report(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    wm_status st = self->report.status == WM_OK ? send_evaluation(self, wait_ms, err)
                                                : send_decline(self, wait_ms, err);

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

static wm_status act_on_receipt(wm_conversation *self, const wm_held *held, const Wm__Receipt *receipt,
                                int64_t *wait_ms, wm_error *err)
{
    switch (receipt->state) {
    case WM__RECEIPT__STATE__LATER:
        *wait_ms = (int64_t)receipt->come_back_ms;
        return WM_OK;
    case WM__RECEIPT__STATE__ACCEPTED:
        wm_log_line(self->set.log, WM_LOG_INFO, "round", "update accepted", WM_INT_FIELD("round", held->round),
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
    Wm__Envelope request = WM__ENVELOPE__INIT, *answer, *last = NULL;
    Wm__Submit   submit = WM__SUBMIT__INIT;
    Wm__Key      key = key_of(held->run, held->phase, held->round, &held->model);
    wm_status    st;

    submit.key = &key;
    submit.digest = binary(held->digest.bytes, WM_DIGEST_SIZE);
    submit.size = held->n_bytes;
    submit.loss = held->loss;
    request.body_case = WM__ENVELOPE__BODY_SUBMIT;
    request.submit = &submit;
    st = ask(self, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    wm_server_time_heard(self->set.time, (int64_t)answer->receipt->server_time_ms);
    if (answer->receipt->state == WM__RECEIPT__STATE__SEND)
        st = self->set.link->put(self->set.link, &held->digest, held->bytes, held->n_bytes, answer->receipt, &last,
                                 err);
    if (st == WM_OK)
        st = act_on_receipt(self, held, last != NULL ? last->receipt : answer->receipt, wait_ms, err);
    if (last != NULL)
        wm_link_free_answer(last);
    wm_link_free_answer(answer);
    return st;
}

/* ---- a turn ---- */

/* The question, and the answer's word on what we hold and do; *work is the answer's, given back with it. */
static wm_status ask_for_work(wm_conversation *self, int64_t hold_ms, Wm__Envelope **answer, int64_t *wait_ms,
                              wm_error *err)
{
    Wm__Envelope request = WM__ENVELOPE__INIT;
    Wm__Ask      question = WM__ASK__INIT;
    Wm__Key      busy_key, held_key;
    wm_task      task;
    uint8_t      run[WM_RUN_ID_SIZE];
    wm_held      held;

    question.wait_ms = (uint64_t)hold_ms;
    if (wm_desk_busy(self->set.desk, &task, run)) {
        busy_key = key_of(run, task.phase, task.round, &task.model);
        question.busy_with = &busy_key;
    }
    if (wm_pending_held(self->set.pending, &held)) {
        held_key = key_of(held.run, held.phase, held.round, &held.model);
        question.held = &held_key;
        question.held_digest = binary(held.digest.bytes, WM_DIGEST_SIZE);
    }
    request.body_case = WM__ENVELOPE__BODY_ASK;
    request.ask = &question;
    return ask(self, &request, WM__ENVELOPE__BODY_WORK, hold_ms, answer, wait_ms, err);
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
        return take_on(self, work, err);
    if (work->kind == WM__WORK__KIND__NOTHING && !busy)
        *wait_ms = (int64_t)work->come_back_ms;
    return WM_OK;
}

wm_status wm_conversation_turn(wm_conversation *conversation, int64_t *wait_ms, wm_error *err)
{
    wm_conversation *self = conversation;
    Wm__Envelope    *answer;
    wm_task          task;
    uint8_t          run[WM_RUN_ID_SIZE];
    bool             busy;
    wm_status        st;

    *wait_ms = 0;
    /* While there is work the server hears from us now and then, without holding the question: so that the result
     * goes out at the moment that it is there. */
    st = clear_desk(self, self->set.beat_ms, err);
    if (st != WM_OK)
        return st;
    *wait_ms = -1;
    if (self->set.link->connection(self->set.link) != self->checked_in || self->checked_in == 0) {
        st = check_in(self, wait_ms, err);
        if (st != WM_OK)
            return st;
    }
    if (self->has_report) {
        st = send_report(self, wait_ms, err);
        if (st != WM_OK)
            return st;
    }
    busy = wm_desk_busy(self->set.desk, &task, run);
    st = ask_for_work(self, busy ? 0 : self->set.poll_ms, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    *wait_ms = 0;
    st = act_on_work(self, answer->work, wait_ms, err);
    wm_link_free_answer(answer);
    return st;
}
