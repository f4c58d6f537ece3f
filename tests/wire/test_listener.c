/* tests/wire/test_listener.c
 *
 * The listener over real sockets: what it does for those who behave. */
#include "tests/wire/town.h"

#include "tests/wire/nng_tls.h"

#include <nng/protocol/reqrep0/req.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void a_question_is_answered_over_tls(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    assert_true(wm_listener_port(t.listener) > 0);
    caller = town_caller(&t, t.north_tls);
    for (int i = 0; i < 3; i++)
        assert_ok(town_echo(caller, "how are you", 11, &err), &err);
    assert_ok(town_echo(caller, "", 0, &err), &err);
    assert_string_equal(wm_caller_peer(caller)->name, "localhost");
    assert_true(wm_caller_is_connected(caller));
    wm_caller_free(caller);
    town_close(&t);
}

static void a_question_is_answered_over_a_unix_socket_of_mode_0600(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    struct stat          info;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open_local(&t, &set);
    assert_int_equal(stat(t.url + strlen("ipc://"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    caller = town_caller(&t, NULL);
    for (int i = 0; i < 3; i++)
        assert_ok(town_echo(caller, "how are you", 11, &err), &err);
    assert_string_equal(wm_caller_peer(caller)->name, "");
    wm_caller_free(caller);
    town_close(&t);
}

static void large_questions_and_answers_arrive_whole(void **state)
{
    enum { MOST = 1 << 20 };
    static const size_t  sizes[] = { 1, 16319, 16320, 16384, 65536, 65537, MOST };
    wm_listener_settings set = town_settings();
    uint8_t             *bytes = malloc(MOST);
    wm_error             err;

    (void)state;
    set.request_max = MOST;
    for (size_t i = 0; i < MOST; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (int local = 0; local < 2; local++) {
        town       t;
        wm_caller *caller;

        (local ? town_open_local : town_open)(&t, &set);
        caller = town_caller(&t, local ? NULL : t.north_tls);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            assert_ok(town_echo(caller, bytes, sizes[i], &err), &err);
        wm_caller_free(caller);
        town_close(&t);
    }
    free(bytes);
}

/* nng's own REQ socket, as another language would use it: over TLS with OpenSSL below nng's own TLS transport, and over UNIX
 * sockets. */
static void a_plain_req_socket_cannot_tell(void **state)
{
    (void)state;
    for (int local = 0; local < 2; local++) {
        wm_listener_settings set = town_settings();
        town                 t;
        nng_socket           socket;
        nng_dialer           dialer;
        nng_tls_config      *config;
        char                 reply[100];
        size_t               n;

        (local ? town_open_local : town_open)(&t, &set);
        assert_int_equal(nng_req0_open(&socket), 0);
        assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 10000), 0);
        assert_int_equal(nng_dialer_create(&dialer, socket, t.url), 0);
        if (!local) {
            config = nng_tls_config_of(t.north_tls, "127.0.0.1");
            assert_int_equal(nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config), 0);
            nng_tls_config_free(config);
        }
        assert_int_equal(nng_dialer_start(dialer, 0), 0);
        for (int i = 0; i < 20; i++) {
            n = sizeof reply;
            assert_int_equal(nng_send(socket, "from afar", 9, 0), 0);
            assert_int_equal(nng_recv(socket, reply, &n, 0), 0);
            assert_int_equal(n, 9);
            assert_memory_equal(reply, "from afar", 9);
        }
        nng_close(socket);
        town_close(&t);
    }
}

/* ---- requests that are kept ---- */

typedef struct call {
    wm_caller *caller;
    int        timeout_ms;
    wm_status  status;
    wm_error   err;
    pthread_t  thread;
} call;

static void *call_it(void *self)
{
    call    *c = self;
    uint8_t *reply = NULL;
    size_t   n;

    c->status = wm_caller_call(c->caller, "anything new", 12, c->timeout_ms, &reply, &n, &c->err);
    if (c->status == WM_OK && (n != 4 || memcmp(reply, "news", 4) != 0))
        c->status = WM_E_DAMAGED;
    free(reply);
    return NULL;
}

static void begin_call(call *c, wm_caller *caller, int timeout_ms)
{
    *c = (call){ .caller = caller, .timeout_ms = timeout_ms };
    assert_int_equal(pthread_create(&c->thread, NULL, call_it, c), 0);
}

static wm_status end_call(call *c)
{
    pthread_join(c->thread, NULL);
    return c->status;
}

static void a_kept_request_is_answered_later_from_another_thread(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *callers[4];
    wm_request          *request;
    wm_listener_counts   counts;
    call                 calls[4];

    (void)state;
    set.n_workers = 1; /* keeping one does not keep the worker */
    town_open(&t, &set);
    atomic_store(&t.keep, true);
    for (int i = 0; i < 4; i++)
        begin_call(&calls[i], callers[i] = town_caller(&t, t.north_tls), 10000);
    town_wait_kept(&t, 4);
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.held_in, 4 * (12 + 4));
    for (int i = 0; i < 4; i++) {
        uint64_t in, out;

        request = town_take(&t);
        assert_false(wm_request_gone(request));
        wm_request_traffic(request, &in, &out);
        assert_int_equal(in, 8 + 8 + 4 + 12 - 0); /* hello, head, route, question */
        assert_int_equal(out, 8);
        wm_request_reply(request, "news", 4);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(end_call(&calls[i]), WM_OK);
        wm_caller_free(callers[i]);
    }
    town_wait_connections(&t, 0);
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.held_in + counts.held_out, 0);
    assert_int_equal(counts.requests, 4);
    assert_int_equal(counts.accepted, 4);
    town_close(&t);
}

static void the_keeper_hears_when_a_peer_is_gone_and_answering_it_is_harmless(void **state)
{
    wm_listener_settings set = town_settings();

    (void)state;
    for (int local = 0; local < 2; local++) {
        town        t;
        wm_caller  *caller;
        wm_request *request;
        call        c;

        (local ? town_open_local : town_open)(&t, &set);
        atomic_store(&t.keep, true);
        begin_call(&c, caller = town_caller(&t, local ? NULL : t.north_tls), 10000);
        town_wait_kept(&t, 1);
        assert_int_equal(atomic_load(&t.gone), 0);
        wm_caller_interrupt(caller);
        assert_int_equal(end_call(&c), WM_E_CLOSED);
        town_wait_gone(&t, 1);
        request = town_take(&t);
        assert_true(wm_request_gone(request));
        wm_request_reply(request, "news", 4);
        wm_caller_free(caller);
        town_wait_connections(&t, 0);
        town_close(&t);
    }
}

/* ---- revocation ---- */

static bool is_north(void *context, const wm_peer *peer)
{
    (void)context;
    return strcmp(peer->name, "north") == 0;
}

static void a_revoked_peer_is_cut_off_at_once_and_the_others_are_not(void **state)
{
    wm_listener_settings set = town_settings();
    wm_clock             clock = wm_clock_system();
    town                 t;
    test_identity        south;
    wm_tls              *south_tls;
    wm_caller           *north, *waiting, *other;
    call                 c;
    int64_t              start;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    south = test_issue(t.authority, &(test_wish){ .names = "DNS:south", .usage = "clientAuth", .serial = 8 });
    south_tls = town_client_tls(&t, &south);
    north = town_caller(&t, t.north_tls);
    waiting = town_caller(&t, t.north_tls);
    other = town_caller(&t, south_tls);
    assert_ok(town_echo(north, "hello", 5, &err), &err);
    assert_ok(town_echo(other, "hello", 5, &err), &err);
    atomic_store(&t.keep, true);
    begin_call(&c, waiting, 10000);
    town_wait_kept(&t, 1);
    atomic_store(&t.keep, false);

    start = wm_mono_ms(&clock);
    atomic_store(&t.revoked, 7);
    assert_int_equal(wm_listener_close_where(t.listener, is_north, NULL), 2);
    assert_int_not_equal(end_call(&c), WM_OK);
    town_wait_gone(&t, 1);
    wm_request_drop(town_take(&t));
    town_wait_connections(&t, 1);
    assert_true(wm_mono_ms(&clock) - start < 1000);
    assert_int_not_equal(town_echo(north, "hello", 5, &err), WM_OK);
    assert_ok(town_echo(other, "hello", 5, &err), &err);
    assert_int_equal(wm_listener_close_where(t.listener, is_north, NULL), 0);
    wm_caller_free(north);
    wm_caller_free(waiting);
    wm_caller_free(other);
    wm_tls_free(south_tls);
    test_identity_release(&south);
    town_close(&t);
}

/* ---- limits ---- */

static void with_one_connection_too_many_a_gateway_loses_its_oldest(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *callers[4];
    wm_error             err;

    (void)state;
    set.connections_max_per_identity = 3;
    town_open(&t, &set);
    for (int i = 0; i < 4; i++) {
        callers[i] = town_caller(&t, t.north_tls);
        assert_ok(town_echo(callers[i], "hello", 5, &err), &err);
    }
    town_wait_refusal(&t, "the oldest had to go");
    assert_string_equal(t.refusals[0].name, "north");
    assert_true(t.refusals[0].verified);
    town_wait_connections(&t, 3);
    for (int i = 1; i < 4; i++)
        assert_ok(town_echo(callers[i], "hello", 5, &err), &err);
    for (int i = 0; i < 4; i++)
        wm_caller_free(callers[i]);
    town_close(&t);
}

static void the_end_of_a_peers_last_connection_is_told_and_of_no_other(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *first, *second;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    first = town_caller(&t, t.north_tls);
    second = town_caller(&t, t.north_tls);
    assert_ok(town_echo(first, "hello", 5, &err), &err);
    assert_ok(town_echo(second, "hello", 5, &err), &err);
    wm_caller_hang_up(first);
    town_wait_connections(&t, 1);
    assert_int_equal(atomic_load(&t.left), 0);
    wm_caller_hang_up(second);
    town_wait_left(&t, 1);
    wm_caller_free(first);
    wm_caller_free(second);
    town_close(&t);
}

static void connections_have_a_limit_and_are_let_in_again_below_it(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_identity        south;
    wm_tls              *south_tls;
    wm_caller           *north[3], *other;
    wm_error             err;

    (void)state;
    set.connections_max = 2;
    town_open(&t, &set);
    south = test_issue(t.authority, &(test_wish){ .names = "DNS:south", .usage = "clientAuth", .serial = 8 });
    south_tls = town_client_tls(&t, &south);
    other = town_caller(&t, south_tls);
    for (int i = 0; i < 3; i++)
        north[i] = town_caller(&t, t.north_tls);
    assert_ok(town_echo(north[0], "hello", 5, &err), &err);
    assert_ok(town_echo(north[1], "hello", 5, &err), &err);
    assert_int_equal(town_echo(other, "hello", 5, &err), WM_E_CLOSED);
    town_wait_refusal(&t, "as many connections as are allowed");
    assert_string_equal(t.refusals[0].name, "south");
    assert_ok(town_echo(north[2], "hello", 5, &err), &err); /* who is here already gives up his own oldest */
    town_wait_refusal(&t, "its older one had to go");
    wm_caller_free(north[0]);
    wm_caller_free(north[1]);
    town_wait_connections(&t, 1);
    assert_ok(town_echo(other, "hello", 5, &err), &err);
    wm_caller_free(other);
    wm_caller_free(north[2]);
    wm_tls_free(south_tls);
    test_identity_release(&south);
    town_close(&t);
}

static void an_idle_connection_is_closed_and_the_caller_dials_again_by_itself(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *caller;
    wm_listener_counts   counts;
    wm_error             err;

    (void)state;
    set.idle_ms = 30;
    town_open(&t, &set);
    caller = town_caller(&t, t.north_tls);
    for (int i = 0; i < 3; i++) {
        assert_ok(town_echo(caller, "hello", 5, &err), &err);
        town_wait_connections(&t, 0);
    }
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.accepted, 3);
    assert_int_equal(counts.refused, 0); /* that was nobody's fault */
    wm_caller_free(caller);
    town_close(&t);
}

/* Eight callers whose questions of 64 KiB do not fit a memory of 100 KiB together. */
typedef struct crowd {
    town      *t;
    int        rounds;
    size_t     bytes;
    atomic_int wrong;
} crowd;

static void *ask_much(void *self)
{
    crowd     *c = self;
    wm_caller *caller = town_caller(c->t, c->t->north_tls);
    uint8_t   *bytes = malloc(c->bytes);
    wm_error   err;

    memset(bytes, 5, c->bytes);
    for (int i = 0; i < c->rounds; i++)
        if (town_echo(caller, bytes, c->bytes, &err) != WM_OK)
            atomic_fetch_add(&c->wrong, 1);
    free(bytes);
    wm_caller_free(caller);
    return NULL;
}

static void with_little_memory_all_are_served_one_after_the_other(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    crowd                c = { .t = &t, .rounds = 15, .bytes = 64 << 10 };
    pthread_t            threads[8];
    wm_listener_counts   counts;

    (void)state;
    set.held_max = 100 << 10;
    set.connections_max_per_identity = 8;
    town_open(&t, &set);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_much, &c), 0);
    for (int i = 0; i < 200; i++) {
        wm_listener_counts_get(t.listener, &counts);
        assert_true(counts.held_in <= set.held_max);
        assert_true(counts.held_out <= set.held_max + 2 * ((64 << 10) + 12)); /* each worker may be over it once */
        usleep(500);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.wrong, 0);
    town_wait_connections(&t, 0);
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.held_in + counts.held_out, 0);
    assert_int_equal(counts.requests, 8 * 15);
    town_close(&t);
}

/* ---- the end ---- */

static void handle_nothing(void *context, wm_request *request)
{
    (void)context;
    wm_request_drop(request);
}

static void closing_lets_those_at_work_have_their_answer(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *idle, *busy, *late;
    call                 c;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    idle = town_caller(&t, t.north_tls);
    busy = town_caller(&t, t.north_tls);
    late = town_caller(&t, t.north_tls);
    assert_ok(town_echo(idle, "hello", 5, &err), &err);
    atomic_store(&t.keep, true);
    begin_call(&c, busy, 10000);
    town_wait_kept(&t, 1);
    wm_listener_close(t.listener);
    wm_listener_close(t.listener); /* twice is once */
    town_wait_connections(&t, 1);
    assert_int_equal(town_echo(late, "hello", 5, &err), WM_E_IO); /* nobody listens there */
    wm_request_reply(town_take(&t), "news", 4);
    assert_int_equal(end_call(&c), WM_OK);
    wm_listener_stop(t.listener);
    wm_listener_stop(t.listener);
    wm_caller_free(idle);
    wm_caller_free(busy);
    wm_caller_free(late);
    town_close(&t);
}

static void a_dead_socket_that_is_in_the_way_is_replaced_and_a_living_one_is_not(void **state)
{
    wm_listener_settings set = town_settings();
    struct sockaddr_un   at = { .sun_family = AF_UNIX };
    town                 t;
    wm_listener         *second = NULL;
    wm_caller           *caller;
    int                  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    wm_error             err;

    (void)state;
    town_open_local(&t, &set);
    set.url = t.url;
    set.handle = handle_nothing;
    assert_int_equal(wm_listener_start(&set, &second, &err), WM_E_IO);
    assert_non_null(strstr(err.text, "in use"));
    caller = town_caller(&t, NULL);
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    wm_caller_free(caller);
    wm_listener_stop(t.listener);

    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", t.url + strlen("ipc://"));
    unlink(at.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0); /* as a killed server leaves it */
    close(fd);
    assert_ok(wm_listener_start(&set, &second, &err), &err);
    wm_listener_free(second);
    assert_int_equal(access(at.sun_path, F_OK), -1);
    town_close(&t);
}

static void settings_that_cannot_be_used_are_refused(void **state)
{
    wm_listener_settings good = town_settings();
    town                 t;
    wm_listener         *listener = NULL;

    (void)state;
    town_open(&t, &good);
    const struct {
        const char          *says;
        wm_listener_settings set;
        wm_status            want;
    } bad[] = {
        { "no address", { .tls = t.server_tls }, WM_E_INVALID },
        { "TCP without TLS", { .url = "tcp://127.0.0.1:0" }, WM_E_INVALID },
        { "TLS without certificates", { .url = "tls+tcp://127.0.0.1:0" }, WM_E_INVALID },
        { "a client's certificates", { .url = "tls+tcp://127.0.0.1:0", .tls = t.north_tls }, WM_E_INVALID },
        { "a UNIX socket with TLS", { .url = "ipc:///tmp/x", .tls = t.server_tls }, WM_E_INVALID },
        { "negative times", { .url = "ipc:///tmp/x", .hello_ms = -1 }, WM_E_INVALID },
        { "a port that is taken", { .url = t.url, .tls = t.server_tls }, WM_E_IO },
        { "a folder that is not there", { .url = "ipc:///does/not/exist/socket" }, WM_E_IO },
        { "a port that is none", { .url = "tls+tcp://127.0.0.1:99999", .tls = t.server_tls }, WM_E_INVALID },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wm_listener_settings set = bad[i].set;
        wm_error             err = { .text = "" };

        set.request_max = 100;
        set.handle = handle_nothing;
        if (wm_listener_start(&set, &listener, &err) != bad[i].want)
            print_error("it was said: %s\n", err.text);
        assert_case(bad[i].says, err.status == bad[i].want && err.text[0] != '\0');
        assert_null(listener);
    }
    town_close(&t);
}

/* The caller copies only the first 64 KiB together. */
static void a_question_in_two_pieces_arrives_as_one(void **state)
{
    static const size_t  heads[] = { 0, 1, 40 }, sizes[] = { 0, 1, 65535, 65536, 65537, 200000, 1 << 20 };
    static uint8_t       bytes[1 << 20];
    wm_listener_settings set = town_settings();
    town                 t;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    set.request_max = 2 << 20;
    for (int local = 0; local < 2; local++) {
        wm_caller *caller;

        local ? town_open_local(&t, &set) : town_open(&t, &set);
        caller = town_caller(&t, local ? NULL : t.north_tls);
        for (size_t h = 0; h < sizeof heads / sizeof *heads; h++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                uint8_t *reply = NULL;
                size_t   n = 0;
                wm_error err;

                assert_ok(wm_caller_call_with(caller, "the head of the question, forty bytes long.", heads[h],
                                              bytes, sizes[i], 10000, &reply, &n, &err),
                          &err);
                assert_int_equal(n, heads[h] + sizes[i]);
                assert_true(heads[h] == 0 ||
                            memcmp(reply, "the head of the question, forty bytes long.", heads[h]) == 0);
                assert_true(sizes[i] == 0 || memcmp(reply + heads[h], bytes, sizes[i]) == 0);
                free(reply);
            }
        wm_caller_free(caller);
        town_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_in_two_pieces_arrives_as_one),
        cmocka_unit_test(a_question_is_answered_over_tls),
        cmocka_unit_test(a_question_is_answered_over_a_unix_socket_of_mode_0600),
        cmocka_unit_test(large_questions_and_answers_arrive_whole),
        cmocka_unit_test(a_plain_req_socket_cannot_tell),
        cmocka_unit_test(a_kept_request_is_answered_later_from_another_thread),
        cmocka_unit_test(the_keeper_hears_when_a_peer_is_gone_and_answering_it_is_harmless),
        cmocka_unit_test(a_revoked_peer_is_cut_off_at_once_and_the_others_are_not),
        cmocka_unit_test(with_one_connection_too_many_a_gateway_loses_its_oldest),
        cmocka_unit_test(the_end_of_a_peers_last_connection_is_told_and_of_no_other),
        cmocka_unit_test(connections_have_a_limit_and_are_let_in_again_below_it),
        cmocka_unit_test(an_idle_connection_is_closed_and_the_caller_dials_again_by_itself),
        cmocka_unit_test(with_little_memory_all_are_served_one_after_the_other),
        cmocka_unit_test(closing_lets_those_at_work_have_their_answer),
        cmocka_unit_test(a_dead_socket_that_is_in_the_way_is_replaced_and_a_living_one_is_not),
        cmocka_unit_test(settings_that_cannot_be_used_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
