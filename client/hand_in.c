/* client/hand_in.c */
#include "client/hand_in.h"

#include "common/crash.h"
#include "common/wire/envelope.h"

#include <stdio.h>
#include <string.h>

enum {
    ANSWER_MS = 15 * 1000, /* beyond the time that the server may hold the question */
    COME_BACK_MS_MAX = 10 * 60 * 1000,
};

int64_t wm_come_back(uint64_t come_back_ms)
{
    return come_back_ms < COME_BACK_MS_MAX ? (int64_t)come_back_ms : COME_BACK_MS_MAX;
}

wm_status wm_line_ask(const wm_lines *lines, const Wm__Envelope *request, Wm__Envelope__BodyCase want,
                      int64_t hold_ms, Wm__Envelope **answer, int64_t *wait_ms, wm_error *err)
{
    uint64_t  come_back_ms = 0;
    wm_status st =
        lines->control->ask(lines->control, request, (int)hold_ms + ANSWER_MS, answer, &come_back_ms, err);

    if (st != WM_OK) {
        *wait_ms = wm_come_back(come_back_ms);
        return st;
    }
    if ((*answer)->body_case != want) {
        wm_envelope_free(*answer);
        return wm_fail(err, WM_E_MALFORMED, "the server's answer is of a kind that was not asked for (%d)",
                       (int)(*answer)->body_case);
    }
    return WM_OK;
}

Wm__Key wm_key_message(const uint8_t *run, wm_phase phase, uint32_t round, const wm_digest *model)
{
    Wm__Key key = WM__KEY__INIT;

    key.run = wm_bytes_field(run, WM_RUN_ID_SIZE);
    key.phase = (uint32_t)phase;
    key.round = round;
    key.model = wm_bytes_field(model->bytes, WM_DIGEST_SIZE);
    return key;
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

wm_status wm_hand_in(const wm_lines *lines, const wm_held *held, wm_receipt *ret, int64_t *wait_ms, wm_error *err)
{
    Wm__Envelope request = wm_envelope(), *answer;
    Wm__Submit   message = WM__SUBMIT__INIT;
    Wm__Key      key = wm_key_message(held->run, held->phase, held->round, &held->model);
    wm_receipt   receipt;
    wm_status    st;

    message.key = &key;
    message.digest = wm_bytes_field(held->digest.bytes, WM_DIGEST_SIZE);
    message.size = held->n_bytes;
    message.loss = held->loss;
    request.body_case = WM__ENVELOPE__BODY_SUBMIT;
    request.submit = &message;
    st = wm_line_ask(lines, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    receipt = receipt_of(answer->receipt);
    if (receipt.state == WM__RECEIPT__STATE__SEND) {
        wm_crash_point("client-upload-before");
        st = wm_upload_run(&held->digest, held->bytes, held->n_bytes, answer->receipt, lines->bulk, &lines->clock,
                           &receipt, err);
        wm_crash_point("client-upload-after");
    }
    wm_envelope_free(answer);
    if (st != WM_OK)
        return st;
    *ret = receipt;
    return WM_OK;
}

static wm_status send_decline(const wm_lines *lines, const wm_outcome_of_work *outcome, int64_t *wait_ms,
                              wm_error *err)
{
    Wm__Envelope request = wm_envelope(), *answer;
    Wm__Decline  decline = WM__DECLINE__INIT;
    Wm__Key      key = wm_key_message(outcome->run, outcome->task.phase, outcome->task.round, &outcome->task.model);
    wm_status    st;

    decline.key = &key;
    decline.reason = (char *)(uintptr_t)outcome->error.text;
    request.body_case = WM__ENVELOPE__BODY_DECLINE;
    request.decline = &decline;
    st = wm_line_ask(lines, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st == WM_OK)
        wm_envelope_free(answer);
    return st;
}

static wm_status send_evaluation(const wm_lines *lines, const wm_outcome_of_work *outcome, wm_log *log,
                                 int64_t *wait_ms, wm_error *err)
{
    const wm_work_result *result = &outcome->result;
    Wm__Envelope          request = wm_envelope(), *answer;
    Wm__Report            report = WM__REPORT__INIT;
    Wm__Result            results[WM_CONTENDERS], *list[WM_CONTENDERS];
    Wm__Key   key = wm_key_message(outcome->run, outcome->task.phase, outcome->task.round, &outcome->task.model);
    wm_status st;

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
        results[c].n_sums = result->n_sums;
        results[c].sums = (double *)(uintptr_t)e->sums;
        list[report.n_results++] = &results[c];
    }
    request.body_case = WM__ENVELOPE__BODY_REPORT;
    request.report = &report;
    st = wm_line_ask(lines, &request, WM__ENVELOPE__BODY_RECEIPT, 0, &answer, wait_ms, err);
    if (st != WM_OK)
        return st;
    if (answer->receipt->state == WM__RECEIPT__STATE__REFUSED)
        wm_log_line(log, WM_LOG_WARNING, "round", "the server refused the evaluation",
                    WM_INT_FIELD("round", outcome->task.round), WM_TEXT_FIELD("why", answer->receipt->reason));
    wm_envelope_free(answer);
    return WM_OK;
}

wm_status wm_hand_in_outcome(const wm_lines *lines, const wm_outcome_of_work *outcome, wm_log *log,
                             int64_t *wait_ms, wm_error *err)
{
    return outcome->status == WM_OK ? send_evaluation(lines, outcome, log, wait_ms, err)
                                    : send_decline(lines, outcome, wait_ms, err);
}
