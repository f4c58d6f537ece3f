/* tests/client/conversation/test_conversation_tasks.c
 *
 * Tasks that a gateway declines, and transfers that are cut or do not fit. */
#include "tests/client/conversation/scene.h"

static void a_task_is_declined_with_its_reason(void **state)
{
    static const char *const x[] = { "x" };
    scene                   *s = *state;

    s->policy.columns = (wm_words){ x, 1 };
    play(s, "train over nothing");
    assert_string_equal(
        wm_text_chars(&s->said),
        "check-in ask decline(the job uses the column y, which this gateway does not give to jobs: add it "
        "to the allowed columns if it may be used) ask");
    assert_false(is_held(s));

    s->policy.columns = (wm_words){ NULL, 0 };
    s->policy.examples_min = 1000;
    play(s, "train train over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said),
                           "decline(9 training examples are fewer than client.yaml's data.examples_min of 1000)"));
    assert_true(s->slept_ms >= 1000); /* readings are not loaded in a circle */

    s->policy.examples_min = 1;
    s->policy.memory_max = 100;
    s->slept_ms = 0;
    play(s, "train:2 over nothing"); /* another task, soon: the same word at once, without a look */
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(9 training examples"));
    assert_true(s->slept_ms < 1000);
    play(s, "held:4000 train:3 over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(training this model takes "));
    assert_non_null(strstr(wm_text_chars(&s->said), "there are 100 for it: client.yaml's limits.memory"));
}

static void a_model_beyond_the_limit_is_not_even_fetched(void **state)
{
    scene *s = *state;

    s->settings.memory_max = 1 << 20;
    restart_gateway(s);
    s->announced = (uint64_t)1 << 31;
    play(s, "train over nothing");
    assert_string_equal(
        wm_text_chars(&s->said),
        "check-in ask decline(a model of 2147483648 bytes is more than the 1048576 that there are for it: client.yaml's "
        "limits.memory, or all that the machine has) ask");
    assert_int_equal(s->fetches, 0);
}

static void a_job_that_does_not_hold_is_declined(void **state)
{
    scene *s = *state;

    s->job = "job: tiny\nno: job\n";
    play(s, "train over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(the server's job:"));
    assert_int_equal(s->failures, 0);
}

static void another_model_than_the_jobs_is_declined(void **state)
{
    static const char part[] = "length: 1";
    scene            *s = *state;
    wm_text           job = WM_TEXT_INIT;
    const char       *at = strstr(TINY_JOB, part);

    wm_text_add_bytes(&job, TINY_JOB, (size_t)(at - (const char *)TINY_JOB));
    wm_text_add(&job, "length: 2");
    wm_text_add(&job, at + strlen(part));
    s->job = wm_text_chars(&job);
    play(s, "train over nothing");
    assert_non_null(
        strstr(wm_text_chars(&s->said), "decline(the server's model has 2 parameters, the job's has 3)"));
    close_gateway(s);
    wm_text_release(&job);
    s->job = TINY_JOB;
    open_gateway(s);
}

static void a_fetch_that_was_cut_goes_on(void **state)
{
    scene *s = *state;

    s->cut_after = 2; /* the job is here, the model is not */
    play(s, "train train send accepted");
    assert_int_equal(s->failures, 1);
    assert_string_equal(s->failure.text, "the bulk line was cut");
    assert_string_equal(wm_text_chars(&s->said), "check-in ask check-in ask submit(training 1)");
}

static void an_upload_that_was_cut_is_submitted_again(void **state)
{
    scene *s = *state;

    s->cut_after = 3; /* after the job and the model: the put */
    play(s, "train send wanted send accepted");
    assert_int_equal(s->failures, 1);
    assert_int_equal(s->puts, 1);
    assert_int_equal(s->n_update, s->submitted);
    assert_true(is_held(s));
}

/* A size that is not the blob's own is a fault of the server, which may mend it: the fetch that was begun by the wrong
 * size must not stand in the way, nor its bytes be taken for more than they are. */
static void a_size_that_changes_between_offers(void **state)
{
    scene *s = *state;

    s->announced = 4096;
    play(s, "train");
    assert_int_equal(s->failures, 1);
    assert_string_equal(s->failure.text, "4096 bytes from 0 on are not within a blob of 8");
    s->announced = 0;
    play(s, "train send accepted");
    assert_int_equal(s->failures, 0);

    /* The other way round: begun with the truth, cut, and offered with more. */
    play(s, "held-committed");
    s->model[0] = 1;
    s->cut_after = 1;
    play(s, "train:2");
    assert_int_equal(s->failures, 1);
    s->announced = 4096;
    play(s, "train:2 nothing");
    assert_int_equal(s->failures, 1);
    assert_false(is_held(s));
}

static void odd_sizes_are_refused_by_name(void **state)
{
    scene *s = *state;

    s->announced = 3;
    play(s, "train");
    assert_string_equal(s->failure.text, "the server's offer names no model, or one of an odd size");
    s->announced = (uint64_t)1 << 40;
    play(s, "train");
    assert_string_equal(s->failure.text, "a blob of 1099511627776 bytes, where 1 to 4294967296 are expected");
    s->announced = 0;
    s->cut_after = 0;
    play(s, "train send accepted");
    assert_int_equal(s->failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_declined_with_its_reason),   TEST(a_model_beyond_the_limit_is_not_even_fetched),
        TEST(a_job_that_does_not_hold_is_declined), TEST(another_model_than_the_jobs_is_declined),
        TEST(a_fetch_that_was_cut_goes_on),         TEST(an_upload_that_was_cut_is_submitted_again),
        TEST(a_size_that_changes_between_offers),   TEST(odd_sizes_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
