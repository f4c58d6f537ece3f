/* tests/wire/test_listener_limits.c
 *
 * What the listener lets in: how many connections, of one gateway and of all, for how long without a word, and how much memory
 * for what they say. */
#include "tests/wire/town.h"

#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_one_connection_too_many_a_gateway_loses_its_oldest),
        cmocka_unit_test(the_end_of_a_peers_last_connection_is_told_and_of_no_other),
        cmocka_unit_test(connections_have_a_limit_and_are_let_in_again_below_it),
        cmocka_unit_test(an_idle_connection_is_closed_and_the_caller_dials_again_by_itself),
        cmocka_unit_test(with_little_memory_all_are_served_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
