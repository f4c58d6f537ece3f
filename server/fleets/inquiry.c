/* server/fleets/inquiry.c */
#include "server/fleets/inquiry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wm_inquiry_init(wm_inquiry *x, const wm_peer *peer, const Wm__Envelope *question, int64_t held_ms, bool last)
{
    x->peer = peer;
    x->question = question;
    x->held_ms = held_ms;
    x->last = last;
    x->bytes = NULL;
    x->streams = false;
    x->issued = NULL;
    x->text[0] = '\0';
    x->answer = wm_envelope();
}

void wm_inquiry_release(wm_inquiry *x)
{
    free(x->bytes);
    x->bytes = NULL;
    wm__issued__free_unpacked(x->issued, NULL);
    x->issued = NULL;
}

void wm_inquiry_fault(wm_inquiry *x, wm_status status, uint64_t come_back_ms, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(x->text, sizeof x->text, fmt, args);
    va_end(args);
    wm__fault__init(&x->body.fault);
    x->body.fault.code = (uint32_t)status;
    x->body.fault.text = x->text;
    x->body.fault.come_back_ms = come_back_ms;
    x->answer.body_case = WM__ENVELOPE__BODY_FAULT;
    x->answer.fault = &x->body.fault;
}

void wm_inquiry_receipt(wm_inquiry *x, Wm__Receipt__State state, uint64_t come_back_ms, const char *reason,
                        int64_t wall_ms)
{
    wm__receipt__init(&x->body.receipt);
    x->body.receipt.state = state;
    x->body.receipt.come_back_ms = come_back_ms;
    x->body.receipt.server_time_ms = (uint64_t)wall_ms;
    if (reason != NULL) {
        snprintf(x->text, sizeof x->text, "%s", reason);
        x->body.receipt.reason = x->text;
    }
    x->answer.body_case = WM__ENVELOPE__BODY_RECEIPT;
    x->answer.receipt = &x->body.receipt;
}

bool wm_inquiry_digest(const ProtobufCBinaryData *field, wm_digest *ret)
{
    if (field->len != WM_DIGEST_SIZE)
        return false;
    memcpy(ret->bytes, field->data, WM_DIGEST_SIZE);
    return true;
}

bool wm_inquiry_key(const Wm__Key *key, wm_phase *phase, wm_update_key *ret)
{
    wm_update_key found = { 0 };

    if (key == NULL || key->run.len != WM_RUN_ID_SIZE || key->phase < WM_PHASE_STATISTICS ||
        key->phase > WM_PHASE_FINAL)
        return false;
    /* The statistics start from no model: its digest is zero, or left out. */
    if (!wm_inquiry_digest(&key->model, &found.model) &&
        !(key->phase == WM_PHASE_STATISTICS && key->model.len == 0))
        return false;
    memcpy(found.run, key->run.data, WM_RUN_ID_SIZE);
    found.kind = key->phase == WM_PHASE_STATISTICS ? WM_TASK_STATISTICS
                 : key->phase == WM_PHASE_TRAIN    ? WM_TASK_TRAIN
                                                   : WM_TASK_EVALUATE;
    found.round = key->round;
    *phase = (wm_phase)key->phase;
    *ret = found;
    return true;
}
