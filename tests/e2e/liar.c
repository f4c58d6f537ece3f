/* tests/e2e/liar.c */
#include "tests/e2e/liar.h"

enum { ANSWER_MS = 30 * 1000, HOLD_MS = 2000 };

wm_caller *liar_dial(liar *l, int port, size_t reply_max)
{
    char        url[64];
    const char *urls[] = { url };
    wm_caller  *caller;
    wm_error    err;

    snprintf(url, sizeof url, "tls+tcp://localhost:%d", port);
    assert_ok(
        wm_caller_new(&(wm_caller_settings){ .urls = urls, .n_urls = 1, .tls = l->tls, .reply_max = reply_max },
                      &caller, &err),
        &err);
    return caller;
}

void liar_open(liar *l, office *o, size_t k)
{
    char     folder[4300];
    wm_error err;

    *l = (liar){ .o = o, .gateway = k };
    office_gateway_folder(o, k, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &l->identity, &err), &err);
    assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT,
                                             .chain = l->identity.chain,
                                             .key = l->identity.key,
                                             .root = l->identity.root },
                         &l->tls, &err),
              &err);
    l->control = liar_dial(l, o->ports[OFFICE_CONTROL], WM_CONTROL_BYTES_MAX);
    l->bulk = liar_dial(l, o->ports[OFFICE_BULK], WM_BULK_BYTES_MAX);
    l->bulk_line = wm_exchange_over(l->bulk, WM_BULK_BYTES_MAX);
}

void liar_close(liar *l)
{
    wm_caller_free(l->control);
    wm_caller_free(l->bulk);
    wm_tls_free(l->tls);
    wm_identity_release(&l->identity);
}

Wm__Envelope *liar_ask(liar *l, Wm__Envelope *question, Wm__Envelope__BodyCase want)
{
    Wm__Envelope *answer;
    uint64_t      come_back_ms;
    wm_error      err;

    if (wm_ask(l->control, WM_CONTROL_BYTES_MAX, question, ANSWER_MS, &answer, &come_back_ms, &err) != WM_OK)
        office_fail(l->o, "the bad gateway gets no answer: %s", err.text);
    assert_int_equal(answer->body_case, want);
    return answer;
}

void liar_check_in(liar *l)
{
    Wm__Envelope question = wm_envelope();
    Wm__CheckIn  message = WM__CHECK_IN__INIT;

    message.program = (char *)(uintptr_t) "liar";
    question.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    question.check_in = &message;
    wm_envelope_free(liar_ask(l, &question, WM__ENVELOPE__BODY_WELCOME));
}

Wm__Envelope *liar_poll(liar *l)
{
    Wm__Envelope question = wm_envelope();
    Wm__Ask      message = WM__ASK__INIT;

    message.wait_ms = HOLD_MS;
    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &message;
    return liar_ask(l, &question, WM__ENVELOPE__BODY_WORK);
}

Wm__Envelope *liar_await(liar *l, wm_phase phase)
{
    int64_t end = office_now_ms() + OFFICE_DEADLINE_MS;

    for (;;) {
        Wm__Envelope *answer = liar_poll(l);

        if (answer->work->kind == WM__WORK__KIND__TASK && answer->work->key->phase == (uint32_t)phase)
            return answer;
        if (answer->work->kind == WM__WORK__KIND__TASK)
            liar_decline(l, answer->work, "it waits for another phase");
        wm_envelope_free(answer);
        if (office_now_ms() > end)
            office_fail(l->o, "the bad gateway waits in vain for %s", wm_phase_name(phase));
    }
}

void liar_decline(liar *l, const Wm__Work *work, const char *reason)
{
    Wm__Envelope question = wm_envelope();
    Wm__Decline  message = WM__DECLINE__INIT;

    message.key = work->key;
    message.reason = (char *)(uintptr_t)reason;
    question.body_case = WM__ENVELOPE__BODY_DECLINE;
    question.decline = &message;
    wm_envelope_free(liar_ask(l, &question, WM__ENVELOPE__BODY_RECEIPT));
}

void liar_sign_off(liar *l)
{
    Wm__Envelope question = wm_envelope();
    Wm__SignOff  message = WM__SIGN_OFF__INIT;

    message.reason = (char *)(uintptr_t) "it has had its fun";
    question.body_case = WM__ENVELOPE__BODY_SIGN_OFF;
    question.sign_off = &message;
    wm_envelope_free(liar_ask(l, &question, WM__ENVELOPE__BODY_RECEIPT));
}

/* Its size is that of the model's parameters and a loss. */
wm_update liar_update(const Wm__Work *work)
{
    wm_update_spec spec = { .n_parts = 2 };
    wm_update_key  key = { .kind = WM_TASK_TRAIN, .round = work->key->round };
    wm_update      update;
    wm_error       err;

    spec.parts[0] = (wm_part_spec){ .kind = WM_PART_F32, .n = work->model_bytes / sizeof(float) };
    spec.parts[1] = (wm_part_spec){ .kind = WM_PART_F32, .n = 1 };
    assert_int_equal(work->key->run.len, WM_RUN_ID_SIZE);
    assert_int_equal(work->key->model.len, WM_DIGEST_SIZE);
    memcpy(key.run, work->key->run.data, WM_RUN_ID_SIZE);
    memcpy(key.model.bytes, work->key->model.data, WM_DIGEST_SIZE);
    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    update.weight = 1;
    wm_update_seal(&update, &spec);
    return update;
}

wm_receipt liar_announce(liar *l, const Wm__Work *work, const wm_digest *digest, uint64_t size,
                         const uint8_t *bytes, size_t n)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Submit   message = WM__SUBMIT__INIT;
    wm_clock     clock = wm_clock_system();
    wm_receipt   receipt = { 0 };
    wm_error     err;

    message.key = work->key;
    message.digest = wm_bytes_field(digest->bytes, WM_DIGEST_SIZE);
    message.size = size;
    question.body_case = WM__ENVELOPE__BODY_SUBMIT;
    question.submit = &message;
    answer = liar_ask(l, &question, WM__ENVELOPE__BODY_RECEIPT);
    if (answer->receipt->state != WM__RECEIPT__STATE__SEND) {
        receipt.state = answer->receipt->state;
        snprintf(receipt.reason, sizeof receipt.reason, "%s", answer->receipt->reason);
    } else if (wm_upload_run(digest, bytes, n, answer->receipt, &l->bulk_line, &clock, &receipt, &err) != WM_OK) {
        office_fail(l->o, "the bad gateway's update is not taken: %s", err.text);
    }
    wm_envelope_free(answer);
    return receipt;
}

wm_receipt liar_submit(liar *l, const Wm__Work *work, const wm_update *update)
{
    wm_digest digest = wm_sha256_of(update->bytes, update->n_bytes);

    return liar_announce(l, work, &digest, update->n_bytes, update->bytes, update->n_bytes);
}
