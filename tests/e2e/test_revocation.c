/* tests/e2e/test_revocation.c
 *
 * From the operator's word to the end of the gateway's connections, for many gateways in each state in which a connection
 * can be: idle, with a question that the server holds, in the middle of an upload. (In the middle of a download that is
 * not taken: tests/wire.) Each is cut within a second; and then it is nobody, at every port. */
#include "tests/e2e/guest.h"

#include "tests/figures.h"

#include "common/wire/exchange.h"
#include "common/wire/frame.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EACH = 12, STATES = 3, REVOCATIONS = EACH * STATES, CUT_MS = 30 * 1000 };

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .n_gateways = 1 });

    office_server_start(o, NULL);
    return 0;
}

/* ---- the states ---- */

static void check_in(stranger *s)
{
    Wm__Envelope message = wm_envelope(), *answer;
    Wm__CheckIn  check_in = WM__CHECK_IN__INIT;

    check_in.program = (char *)(uintptr_t) "guest";
    message.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    message.check_in = &check_in;
    assert_true(guest_say(s, &message));
    answer = guest_hear(s);
    assert_true(answer != NULL && answer->body_case == WM__ENVELOPE__BODY_WELCOME);
    wm_envelope_free(answer);
}

static void is_idle(stranger *s)
{
    check_in(s);
}

static void has_a_question_held(stranger *s)
{
    Wm__Envelope message = wm_envelope();
    Wm__Ask      ask = WM__ASK__INIT;

    check_in(s);
    ask.wait_ms = 25000;
    message.body_case = WM__ENVELOPE__BODY_ASK;
    message.ask = &ask;
    assert_true(guest_say(s, &message));
}

/* A message that is announced and half there. */
static void is_in_an_upload(stranger *s)
{
    uint8_t message[WM_FRAME_HEAD_MAX + 60000] = { 0 };
    size_t  head = wm_frame_head_size(WM_FRAME_TCP);

    wm_frame_head_write(WM_FRAME_TCP, 200000, message);
    message[head] = 0x80;
    assert_true(stranger_say(s, message, head + 60000));
}

static const struct {
    const char *says;
    int         port;
    void (*reach)(stranger *s);
} states[STATES] = {
    { "idle", OFFICE_CONTROL, is_idle },
    { "with a question that is held", OFFICE_CONTROL, has_a_question_held },
    { "in the middle of an upload", OFFICE_BULK, is_in_an_upload },
};

/* ---- the operator ---- */

/* As `wardmote-server revoke` says it, without the time that a process takes to start. */
static void revoke_name(office *o, wm_caller *office_line, const char *name)
{
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    Wm__Command  command = WM__COMMAND__INIT;
    char        *words[] = { (char *)(uintptr_t)name };
    uint64_t     come_back_ms;
    wm_error     err;

    command.verb = (char *)(uintptr_t) "revoke";
    command.words = words;
    command.n_words = 1;
    question.body_case = WM__ENVELOPE__BODY_COMMAND;
    question.command = &command;
    assert_ok(wm_ask(office_line, 64 << 10, &question, 20000, &answer, &come_back_ms, &err), &err);
    if (answer->body_case != WM__ENVELOPE__BODY_COMMAND_DONE || answer->command_done->code != WM_OK)
        office_fail(o, "%s was not revoked", name);
    wm_envelope_free(answer);
}

static wm_caller *office_line_of(office *o)
{
    char        url[4400];
    const char *urls[] = { url };
    wm_caller  *caller;
    wm_error    err;

    snprintf(url, sizeof url, "ipc://%s/control.sock", o->dir);
    assert_ok(
        wm_caller_new(&(wm_caller_settings){ .urls = urls, .n_urls = 1, .reply_max = 64 << 10 }, &caller, &err),
        &err);
    return caller;
}

/* ---- the test ---- */

/* When the connection is seen to be over: on another thread, since the operator's answer may come later than that. */
typedef struct watch {
    int       fd;
    int64_t   cut_ms; /* 0: it was not */
    pthread_t thread;
} watch;

static void *watch_end(void *context)
{
    watch        *w = context;
    struct pollfd fd = { .fd = w->fd, .events = POLLIN };
    char          bytes[4096];
    ssize_t       n = 1;

    while (n > 0) {
        if (poll(&fd, 1, CUT_MS) != 1)
            return NULL;
        n = recv(w->fd, bytes, sizeof bytes, 0);
    }
    w->cut_ms = office_now_ms();
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Every port is closed to it, with its certificate and with its old key. */
static void is_nobody(office *o, SSL_CTX *ctx, const wm_identity *identity)
{
    SSL_CTX     *anonymous = guest_context(NULL);
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Enrol   *late;
    wm_key      *key;
    stranger     s;
    wm_error     err;

    assert_false(guest_visit(&s, o->ports[OFFICE_CONTROL], NULL, ctx));
    assert_false(guest_visit(&s, o->ports[OFFICE_BULK], NULL, ctx));
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_enrol_late_message(identity, key, &late, &err), &err);
    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = late;
    assert_true(guest_visit(&s, o->ports[OFFICE_ENROLMENT], NULL, anonymous) && guest_say(&s, &question));
    answer = guest_hear(&s);
    assert_true(answer != NULL && answer->body_case == WM__ENVELOPE__BODY_FAULT);
    wm_envelope_free(answer);
    stranger_leave(&s, STRANGER_SAYS_BYE);
    wm_enrol_message_free(late);
    wm_key_free(key);
    SSL_CTX_free(anonymous);
}

static int64_t cut_one(office *o, wm_caller *office_line, int number)
{
    int         which = number % STATES;
    char        name[32];
    wm_identity identity;
    SSL_CTX    *ctx;
    stranger    s;
    watch       w = { .fd = -1 };
    int64_t     from;

    snprintf(name, sizeof name, "thief-%d", number);
    identity = guest_join(o, name);
    ctx = guest_context(&identity);
    assert_true(guest_visit(&s, o->ports[states[which].port], NULL, ctx));
    states[which].reach(&s);
    w.fd = s.fd;
    assert_int_equal(pthread_create(&w.thread, NULL, watch_end, &w), 0);
    from = office_now_ms();
    revoke_name(o, office_line, name);
    pthread_join(w.thread, NULL);
    if (w.cut_ms == 0)
        office_fail(o, "a revoked gateway's connection lived on: %s", states[which].says);
    stranger_leave(&s, STRANGER_CLOSES);
    if (number < 2 * STATES)
        is_nobody(o, ctx, &identity);
    SSL_CTX_free(ctx);
    wm_identity_release(&identity);
    return w.cut_ms - from;
}

static void a_revoked_gateway_is_cut_off_within_a_second(void **state)
{
    office     *o = *state;
    wm_caller  *office_line = office_line_of(o);
    wm_identity honest = guest_join(o, "honest");
    SSL_CTX    *ctx = guest_context(&honest);
    int64_t     took[REVOCATIONS];
    stranger    s;

    assert_true(guest_visit(&s, o->ports[OFFICE_CONTROL], NULL, ctx));
    for (int i = 0; i < REVOCATIONS; i++) {
        took[i] = cut_one(o, office_line, i);
        check_in(&s); /* somebody else is served as before */
    }
    qsort(took, REVOCATIONS, sizeof *took, by_size);
    print_message("# revoked to cut off: median %lld ms, the slowest of %d %lld ms\n",
                  (long long)took[REVOCATIONS / 2], REVOCATIONS, (long long)took[REVOCATIONS - 1]);
    assert_true(took[REVOCATIONS - 1] < 1000);
    tell_fault(&(fault_figure){ .fault = "gateway revoked: idle, with a held question, in an upload",
                                .tries = REVOCATIONS,
                                .survived = REVOCATIONS,
                                .seconds = (double)took[REVOCATIONS - 1] / 1000 });
    stranger_leave(&s, STRANGER_SAYS_BYE);
    SSL_CTX_free(ctx);
    wm_identity_release(&honest);
    wm_caller_free(office_line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revoked_gateway_is_cut_off_within_a_second),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
