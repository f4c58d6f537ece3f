/* tests/common/test_steady_clock.c */
#include "tests/unit.h"

#include "common/steady_clock.h"

#include <pthread.h>

#define START  1790000000000ll
#define SECOND 1000ll
#define MINUTE (60 * SECOND)
#define DAY    (24 * 60 * MINUTE)

/* What happens to the machine, one after the other: so much time passes, and the clock is set by so much. */
typedef struct event {
    int64_t passes_ms, set_ms;
    int64_t want_ms; /* of ours, after START */
    int64_t step_ms; /* that it reports */
} event;

static const struct {
    const char *says;
    event       events[4];
} cases[] = {
    { "untouched, it is the machine's", { { 5000, 0, 5000, 0 }, { DAY, 0, DAY + 5000, 0 } } },
    { "small corrections are followed, and add up",
      { { 1000, 50 * SECOND, 1000 + 50 * SECOND, 0 },
        { 1000, 50 * SECOND, 2000 + 100 * SECOND, 0 },
        { 0, -30 * SECOND, 2000 + 70 * SECOND, 0 } } },
    { "ten years ahead are not believed, and back again it is as it was",
      { { 1000, 3652 * DAY, 1000, 3652 * DAY },
        { DAY, 0, 1000 + DAY, 3652 * DAY },
        { 1000, -3652 * DAY, 2000 + DAY, 0 },
        { 1000, 0, 3000 + DAY, 0 } } },
    { "nor are ten years behind", { { 1000, -3652 * DAY, 1000, -3652 * DAY }, { 1000, 0, 2000, -3652 * DAY } } },
    { "an hour is a step, a minute is none",
      { { 0, 60 * MINUTE, 0, 60 * MINUTE }, { 0, -59 * MINUTE, MINUTE, 0 } } },
};

static void what_a_machine_s_clock_does_and_what_ours_makes_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_manual_clock machine = { .mono_ms = 77, .wall_ms = START };
        wm_steady_clock steady;
        wm_clock        clock;

        wm_steady_clock_init(&steady, wm_clock_manual(&machine));
        clock = wm_clock_steady(&steady);
        for (const event *e = cases[i].events; e < cases[i].events + 4 && e->passes_ms + e->set_ms != 0; e++) {
            machine.mono_ms += e->passes_ms;
            machine.wall_ms += e->passes_ms + e->set_ms;
            assert_case(cases[i].says, wm_steady_clock_step(&steady) == e->step_ms);
            assert_case(cases[i].says, wm_wall_ms(&clock) == START + e->want_ms);
            assert_case(cases[i].says, wm_mono_ms(&clock) == machine.mono_ms);
        }
    }
}

enum { LOOKS = 20000, THREADS = 4 };

static void *look(void *context)
{
    wm_clock *clock = context;

    for (int i = 0; i < LOOKS; i++)
        (void)wm_wall_ms(clock);
    return NULL;
}

/* Several threads see the same correction; it counts once. */
static void many_may_look_at_once(void **state)
{
    wm_manual_clock machine = { .mono_ms = 77, .wall_ms = START };
    wm_steady_clock steady;
    wm_clock        clock;
    pthread_t       threads[THREADS];

    (void)state;
    wm_steady_clock_init(&steady, wm_clock_manual(&machine));
    clock = wm_clock_steady(&steady);
    machine.wall_ms += 50 * SECOND;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &clock), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(wm_wall_ms(&clock) == START + 50 * SECOND);
    assert_true(wm_steady_clock_step(&steady) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_machine_s_clock_does_and_what_ours_makes_of_it),
        cmocka_unit_test(many_may_look_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
