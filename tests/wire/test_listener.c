/* tests/wire/test_listener.c
 *
 * The listener and the caller over real sockets: what they do for those who behave. */
#include "tests/wire/town.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <sys/stat.h>

static void a_question_is_answered_over_tls(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
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
    wm_caller_free(caller);
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_answered_over_tls),
        cmocka_unit_test(a_question_is_answered_over_a_unix_socket_of_mode_0600),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
