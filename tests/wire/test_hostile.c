/* tests/wire/test_hostile.c
 *
 * Strangers that send what they should not, stop where they should not, and go when they should not: each is cut
 * off and named in the log, nothing of theirs is left behind, and a proper client is served afterwards. */
#include "tests/wire/stranger.h"

#include "common/wire/frame.h"

#include <signal.h>
#include <unistd.h>

/* How far a stranger gets before it says its bytes. */
typedef enum depth { AFTER_TCP, AFTER_TLS, AFTER_HELLO, AFTER_ANSWER } depth;

typedef struct row {
    const char *says;
    depth       stage;
    uint8_t     bytes[48];
    size_t      n;
    const char *why; /* in the log; NULL: it may leave in silence */
} row;

#define HELLO 0, 'S', 'P', 0, 0, 0x30, 0, 0

static const row rows[] = {
    { "garbage instead of TLS", AFTER_TCP, { 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7 }, 11, "TLS" },
    { "HTTP", AFTER_TCP, { "GET / HTTP/1.1\r\nHost: x\r\n\r\n" }, 27, "HTTP" },
    { "SP without TLS", AFTER_TCP, { HELLO }, 8, "TLS" },
    { "a TLS record of 64 KiB", AFTER_TCP, { 0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff }, 9, "TLS" },
    { "garbage instead of SP", AFTER_TLS, { "hello there" }, 8, "REQ socket" },
    { "a PUB socket", AFTER_TLS, { 0, 'S', 'P', 0, 0, 0x20, 0, 0 }, 8, "REQ socket" },
    { "another answerer", AFTER_TLS, { 0, 'S', 'P', 0, 0, 0x31, 0, 0 }, 8, "REQ socket" },
    { "SP of another version", AFTER_TLS, { 0, 'S', 'P', 1, 0, 0x30, 0, 0 }, 8, "REQ socket" },
    { "a message of 2^62 bytes", AFTER_HELLO, { 0x40 }, 8, "4611686018427387904 bytes, over the limit" },
    { "a message of 2^64 - 1 bytes",
      AFTER_HELLO,
      { 255, 255, 255, 255, 255, 255, 255, 255 },
      8,
      "18446744073709551615 bytes, over the limit" },
    { "one byte over the limit", AFTER_HELLO, { 0, 0, 0, 0, 0, 1, 0, 33 }, 8, "over the limit of 65536" },
    { "a message of nothing", AFTER_HELLO, { 0 }, 8, "without a route" },
    { "a message of three bytes", AFTER_HELLO, { 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3 }, 11, "without a route" },
    { "a message without a route",
      AFTER_HELLO,
      { 0, 0, 0, 0, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 },
      16,
      "without a route" },
    { "a second message that is too long, after a first one",
      AFTER_ANSWER,
      { 0x40, 0, 0, 0, 0, 0, 0, 0 },
      8,
      "over the limit" },
};

static bool reach(stranger *s, SSL_CTX *ctx, depth stage)
{
    uint8_t answer[8 + 4 + 5];

    return (stage < AFTER_TLS || stranger_shake(s, ctx)) && (stage < AFTER_HELLO || stranger_greet(s)) &&
           (stage < AFTER_ANSWER || (stranger_ask(s, "first", 5) && stranger_hear(s, answer, sizeof answer)));
}

static void serve_a_proper_client(town *t)
{
    wm_caller *caller = town_caller(t, t->folder[0] == '\0' ? t->north_tls : NULL);
    wm_error   err;

    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    wm_caller_free(caller);
    town_wait_connections(t, 0);
}

static void what_is_no_message_ends_the_connection_and_is_named(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    SSL_CTX             *ctx;
    int                  before;

    (void)state;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    serve_a_proper_client(&t);
    before = town_sockets();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stranger s = stranger_dial(&t);

        pthread_mutex_lock(&t.lock);
        t.n_refusals = 0;
        pthread_mutex_unlock(&t.lock);
        assert_case(rows[i].says, reach(&s, ctx, rows[i].stage));
        assert_case(rows[i].says, stranger_say(&s, rows[i].bytes, rows[i].n));
        if (rows[i].stage > AFTER_TCP) /* before, TLS may answer with an alert */
            assert_case(rows[i].says, stranger_is_cut_off(&s));
        town_wait_refusal(&t, rows[i].why);
        assert_case(rows[i].says, t.refusals[0].verified == (rows[i].stage >= AFTER_HELLO));
        stranger_leave(&s, STRANGER_CLOSES);
    }
    serve_a_proper_client(&t);
    town_wait_sockets(before);
    SSL_CTX_free(ctx);
    town_close(&t);
}

/* The same over a UNIX socket, where a head has a ninth byte. */
static void a_unix_socket_is_as_strict(void **state)
{
    static const struct {
        const char *says;
        uint8_t     bytes[16];
        size_t      n;
        const char *why;
    } local[] = {
        { "a head as over TCP", { 0, 0, 0, 0, 0, 0, 0, 5, 0x80 }, 9, "not a message" },
        { "2^62 bytes", { 1, 0x40 }, 9, "4611686018427387904 bytes" },
        { "no route", { 1, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4 }, 13, "without a route" },
    };
    wm_listener_settings set = town_settings();
    town                 t;

    (void)state;
    town_open_local(&t, &set);
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        stranger s = stranger_dial(&t);

        assert_case(local[i].says, stranger_greet(&s) && stranger_say(&s, local[i].bytes, local[i].n));
        assert_case(local[i].says, stranger_is_cut_off(&s));
        town_wait_refusal(&t, local[i].why);
        stranger_leave(&s, STRANGER_CLOSES);
    }
    serve_a_proper_client(&t);
    town_close(&t);
}

/* ---- silence and slowness ---- */

typedef struct slow_row {
    const char *says;
    depth       stage;
    uint8_t     bytes[32];
    size_t      n;
    bool        trickle; /* goes on with a byte every 20 ms, until it is cut off */
    const char *why;
} slow_row;

static const slow_row slow_rows[] = {
    { "silence after TCP", AFTER_TCP, { 0 }, 0, false, "handshakes within 150 ms" },
    { "one byte of TLS", AFTER_TCP, { 0x16 }, 1, false, "handshakes within 150 ms" },
    { "half a ClientHello",
      AFTER_TCP,
      { 0x16, 3, 1, 0, 100, 1, 0, 0, 96, 3, 3 },
      11,
      true,
      "handshakes within 150 ms" },
    { "silence after TLS", AFTER_TLS, { 0 }, 0, false, "handshakes within 150 ms" },
    { "half a hello", AFTER_TLS, { HELLO }, 4, false, "handshakes within 150 ms" },
    { "half a request",
      AFTER_HELLO,
      { 0, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 1, 'x' },
      13,
      false,
      "request within 200 ms" },
    { "a request of 4 KiB, byte by byte",
      AFTER_HELLO,
      { 0, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 1, 'x' },
      13,
      true,
      "request within 200 ms" },
    { "half a head", AFTER_HELLO, { 0, 0, 0, 0 }, 4, false, NULL },
    { "silence after hello", AFTER_HELLO, { 0 }, 0, false, NULL },
    { "silence after an answer", AFTER_ANSWER, { 0 }, 0, false, NULL },
};

static void the_silent_and_the_slow_are_cut_off_by_a_deadline(void **state)
{
    enum { N = sizeof slow_rows / sizeof *slow_rows };
    wm_listener_settings set = town_settings();
    town                 t;
    stranger             strangers[N];
    bool                 open = true;
    SSL_CTX             *ctx;

    (void)state;
    set.hello_ms = 150;
    set.message_ms = 200;
    set.idle_ms = 300;
    set.connections_max_per_identity = N;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    for (int i = 0; i < N; i++) { /* all at once, so that the test takes as long as the longest */
        strangers[i] = stranger_dial(&t);
        assert_case(slow_rows[i].says, reach(&strangers[i], ctx, slow_rows[i].stage));
        assert_case(slow_rows[i].says,
                    slow_rows[i].n == 0 || stranger_say(&strangers[i], slow_rows[i].bytes, slow_rows[i].n));
    }
    while (open) {
        wm_listener_counts counts;

        for (int i = 0; i < N; i++)
            if (slow_rows[i].trickle)
                (void)stranger_say(&strangers[i], "x", 1); /* until it fails, and then again: it is a stranger */
        wm_listener_counts_get(t.listener, &counts);
        open = counts.connections > 0;
        usleep(20000);
    }
    for (int i = 0; i < N; i++) {
        assert_case(slow_rows[i].says, slow_rows[i].stage == AFTER_TCP || stranger_is_cut_off(&strangers[i]));
        if (slow_rows[i].why != NULL)
            town_wait_refusal(&t, slow_rows[i].why);
        stranger_leave(&strangers[i], STRANGER_CLOSES);
    }
    assert_int_equal(t.n_refusals, 7);
    serve_a_proper_client(&t);
    SSL_CTX_free(ctx);
    town_close(&t);
}

/* Its socket's buffers fill, and then the answer stands. */
static void one_who_does_not_take_his_answer_is_cut_off(void **state)
{
    wm_listener_settings set = town_settings();

    (void)state;
    set.message_ms = 200;
    for (int local = 0; local < 2; local++) {
        town               t;
        stranger           s;
        SSL_CTX           *ctx = NULL;
        wm_listener_counts counts;

        (local ? town_open_local : town_open)(&t, &set);
        atomic_store(&t.answer_bytes, 64u << 20);
        s = stranger_dial(&t);
        if (!local) {
            ctx = stranger_context(&t.north, 0);
            assert_true(stranger_shake(&s, ctx));
        }
        assert_true(stranger_greet(&s) && stranger_ask(&s, "all of it", 9));
        town_wait_refusal(&t, "did not take its answer within 200 ms");
        town_wait_connections(&t, 0);
        wm_listener_counts_get(t.listener, &counts);
        assert_int_equal(counts.held_out, 0);
        stranger_leave(&s, STRANGER_CLOSES);
        SSL_CTX_free(ctx);
        atomic_store(&t.answer_bytes, 0);
        serve_a_proper_client(&t);
        town_close(&t);
    }
}

/* Each has an answer of 8 MiB under way that it does not take, together four times what answers may hold. */
static void many_who_stop_reading_hold_little_and_others_are_served(void **state)
{
    enum { READERS = 12, ANSWER = 8 << 20, HELD = 24 << 20 }; /* the system's own buffers take 4 MiB of each */
    wm_listener_settings set = town_settings();
    town                 t;
    stranger             readers[READERS];
    SSL_CTX             *ctx;
    wm_listener_counts   counts;
    size_t               most = 0;
    bool                 open = true;

    (void)state;
    set.message_ms = 500;
    set.held_max = HELD;
    set.connections_max_per_identity = READERS + 1;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    atomic_store(&t.answer_bytes, ANSWER);
    for (int i = 0; i < READERS; i++) {
        readers[i] = stranger_dial(&t);
        assert_true(reach(&readers[i], ctx, AFTER_HELLO) && stranger_ask(&readers[i], "all of it", 9));
    }
    while (open) {
        wm_listener_counts_get(t.listener, &counts);
        most = counts.held_out > most ? counts.held_out : most;
        open = counts.connections > 0;
        usleep(1000);
    }
    print_message("# answers held %zu KiB at most\n", most >> 10);
    assert_true(most > HELD / 2 && most <= HELD + 2 * (ANSWER + 64)); /* each worker may be over it once */
    assert_int_equal(counts.held_out, 0);
    town_wait_refusal(&t, "did not take its answer within 500 ms");
    for (int i = 0; i < READERS; i++)
        stranger_leave(&readers[i], STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    atomic_store(&t.answer_bytes, 0);
    serve_a_proper_client(&t);
    town_close(&t);
}

/* Question after question, and no answer is ever read: it is stopped by its own full buffers, and then cut off. */
static void one_who_never_ends_asking_is_cut_off(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    stranger             s;
    SSL_CTX             *ctx;
    wm_listener_counts   counts;
    char                 question[1000] = "again";

    (void)state;
    set.message_ms = 300;
    town_open(&t, &set);
    atomic_store(&t.answer_bytes, 256 << 10);
    ctx = stranger_context(&t.north, 0);
    s = stranger_dial(&t);
    assert_true(reach(&s, ctx, AFTER_HELLO));
    while (stranger_ask(&s, question, sizeof question)) {
        wm_listener_counts_get(t.listener, &counts);
        assert_true(counts.held_in <=
                    4 * (sizeof question + 4)); /* the one at work, and those just being given back */
    }
    town_wait_refusal(&t, "did not take its answer within 300 ms");
    stranger_leave(&s, STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    atomic_store(&t.answer_bytes, 0);
    serve_a_proper_client(&t);
    town_close(&t);
}

/* TLS has questions of its own that ask for an answer: new keys, again and again. They are no requests, so the deadline of
 * an idle connection holds; and while our answers are not taken nothing is read. */
static void one_who_never_ends_changing_keys_is_cut_off(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    stranger             s;
    SSL_CTX             *ctx;
    int                  changes = 0;

    (void)state;
    set.idle_ms = 500;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    s = stranger_dial(&t);
    assert_true(reach(&s, ctx, AFTER_HELLO));
    while (changes < 100000 && SSL_key_update(s.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(s.ssl) == 1)
        changes++;
    assert_true(changes < 100000);
    town_wait_connections(&t, 0);
    stranger_leave(&s, STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    serve_a_proper_client(&t);
    town_close(&t);
}

/* Four questions at once: one is answered after the other, in order, and none is lost. */
static void questions_that_come_all_at_once_are_answered_in_turn(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    stranger             s;
    SSL_CTX             *ctx;
    uint8_t              answer[8 + 4 + 1];

    (void)state;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    s = stranger_dial(&t);
    assert_true(reach(&s, ctx, AFTER_HELLO));
    for (char c = 'a'; c < 'e'; c++)
        assert_true(stranger_ask(&s, &c, 1));
    for (char c = 'a'; c < 'e'; c++) {
        assert_true(stranger_hear(&s, answer, sizeof answer));
        assert_int_equal(answer[12], c);
    }
    stranger_leave(&s, STRANGER_SAYS_BYE);
    SSL_CTX_free(ctx);
    town_wait_connections(&t, 0);
    town_close(&t);
}

/* ---- going away ---- */

static void leaving_at_any_stage_leaves_nothing_behind(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    SSL_CTX             *ctx;
    int                  before;

    (void)state;
    town_open(&t, &set);
    ctx = stranger_context(&t.north, 0);
    serve_a_proper_client(&t);
    before = town_sockets();
    for (int i = 0; i < 96; i++) {
        stranger s = stranger_dial(&t);

        assert_true(reach(&s, ctx, (depth)(i % 4)));
        if (i % 8 >= 6)
            assert_true(stranger_ask(&s, "and gone", 8));
        stranger_leave(&s, (stranger_end)(i % 3));
    }
    town_wait_connections(&t, 0);
    town_wait_sockets(before);
    serve_a_proper_client(&t);
    SSL_CTX_free(ctx);
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_message_ends_the_connection_and_is_named),
        cmocka_unit_test(a_unix_socket_is_as_strict),
        cmocka_unit_test(the_silent_and_the_slow_are_cut_off_by_a_deadline),
        cmocka_unit_test(one_who_does_not_take_his_answer_is_cut_off),
        cmocka_unit_test(many_who_stop_reading_hold_little_and_others_are_served),
        cmocka_unit_test(one_who_never_ends_asking_is_cut_off),
        cmocka_unit_test(one_who_never_ends_changing_keys_is_cut_off),
        cmocka_unit_test(questions_that_come_all_at_once_are_answered_in_turn),
        cmocka_unit_test(leaving_at_any_stage_leaves_nothing_behind),
    };

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
