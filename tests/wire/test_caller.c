/* tests/wire/test_caller.c
 *
 * The caller against servers that are played here, over a UNIX socket, where no TLS is between: they stay silent,
 * lie, or go. Every call ends by its deadline, whatever they do. */
#include "tests/wire/town.h"

#include "common/wire/frame.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server's part: after so many bytes of the client's, say these, and so on, then stay or close. */
typedef struct part {
    const char *says;
    struct {
        size_t  hear;
        uint8_t bytes[32];
        size_t  n;
    } turns[3];
    size_t      n_turns;
    bool        stays;   /* or closes at the end of its part */
    bool        trickle; /* one byte every 20 ms instead of staying silent */
    wm_status   want;
    const char *why;
} part;

#define HELLO 0, 'S', 'P', 0, 0, 0x31, 0, 0

enum { ASKED = 9 + 4 + 5 }; /* what the question "hello" is on the wire */

static const part parts[] = {
    { "silence", .n_turns = 0, .stays = true, .want = WM_E_TIMEOUT, .why = "no answer in time" },
    { "closing at once", .n_turns = 0, .want = WM_E_CLOSED, .why = "closed by the other end" },
    { "a hello of a REQ socket",
      { { 8, { 0, 'S', 'P', 0, 0, 0x30, 0, 0 }, 8 } },
      1,
      .stays = true,
      .want = WM_E_MALFORMED,
      .why = "not a REP socket" },
    { "garbage for a hello",
      { { 8, { "220 mail.example" }, 16 } },
      1,
      .stays = true,
      .want = WM_E_MALFORMED,
      .why = "REP" },
    { "half a hello", { { 8, { HELLO }, 4 } }, 1, .stays = true, .want = WM_E_TIMEOUT, .why = "no answer in time" },
    { "silence after hello", { { 8, { HELLO }, 8 } }, 1, .stays = true, .want = WM_E_TIMEOUT, .why = "no answer" },
    { "closing after hello", { { 8, { HELLO }, 8 } }, 1, .want = WM_E_CLOSED, .why = "closed by the other end" },
    { "an answer to another question",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 99, 'x' }, 14 } },
      2,
      .stays = true,
      .want = WM_E_MALFORMED,
      .why = "belongs to no question" },
    { "an answer of three bytes",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0, 0, 0, 0, 0, 0, 0, 3, 0x80, 0, 0, 1 }, 13 } },
      2,
      .stays = true,
      .want = WM_E_MALFORMED,
      .why = "belongs to no question" },
    { "a head that is none",
      { { 8, { HELLO }, 8 }, { ASKED, { 7, 0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, 'x' }, 14 } },
      2,
      .stays = true,
      .want = WM_E_MALFORMED,
      .why = "belongs to no question" },
    { "an answer of 2^62 bytes",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 1 }, 13 } },
      2,
      .stays = true,
      .want = WM_E_RANGE,
      .why = "4611686018427387904 bytes" },
    { "half an answer",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0, 0, 0, 0, 0, 0, 0, 9, 0x80, 0, 0, 1, 'x' }, 14 } },
      2,
      .stays = true,
      .want = WM_E_TIMEOUT,
      .why = "no answer in time" },
    { "an answer byte by byte",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0, 0, 0, 0, 0, 0, 4, 0, 0x80, 0, 0, 1, 'x' }, 14 } },
      2,
      .stays = true,
      .trickle = true,
      .want = WM_E_TIMEOUT,
      .why = "no answer in time" },
    { "closing inside the answer",
      { { 8, { HELLO }, 8 }, { ASKED, { 1, 0, 0, 0, 0, 0, 0, 0, 9, 0x80, 0, 0, 1, 'x' }, 14 } },
      2,
      .want = WM_E_CLOSED,
      .why = "closed by the other end" },
};

typedef struct stage {
    char        folder[4096], url[256];
    int         listening;
    const part *part;
    pthread_t   thread;
} stage;

static void play(const part *p, int fd)
{
    uint8_t heard[64];

    for (size_t i = 0; i < p->n_turns; i++) {
        if (recv(fd, heard, p->turns[i].hear, MSG_WAITALL) != (ssize_t)p->turns[i].hear)
            return;
        if (send(fd, p->turns[i].bytes, p->turns[i].n, MSG_NOSIGNAL) != (ssize_t)p->turns[i].n)
            return;
    }
    while (p->trickle && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
        usleep(20000);
    if (p->stays)
        while (recv(fd, heard, sizeof heard, 0) > 0)
            ;
}

/* One connection after the other, until the socket is shut. */
static void *perform(void *self)
{
    const stage *s = self;

    for (int fd; (fd = accept(s->listening, NULL, NULL)) >= 0; close(fd))
        play(s->part, fd);
    return NULL;
}

static void stage_open(stage *s, const part *p)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    s->part = p;
    snprintf(s->url, sizeof s->url, "ipc://%.200s/socket", wm_test_folder(s->folder));
    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", s->url + strlen("ipc://"));
    s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listening, 5), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, perform, s), 0);
}

static void stage_close(stage *s)
{
    shutdown(s->listening, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listening);
    unlink(s->url + strlen("ipc://"));
    rmdir(s->folder);
}

static wm_caller *caller_to(const char *const *urls, size_t n, wm_tls *tls, int dial_ms)
{
    wm_caller_settings set = { .urls = urls, .n_urls = n, .tls = tls, .reply_max = 4096, .dial_ms = dial_ms };
    wm_caller         *caller = NULL;
    wm_error           err;

    assert_ok(wm_caller_new(&set, &caller, &err), &err);
    return caller;
}

static void whatever_a_server_does_the_call_ends_in_time_and_says_why(void **state)
{
    wm_clock clock = wm_clock_system();
    int      before = -1;

    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        stage       s;
        const char *url = s.url;
        wm_caller  *caller;
        uint8_t    *reply = NULL;
        size_t      n;
        int64_t     start = wm_mono_ms(&clock);
        wm_error    err = { .text = "" };

        stage_open(&s, &parts[i]);
        caller = caller_to(&url, 1, NULL, 0);
        for (int k = 0; k < 2; k++) { /* and once more */
            /* Only who is to run out of time gets little of it: the others must not, on a busy machine. */
            int       patience = parts[i].want == WM_E_TIMEOUT ? 120 : 20000;
            wm_status st = wm_caller_call(caller, "hello", 5, patience, &reply, &n, &err);

            if (st != parts[i].want)
                print_error("it was said: %s\n", err.text);
            assert_case(parts[i].says, st == parts[i].want && strstr(err.text, parts[i].why) != NULL);
            assert_case(parts[i].says, !wm_caller_is_connected(caller) && reply == NULL);
            if (parts[i].stays || parts[i].n_turns == 2) /* the answer it plays is to the first question */
                break;
        }
        assert_case(parts[i].says, wm_mono_ms(&clock) - start < 15000);
        wm_caller_free(caller);
        stage_close(&s);
        before = before < 0 ? town_sockets() : before;
        town_wait_sockets(before);
    }
}

/* ---- several addresses ---- */

/* A port where nobody listens: bound, and not listened at. */
static int dead_port(int *fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          n = sizeof at;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &n), 0);
    return ntohs(at.sin_port);
}

static void the_next_address_is_tried_when_one_is_dead(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    char                 dead[64];
    int                  fd;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    snprintf(dead, sizeof dead, "tls+tcp://127.0.0.1:%d", dead_port(&fd));
    const char *const urls[] = { dead, "tls+tcp://no-such-host.invalid:7000", t.url };

    caller = caller_to(urls, 3, t.north_tls, 0);
    assert_string_equal(wm_caller_url(caller), dead);
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    assert_string_equal(wm_caller_url(caller), t.url);
    wm_caller_hang_up(caller);
    assert_ok(town_echo(caller, "hello", 5, &err), &err); /* keeps to the one that answered */
    wm_caller_free(caller);

    caller = caller_to(urls, 2, t.north_tls, 0);
    assert_int_equal(town_echo(caller, "hello", 5, &err), WM_E_IO);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    wm_caller_free(caller);
    close(fd);
    town_close(&t);
}

/* A listener that never accepts: with room in its queue TCP is up and TLS gets no word; with a full queue SYNs are
 * dropped, as behind a firewall, or the system may end the connection. */
static void a_server_that_cannot_be_reached_costs_no_more_than_the_deadline(void **state)
{
    enum { FILLERS = 8 };
    wm_listener_settings set = town_settings();
    wm_clock             clock = wm_clock_system();
    town                 t;

    (void)state;
    town_open(&t, &set);
    for (int full = 0; full < 2; full++) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int                listening, port = dead_port(&listening), fillers[FILLERS];
        char               text[64];
        const char        *url = text;

        at.sin_port = htons((uint16_t)port);
        snprintf(text, sizeof text, "tls+tcp://127.0.0.1:%d", port);
        assert_int_equal(listen(listening, full ? 0 : 16), 0);
        for (int i = 0; i < FILLERS; i++) {
            fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (full)
                (void)connect(fillers[i], (struct sockaddr *)&at, sizeof at);
        }
        for (int by_dial = 0; by_dial < 2; by_dial++) { /* each of the two deadlines, the other one being far */
            wm_caller *caller = caller_to(&url, 1, t.north_tls, by_dial ? 100 : 600000);
            int64_t    start = wm_mono_ms(&clock);
            uint8_t   *reply;
            size_t     n;
            wm_error   err;
            wm_status  st = wm_caller_call(caller, "hello", 5, by_dial ? 600000 : 100, &reply, &n, &err);

            assert_true(st == WM_E_TIMEOUT || (full && st == WM_E_CLOSED));
            assert_true(wm_mono_ms(&clock) - start < 5000);
            wm_caller_free(caller);
        }
        for (int i = 0; i < FILLERS; i++)
            close(fillers[i]);
        close(listening);
    }
    town_close(&t);
}

/* ---- interruption ---- */

typedef struct waiting {
    wm_caller *caller;
    wm_status  status;
} waiting;

static void *wait_long(void *self)
{
    waiting *w = self;
    uint8_t *reply;
    size_t   n;

    w->status = wm_caller_call(w->caller, "hello", 5, 600000, &reply, &n, NULL);
    return NULL;
}

static void an_interrupted_caller_returns_at_once_and_for_good(void **state)
{
    static const part silent = { .says = "silence", .stays = true };
    static const part mute = { .says = "mute", .turns = { { 8, { HELLO }, 8 } }, .n_turns = 1, .stays = true };

    (void)state;
    for (int after_hello = 0; after_hello < 2; after_hello++) {
        stage       s;
        const char *url = s.url;
        waiting     w;
        pthread_t   thread;
        wm_error    err;

        stage_open(&s, after_hello ? &mute : &silent);
        w.caller = caller_to(&url, 1, NULL, 600000);
        assert_int_equal(pthread_create(&thread, NULL, wait_long, &w), 0);
        usleep(after_hello ? 50000 : 0); /* before, within or after the dial: it must not matter */
        wm_caller_interrupt(w.caller);
        pthread_join(thread, NULL);
        assert_int_equal(w.status, WM_E_CLOSED);
        assert_int_equal(town_echo(w.caller, "hello", 5, &err), WM_E_CLOSED);
        assert_string_equal(err.text, "interrupted");
        wm_caller_free(w.caller);
        stage_close(&s);
    }
}

static void settings_that_do_not_go_together_are_refused(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *caller = NULL;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    const char *const tcp = "tls+tcp://127.0.0.1:1", *const local = "ipc:///tmp/x",
                      *const plain = "tcp://127.0.0.1:1";
    const struct {
        const char        *says;
        wm_caller_settings set;
    } bad[] = {
        { "no address", { .tls = t.north_tls } },
        { "TCP without certificates", { .urls = &tcp, .n_urls = 1 } },
        { "a UNIX socket with certificates", { .urls = &local, .n_urls = 1, .tls = t.north_tls } },
        { "TCP without TLS", { .urls = &plain, .n_urls = 1, .tls = t.north_tls } },
        { "a server's certificates", { .urls = &tcp, .n_urls = 1, .tls = t.server_tls } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_case(bad[i].says, wm_caller_new(&bad[i].set, &caller, &err) == WM_E_INVALID);
        assert_null(caller);
    }
    wm_caller_free(NULL);
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_server_does_the_call_ends_in_time_and_says_why),
        cmocka_unit_test(the_next_address_is_tried_when_one_is_dead),
        cmocka_unit_test(a_server_that_cannot_be_reached_costs_no_more_than_the_deadline),
        cmocka_unit_test(an_interrupted_caller_returns_at_once_and_for_good),
        cmocka_unit_test(settings_that_do_not_go_together_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
