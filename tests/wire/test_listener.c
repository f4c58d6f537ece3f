/* tests/wire/test_listener.c
 *
 * The listener over real sockets: where it listens, and that whoever behaves is answered. What is kept and answered later is
 * in test_listener_kept.c, how many it takes in test_listener_limits.c. */
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

/* The caller copies only the first 64 KiB together. */
static void a_question_in_two_pieces_arrives_as_one(void **state)
{
    static const char    head[] = "the head of the question, forty bytes long.";
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

        (local ? town_open_local : town_open)(&t, &set);
        caller = town_caller(&t, local ? NULL : t.north_tls);
        for (size_t h = 0; h < sizeof heads / sizeof *heads; h++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                uint8_t *reply = NULL;
                size_t   n = 0;
                wm_error err;

                assert_ok(wm_caller_call_with(caller, head, heads[h], bytes, sizes[i], 10000, &reply, &n, &err),
                          &err);
                assert_int_equal(n, heads[h] + sizes[i]);
                assert_true(heads[h] == 0 || memcmp(reply, head, heads[h]) == 0);
                assert_true(sizes[i] == 0 || memcmp(reply + heads[h], bytes, sizes[i]) == 0);
                free(reply);
            }
        wm_caller_free(caller);
        town_close(&t);
    }
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

/* ---- where it listens ---- */

static void handle_nothing(void *context, wm_request *request)
{
    (void)context;
    wm_request_drop(request);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_answered_over_tls),
        cmocka_unit_test(a_question_is_answered_over_a_unix_socket_of_mode_0600),
        cmocka_unit_test(large_questions_and_answers_arrive_whole),
        cmocka_unit_test(a_question_in_two_pieces_arrives_as_one),
        cmocka_unit_test(a_plain_req_socket_cannot_tell),
        cmocka_unit_test(a_dead_socket_that_is_in_the_way_is_replaced_and_a_living_one_is_not),
        cmocka_unit_test(settings_that_cannot_be_used_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
