/* tests/torture/wire.c
 *
 * A listener and its callers, over a UNIX socket and over TLS. The failure may hit either end, on any thread. Whatever it
 * hits: that request or that connection is lost, somebody says so, and the next call is answered. */
#include "common/wire/exchange.h"
#include "tests/torture/scenario.h"
#include "tests/wire/certificates.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- over TLS ---- */

enum {
    SMALL = 10,
    LARGE = 300 << 10,
    REQUEST_MAX = 512 << 10
}; /* LARGE: several records, and more than is kept at rest */

/* Made once, in the warm-ups. */
typedef struct papers {
    test_authority *authority;
    test_identity   server, north;
} papers;

static const papers *papers_of_the_town(void)
{
    static papers made;

    if (made.authority == NULL) {
        made.authority = test_authority_new("city");
        made.server = test_issue(
            made.authority,
            &(test_wish){ .names = "IP:127.0.0.1", .usage = "serverAuth", .serial = 1, .with_root = true });
        made.north =
            test_issue(made.authority, &(test_wish){ .names = "DNS:north", .usage = "clientAuth", .serial = 2 });
    }
    return &made;
}

static wm_status tls_of(wm_tls_side side, const test_identity *identity, wm_tls **ret, wm_error *err)
{
    wm_tls_settings settings = { .side = side,
                                 .chain = identity->chain,
                                 .key = identity->key,
                                 .root = test_authority_root(papers_of_the_town()->authority),
                                 .clock = wm_clock_system() };

    return wm_tls_new(&settings, ret, err);
}

static void give_back(void *context, wm_request *request)
{
    size_t         n;
    const uint8_t *bytes = wm_request_bytes(request, &n);

    (void)context;
    wm_request_reply(request, bytes, n);
}

static void hear_refusal(void *context, const wm_refusal *refusal)
{
    if (refusal->why[0] != '\0')
        atomic_fetch_add((atomic_int *)context, 1);
}

static bool everybody(void *context, const wm_peer *peer)
{
    (void)context;
    (void)peer;
    return true;
}

static wm_status exchange(wm_caller *caller, size_t n, wm_error *err)
{
    static const uint8_t question[LARGE] = { 1, 2, 3 };
    uint8_t             *reply = NULL;
    size_t               n_reply = 0;
    wm_status            st = wm_caller_call(caller, question, n, TIMEOUT_MS, &reply, &n_reply, err);

    if (st == WM_OK && (n_reply != n || memcmp(reply, question, n) != 0))
        st = wm_fail(err, WM_E_DAMAGED, "a wrong answer");
    free(reply);
    return st;
}

/* A long day of one connection: it is made, used, left by the caller, made again, closed by the listener, made again. */
static wm_status exchanges(wm_listener *listener, wm_caller *caller, wm_error *err)
{
    static const size_t sizes[] = { SMALL, LARGE, SMALL, SMALL, LARGE, SMALL };
    wm_status           first = WM_OK;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        wm_error  more;
        wm_status st = exchange(caller, sizes[i], first == WM_OK ? err : &more);

        if (st == WM_E_TIMEOUT || st == WM_E_DAMAGED || (st != WM_OK && first != WM_OK))
            return wm_fail(err, WM_E_DAMAGED, "call %zu, after %s: %s", i, wm_status_name(first),
                           wm_status_name(st));
        if (st != WM_OK)
            first = st;
        if (i == 2)
            wm_caller_hang_up(caller);
        if (i == 3)
            (void)wm_listener_close_where(listener, everybody, NULL);
    }
    return first;
}

static wm_status calls_over_tls_are_answered(const char *folder, wm_error *err)
{
    const papers        *p = papers_of_the_town();
    atomic_int           refusals = 0;
    char                 url[64];
    wm_listener_settings settings = { .url = "tls+tcp://127.0.0.1:0",
                                      .request_max = REQUEST_MAX,
                                      .n_workers = 2,
                                      .handle = give_back,
                                      .refused = hear_refusal,
                                      .context = &refusals };
    wm_tls              *ours = NULL;
    wm_listener         *listener = NULL;
    wm_caller           *caller = NULL;
    wm_status            st;

    (void)folder;
    TRY(tls_of(WM_TLS_SERVER, &p->server, &settings.tls, err));
    TRY(tls_of(WM_TLS_CLIENT, &p->north, &ours, err));
    TRY(wm_listener_start(&settings, &listener, err));
    snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%d", wm_listener_port(listener));
    TRY(wm_caller_new(
        &(wm_caller_settings){
            .urls = (const char *const[]){ url }, .n_urls = 1, .tls = ours, .reply_max = REQUEST_MAX },
        &caller, err));
    st = exchanges(listener, caller, err);
out:
    wm_caller_free(caller);
    wm_listener_free(listener);
    wm_tls_free(settings.tls);
    wm_tls_free(ours);
    if (st == WM_E_CLOSED && atomic_load(&refusals) == 0)
        st = wm_fail(err, WM_E_DAMAGED, "the listener closed a connection without a word");
    return st;
}

const scenario wire_scenarios[] = {
    { "calls_are_answered", calls_are_answered, true },
    { "calls_over_tls_are_answered", calls_over_tls_are_answered, true },
};
const size_t n_wire_scenarios = COUNT(wire_scenarios);
