/* tests/server/engine/test_engine_round.c
 *
 * One round: its goal, its deadline and its quorum; the attempts that follow; whose answer counts, and which is refused. */
#include "tests/server/engine/scene.h"

static void a_round_closes_at_its_goal_and_the_rest_is_late(void **state)
{
    scene  s;
    size_t folded = 0;

    (void)state;
    begin(&s);
    draw_two(&s);
    s.job.cohort.over = 1.5;
    start(&s);
    assert_int_equal(drawn(&s), 3); /* ceil(2 * 1.5), of which two are wanted */
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (wm_engine_cohort(s.engine)->seats[k].drawn) {
            wm_action_kind told;

            s.stuck = ++folded >= 2; /* so that the round is closed and not yet on disk */
            told = update(&s, k, 1);
            assert_int_equal(told, folded <= 2 ? WM_ACTION_FOLD : WM_ACTION_LATE);
            if (folded >= 2) {
                s.stuck = true;
                assert_int_equal(ask(&s, k), WM_ACTION_WAIT);
                assert_int_equal(update(&s, k, 1), folded == 2 ? WM_ACTION_AGAIN : WM_ACTION_LATE);
            }
        }
    assert_int_equal(folded, 3);
    s.stuck = false;
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_string_equal(s.done, "oc");
    wm_engine_free(s.engine);
}

static void at_the_deadline_the_quorum_is_enough(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < 3; k++) /* 0.6 of 5 */
        update(&s, k, 1);
    assert_int_equal(ask(&s, 0), WM_ACTION_WAIT);
    assert_int_equal(ask(&s, 4), WM_ACTION_OFFER);
    pass(&s, DEADLINE - 1);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(wm_engine_left_ms(s.engine, s.now_ms), 1);
    pass(&s, 1);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_int_equal(update(&s, 4, 1), WM_ACTION_LATE);
    wm_engine_free(s.engine);
}

static void a_round_needs_one_answer_however_low_its_quorum(void **state)
{
    wm_text text = WM_TEXT_INIT;
    scene   s;

    (void)state;
    begin(&s);
    s.job.cohort.quorum = 1e-12;
    start(&s);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1); /* nobody has answered: another attempt, not an empty round */
    wm_cohort_waiting_for(wm_engine_cohort(s.engine), NULL, 0, &text);
    assert_string_equal(wm_text_chars(&text), "5 more");
    update(&s, 0, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_text_release(&text);
    wm_engine_free(s.engine);
}

static void when_nobody_is_left_the_quorum_closes_at_once(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < 3; k++)
        update(&s, k, 1);
    decline(&s, 3, WM_PHASE_TRAIN, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(refuse(&s, 4), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "delta[3] is not a number");
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

/* Three have handed in and one has declined; what the fifth says is the last answer, whatever it is about. */
static void the_last_answer_closes_the_phase_whatever_it_is_refused_for(void **state)
{
    static const struct {
        const char *says;
        bool        patient;
        double      quorum;
        wm_event    last;
        wm_phase    phase; /* then */
        uint32_t    attempt;
    } rows[] = {
        { "an update of this round that does not hold",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_TRAIN, .round = 1, .reason = "x" },
          WM_PHASE_EVALUATE,
          0 },
        { "what nobody can tell the round of",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .reason = "too long" },
          WM_PHASE_EVALUATE,
          0 },
        { "an update of a round that is to come",
          false,
          0.6,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_TRAIN, .round = 2 },
          WM_PHASE_EVALUATE,
          0 },
        { "an evaluation that has not begun",
          false,
          0.6,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_EVALUATE,
          0 },
        { "an evaluation that does not hold and has not begun",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_EVALUATE, .round = 1, .reason = "x" },
          WM_PHASE_EVALUATE,
          0 },
        { "below the quorum, with a deadline, it is waited for",
          false,
          0.8,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_TRAIN,
          0 },
        { "below the quorum, where no deadline passes, all are asked once more",
          true,
          0.8,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_TRAIN,
          1 },
        { "nor does it end in silence where an update is of a round to come",
          true,
          0.8,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_TRAIN, .round = 2 },
          WM_PHASE_TRAIN,
          1 },
        { "what is late is no answer, and it is waited for",
          true,
          0.6,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_STATISTICS },
          WM_PHASE_TRAIN,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_event last = rows[i].last;
        scene    s;

        begin(&s);
        s.patient = rows[i].patient;
        s.job.cohort.quorum = rows[i].quorum;
        start(&s);
        for (uint32_t k = 0; k < 3; k++)
            update(&s, k, 1);
        decline(&s, 3, WM_PHASE_TRAIN, 1);
        assert_at(&s, WM_PHASE_TRAIN, 1, 0);
        last.client = 4;
        tell(&s, last);
        if (wm_engine_standing(s.engine)->phase != rows[i].phase)
            fail_msg("%s: %s", rows[i].says, wm_phase_name(wm_engine_standing(s.engine)->phase));
        assert_at(&s, rows[i].phase, 1, rows[i].attempt);
        wm_engine_free(s.engine);
    }
}

static void below_the_quorum_another_attempt_keeps_what_was_accepted(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    update(&s, 0, 1);
    update(&s, 1, 1);
    refuse(&s, 2);
    decline(&s, 3, WM_PHASE_TRAIN, 1);
    refuse(&s, 4);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* no hot loop: all have answered, and it waits for the deadline */
    assert_int_equal(ask(&s, 2), WM_ACTION_WAIT);
    assert_int_equal(update(&s, 2, 1), WM_ACTION_REFUSE);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    assert_string_equal(s.done, "oo");
    assert_int_equal(wm_engine_cohort(s.engine)->accepted, 2);
    assert_int_equal(ask(&s, 0), WM_ACTION_WAIT);
    assert_int_equal(update(&s, 0, 1), WM_ACTION_AGAIN);
    assert_int_equal(ask(&s, 2), WM_ACTION_OFFER);
    assert_int_equal(ask(&s, 3), WM_ACTION_OFFER);
    update(&s, 2, 1);
    update(&s, 3, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    update(&s, 4, 1);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void another_attempt_draws_more_clients(void **state)
{
    scene  s;
    bool   first[CLIENTS];
    size_t were;

    (void)state;
    begin(&s);
    draw_two(&s);
    s.job.cohort.attempts = 0; /* no end */
    start(&s);
    were = drawn(&s);
    assert_int_equal(were, 2);
    for (int k = 0; k < CLIENTS; k++)
        first[k] = wm_engine_cohort(s.engine)->seats[k].drawn;
    for (uint32_t attempt = 1; attempt < 50; attempt++) {
        pass(&s, DEADLINE);
        tick(&s);
        assert_at(&s, WM_PHASE_TRAIN, 1, attempt);
        assert_true(drawn(&s) >= were);
        were = drawn(&s);
        for (int k = 0; k < CLIENTS; k++)
            assert_true(!first[k] || wm_engine_cohort(s.engine)->seats[k].drawn);
    }
    assert_int_equal(were, CLIENTS);
    wm_engine_free(s.engine);
}

static void too_many_attempts_fail_and_name_who_was_waited_for(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    update(&s, 0, 1);
    update(&s, 3, 1);
    for (int attempt = 0; attempt < 3; attempt++) {
        pass(&s, DEADLINE);
        tick(&s);
    }
    assert_at(&s, WM_PHASE_CLOSED, 1, 0);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, "training of round 1: 2 of 3 answers needed, after attempt 3; waited since "
                                       "1970-01-01T00:18:40Z for east, north, west");
    assert_string_equal(s.done, "ooox");
    wm_engine_free(s.engine);
}

static void repeats_count_once_and_contradictions_are_refused(void **state)
{
    scene    s;
    wm_event other = {
        .kind = WM_EVENT_UPDATE, .client = 1, .phase = WM_PHASE_TRAIN, .round = 1, .digest = { { 9 } }, .weight = 10
    };

    (void)state;
    begin(&s);
    start(&s);
    assert_int_equal(update(&s, 1, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, 1, 1), WM_ACTION_AGAIN);
    assert_int_equal(tell(&s, other), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "another update was already accepted");
    assert_int_equal(wm_engine_cohort(s.engine)->accepted, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->seats[1].part.verdict, WM_VERDICT_ACCEPTED);
    assert_int_equal(refuse(&s, 1), WM_ACTION_REFUSE); /* garbage afterwards changes nothing */
    assert_int_equal(wm_engine_cohort(s.engine)->seats[1].part.verdict, WM_VERDICT_ACCEPTED);
    wm_engine_free(s.engine);
}

static void what_belongs_elsewhere_is_named(void **state)
{
    scene            s;
    wm_engine_counts counts;

    (void)state;
    begin(&s);
    s.job.rounds = 9;
    start(&s);
    assert_int_equal(update(&s, 0, 3), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "training of round 3 is not open: training of round 1 is");
    assert_int_equal(report(&s, 1, WM_PHASE_EVALUATE, 1, 1), WM_ACTION_REFUSE);
    assert_int_equal(report(&s, 2, WM_PHASE_FINAL, 9, 1), WM_ACTION_REFUSE);
    assert_int_equal(update(&s, 3, 0), WM_ACTION_LATE); /* statistics */
    decline(&s, 4, WM_PHASE_TRAIN, 4);                  /* is about nothing */
    assert_int_equal(ask(&s, 4), WM_ACTION_OFFER);
    wm_engine_counts_get(s.engine, &counts);
    assert_int_equal(counts.refused, 3);
    assert_int_equal(counts.late, 1);
    wm_engine_free(s.engine);

    begin(&s);
    draw_two(&s);
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn) {
            assert_int_equal(ask(&s, k), WM_ACTION_WAIT);
            assert_int_equal(update(&s, k, 1), WM_ACTION_REFUSE);
            assert_string_equal(s.text, "not in this round's cohort");
        }
    wm_engine_free(s.engine);
}

static void a_refusal_or_a_decline_about_something_else_changes_no_seat(void **state)
{
    scene    s;
    wm_event refusal = { .kind = WM_EVENT_REFUSE, .client = 3, .phase = WM_PHASE_TRAIN, .reason = "bad" };

    (void)state;
    begin(&s);
    s.job.rounds = 9;
    s.job.evaluate.every = 9;
    start(&s);
    all_update(&s, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    refusal.round = 1;
    assert_int_equal(tell(&s, refusal), WM_ACTION_LATE); /* of a round that is over: nobody cares what was in it */
    assert_int_equal(ask(&s, 3), WM_ACTION_OFFER);
    decline(&s, 3, WM_PHASE_TRAIN, 2);
    decline(&s, 3, WM_PHASE_TRAIN, 2);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    for (uint32_t k = 0; k < CLIENTS; k++) {
        s.stuck = true;
        if (k != 3)
            update(&s, k, 2);
    }
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_COMMIT);
    decline(&s, 4, WM_PHASE_TRAIN, 2); /* too late to change what is being written */
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    wm_engine_free(s.engine);

    begin(&s);
    draw_two(&s);
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn)
            decline(&s, k, WM_PHASE_TRAIN, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 0);
    wm_engine_free(s.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_closes_at_its_goal_and_the_rest_is_late),
        cmocka_unit_test(at_the_deadline_the_quorum_is_enough),
        cmocka_unit_test(when_nobody_is_left_the_quorum_closes_at_once),
        cmocka_unit_test(the_last_answer_closes_the_phase_whatever_it_is_refused_for),
        cmocka_unit_test(below_the_quorum_another_attempt_keeps_what_was_accepted),
        cmocka_unit_test(another_attempt_draws_more_clients),
        cmocka_unit_test(too_many_attempts_fail_and_name_who_was_waited_for),
        cmocka_unit_test(repeats_count_once_and_contradictions_are_refused),
        cmocka_unit_test(what_belongs_elsewhere_is_named),
        cmocka_unit_test(a_refusal_or_a_decline_about_something_else_changes_no_seat),
        cmocka_unit_test(a_round_needs_one_answer_however_low_its_quorum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
