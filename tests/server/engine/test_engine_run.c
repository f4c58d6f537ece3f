/* tests/server/engine/test_engine_run.c
 *
 * A run: the way from phase to phase, what ends it, and what is left of it after a restart. */
#include "tests/server/engine/scene.h"

static void a_quiet_run_goes_through_all_phases(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    assert_at(&s, WM_PHASE_STATISTICS, 0, 0);
    assert_int_equal(ask(&s, 0), WM_ACTION_OFFER);
    all_update(&s, 0);
    for (uint32_t round = 1; round <= 2; round++) {
        assert_at(&s, WM_PHASE_TRAIN, round, 0);
        all_update(&s, round);
        assert_at(&s, WM_PHASE_EVALUATE, round, 0);
        all_report(&s, WM_PHASE_EVALUATE, round, 1.0 / round);
    }
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    all_report(&s, WM_PHASE_FINAL, 2, 1);
    assert_at(&s, WM_PHASE_CLOSED, 2, 0);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_DONE);
    assert_string_equal(s.durable.why, "all 2 rounds are done");
    assert_true(s.durable.best_loss == 0.5);
    assert_string_equal(s.done, "oscecex");
    assert_int_equal(ask(&s, 0), WM_ACTION_OVER);
    assert_int_equal(update(&s, 0, 2), WM_ACTION_LATE);
    assert_int_equal(refuse(&s, 0), WM_ACTION_REFUSE);
    wm_engine_free(s.engine);
}

static void an_evaluation_needs_one_answer(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    all_update(&s, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 1); /* nobody answered */
    assert_int_equal(report(&s, 2, WM_PHASE_EVALUATE, 1, 0.25), WM_ACTION_FOLD);
    assert_int_equal(report(&s, 2, WM_PHASE_EVALUATE, 1, 0.5), WM_ACTION_AGAIN);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_true(s.durable.best_loss == 0.25);
    all_update(&s, 2);
    for (uint32_t k = 0; k < CLIENTS; k++) /* nobody has an example: not worth waiting for */
        decline(&s, k, WM_PHASE_EVALUATE, 2);
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    assert_true(s.durable.best_loss == 0.25);
    wm_engine_free(s.engine);
}

static void the_last_evaluation_has_time_for_the_baselines(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.job.evaluate.baselines = WM_BASELINE_ALONE | WM_BASELINE_NAIVE;
    s.job.evaluate.every = 5; /* only the last round is evaluated */
    start(&s);
    all_update(&s, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    all_update(&s, 2);
    assert_at(&s, WM_PHASE_EVALUATE, 2, 0);
    all_report(&s, WM_PHASE_EVALUATE, 2, 1);
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    assert_int_equal(wm_engine_left_ms(s.engine, s.now_ms), 4 * DEADLINE); /* 2 + 2 rounds */
    pass(&s, 4 * DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_CLOSED, 2, 0); /* without anybody: the model is there all the same */
    assert_int_equal(s.durable.outcome, WM_OUTCOME_DONE);
    wm_engine_free(s.engine);
}

static void patience_ends_a_run_that_does_not_get_better(void **state)
{
    static const double losses[] = { 1, 0.5, 0.6, 0.5 };
    scene               s;

    (void)state;
    begin(&s);
    s.job.rounds = 100;
    s.job.evaluate.patience = 2;
    start(&s);
    for (uint32_t round = 1; round <= 4; round++) {
        assert_at(&s, WM_PHASE_TRAIN, round, 0);
        all_update(&s, round);
        all_report(&s, WM_PHASE_EVALUATE, round, losses[round - 1]);
    }
    assert_at(&s, WM_PHASE_FINAL, 4, 0);
    all_report(&s, WM_PHASE_FINAL, 4, 1);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_EARLY);
    assert_string_equal(s.durable.why, "the loss has not got better in 2 evaluations");
    wm_engine_free(s.engine);
}

static void the_operator_stops_it_but_what_was_begun_is_finished(void **state)
{
    scene    s;
    wm_event stop = { .kind = WM_EVENT_STOP, .reason = "enough" };

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++) {
        s.stuck = true;
        update(&s, k, 1);
    }
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_COMMIT);
    assert_int_equal(tell(&s, stop), WM_ACTION_NONE);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    s.stuck = false;
    tick(&s);
    assert_at(&s, WM_PHASE_CLOSED, 1, 0);
    assert_string_equal(s.done, "ocx");
    assert_int_equal(s.durable.outcome, WM_OUTCOME_STOPPED);
    assert_string_equal(s.durable.why, "enough");
    assert_int_equal(tell(&s, stop), WM_ACTION_REFUSE);
    assert_int_equal(tell(&s, (wm_event){ .kind = WM_EVENT_AWAY, .client = 1 }), WM_ACTION_NONE);
    assert_int_equal(tell(&s, (wm_event){ .kind = WM_EVENT_REFUSE, .client = 2, .reason = "no message" }),
                     WM_ACTION_REFUSE);
    assert_string_equal(s.done, "ocx"); /* whoever goes or errs after the end begins nothing */
    wm_engine_free(s.engine);
}

static void what_can_never_be_performed_fails_the_run(void **state)
{
    scene    s;
    wm_event fail = { .kind = WM_EVENT_FAIL, .reason = "statistics: column pm25 is the same everywhere" };

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    s.stuck = true;
    for (uint32_t k = 0; k < CLIENTS; k++)
        update(&s, k, 0);
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_SCALE);
    s.stuck = false;
    tell(&s, fail);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, fail.reason);
    wm_engine_free(s.engine);
}

static void after_a_restart_the_round_has_its_cohort_and_what_was_left_of_its_time(void **state)
{
    static const struct {
        const char *says;
        int64_t     down_ms; /* by the wall clock */
        int64_t     left_ms;
    } cases[] = {
        { "ten seconds are counted", 10000, DEADLINE - 10000 },
        { "a long absence leaves the grace", 3600000, GRACE },
        { "a clock that was set back gives no more than the job", -5000000, DEADLINE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        bool  were[CLIENTS];

        begin(&s);
        draw_two(&s);
        start(&s);
        pass(&s, DEADLINE);
        tick(&s); /* the second attempt, so that the union is drawn again */
        for (int k = 0; k < CLIENTS; k++)
            were[k] = wm_engine_cohort(s.engine)->seats[k].drawn;
        wm_engine_free(s.engine);
        s.engine = NULL;

        s.now_ms = 5; /* the monotonic clock begins anew */
        s.wall_ms += cases[i].down_ms;
        start(&s);
        assert_at(&s, WM_PHASE_TRAIN, 1, 1);
        assert_case(cases[i].says, wm_engine_left_ms(s.engine, s.now_ms) == cases[i].left_ms);
        for (int k = 0; k < CLIENTS; k++)
            assert_case(cases[i].says, wm_engine_cohort(s.engine)->seats[k].drawn == were[k]);
        assert_int_equal(wm_engine_cohort(s.engine)->accepted, 0);
        wm_engine_free(s.engine);
    }
}

static void without_deadlines_a_simulation_neither_waits_nor_loops(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.patient = true;
    s.job.cohort.attempts = 0;
    start(&s);
    pass(&s, INT32_MAX);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_true(wm_engine_left_ms(s.engine, s.now_ms) == INT64_MAX);
    for (uint32_t attempt = 0; attempt < 3; attempt++) {
        assert_at(&s, WM_PHASE_TRAIN, 1, attempt);
        for (uint32_t k = 0; k < CLIENTS; k++)
            decline(&s, k, WM_PHASE_TRAIN, 1);
    }
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why,
                        "training of round 1: 0 of 3 answers needed, after attempt 3; 0 refused and 5 declined");
    wm_engine_free(s.engine);
}

static void statistics_without_a_quorum_fail_the_run(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    s.job.cohort.attempts = 1;
    start(&s);
    assert_int_equal(update(&s, 1, 0), WM_ACTION_FOLD);
    pass(&s, DEADLINE);
    tick(&s);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, "statistics: 1 of 3 answers needed, after attempt 1; waited since "
                                       "1970-01-01T00:16:40Z for centre, north, south, west");
    wm_engine_free(s.engine);
}

static void a_deadline_beyond_all_time_is_none(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.job.cohort.deadline_ms = INT64_MAX / 2;
    s.job.evaluate.baselines = WM_BASELINE_ALONE;
    s.job.rounds = 1;
    start(&s);
    all_update(&s, 1);
    all_report(&s, WM_PHASE_EVALUATE, 1, 1);
    assert_at(&s, WM_PHASE_FINAL, 1, 0);
    assert_true(wm_engine_left_ms(s.engine, s.now_ms) == INT64_MAX);
    wm_engine_free(s.engine);
}

static void every_phase_and_round_is_before_now_or_after(void **state)
{
    static const struct {
        wm_phase phase;
        uint32_t round;
        int      at_start, in_round_1, at_the_end; /* the sign of wm_engine_order */
    } cases[] = {
        { WM_PHASE_NONE, 0, 1, 1, 1 },   { WM_PHASE_STATISTICS, 0, 0, -1, -1 }, { WM_PHASE_STATISTICS, 1, 1, 1, 1 },
        { WM_PHASE_TRAIN, 0, 1, 1, 1 },  { WM_PHASE_TRAIN, 1, 1, 0, -1 },       { WM_PHASE_EVALUATE, 1, 1, 1, -1 },
        { WM_PHASE_TRAIN, 2, 1, 1, -1 }, { WM_PHASE_EVALUATE, 2, 1, 1, -1 },    { WM_PHASE_TRAIN, 3, 1, 1, 1 },
        { WM_PHASE_FINAL, 2, 1, 1, -1 }, { (wm_phase)77, 1, 1, 1, 1 },
    };
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    for (int when = 0; when < 3; when++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int order = wm_engine_order(s.engine, cases[i].phase, cases[i].round);
            int want = when == 0 ? cases[i].at_start : when == 1 ? cases[i].in_round_1 : cases[i].at_the_end;

            if ((order > 0) - (order < 0) != want)
                fail_msg("%s of round %u: %d", wm_phase_name(cases[i].phase), cases[i].round, order);
        }
        if (when == 0)
            all_update(&s, 0);
        for (uint32_t round = 1; when == 1 && round <= 2; round++) {
            all_update(&s, round);
            all_report(&s, WM_PHASE_EVALUATE, round, 1);
        }
        if (when == 1)
            all_report(&s, WM_PHASE_FINAL, 2, 1);
    }
    wm_engine_free(s.engine);
}

static void statistics_are_of_no_round_and_before_nothing_was_opened_they_are_to_come(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = s.stuck = true;
    start(&s);
    assert_int_equal(s.durable.phase, WM_PHASE_NONE);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 0) > 0);
    wm_engine_free(s.engine);
    begin(&s);
    start(&s);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 1) > 0);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 0) < 0);
    wm_engine_free(s.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_run_goes_through_all_phases),
        cmocka_unit_test(an_evaluation_needs_one_answer),
        cmocka_unit_test(the_last_evaluation_has_time_for_the_baselines),
        cmocka_unit_test(patience_ends_a_run_that_does_not_get_better),
        cmocka_unit_test(the_operator_stops_it_but_what_was_begun_is_finished),
        cmocka_unit_test(what_can_never_be_performed_fails_the_run),
        cmocka_unit_test(after_a_restart_the_round_has_its_cohort_and_what_was_left_of_its_time),
        cmocka_unit_test(without_deadlines_a_simulation_neither_waits_nor_loops),
        cmocka_unit_test(statistics_without_a_quorum_fail_the_run),
        cmocka_unit_test(a_deadline_beyond_all_time_is_none),
        cmocka_unit_test(every_phase_and_round_is_before_now_or_after),
        cmocka_unit_test(statistics_are_of_no_round_and_before_nothing_was_opened_they_are_to_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
