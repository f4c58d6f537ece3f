/* tests/server/run/test_run_answers.c
 *
 * What clients of a run answer: what is refused by name, what counts once, what becomes of the figures. */
#include "tests/server/run/begun.h"


#include <math.h>

/* The figure of an evaluation, from what world_report says: the mean of all examples. */
static void figures_are_those_of_all_examples_together(void **state)
{
    world         w;
    wm_evaluation results[WM_CONTENDERS];
    double        sum = 0, examples = 0;

    (void)state;
    begin(&w);
    world_play(&w);
    for (size_t k = 0; k < N; k++) {
        world_report(&w, k, WM_PHASE_EVALUATE, 2, results);
        sum += results[WM_FEDERATED].loss_sum;
        examples += (double)results[WM_FEDERATED].examples;
    }
    assert_true(fabs(w.rounds[1].evaluation.loss - sum / examples) < 1e-15);
    assert_true(fabs(w.rounds[1].evaluation.metrics[0] - sum / examples) < 1e-15); /* mae of the same sums */
    assert_int_equal(w.rounds[1].evaluation.examples, (uint64_t)examples);
    world_release(&w);
}

/* What client 2 of four hands in instead of an update. */
static const struct {
    const char *says;
    const char *text;
    enum {
        NOT_A_NUMBER,
        INFINITE,
        SHORT,
        LONG,
        BROADCAST,
        NO_EXAMPLES,
        NEGATIVE,
        HUGE_WEIGHT,
        OTHER_MODEL,
        OTHER_RUN,
        EARLY,
        GARBAGE,
        EMPTY
    } what;
} bad_ones[] = {
    { "a value that is not a number", "delta[0] is not a number", NOT_A_NUMBER },
    { "infinity", "delta[0] is infinite", INFINITE },
    { "an update cut short", "exactly", SHORT },
    { "an update with more at its end", "exactly", LONG },
    { "one value that would broadcast", "exactly", BROADCAST },
    { "no examples", "a weight of 0 examples", NO_EXAMPLES },
    { "-100 examples", "a weight of 18446744073709551516 examples", NEGATIVE },
    { "2^62 examples", "a weight of 4611686018427387904 examples", HUGE_WEIGHT },
    { "another round's model", "another round's model", OTHER_MODEL },
    { "another run's update", "another run's", OTHER_RUN },
    { "a round that is not open yet", "training of round 2 is not open: training of round 1 is", EARLY },
    { "noise", "does not begin with WMUPDATE", GARBAGE },
    { "nothing at all", "0 bytes", EMPTY },
};

static uint8_t *spoil(uint8_t *bytes, size_t *n, int what)
{
    static const float    not_a_number = NAN, infinite = INFINITY;
    static const uint64_t negative = (uint64_t)-100, huge = (uint64_t)1 << 62;

    switch (what) {
    case NOT_A_NUMBER:
        memcpy(bytes + WM_UPDATE_HEADER, &not_a_number, 4);
        break;
    case INFINITE:
        memcpy(bytes + WM_UPDATE_HEADER, &infinite, 4);
        break;
    case SHORT:
        *n -= 4;
        break;
    case LONG:
        bytes = realloc(bytes, *n + 4);
        memset(bytes + *n, 0, 4);
        *n += 4;
        break;
    case BROADCAST:
        *n = WM_UPDATE_HEADER + 4;
        break;
    case NO_EXAMPLES:
        memset(bytes + 72, 0, 8);
        break;
    case NEGATIVE:
        memcpy(bytes + 72, &negative, 8);
        break;
    case HUGE_WEIGHT:
        memcpy(bytes + 72, &huge, 8);
        break;
    case OTHER_MODEL:
        bytes[40] ^= 1;
        break;
    case OTHER_RUN:
        bytes[24] ^= 1;
        break;
    case EARLY:
        bytes[20] = 2;
        break;
    case GARBAGE:
        memset(bytes, 0xa5, *n);
        break;
    case EMPTY:
        *n = 0;
        break;
    }
    return bytes;
}

static void one_bad_client_of_four_is_refused_by_name_and_the_round_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_ones / sizeof *bad_ones; i++) {
        world    w;
        wm_task  task;
        size_t   n;
        uint8_t *bytes;
        wm_error err = { 0 };

        begin(&w);
        through_statistics(&w);
        assert_int_equal(submit_good(&w, 0), WM_VERDICT_ACCEPTED);
        task = task_of(&w, 2);
        bytes = world_update(&w, 2, &task, &n);
        bytes = spoil(bytes, &n, (int)bad_ones[i].what);
        assert_case(bad_ones[i].says, submit(&w, 2, bytes, n, &err) == WM_VERDICT_REFUSED);
        if (strstr(err.text, bad_ones[i].text) == NULL)
            fail_msg("%s: \"%s\"", bad_ones[i].says, err.text);
        assert_int_equal(submit_good(&w, 1), WM_VERDICT_ACCEPTED);
        assert_int_equal(w.n_rounds, 0);
        assert_int_equal(submit_good(&w, 3), WM_VERDICT_ACCEPTED);

        assert_int_equal(w.n_rounds, 1); /* nobody is left, and the quorum is met */
        assert_int_equal(w.rounds[0].accepted, 3);
        assert_int_equal(w.rounds[0].refused, 1);
        assert_int_equal(w.rounds[0].n_contributions, 4);
        assert_int_equal(w.rounds[0].contributions[2].verdict, WM_VERDICT_REFUSED);
        assert_case(bad_ones[i].says, strstr(w.rounds[0].contributions[2].reason, bad_ones[i].text) != NULL);
        world_check_history(&w);
        world_release(&w);
    }
}

static void the_same_update_twice_counts_once_even_after_the_commit(void **state)
{
    world         w;
    wm_task       task;
    size_t        n;
    uint8_t      *bytes, *again;
    wm_update_key key;
    wm_error      err;

    (void)state;
    begin(&w);
    through_statistics(&w);
    task = task_of(&w, 0);
    for (int times = 0; times < 3; times++) {
        bytes = world_update(&w, 0, &task, &n);
        assert_int_equal(submit(&w, 0, bytes, n, NULL), WM_VERDICT_ACCEPTED);
    }
    bytes = world_update(&w, 0, &task, &n);
    assert_true(wm_update_peek(bytes, n, &key));
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_ACCEPTED);
    assert_int_equal(wm_run_fate(w.run, w.names[1], &key), WM_FATE_WANTED);
    for (size_t k = 1; k < N; k++)
        submit_good(&w, k);
    assert_int_equal(w.n_rounds, 1);
    assert_int_equal(w.rounds[0].accepted, 4);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_COMMITTED);

    again = malloc(n);
    assert_non_null(again);
    memcpy(again, bytes, n);
    assert_int_equal(submit(&w, 0, again, n, NULL), WM_VERDICT_ACCEPTED); /* the answer was lost: it is contained */
    bytes[WM_UPDATE_HEADER] ^= 1;
    assert_int_equal(submit(&w, 0, bytes, n, &err), WM_VERDICT_LATE); /* another one is not */

    world_kill(&w); /* and the next process knows it too */
    assert_ok(world_open(&w, &err), &err);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_COMMITTED);
    world_check_history(&w);
    world_release(&w);
}

static void reports_are_checked(void **state)
{
    static const struct {
        const char *says, *text;
        uint64_t    examples;
        double      loss_sum, count, sum;
        unsigned    present;
    } cases[] = {
        { "no examples", "0 examples", 0, 1, 1, 1, 1 },
        { "more examples than the job lets one claim", "2097152 examples", 1 << 21, 1, 1, 1, 1 },
        { "a loss that is not a number", "the loss of federated is not finite", 1, NAN, 1, 1, 1 },
        { "a finite loss that would drown all others", "the loss of federated is 1e+300", 1, 1e300, 1, 1, 1 },
        { "a loss just over the bound", "between 0 and 1024", 2, 2048.001, 2, 1, 1 },
        { "a loss that is better than none", "the loss of federated is -0.5", 2, -1, 2, 1, 1 },
        { "an infinite sum", "a sum of mae of federated is not finite", 1, 1, 1, INFINITY, 1 },
        { "a sum that no values have", "a sum of mae of federated is 1e+300", 1, 1, 1, 1e300, 1 },
        { "a negative sum", "a sum of mae of federated is -1", 1, 1, 1, -1, 1 },
        { "a negative count", "the count of federated is -1", 1, 1, -1, 1, 1 },
        { "a count that is not a number", "the count of federated is nan", 1, 1, NAN, 1, 1 },
        { "more values than its examples have", "the count of federated is 9, and 1 examples", 1, 1, 9, 1, 1 },
        { "nothing about the federated model", "without a result", 1, 1, 1, 1, 1u << WM_NAIVE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world         w;
        wm_evaluation results[WM_CONTENDERS] = { 0 };
        wm_error      err;

        begin(&w);
        through_statistics(&w);
        for (size_t k = 0; k < N; k++)
            submit_good(&w, k);
        assert_int_equal(w.standing.phase, WM_PHASE_EVALUATE);
        results[0] = (wm_evaluation){ .examples = cases[i].examples,
                                      .loss_sum = cases[i].loss_sum,
                                      .count = cases[i].count,
                                      .sums = { cases[i].sum } };
        assert_case(cases[i].says, wm_run_report(w.run, w.names[1], WM_PHASE_EVALUATE, 1, cases[i].present, results,
                                                 &err) == WM_VERDICT_REFUSED);
        if (strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: \"%s\"", cases[i].says, err.text);
        world_release(&w);
    }
}

/* A small gateway's validation part may be empty. It has done nothing wrong, and the others' figures stand. */
static void who_has_no_examples_to_evaluate_by_is_heard_and_not_refused(void **state)
{
    world         w;
    wm_evaluation none[WM_CONTENDERS] = { 0 }, some[WM_CONTENDERS] = { 0 };
    wm_error      err = { 0 };

    (void)state;
    begin(&w);
    through_statistics(&w);
    for (size_t k = 0; k < N; k++)
        submit_good(&w, k);
    some[WM_FEDERATED] = (wm_evaluation){ .examples = 1, .loss_sum = 2, .count = 1, .sums = { 1 } };
    assert_int_equal(wm_run_report(w.run, w.names[0], WM_PHASE_EVALUATE, 1, 1, none, &err), WM_VERDICT_DECLINED);
    for (size_t k = 1; k < N; k++)
        assert_int_equal(wm_run_report(w.run, w.names[k], WM_PHASE_EVALUATE, 1, 1, some, &err), WM_VERDICT_ACCEPTED);
    assert_int_equal(w.standing.phase, WM_PHASE_TRAIN); /* nobody is waited for */
    assert_int_equal(w.standing.round, 2);
    world_release(&w);
}

/* What an honest client sends of a model that has exploded: bad news, within the bound. */
static void an_exploded_loss_is_reported_as_the_worst_that_counts(void **state)
{
    static const struct {
        const char *says;
        double      loss_sum, want;
    } cases[] = {
        { "an ordinary loss stays what it is", 3, 3 },
        { "the bound itself stays what it is", 2048, 2048 },
        { "a huge one becomes the bound", 1e30, 2048 },
        { "infinity becomes the bound", INFINITY, 2048 },
    };
    wm_evaluation naive = { .examples = 2, .loss_sum = NAN };
    wm_error      err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world         w;
        wm_evaluation result = { .examples = 2, .loss_sum = cases[i].loss_sum, .count = 2 };
        wm_measures   measures;

        begin(&w);
        wm_measures_of(&w.job, NULL, &measures);
        wm_evaluation_clamp(&result);
        assert_case(cases[i].says, result.loss_sum == cases[i].want);
        assert_ok(wm_evaluation_check(&w.job, &measures, WM_FEDERATED, &result, 2, &err), &err);
        world_release(&w);
    }
    wm_evaluation_clamp(&naive);
    assert_true(isnan(naive.loss_sum));
}

static void strangers_get_nothing(void **state)
{
    world         w;
    wm_task       task;
    int64_t       come_back_ms;
    wm_evaluation results[WM_CONTENDERS] = { 0 };
    wm_update_key key = { .kind = WM_TASK_STATISTICS };
    wm_error      err;

    (void)state;
    begin(&w);
    assert_int_equal(wm_run_ask(w.run, "mallory", &task, &come_back_ms), WM_ANSWER_OVER);
    assert_int_equal(wm_run_submit(w.run, "mallory", malloc(10), 10, 0, &err), WM_VERDICT_REFUSED);
    assert_non_null(strstr(err.text, "mallory is not among the clients of this run"));
    assert_int_equal(wm_run_report(w.run, "mallory", WM_PHASE_EVALUATE, 1, 1, results, &err), WM_VERDICT_REFUSED);
    assert_int_equal(wm_run_fate(w.run, "mallory", &key), WM_FATE_OVER);
    wm_run_decline(w.run, "mallory", WM_PHASE_STATISTICS, 0, "no");
    wm_run_refuse(w.run, "mallory", "no");
    world_play(&w);
    world_release(&w);
}

static void who_declines_is_named_and_who_is_waited_for_too(void **state)
{
    world   w;
    wm_text waiting = WM_TEXT_INIT;

    (void)state;
    begin(&w);
    through_statistics(&w);
    wm_run_decline(w.run, w.names[1], WM_PHASE_TRAIN, 1, "the battery is low");
    submit_good(&w, 0);
    wm_run_waiting_for(w.run, 1, &waiting);
    assert_string_equal(wm_text_chars(&waiting), "ward-02 and 1 more");
    wm_text_release(&waiting);
    wm_run_refuse(w.run, w.names[2], "the bytes are not those of its digest");
    submit_good(&w, 3);
    assert_int_equal(w.n_rounds, 1);
    assert_int_equal(w.rounds[0].contributions[1].verdict, WM_VERDICT_DECLINED);
    assert_string_equal(w.rounds[0].contributions[1].reason, "the battery is low");
    assert_string_equal(w.rounds[0].contributions[2].reason, "the bytes are not those of its digest");
    world_check_history(&w);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_all_examples_together),
        cmocka_unit_test(one_bad_client_of_four_is_refused_by_name_and_the_round_goes_on),
        cmocka_unit_test(the_same_update_twice_counts_once_even_after_the_commit),
        cmocka_unit_test(reports_are_checked),
        cmocka_unit_test(who_has_no_examples_to_evaluate_by_is_heard_and_not_refused),
        cmocka_unit_test(an_exploded_loss_is_reported_as_the_worst_that_counts),
        cmocka_unit_test(strangers_get_nothing),
        cmocka_unit_test(who_declines_is_named_and_who_is_waited_for_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
