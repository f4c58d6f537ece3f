/* client/conversation.c */
#include "client/conversation.h"

#include "common/crash.h"
#include "common/wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 15 * 1000,          /* beyond the time that the server may hold the question */
    SCALING_BYTES_MAX = 1 << 20,
};

/* The largest model that is fetched; the policy's own limit is looked at once the job is known. */
static const uint64_t MODEL_BYTES_MAX = (uint64_t)4 << 30;

struct wm_conversation {
    wm_conversation_settings set;
    bool                     checked_in;  /* since the last failure */
    wm_download             *download;    /* one that was cut, to be gone on with; NULL for none */
    wm_digest                downloading; /* its name */
    int64_t                  bulk_ms;
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
    self->bulk_ms = -1;
    *ret = self;
    return WM_OK;
}

void wm_conversation_free(wm_conversation *conversation)
{
    if (conversation == NULL)
        return;
    if (conversation->has_report)
        wm_outcome_of_work_release(&conversation->report);
    wm_download_free(conversation->download);
    free(conversation->scaling);
    free(conversation);
}

/* A key that borrows run and model. */
static Wm__Key key_of(const uint8_t *run, wm_phase phase, uint32_t round, const wm_digest *model)
{
    Wm__Key key = WM__KEY__INIT;

    key.run = wm_bytes_field(run, WM_RUN_ID_SIZE);
    key.phase = (uint32_t)phase;
    key.round = round;
    key.model = wm_bytes_field(model->bytes, WM_DIGEST_SIZE);
    return key;
}

static wm_status ask(wm_conversation *self, const Wm__Envelope *request, Wm__Envelope__BodyCase want, int64_t hold_ms,
                     Wm__Envelope **answer, int64_t *wait_ms, wm_error *err)
{
    uint64_t  come_back_ms = 0;
    wm_status st = self->set.control->ask(self->set.control, request, (int)hold_ms + ANSWER_MS, answer, &come_back_ms,
                                          err);

    if (st != WM_OK) {
        *wait_ms = (int64_t)come_back_ms;
        return st;
    }
    if ((*answer)->body_case != want) {
        wm_envelope_free(*answer);
        return wm_fail(err, WM_E_MALFORMED, "the server's answer is of a kind that was not asked for (%d)",
                       (int)(*answer)->body_case);
    }
    return WM_OK;
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
    st = ask(self, &request, WM__ENVELOPE__BODY_WELCOME, 0, &answer, wait_ms, err);
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

/* Reads an offer; WM_E_MALFORMED names what does not hold. */
static wm_status read_offer(const Wm__Work *work, wm_task *task, uint8_t run[WM_RUN_ID_SIZE], wm_digest *job,
                            wm_error *err)
{
    const Wm__Key *key = work->key;
    wm_status      st;

    if (key == NULL || key->phase < WM_PHASE_STATISTICS || key->phase > WM_PHASE_FINAL)
        return wm_fail(err, WM_E_MALFORMED, "the server's offer does not say what it is for");
    *task = (wm_task){ .phase = (wm_phase)key->phase,
                       .round = key->round,
                       .attempt = work->attempt,
                       .left_ms = (int64_t)work->left_ms,
                       .baselines = work->baselines,
                       .passes = work->passes };
    if ((st = wm_field_run(&key->run, "the offer's run", run, err)) != WM_OK ||
        (st = wm_field_digest(&work->job, "the offer's job", job, err)) != WM_OK ||
        (st = wm_field_digest_or_none(&key->model, "the offer's model", &task->model, err)) != WM_OK ||
        (st = wm_field_digest_or_none(&work->scaling, "the offer's scaling", &task->scaling, err)) != WM_OK)
        return st;
    if (task->phase != WM_PHASE_STATISTICS &&
        (wm_digest_is_zero(&task->model) || work->model_bytes % sizeof(float) != 0))
        return wm_fail(err, WM_E_MALFORMED, "the server's offer names no model, or one of an odd size");
    return WM_OK;
}

/* The blob of that name, n bytes; *ret is the caller's to free(). A fetch that was cut goes on where it was. */
static wm_status fetch(wm_conversation *self, const wm_digest *name, uint64_t n, uint64_t limit, uint8_t **ret,
                       int64_t *wait_ms, wm_error *err)
{
    uint64_t  come_back_ms = 0;
    size_t    size;
    wm_status st;

    if (self->download != NULL && !wm_digest_equal(&self->downloading, name)) {
        wm_download_free(self->download);
        self->download = NULL;
    }
    if (self->download == NULL) {
        st = wm_download_new(name, n, limit, &self->download, err);
        if (st != WM_OK)
            return st;
        self->downloading = *name;
    }
    st = wm_download_run(self->download, self->set.bulk, &self->set.clock, &come_back_ms, err);
    self->bulk_ms = wm_mono_ms(&self->set.clock);
    if (st != WM_OK) {
        *wait_ms = (int64_t)come_back_ms;
        return st;
    }
    *ret = wm_download_take(self->download, &size);
    wm_download_free(self->download);
    self->download = NULL;
    return WM_OK;
}

static wm_status fetch_scaling(wm_conversation *self, const wm_task *task, uint64_t n, wm_order *order,
                               int64_t *wait_ms, wm_error *err)
{
    if (wm_digest_is_zero(&task->scaling))
        return WM_OK;
    if (!self->has_scaling || !wm_digest_equal(&self->scaling_name, &task->scaling)) {
        uint8_t  *bytes;
        wm_status st = fetch(self, &task->scaling, n, SCALING_BYTES_MAX, &bytes, wait_ms, err);

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
static wm_status take_on(wm_conversation *self, const Wm__Work *work, int64_t *wait_ms, wm_error *err)
{
    wm_order  order = { 0 };
    uint8_t  *bytes;
    wm_status st = read_offer(work, &order.task, order.run, &order.job, err);

    if (st == WM_OK && !wm_desk_has_job(self->set.desk, &order.job, order.run)) {
        st = fetch(self, &order.job, work->job_bytes, WM_JOB_TEXT_MAX, &bytes, wait_ms, err);
        if (st == WM_OK) {
            order.text = (char *)bytes;
            order.n_text = (size_t)work->job_bytes;
        }
    }
    if (st == WM_OK && order.task.phase != WM_PHASE_STATISTICS) {
        st = fetch(self, &order.task.model, work->model_bytes, MODEL_BYTES_MAX, &bytes, wait_ms, err);
        if (st == WM_OK) {
            order.params = (float *)(void *)bytes; /* from malloc: aligned for anything */
            order.n_params = (size_t)work->model_bytes / sizeof(float);
            st = fetch_scaling(self, &order.task, work->scaling_bytes, &order, wait_ms, err);
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
    Wm__Envelope request = wm_envelope(), *answer;
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
        wm_envelope_free(answer);
    return st;
}

static wm_status send_evaluation(wm_conversation *self, int64_t *wait_ms, wm_error *err)
{
    const wm_work_result *result = &self->report.result;
    Wm__Envelope          request = wm_envelope(), *answer;
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
    wm_envelope_free(answer);
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

/* The first receipt as the record that the upload would end with. */
static wm_receipt receipt_of(const Wm__Receipt *message)
{
    wm_receipt receipt = { .state = message->state,
                           .come_back_ms = message->come_back_ms,
                           .server_time_ms = message->server_time_ms };

    snprintf(receipt.reason, sizeof receipt.reason, "%s", message->reason);
    return receipt;
}

static wm_status submit(wm_conversation *self, const wm_held *held, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope request = wm_envelope(), *answer;
    Wm__Submit   message = WM__SUBMIT__INIT;
    Wm__Key      key = key_of(held->run, held->phase, held->round, &held->model);
    wm_receipt   receipt;
    wm_status    st;

    message.key = &key;
    message.digest = wm_bytes_field(held->digest.bytes, WM_DIGEST_SIZE);
    message.size = held->n_bytes;
    message.loss = held->loss;
    request.body_case = WM__ENVELOPE__BODY_SUBMIT;
    request.submit = &message;
    st = ask(self, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    receipt = receipt_of(answer->receipt);
    if (receipt.state == WM__RECEIPT__STATE__SEND) {
        wm_crash_point("client-upload-before");
        st = wm_upload_run(&held->digest, held->bytes, held->n_bytes, answer->receipt, self->set.bulk,
                           &self->set.clock, &receipt, err);
        self->bulk_ms = wm_mono_ms(&self->set.clock);
        wm_crash_point("client-upload-after");
    }
    wm_envelope_free(answer);
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
        question.held_digest = wm_bytes_field(held.digest.bytes, WM_DIGEST_SIZE);
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
        return take_on(self, work, wait_ms, err);
    if (work->kind == WM__WORK__KIND__NOTHING && !busy)
        *wait_ms = (int64_t)work->come_back_ms;
    return WM_OK;
}

int64_t wm_conversation_bulk_ms(const wm_conversation *conversation)
{
    return conversation->bulk_ms;
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
