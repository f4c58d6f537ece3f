/* tests/wire/test_listener_kept.c
 *
 * Requests that are kept, as a long poll is: answered later, by whichever thread; or what becomes of them when the peer goes,
 * is revoked, or the listener closes meanwhile. */
#include "tests/wire/town.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_request_is_answered_later_from_another_thread),
        cmocka_unit_test(the_keeper_hears_when_a_peer_is_gone_and_answering_it_is_harmless),
        cmocka_unit_test(a_revoked_peer_is_cut_off_at_once_and_the_others_are_not),
        cmocka_unit_test(closing_lets_those_at_work_have_their_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
