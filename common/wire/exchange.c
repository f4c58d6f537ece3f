/* common/wire/exchange.c */
#include "common/wire/exchange.h"

#include <stdlib.h>

wm_status wm_ask(wm_caller *caller, size_t limit, const Wm__Envelope *question, int timeout_ms,
                 Wm__Envelope **answer, uint64_t *come_back_ms, wm_error *err)
{
    const ProtobufCBinaryData *left_out = wm_bytes_left_out(question);
    size_t                     n_left_out = left_out != NULL ? left_out->len : 0;
    size_t                     n = wm_envelope_size(question) - n_left_out, n_reply = 0;
    uint8_t                   *head = malloc(n + 1), *reply = NULL; /* never of 0 bytes */
    Wm__Envelope              *envelope = NULL;
    wm_status                  st;

    *come_back_ms = 0;
    if (head == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a question of %zu bytes", n);
    if (left_out != NULL)
        wm_envelope_pack_head(question, head);
    else
        wm_envelope_pack(question, head);
    if ((st = wm_caller_call_with(caller, head, n, left_out != NULL ? left_out->data : NULL, n_left_out, timeout_ms,
                                  &reply, &n_reply, err)) != WM_OK)
        goto out;
    if ((st = wm_envelope_unpack(reply, n_reply, limit, &envelope, err)) != WM_OK) {
        wm_error_prefix(err, "%s", wm_caller_url(caller));
        goto out;
    }
    if (envelope->body_case == WM__ENVELOPE__BODY_FAULT) {
        *come_back_ms = envelope->fault->come_back_ms;
        st = wm_fault_status(envelope->fault, err);
        goto out;
    }
    *answer = envelope;
    envelope = NULL;
out:
    wm_envelope_free(envelope);
    free(reply);
    free(head);
    return st;
}

static wm_status ask_caller(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                            uint64_t *come_back_ms, wm_error *err)
{
    return wm_ask(self->state, self->limit, question, timeout_ms, answer, come_back_ms, err);
}

wm_exchange wm_exchange_over(wm_caller *caller, size_t limit)
{
    return (wm_exchange){ .ask = ask_caller, .state = caller, .limit = limit };
}

void wm_request_answer(wm_request *request, const Wm__Envelope *answer)
{
    uint8_t *room = wm_request_room(request, wm_envelope_size(answer));

    if (room == NULL) {
        wm_request_drop(request);
        return;
    }
    wm_envelope_pack(answer, room);
    wm_request_send(request);
}

void wm_request_answer_range(wm_request *request, const Wm__Envelope *answer, const wm_source *source)
{
    const Wm__Range *range = answer->range;
    uint8_t         *room = wm_request_room(request, wm_envelope_size(answer) - range->bytes.len);

    if (room == NULL) {
        source->close(source->state);
        wm_request_drop(request);
        return;
    }
    wm_envelope_pack_head(answer, room);
    wm_request_send_with(request, source, range->offset, range->bytes.len);
}

void wm_request_fault(wm_request *request, wm_status status, const char *text, uint64_t come_back_ms)
{
    wm_fault fault;

    wm_fault_init(&fault, status, text, come_back_ms);
    wm_request_answer(request, &fault.envelope);
}

static wm_status refuse(wm_request *request, const wm_error *why, wm_error *err)
{
    wm_request_fault(request, why->status, why->text, 0);
    return wm_fail(err, why->status, "%s", why->text);
}

wm_status wm_request_question(wm_request *request, size_t limit, Wm__Envelope **ret, wm_error *err)
{
    size_t         n;
    const uint8_t *bytes = wm_request_bytes(request, &n);
    wm_error       why;
    wm_status      st = wm_envelope_unpack(bytes, n, limit, ret, &why);

    return st == WM_OK ? WM_OK : refuse(request, &why, err);
}

wm_status wm_request_view(wm_request *request, size_t limit, wm_view *ret, wm_error *err)
{
    size_t         n;
    const uint8_t *bytes = wm_request_bytes(request, &n);
    wm_error       why;
    wm_status      st = wm_view_open(bytes, n, limit, ret, &why);

    return st == WM_OK ? WM_OK : refuse(request, &why, err);
}
