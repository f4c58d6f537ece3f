/* tests/client/test_patience.c: how long a gateway waits with a task that it has had, or of a run that it declined. */
#include "tests/unit.h"

#include "client/patience.h"

static const uint8_t here[WM_RUN_ID_SIZE] = { 1 }, elsewhere[WM_RUN_ID_SIZE] = { 2 };

static wm_task task_of(uint32_t round)
{
    return (wm_task){ .phase = WM_PHASE_TRAIN, .round = round };
}

static int64_t wait_for(wm_patience *p, uint32_t round, const uint8_t *run, int64_t now_ms)
{
    wm_task task = task_of(round);
    int64_t wait_ms = -1;

    if (wm_patience_with(p, &task, run, now_ms, &wait_ms) != WM_PATIENCE_NOW)
        return wait_ms;
    wm_patience_taken(p, &task, run);
    return 0;
}

static void the_same_task_waits_twice_as_long_each_time_up_to_a_minute(void **state)
{
    static const int64_t waits[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    wm_patience          p = { .again = 0 };
    int64_t              now = 5000;

    (void)state;
    assert_int_equal(wait_for(&p, 1, here, now), 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(wait_for(&p, 1, here, now), waits[i]);
        assert_int_equal(wait_for(&p, 1, here, now + 300), waits[i] - 300); /* asking does not make it longer */
        now += waits[i];
        assert_int_equal(wait_for(&p, 1, here, now), 0);
    }
}

static void another_task_does_not_wait_and_begins_anew(void **state)
{
    wm_patience p = { .again = 0 };

    (void)state;
    assert_int_equal(wait_for(&p, 1, here, 0), 0);
    assert_int_equal(wait_for(&p, 1, here, 0), 1000);
    assert_int_equal(wait_for(&p, 1, here, 1000), 0);
    assert_int_equal(wait_for(&p, 2, here, 1000), 0);
    assert_int_equal(wait_for(&p, 2, here, 1000), 1000);
    assert_int_equal(wait_for(&p, 2, elsewhere, 1000), 0);
}

static void after_a_refusal_the_runs_next_task_is_declined_until_it_is_time(void **state)
{
    wm_patience p = { .again = 0 };
    wm_error    why;
    wm_task     second = task_of(2);
    int64_t     wait_ms = -1;

    (void)state;
    wm_fail(&why, WM_E_REFUSED, "too few rows");
    assert_int_equal(wait_for(&p, 1, here, 0), 0);
    wm_patience_declined(&p, &why);
    assert_int_equal(wm_patience_with(&p, &second, here, 0, &wait_ms), WM_PATIENCE_DECLINED);
    assert_string_equal(p.why.text, "too few rows");
    assert_int_equal(wait_ms, -1);
    wm_patience_declined(&p, &p.why);
    assert_int_equal(wait_for(&p, 2, here, 400), 600); /* that one again: it was answered */
    assert_int_equal(wait_for(&p, 3, elsewhere, 400), 0);
    assert_int_equal(wait_for(&p, 3, here, 400), 0); /* and nothing is known of the old run any more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_task_waits_twice_as_long_each_time_up_to_a_minute),
        cmocka_unit_test(another_task_does_not_wait_and_begins_anew),
        cmocka_unit_test(after_a_refusal_the_runs_next_task_is_declined_until_it_is_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
