/* tests/client/conversation/test_conversation.c
 *
 * What is said upon what is heard, how soon, over a restart, and while the gateway works. */
#include "tests/client/conversation/scene.h"

#include <sched.h>

static void what_is_said_upon_what_is_heard(void **state)
{
    static const struct {
        const char *says, *script, *said;
        size_t      failures; /* the server was there, but for those that are `unreached` */
        bool        held;
        size_t      unreached;
    } rows[] = {
        { "a round from the offer to the commit", "train send accepted held-accepted held-committed nothing",
          "check-in ask submit(training 1) ask-held(training 1) ask-held(training 1) ask", 0, false },
        { "the update is kept until it is committed", "train send accepted", "check-in ask submit(training 1)", 0,
          true },
        { "a server that has no place is asked again", "train later:700 wanted send accepted",
          "check-in ask submit(training 1) ask-held(training 1) submit(training 1)", 0, true },
        { "an update that was committed at once is let go", "train send committed nothing",
          "check-in ask submit(training 1) ask", 0, false },
        { "a round that is over lets the update go", "train cut held-over nothing",
          "check-in ask submit(training 1) check-in ask-held(training 1) ask", 1, false },
        { "so does its receipt", "train over nothing", "check-in ask submit(training 1) ask", 0, false },
        { "a refused update is not sent again", "train send refused nothing", "check-in ask submit(training 1) ask",
          0, false },
        { "a cut line is begun anew by checking in, and the update is still there",
          "train cut wanted send accepted",
          "check-in ask submit(training 1) check-in ask-held(training 1) submit(training 1)", 1, true },
        { "no server at all", "cut cut nothing", "check-in check-in check-in ask", 2, false, 2 },
        { "an evaluation is reported", "evaluate:2 accepted nothing", "check-in ask report(evaluation 2) ask", 0,
          false },
        { "a cut report is sent again", "evaluate:2 cut accepted nothing",
          "check-in ask report(evaluation 2) check-in report(evaluation 2) ask", 1, false },
        { "a report that the server cannot read is not sent for ever", "evaluate:2 fault nothing",
          "check-in ask report(evaluation 2) check-in ask", 1, false },
        { "unless the server names a time", "evaluate:2 fault:900 accepted nothing",
          "check-in ask report(evaluation 2) check-in report(evaluation 2) ask", 1, false },
        { "statistics of too few rows are declined", "statistics over nothing",
          "check-in ask decline(10 rows of readings in training, data.rows_min asks for 100: statistics of fewer would "
          "say too much about single readings) ask",
          0, false },
        { "an offer of no known phase", "odd-phase nothing", "check-in ask check-in ask", 1, false },
        { "a held update of which nothing is said", "train cut nothing",
          "check-in ask submit(training 1) check-in ask-held(training 1)", 2, true },
        { "a task while an update is held is not taken", "train accepted train-again held-committed nothing",
          "check-in ask submit(training 1) ask-held(training 1) ask-held(training 1) ask", 0, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene *s = *state;

        if (i > 0) {
            teardown(state);
            setup(state);
            s = *state;
        }
        play(s, rows[i].script);
        if (strcmp(wm_text_chars(&s->said), rows[i].said) != 0)
            print_error("said: %s\nwant: %s\n(%s)\n", wm_text_chars(&s->said), rows[i].said, s->failure.text);
        assert_case(rows[i].says, strcmp(wm_text_chars(&s->said), rows[i].said) == 0);
        assert_case(rows[i].says, s->failures == rows[i].failures);
        assert_case(rows[i].says, s->failures - s->lost == rows[i].unreached);
        assert_case(rows[i].says, is_held(s) == rows[i].held);
    }
}

static void nothing_is_asked_in_a_hot_loop(void **state)
{
    static const struct {
        const char *says, *script;
        int64_t     least_ms, most_ms; /* of waiting, in all */
    } rows[] = {
        { "nothing to do, and come back at once", "nothing nothing nothing nothing nothing", 5000, 5000 },
        { "nothing to do, said after holding the question", "held:25000 held:25000 held:25000", 0, 0 },
        { "come back in a millisecond", "nothing:1 nothing:1 nothing:1", 150, 150 },
        { "come back in the year of the end of all integers", "huge", 600000, 600000 },
        { "accepted, said at once, again and again",
          "train send accepted held-accepted held-accepted held-accepted", 3000, 3000 },
        { "a task where an update is held, at once, again and again",
          "train accepted train-again train-again train-again", 3000, 3000 },
        { "no place, and come back at once", "train later wanted later wanted later", 3000, 3000 },
        { "wanted once more whenever it was accepted",
          "train send accepted wanted accepted wanted accepted wanted accepted", 3000, 3000 },
        { "the same evaluation again waits for one second, then two, then four",
          "evaluate accepted evaluate evaluate accepted evaluate evaluate accepted evaluate evaluate accepted",
          8000, 8000 },
        { "evaluations of one round after another do not wait",
          "evaluate:1 accepted evaluate:2 accepted evaluate:3 accepted nothing", 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene *s;

        teardown(state);
        setup(state);
        s = *state;
        play(s, rows[i].script);
        if (s->slept_ms < rows[i].least_ms || s->slept_ms > rows[i].most_ms)
            print_error("waited for %lld ms; said: %s\n", (long long)s->slept_ms, wm_text_chars(&s->said));
        assert_case(rows[i].says, s->slept_ms >= rows[i].least_ms && s->slept_ms <= rows[i].most_ms);
        assert_case(rows[i].says, s->failures == 0);
    }
}

static void a_finished_update_is_handed_in_after_a_restart_without_training(void **state)
{
    scene    *s = *state;
    wm_held   before, after;
    wm_digest digest;

    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &before));
    digest = before.digest;
    restart_gateway(s);
    assert_true(wm_pending_held(s->pending, &after));
    assert_true(wm_digest_equal(&digest, &after.digest));
    s->fetches = 0;
    s->policy.examples_min = 1000; /* it could not train if it wanted to */
    play(s, "wanted send accepted held-committed nothing");
    assert_string_equal(wm_text_chars(&s->said),
                        "check-in ask-held(training 1) submit(training 1) ask-held(training 1) ask");
    assert_int_equal(s->fetches, 0);
    digest = wm_sha256_of(s->update, s->n_update);
    restart_gateway(s);
    assert_false(is_held(s));
}

static void an_update_that_was_lost_is_trained_again_to_the_same_bits(void **state)
{
    scene    *s = *state;
    wm_held   held;
    wm_digest first;

    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &held));
    first = held.digest;
    play(s, "held-over");
    restart_gateway(s);
    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &held));
    assert_true(wm_digest_equal(&first, &held.digest));
}

/* A job that trains until it is stopped. */
static void long_job(scene *s, wm_text *job)
{
    const char *at = strstr(TINY_JOB, "epochs: 1}");

    wm_text_add_bytes(job, TINY_JOB, (size_t)(at - (const char *)TINY_JOB));
    wm_text_add(job, "epochs: 10000}");
    wm_text_add(job, strchr(at, '\n'));
    s->job = wm_text_chars(job);
    s->settings.beat_ms = 0;
    restart_gateway(s);
}

static void work_that_is_not_wanted_any_more_ends_unsaid(void **state)
{
    scene  *s = *state;
    wm_text job = WM_TEXT_INIT;
    wm_task task;
    uint8_t run[WM_RUN_ID_SIZE];

    long_job(s, &job);
    play(s, "train:3 abandon");
    assert_string_equal(wm_text_chars(&s->said), "check-in ask ask-busy");
    for (s->script = ""; wm_desk_busy(s->desk, &task, run); sched_yield())
        turn(s);
    assert_null(strstr(wm_text_chars(&s->said), "decline"));
    assert_false(is_held(s));
    play(s, "nothing");
    assert_string_equal(wm_text_chars(&s->said), "ask");
    close_gateway(s);
    wm_text_release(&job);
    s->job = TINY_JOB;
    open_gateway(s);
}

static void a_gateway_that_stops_abandons_its_work(void **state)
{
    scene  *s = *state;
    wm_text job = WM_TEXT_INIT;

    long_job(s, &job);
    play(s, "train:3");
    restart_gateway(s); /* does not wait for ten thousand epochs */
    assert_false(is_held(s));
    wm_text_release(&job);
    s->job = TINY_JOB;
}

static void the_wish_for_a_renewal_is_passed_on(void **state)
{
    scene *s = *state;

    play(s, "nothing renew nothing");
    assert_int_equal(s->renewals, 1);
}

static void the_certified_time_is_kept(void **state)
{
    scene *s = *state;

    assert_int_equal(wm_server_time_now(s->time), 0);
    wm_server_time_heard(s->time, INT64_MAX); /* no server means that; the sum with what passes must not overflow */
    assert_int_equal(wm_server_time_now(s->time), 0);
    wm_server_time_heard(s->time, 1700000000000);
    restart_gateway(s);
    assert_true(wm_server_time_now(s->time) == 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_upon_what_is_heard),
        TEST(nothing_is_asked_in_a_hot_loop),
        TEST(a_finished_update_is_handed_in_after_a_restart_without_training),
        TEST(an_update_that_was_lost_is_trained_again_to_the_same_bits),
        TEST(work_that_is_not_wanted_any_more_ends_unsaid),
        TEST(a_gateway_that_stops_abandons_its_work),
        TEST(the_wish_for_a_renewal_is_passed_on),
        TEST(the_certified_time_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
