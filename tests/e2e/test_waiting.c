/* tests/e2e/test_waiting.c
 *
 * Too few clients: the server says who it waits for and since when, goes on when they come, and gives up, with the
 * reason, when the job says that it has waited often enough. */
#include "tests/e2e/office.h"

enum { MISSING = 2 };

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .rounds = 2 });

    office_server_start(o, NULL);
    office_enrol_all(o);
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != MISSING)
            office_gateway_start(o, k, NULL);
    return 0;
}

/* Whether the status names the missing one, and nobody else, as who is waited for. */
static bool waits_for_one(office *o, void *context)
{
    json_t *status = office_status(o), *run = json_object_get(status, "run");
    bool    is = json_is_object(run) && json_integer_value(json_object_get(run, "accepted")) == 2 &&
              strcmp(json_string_value(json_object_get(run, "waiting_for")), o->names[MISSING]) == 0 &&
              json_integer_value(json_object_get(run, "waited_ms")) > 0;

    (void)context;
    json_decref(status);
    return is;
}

static void it_says_who_is_missing_and_goes_on_when_he_comes(void **state)
{
    office *o = *state;
    char    words[200], undisturbed[65];

    office_simulate(o, "1", undisturbed);
    office_job_start(o);
    office_wait(o, waits_for_one, NULL, "the status to name who is missing");
    office_do(o, NULL, WARDMOTE_SERVER, "status", o->dir, NULL);
    snprintf(words, sizeof words, "2 of 3 in, waiting for %s since ", o->names[MISSING]);
    assert_non_null(strstr(wm_text_chars(&o->output), words));
    office_wait_text(o, o->server_log, "waiting for clients");
    office_wait_text(o, o->server_log, o->names[MISSING]);
    office_gateway_start(o, MISSING, NULL);
    office_wait_done(o, 0, undisturbed);
}

static void it_gives_up_when_the_job_says_so(void **state)
{
    office     *o = *state;
    const char *why;
    json_t     *summary;

    office_write_job(o, 2, "{select: all, quorum: 1, deadline: 500ms, attempts: 2}");
    office_job_start(o);
    summary = office_wait_over(o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "failed");
    why = json_string_value(json_object_get(summary, "why"));
    /* How many were there in time is the machine's matter; one never was. */
    if (strstr(why, " of 3 answers needed, after attempt 2; waited since ") == NULL ||
        strstr(why, o->names[MISSING]) == NULL)
        office_fail(o, "the reason is \"%s\"", why);
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "list", NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "failed"));
    assert_non_null(strstr(wm_text_chars(&o->output), why));
    json_decref(summary);
}

/* Fewer than cohort.minimum are enrolled: the job waits, and `job start` says so. */
static void a_job_waits_until_enough_are_enrolled(void **state)
{
    office *o = *state;
    json_t *status;

    office_write_job(o, 2, "{select: all, quorum: 0.5, minimum: 4}");
    office_job_start(o);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "waits until 4 gateways are enrolled; there are 3"));
    status = office_status(o);
    assert_false(json_is_object(json_object_get(status, "run")));
    assert_int_equal(json_integer_value(json_object_get(status, "queued")), 1);
    json_decref(status);
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "stop", o->run, NULL);
    status = office_status(o);
    assert_int_equal(json_integer_value(json_object_get(status, "queued")), 0);
    json_decref(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_waits_until_enough_are_enrolled),
        cmocka_unit_test(it_gives_up_when_the_job_says_so),
        cmocka_unit_test_setup_teardown(it_says_who_is_missing_and_goes_on_when_he_comes, setup, office_end),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
