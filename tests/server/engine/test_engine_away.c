/* tests/server/engine/test_engine_away.c
 *
 * Who goes away: for whom a round waits all the same, and who is drawn in whose place. */
#include "tests/server/engine/scene.h"

static void who_is_away_is_not_waited_for_once_the_quorum_is_met(void **state)
{
    scene s;

    (void)state;
    begin(&s); /* all of five, three are enough */
    start(&s);
    leave(&s, 1);
    leave(&s, 1);
    assert_waits_for(&s, "centre, east (away), north, south, west");
    for (uint32_t k = 2; k < CLIENTS; k++)
        update(&s, k, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* centre is there and has not answered */
    leave(&s, 0);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_waits_for(&s, "centre (away), east (away), north, south, west"); /* they stay away */
    wm_engine_free(s.engine);
}

static void below_the_quorum_who_is_away_is_waited_for_and_its_answer_counts(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 1; k < CLIENTS; k++)
        leave(&s, k);
    update(&s, 0, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_waits_for(&s, "east (away), north (away), south (away), west (away)");
    assert_int_equal(ask(&s, 1), WM_ACTION_OFFER);
    assert_waits_for(&s, "east, north (away), south (away), west (away)");
    assert_int_equal(update(&s, 2, 1), WM_ACTION_FOLD); /* without a question before */
    assert_int_equal(update(&s, 1, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void an_evaluation_that_all_have_left_is_waited_for(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    all_update(&s, 1);
    for (uint32_t k = 0; k < CLIENTS; k++)
        leave(&s, k);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    report(&s, 3, WM_PHASE_EVALUATE, 1, 0.5); /* it is back; nobody else is */
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_true(s.durable.best_loss == 0.5);
    wm_engine_free(s.engine);
}

static void another_attempt_and_another_round_know_who_is_away(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    refuse(&s, 4);
    for (uint32_t k = 2; k < CLIENTS; k++)
        leave(&s, k);
    update(&s, 0, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    assert_waits_for(&s, "east, north (away), south (away), west (away)");
    update(&s, 1, 1);
    update(&s, 4, 1);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    for (uint32_t k = 0; k < 2; k++)
        report(&s, k, WM_PHASE_EVALUATE, 1, 1);
    report(&s, 4, WM_PHASE_EVALUATE, 1, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_waits_for(&s, "centre, east, north (away), south (away), west");
    wm_engine_free(s.engine);
}

static uint32_t next_drawn(const scene *s, uint32_t from)
{
    const wm_cohort *cohort = wm_engine_cohort(s->engine);

    while (from < CLIENTS && !cohort->seats[from].drawn)
        from++;
    return from;
}

/* A round for which two of five are drawn. */
static void begin_with_two(scene *s, uint32_t *first, uint32_t *second)
{
    begin(s);
    draw_two(s);
    start(s);
    *first = next_drawn(s, 0);
    *second = next_drawn(s, *first + 1);
}

static void a_place_is_given_to_another_at_once_and_the_first_may_still_answer(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin_with_two(&s, &first, &second);
    leave(&s, first);
    assert_int_equal(drawn(&s), 3);
    while (third == first || third == second || !wm_engine_cohort(s.engine)->seats[third].drawn)
        third++;
    leave(&s, third); /* the substitute has a place like everybody, and it is given away as well */
    assert_int_equal(drawn(&s), 4);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, first, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_int_equal(drawn(&s), 5); /* every one is asked for the evaluation */
    wm_engine_free(s.engine);
}

static void where_nobody_is_left_to_be_drawn_the_next_who_comes_is(void **state)
{
    scene    s;
    uint32_t first, second, other = 0;

    (void)state;
    begin_with_two(&s, &first, &second);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn) {
            leave(&s, k);
            other = k;
        }
    leave(&s, first);
    assert_int_equal(drawn(&s), 2);
    assert_int_equal(ask(&s, other), WM_ACTION_WAIT); /* who asks is told what was so before it was drawn */
    assert_int_equal(drawn(&s), 3);
    assert_string_equal(s.done, "od");
    assert_int_equal(ask(&s, other), WM_ACTION_OFFER);
    wm_engine_free(s.engine);
}

static void who_was_drawn_in_anothers_place_is_so_after_a_restart_as_well(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin_with_two(&s, &first, &second);
    leave(&s, first);
    assert_int_equal(s.n_drawn, 1);
    third = s.drawn[0].client;
    assert_int_equal(s.drawn[0].place_of, first);
    wm_engine_free(s.engine);
    s.engine = NULL;

    s.now_ms = 5;
    start(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(drawn(&s), 3);
    assert_true(wm_engine_cohort(s.engine)->seats[third].drawn);
    leave(&s, first); /* as it was: its place is given away already */
    assert_int_equal(drawn(&s), 3);
    assert_string_equal(s.done, "od");
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

/* Two of five are drawn, the first leaves, and that another is drawn in its place cannot be stored. */
static void while_a_substitution_waits_for_the_disk_the_phase_goes_on(void **state)
{
    scene    s;
    uint32_t first, second, third;

    (void)state;
    begin_with_two(&s, &first, &second);
    s.stuck = true;
    leave(&s, first);
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_SUBSTITUTE);
    assert_int_equal(drawn(&s), 2);
    assert_false(wm_engine_is_closing(s.engine));
    assert_int_equal(ask(&s, second), WM_ACTION_OFFER);
    decline(&s, second, WM_PHASE_TRAIN, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    assert_int_equal(update(&s, first, 1), WM_ACTION_FOLD);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* nothing else can be written either */
    s.stuck = false;
    tick(&s); /* the driver has room again */
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_NONE);
    assert_int_equal(drawn(&s), 3);
    third = s.drawn[0].client;
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void what_was_reached_while_a_substitution_waited_closes_the_phase_after_it(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin(&s);
    draw_two(&s);
    s.job.cohort.over = 1.5; /* three are drawn, two are wanted */
    start(&s);
    first = next_drawn(&s, 0);
    second = next_drawn(&s, first + 1);
    third = next_drawn(&s, second + 1);
    s.stuck = true;
    leave(&s, first);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_true(wm_engine_is_closing(s.engine));
    assert_int_equal(update(&s, first, 1), WM_ACTION_LATE); /* never more than the goal */
    assert_int_equal(ask(&s, first), WM_ACTION_WAIT);
    leave(&s, first);
    s.stuck = false;
    tick(&s);
    assert_string_equal(s.done, "odc");
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void a_stop_waits_for_a_substitution_that_was_begun(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    draw_two(&s);
    start(&s);
    s.stuck = true;
    leave(&s, next_drawn(&s, 0));
    tell(&s, (wm_event){ .kind = WM_EVENT_STOP, .reason = "enough" });
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    s.stuck = false;
    tick(&s);
    assert_string_equal(s.done, "odx");
    assert_int_equal(s.durable.outcome, WM_OUTCOME_STOPPED);
    wm_engine_free(s.engine);
}

static void while_the_disk_is_full_nobody_is_drawn_in_anothers_place(void **state)
{
    scene    s;
    uint32_t first, second;
    size_t   before;

    (void)state;
    begin_with_two(&s, &first, &second);
    s.stuck = true;
    update(&s, first, 1);
    update(&s, second, 1);
    before = drawn(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        leave(&s, k);
    assert_int_equal(drawn(&s), before);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    wm_engine_free(s.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_away_is_not_waited_for_once_the_quorum_is_met),
        cmocka_unit_test(below_the_quorum_who_is_away_is_waited_for_and_its_answer_counts),
        cmocka_unit_test(an_evaluation_that_all_have_left_is_waited_for),
        cmocka_unit_test(a_place_is_given_to_another_at_once_and_the_first_may_still_answer),
        cmocka_unit_test(where_nobody_is_left_to_be_drawn_the_next_who_comes_is),
        cmocka_unit_test(who_was_drawn_in_anothers_place_is_so_after_a_restart_as_well),
        cmocka_unit_test(while_a_substitution_waits_for_the_disk_the_phase_goes_on),
        cmocka_unit_test(what_was_reached_while_a_substitution_waited_closes_the_phase_after_it),
        cmocka_unit_test(a_stop_waits_for_a_substitution_that_was_begun),
        cmocka_unit_test(another_attempt_and_another_round_know_who_is_away),
        cmocka_unit_test(while_the_disk_is_full_nobody_is_drawn_in_anothers_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
