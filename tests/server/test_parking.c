/* Requests that wait: what wakes them, in which order, and when it is for the last time. */
#include "tests/unit.h"

#include "server/parking.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct call {
    wm_parked parked; /* first */
    char      name;
    int64_t   wait_ms; /* 0: is answered at once */
} call;

typedef struct scene {
    wm_manual_clock clock;
    wm_parking     *parking;
    bool            ready;       /* what they wait for is there */
    bool            wake_inside; /* something happens just while a request is looked at */
    char            log[64];     /* who was answered, in order; capital: for the last time */
} scene;

static int64_t serve(void *context, wm_parked *item, bool last)
{
    scene *s = context;
    call  *c = (call *)item;
    size_t n = strlen(s->log);

    if (s->wake_inside) {
        s->wake_inside = false;
        s->ready = true;
        wm_parking_wake(s->parking);
        return c->wait_ms;
    }
    if (!s->ready && !last && c->wait_ms > 0)
        return c->wait_ms;
    s->log[n] = (char)(last ? c->name - 'a' + 'A' : c->name);
    return 0;
}

static void open_scene(scene *s, size_t parked_max)
{
    wm_error err;

    memset(s, 0, sizeof *s);
    s->clock.mono_ms = 1000;
    assert_ok(wm_parking_new(
                  &(wm_parking_settings){
                      .parked_max = parked_max, .clock = wm_clock_manual(&s->clock), .serve = serve, .context = s },
                  &s->parking, &err),
              &err);
}

static void work_all(scene *s)
{
    while (wm_parking_work(s->parking))
        ;
}

static void a_request_with_an_answer_is_served_at_once(void **state)
{
    scene s;
    call  a = { .name = 'a' };

    (void)state;
    open_scene(&s, 10);
    wm_parking_put(s.parking, &a.parked);
    assert_string_equal(s.log, "a");
    assert_int_equal(wm_parking_count(s.parking), 0);
    wm_parking_free(s.parking);
}

static void the_parked_are_served_in_order_of_arrival(void **state)
{
    scene s;
    call  a = { .name = 'a', .wait_ms = 500 }, b = { .name = 'b', .wait_ms = 100 },
         c = { .name = 'c', .wait_ms = 900 };

    (void)state;
    open_scene(&s, 10);
    wm_parking_put(s.parking, &a.parked);
    wm_parking_put(s.parking, &b.parked);
    wm_parking_put(s.parking, &c.parked);
    assert_int_equal(wm_parking_count(s.parking), 3);
    wm_parking_wake(s.parking); /* for nothing: they park again */
    work_all(&s);
    assert_string_equal(s.log, "");
    s.ready = true;
    wm_parking_wake(s.parking);
    work_all(&s);
    assert_string_equal(s.log, "abc");
    wm_parking_free(s.parking);
}

static void who_has_waited_long_enough_is_answered_for_the_last_time(void **state)
{
    scene s;
    call  a = { .name = 'a', .wait_ms = 500 }, b = { .name = 'b', .wait_ms = 100 };

    (void)state;
    open_scene(&s, 10);
    assert_int_equal(wm_parking_tick(s.parking), -1);
    wm_parking_put(s.parking, &a.parked);
    wm_parking_put(s.parking, &b.parked);
    assert_int_equal(wm_parking_tick(s.parking), 100);
    s.clock.mono_ms += 99;
    assert_int_equal(wm_parking_tick(s.parking), 1);
    s.clock.mono_ms += 1;
    assert_int_equal(wm_parking_tick(s.parking), 400);
    work_all(&s);
    assert_string_equal(s.log, "B");
    s.clock.mono_ms += 400;
    assert_int_equal(wm_parking_tick(s.parking), -1);
    work_all(&s);
    assert_string_equal(s.log, "BA");
    wm_parking_free(s.parking);
}

static void what_happens_while_a_request_is_looked_at_is_not_missed(void **state)
{
    scene s;
    call  a = { .name = 'a', .wait_ms = 500 };

    (void)state;
    open_scene(&s, 10);
    s.wake_inside = true;
    wm_parking_put(s.parking, &a.parked);
    work_all(&s);
    assert_string_equal(s.log, "a");
    wm_parking_free(s.parking);
}

static bool is_b(void *context, const wm_parked *item)
{
    (void)context;
    return ((const call *)item)->name == 'b';
}

static void some_can_be_woken_alone(void **state)
{
    scene s;
    call  a = { .name = 'a', .wait_ms = 500 }, b = { .name = 'b', .wait_ms = 500 };

    (void)state;
    open_scene(&s, 10);
    wm_parking_put(s.parking, &a.parked);
    wm_parking_put(s.parking, &b.parked);
    s.ready = true;
    wm_parking_wake_where(s.parking, is_b, NULL);
    work_all(&s);
    assert_string_equal(s.log, "b");
    wm_parking_free(s.parking);
    assert_string_equal(s.log, "bA"); /* closing answers the rest */
}

static void with_no_room_a_request_is_answered_in_place_of_being_parked(void **state)
{
    scene s;
    call  a = { .name = 'a', .wait_ms = 500 }, b = { .name = 'b', .wait_ms = 500 };

    (void)state;
    open_scene(&s, 1);
    wm_parking_put(s.parking, &a.parked);
    wm_parking_put(s.parking, &b.parked);
    assert_string_equal(s.log, "B");
    wm_parking_close(s.parking);
    work_all(&s);
    wm_parking_put(s.parking, &b.parked); /* after closing nobody is parked */
    assert_string_equal(s.log, "BAB");
    wm_parking_free(s.parking);
}

enum { PRODUCERS = 4, EACH = 500 };

typedef struct crowd {
    wm_parking *parking;
    atomic_int  answered;
    atomic_int  things; /* each answers one request */
} crowd;

static int64_t serve_crowd(void *context, wm_parked *item, bool last)
{
    crowd *c = context;
    int    left = atomic_load(&c->things);

    (void)item;
    while (left > 0 && !last)
        if (atomic_compare_exchange_weak(&c->things, &left, left - 1))
            last = true;
    if (!last)
        return 1000000;
    atomic_fetch_add(&c->answered, 1);
    return 0;
}

static void *produce(void *context)
{
    crowd *c = context;

    for (int i = 0; i < EACH; i++) {
        atomic_fetch_add(&c->things, 1);
        wm_parking_wake(c->parking);
    }
    return NULL;
}

static void no_wake_is_lost_between_threads(void **state)
{
    static call calls[PRODUCERS * EACH];
    crowd       c = { 0 };
    pthread_t   threads[PRODUCERS];
    wm_error    err;

    (void)state;
    assert_ok(wm_parking_new(&(wm_parking_settings){ .workers = 2,
                                                     .parked_max = SIZE_MAX,
                                                     .clock = wm_clock_system(),
                                                     .serve = serve_crowd,
                                                     .context = &c },
                             &c.parking, &err),
              &err);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &c), 0);
    for (int i = 0; i < PRODUCERS * EACH; i++)
        wm_parking_put(c.parking, &calls[i].parked);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    while (atomic_load(&c.answered) < PRODUCERS * EACH) /* ends only if none was lost */
        ;
    wm_parking_free(c.parking);
    assert_int_equal(atomic_load(&c.answered), PRODUCERS * EACH);
    assert_int_equal(atomic_load(&c.things), 0);
}

/* A question that is being looked at on a listener's thread while the server stops. */
typedef struct stopping {
    wm_parking *parking;
    wm_parked   item;
    atomic_bool inside, go_on, answered;
} stopping;

static int64_t serve_slowly(void *context, wm_parked *item, bool last)
{
    stopping *s = context;

    (void)item;
    if (last) {
        atomic_store(&s->answered, true);
        return 0;
    }
    atomic_store(&s->inside, true);
    while (!atomic_load(&s->go_on))
        usleep(1000);
    return 1000000;
}

static void *ask_slowly(void *context)
{
    stopping *s = context;

    wm_parking_put(s->parking, &s->item);
    return NULL;
}

static void who_is_looked_at_while_it_closes_is_answered_by_a_worker(void **state)
{
    stopping  s = { .answered = false };
    pthread_t thread;
    wm_error  err;

    (void)state;
    assert_ok(
        wm_parking_new(
            &(wm_parking_settings){
                .workers = 2, .parked_max = 10, .clock = wm_clock_system(), .serve = serve_slowly, .context = &s },
            &s.parking, &err),
        &err);
    assert_int_equal(pthread_create(&thread, NULL, ask_slowly, &s), 0);
    while (!atomic_load(&s.inside))
        usleep(1000);
    wm_parking_close(s.parking);
    usleep(50 * 1000); /* for workers that would end: nothing is waited for that must happen */
    atomic_store(&s.go_on, true);
    pthread_join(thread, NULL);
    for (int ms = 0; ms < 10000 && !atomic_load(&s.answered); ms++)
        usleep(1000);
    assert_true(atomic_load(&s.answered)); /* the listener waits for this before the parking is freed */
    wm_parking_free(s.parking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_with_an_answer_is_served_at_once),
        cmocka_unit_test(the_parked_are_served_in_order_of_arrival),
        cmocka_unit_test(who_has_waited_long_enough_is_answered_for_the_last_time),
        cmocka_unit_test(what_happens_while_a_request_is_looked_at_is_not_missed),
        cmocka_unit_test(some_can_be_woken_alone),
        cmocka_unit_test(with_no_room_a_request_is_answered_in_place_of_being_parked),
        cmocka_unit_test(no_wake_is_lost_between_threads),
        cmocka_unit_test(who_is_looked_at_while_it_closes_is_answered_by_a_worker),
    };

    return cmocka_run_group_tests_name("parking", tests, NULL, NULL);
}
