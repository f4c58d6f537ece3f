/* tests/torture/wire.c
 *
 * A listener and its callers, over a UNIX socket. The failure may hit either end, on any thread. Whatever it hits: that
 * request or that connection is lost, somebody says so, and the next call is answered. */
#include "common/wire/exchange.h"
#include "tests/torture/scenario.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 4, TIMEOUT_MS = 5000 };

static void echo(void *context, wm_request *request)
{
    Wm__Envelope *question, answer = wm_envelope();
    Wm__Welcome   welcome = WM__WELCOME__INIT;

    (void)context;
    if (wm_request_question(request, WM_CONTROL_BYTES_MAX, &question, NULL) != WM_OK)
        return;
    welcome.come_back_ms = question->ask->wait_ms;
    answer.body_case = WM__ENVELOPE__BODY_WELCOME;
    answer.welcome = &welcome;
    wm_request_answer(request, &answer);
    wm_envelope_free(question);
}

static wm_status call(wm_caller *caller, wm_error *err)
{
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    Wm__Ask      ask = WM__ASK__INIT;
    uint64_t     come_back_ms;
    wm_status    st;

    ask.wait_ms = 77;
    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &ask;
    st = wm_ask(caller, WM_CONTROL_BYTES_MAX, &question, TIMEOUT_MS, &answer, &come_back_ms, err);
    if (st == WM_OK && (answer->body_case != WM__ENVELOPE__BODY_WELCOME || answer->welcome->come_back_ms != 77))
        st = wm_fail(err, WM_E_DAMAGED, "a wrong answer");
    wm_envelope_free(answer);
    return st;
}

static wm_status calls_are_answered(const char *folder, wm_error *err)
{
    char                 url[4300];
    wm_listener_settings settings = {
        .url = url, .request_max = WM_CONTROL_BYTES_MAX, .n_workers = 2, .handle = echo
    };
    wm_listener *listener = NULL;
    wm_caller   *caller = NULL;
    wm_status    st, first = WM_OK;

    snprintf(url, sizeof url, "ipc://%s/socket", folder);
    TRY(wm_listener_start(&settings, &listener, err));
    TRY(wm_caller_new(&(wm_caller_settings){ .urls = (const char *const[]){ url },
                                             .n_urls = 1,
                                             .reply_max = WM_CONTROL_BYTES_MAX },
                      &caller, err));
    for (int i = 0; i < CALLS; i++) {
        st = call(caller, err);
        if (st == WM_OK)
            continue;
        if (first != WM_OK) /* one allocation fails: one call may be lost by it, and not the next */
            TRY(wm_fail(err, WM_E_DAMAGED, "a second call is lost"));
        first = st;
    }
    st = first;
out:
    wm_caller_free(caller);
    wm_listener_free(listener);
    return st;
}

const scenario wire_scenarios[] = {
    { "calls_are_answered", calls_are_answered, true },
};
const size_t n_wire_scenarios = COUNT(wire_scenarios);
