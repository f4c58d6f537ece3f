/* server/fleets/remote_work.c
 *
 * What is said about work: who is there, what is to be done, what became of an evaluation, and that somebody will not. */
#include "server/fleets/remote_inside.h"

#include "server/store/audit.h"

#include <stdio.h>
#include <string.h>

enum {
    CLOSING_MS = 3000, /* a server that stops is back in about that time */
    CROWDED_MS = 4000, /* when a poll cannot be held */
    BETWEEN_MS = 1000, /* when there is no run at this moment */
};

int64_t wm_remote_check_in(wm_remote *remote, wm_inquiry *x)
{
    const Wm__CheckIn *in = x->question->check_in;

    wm_roster_checked_in(remote->settings.roster, x->peer->name, in->program, in->rows);
    wm_log_line(remote->settings.log, WM_LOG_INFO, "gateway", "checked in", WM_TEXT_FIELD("name", x->peer->name),
                WM_TEXT_FIELD("program", in->program),
                WM_INT_FIELD("rows", in->rows < INT64_MAX ? in->rows : INT64_MAX));
    wm__welcome__init(&x->body.welcome);
    snprintf(x->text, sizeof x->text, "wardmote-server %s", WM_VERSION);
    x->body.welcome.program = x->text;
    x->body.welcome.server_time_ms = (uint64_t)wm_wall_ms(&remote->settings.clock);
    x->answer.body_case = WM__ENVELOPE__BODY_WELCOME;
    x->answer.welcome = &x->body.welcome;
    return 0;
}

/* ---- the poll ---- */

static Wm__Work__Fate fate_of(wm_fate fate)
{
    switch (fate) {
    case WM_FATE_WANTED:
        return WM__WORK__FATE__WANTED;
    case WM_FATE_ACCEPTED:
        return WM__WORK__FATE__ACCEPTED;
    case WM_FATE_COMMITTED:
        return WM__WORK__FATE__COMMITTED;
    case WM_FATE_OVER:
    default:
        return WM__WORK__FATE__OVER;
    }
}

static ProtobufCBinaryData binary(uint8_t *bytes, size_t n)
{
    return (ProtobufCBinaryData){ .len = n, .data = bytes };
}

static void offer(wm_remote *remote, wm_inquiry *x, const wm_task *task)
{
    const wm_serving *serving = &remote->serving;
    Wm__Work         *work = &x->body.work;
    wm_audit_head     head;

    memcpy(x->run, serving->record->id, WM_RUN_ID_SIZE);
    x->model = task->model;
    x->scaling = task->scaling;
    x->job = serving->job_digest;
    wm__key__init(&x->key);
    x->key.run = binary(x->run, WM_RUN_ID_SIZE);
    x->key.phase = (uint32_t)task->phase;
    x->key.round = task->round;
    x->key.model = binary(x->model.bytes, WM_DIGEST_SIZE);
    work->kind = WM__WORK__KIND__TASK;
    work->key = &x->key;
    work->attempt = task->attempt;
    work->left_ms = (uint64_t)task->left_ms;
    work->job = binary(x->job.bytes, WM_DIGEST_SIZE);
    work->job_bytes = serving->job_bytes;
    if (task->phase != WM_PHASE_STATISTICS)
        work->model_bytes = serving->model_bytes;
    if (!wm_digest_is_zero(&task->scaling)) {
        work->scaling = binary(x->scaling.bytes, WM_DIGEST_SIZE);
        work->scaling_bytes = serving->scaling_bytes;
    }
    work->baselines = task->baselines;
    work->passes = task->passes;
    if (wm_store_audit_head(remote->settings.store, &head, NULL) == WM_OK) {
        x->audit = head.hash;
        work->audit_head = binary(x->audit.bytes, WM_DIGEST_SIZE);
        work->audit_lines = head.lines;
    }
}

static bool is_busy_with(const wm_remote *remote, const wm_task *task, wm_phase phase, const wm_update_key *busy)
{
    return wm_remote_is_served(remote, busy) && task->phase == phase && task->round == busy->round &&
           (phase == WM_PHASE_STATISTICS || wm_digest_equal(&task->model, &busy->model));
}

static uint64_t poll_again_ms(const wm_remote *remote, const wm_inquiry *x, int64_t wait_ms)
{
    if (atomic_load(&remote->closing))
        return CLOSING_MS;
    if (wait_ms > 0 && x->held_ms >= wait_ms / 2)
        return 0; /* it waited here: it may ask again at once, and be held again */
    return wm_remote_come_back(remote, x->peer->name, remote->serving.run != NULL ? CROWDED_MS : BETWEEN_MS);
}

int64_t wm_remote_ask(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Ask *ask = x->question->ask;
    Wm__Work      *work = &x->body.work;
    const char    *client = x->peer->name;
    int64_t wait_ms = ask->wait_ms < WM_POLL_MS_MAX ? (int64_t)ask->wait_ms : WM_POLL_MS_MAX, come_back_ms = 0;
    int64_t now = wm_wall_ms(&remote->settings.clock);
    wm_update_key busy = { 0 }, held;
    wm_phase      busy_phase = WM_PHASE_NONE, held_phase;
    wm_task       task;
    bool          has_task = false, same = false, news = false;

    if ((ask->busy_with != NULL && !wm_inquiry_key(ask->busy_with, &busy_phase, &busy)) ||
        (ask->held != NULL && !wm_inquiry_key(ask->held, &held_phase, &held))) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "the key of what the client does or holds is malformed");
        return 0;
    }
    wm_roster_busy(remote->settings.roster, client, busy_phase, busy.round,
                   ask->busy_done <= 1000 ? (uint32_t)ask->busy_done : 1000);
    wm__work__init(work);
    if (ask->held != NULL) {
        wm_fate fate = wm_remote_fate(remote, client, &held);

        work->held = fate_of(fate);
        if (fate == WM_FATE_OVER && wm_remote_is_served(remote, &held))
            wm_run_late(remote->serving.run, client, &held);
        news = fate != WM_FATE_ACCEPTED;
    }
    if (remote->serving.run != NULL && !atomic_load(&remote->closing))
        has_task = wm_run_ask(remote->serving.run, client, &task, &come_back_ms) == WM_ANSWER_TASK;
    if (busy_phase != WM_PHASE_NONE) {
        same = has_task && is_busy_with(remote, &task, busy_phase, &busy);
        work->abandon = !same && !atomic_load(&remote->closing);
        news = news || work->abandon;
    }
    /* Nothing that it does not know: the question is held. Who holds an update takes no task before that is settled. */
    if (!news && (!has_task || same || work->held == WM__WORK__FATE__ACCEPTED) && wait_ms > 0 && !x->last)
        return wait_ms;
    if (has_task)
        offer(remote, x, &task);
    else
        work->come_back_ms = news ? 0 : poll_again_ms(remote, x, wait_ms);
    work->server_time_ms = (uint64_t)now;
    work->renew = x->peer->not_after_ms - now < remote->settings.renew_ms;
    x->answer.body_case = WM__ENVELOPE__BODY_WORK;
    x->answer.work = work;
    return 0;
}

/* ---- evaluations, and refusals by the gateway ---- */

/* What came, as the run wants it; *why names what does not hold. */
static bool read_results(const wm_job *job, const Wm__Report *report, unsigned *present,
                         wm_evaluation results[WM_CONTENDERS], const char **why)
{
    wm_measures measures;

    wm_measures_of(job, NULL, &measures);
    *present = 0;
    memset(results, 0, WM_CONTENDERS * sizeof *results);
    if (report->n_results == 0 || report->n_results > WM_CONTENDERS) {
        *why = "an evaluation has one result for each of at most five contenders";
        return false;
    }
    for (size_t i = 0; i < report->n_results; i++) {
        const Wm__Result *from = report->results[i];
        wm_evaluation    *to;

        if (from->contender >= WM_CONTENDERS || (*present & 1u << from->contender) != 0) {
            *why = "an evaluation names an unknown contender, or one twice";
            return false;
        }
        if (from->n_sums != measures.n_sums) {
            *why = "an evaluation has a wrong number of sums";
            return false;
        }
        to = &results[from->contender];
        to->examples = from->examples;
        to->loss_sum = from->loss_sum;
        to->count = from->count;
        for (size_t k = 0; k < from->n_sums; k++)
            to->sums[k] = from->sums[k];
        *present |= 1u << from->contender;
    }
    return true;
}

int64_t wm_remote_report(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Report *report = x->question->report;
    const char       *client = x->peer->name, *why = NULL;
    int64_t           now = wm_wall_ms(&remote->settings.clock);
    wm_evaluation     results[WM_CONTENDERS];
    unsigned          present;
    wm_update_key     key;
    wm_phase          phase;
    wm_verdict        verdict;
    wm_error          err = { 0 };

    if (!wm_inquiry_key(report->key, &phase, &key) || (phase != WM_PHASE_EVALUATE && phase != WM_PHASE_FINAL)) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "the key of the evaluation is malformed");
        return 0;
    }
    if (!wm_remote_is_served(remote, &key)) {
        wm_inquiry_receipt(x, WM__RECEIPT__STATE__OVER, 0, NULL, now);
        return 0;
    }
    if (!read_results(remote->serving.job, report, &present, results, &why)) {
        wm_run_refuse(remote->serving.run, client, why);
        wm_remote_refused(remote, client, why);
        wm_inquiry_receipt(x, WM__RECEIPT__STATE__REFUSED, 0, why, now);
        return 0;
    }
    verdict = wm_run_report(remote->serving.run, client, phase, key.round, present, results, &err);
    if (verdict == WM_VERDICT_REFUSED)
        wm_remote_refused(remote, client, err.text);
    wm_inquiry_receipt(x,
                       verdict == WM_VERDICT_ACCEPTED  ? WM__RECEIPT__STATE__ACCEPTED
                       : verdict == WM_VERDICT_REFUSED ? WM__RECEIPT__STATE__REFUSED
                                                       : WM__RECEIPT__STATE__OVER,
                       0, verdict == WM_VERDICT_REFUSED ? err.text : NULL, now);
    return 0;
}

int64_t wm_remote_decline(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Decline *decline = x->question->decline;
    char               reason[WM_REASON_TEXT];
    wm_update_key      key;
    wm_phase           phase;

    if (!wm_inquiry_key(decline->key, &phase, &key)) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "the key of what is declined is malformed");
        return 0;
    }
    snprintf(reason, sizeof reason, "%s", decline->reason[0] != '\0' ? decline->reason : "no reason was given");
    if (wm_remote_is_served(remote, &key))
        wm_run_decline(remote->serving.run, x->peer->name, phase, key.round, reason);
    wm_remote_refused(remote, x->peer->name, reason);
    wm_inquiry_receipt(x, WM__RECEIPT__STATE__OVER, 0, NULL, wm_wall_ms(&remote->settings.clock));
    return 0;
}

int64_t wm_remote_sign_off(wm_remote *remote, wm_inquiry *x)
{
    const char *client = x->peer->name, *reason = x->question->sign_off->reason;

    wm_log_line(remote->settings.log, WM_LOG_INFO, "gateway", "signed off", WM_TEXT_FIELD("name", client),
                WM_TEXT_FIELD("reason", reason[0] != '\0' ? reason : "no reason was given"));
    wm_roster_left(remote->settings.roster, client, true);
    if (remote->serving.run != NULL)
        wm_run_away(remote->serving.run, client);
    wm_inquiry_receipt(x, WM__RECEIPT__STATE__OVER, 0, NULL, wm_wall_ms(&remote->settings.clock));
    return 0;
}
