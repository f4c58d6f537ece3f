/* tests/e2e/test_leaving.c
 *
 * Gateways that go: stopped in the middle of a round or of their own start, killed, all of them at once, revoked. The
 * office knows it at once, says so, gives the place to another where it can, and goes on when enough are there. */
#include "tests/e2e/office.h"

#include "tests/figures.h"

#include <signal.h>
#include <unistd.h>

enum { GATEWAYS = 4, NOBODY = 99 };

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .n_gateways = GATEWAYS, .more = "presence: {gone: 1s}\n" });

    office_server_start(o, NULL);
    office_enrol_all(o);
    office_gateways_start(o);
    return 0;
}

static int64_t present(office *o)
{
    json_t *status = office_status(o);
    int64_t n = json_integer_value(json_object_get(json_object_get(status, "gateways"), "present"));

    json_decref(status);
    return n;
}

static bool all_are_present(office *o, void *context)
{
    (void)context;
    return present(o) == GATEWAYS;
}

/* Before each test: those are there again that the one before it has stopped, even if it failed half-way. */
static int all_are_back(void **state)
{
    office *o = *state;

    for (size_t k = 0; k < GATEWAYS; k++)
        if (o->gateways[k] == 0)
            office_gateway_start(o, k, NULL);
    office_wait(o, all_are_present, NULL, "all gateways to be there");
    return 0;
}

/* ---- what is seen ---- */

static bool is_said_by(const office *o, size_t k, const char *text)
{
    char path[4300];

    office_gateway_log(o, k, path);
    return office_has_text(path, text);
}

/* A gateway but `not` that trains in round 1, with that in its log; NOBODY. */
static size_t in_training(const office *o, size_t not )
{
    for (size_t k = 0; k < GATEWAYS; k++)
        if (k != not &&is_said_by(o, k, "working phase=training round=1"))
            return k;
    return NOBODY;
}

static bool two_train(office *o, void *context)
{
    size_t first = in_training(o, NOBODY);

    (void)context;
    return first != NOBODY && in_training(o, first) != NOBODY;
}

static void start_long_job(office *o, int rounds, const char *cohort)
{
    char log[4300];

    for (size_t k = 0; k < GATEWAYS; k++) { /* of this job, and of no other */
        office_gateway_log(o, k, log);
        assert_int_equal(truncate(log, 0), 0);
    }
    office_write_job(o, rounds, cohort);
    office_change_job(o, "epochs: 1", "epochs: 500");
    office_job_start(o);
}

typedef struct away_wish {
    size_t      gateway;
    const char *why;
} away_wish;

static bool is_away(office *o, void *context)
{
    const away_wish *wish = context;
    json_t          *all, *list, *gateway;
    const char      *why = NULL;
    size_t           i;
    bool             is;

    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, "--json", NULL);
    all = json_loads(wm_text_chars(&o->output), 0, NULL);
    list = json_is_array(all) ? all : json_object_get(all, "gateways");
    json_array_foreach(list, i, gateway) if (strcmp(json_string_value(json_object_get(gateway, "name")),
                                                    o->names[wish->gateway]) == 0) why =
        json_string_value(json_object_get(json_object_get(gateway, "away"), "why"));
    is = why != NULL && strcmp(why, wish->why) == 0;
    json_decref(all);
    return is;
}

/* Whether the status has the text under that key of the run. */
typedef struct run_wish {
    const char *key, *text;
} run_wish;

static bool run_says(office *o, void *context)
{
    const run_wish *wish = context;
    json_t         *status = office_status(o);
    const char     *text = json_string_value(json_object_get(json_object_get(status, "run"), wish->key));
    bool            is = text != NULL && strstr(text, wish->text) != NULL;

    json_decref(status);
    return is;
}

static void told(const char *fault, int64_t since_ms)
{
    tell_fault(&(fault_figure){
        .fault = fault, .tries = 1, .survived = 1, .seconds = (double)(office_now_ms() - since_ms) / 1000 });
}

/* ---- */

static void stopped_in_the_middle_of_a_round_its_place_is_anothers_at_once(void **state)
{
    office *o = *state;
    size_t  victim;
    int64_t since;
    char   *rounds;

    start_long_job(o, 1, "{select: {uniform: 0.5}, quorum: 1, deadline: 24h}");
    office_wait(o, two_train, NULL, "the two that were drawn to train");
    victim = in_training(o, NOBODY);
    since = office_now_ms();
    office_gateway_stop(o, victim); /* exits with 0 */
    office_wait_text(o, o->server_log, "signed off");
    office_wait(o, is_away, &(away_wish){ victim, "signed off" }, "the office to know that it has gone");
    office_wait_rounds(o, 1);
    told("gateway stopped in the middle of a round: its place is another's", since);
    office_wait_done(o, 0, NULL);
    rounds = office_run_file(o, "rounds.csv");
    assert_int_equal(office_csv_long(rounds, "1", "selected"), 3);
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), 2);
    free(rounds);
}

static bool has_its_lock(office *o, void *context)
{
    (void)o;
    return access(context, F_OK) == 0;
}

static void stopped_while_it_starts_it_exits_with_0(void **state)
{
    office *o = *state;
    char    folder[4300], lock[4400];

    office_gateway_stop(o, 0);
    office_gateway_folder(o, 0, folder);
    snprintf(lock, sizeof lock, "%s/lock", folder);
    for (int i = 0; i < 10; i++) {
        (void)unlink(lock);
        office_gateway_start(o, 0, NULL);
        office_wait(o, has_its_lock, lock, "the gateway to begin");
        office_gateway_stop(o, 0);
    }
}

static void killed_while_it_waits_it_is_missed_at_once(void **state)
{
    office *o = *state;
    int64_t since = office_now_ms();

    office_gateway_kill(o, 1);
    office_wait(o, is_away, &(away_wish){ 1, "its connection ended" }, "the office to miss it");
    told("gateway killed while it waits: missed", since);
    assert_int_equal(present(o), GATEWAYS - 1);
}

static void all_gone_it_says_whom_it_waits_for_and_goes_on_with_enough(void **state)
{
    office *o = *state;
    char    names[400];
    int64_t since;

    start_long_job(o, 2, "{select: all, quorum: 0.5, deadline: 24h}");
    office_wait(o, two_train, NULL, "the training to begin");
    for (size_t k = 0; k < GATEWAYS; k++)
        office_gateway_stop(o, k);
    snprintf(names, sizeof names, "%s (away), %s (away)", o->names[0], o->names[1]);
    office_wait(o, run_says, &(run_wish){ "waiting_for", names }, "the status to name who is away");
    office_wait(o, run_says, &(run_wish){ "note", "without somebody who is away" },
                "the status to say that the quorum waits for them");
    office_do(o, NULL, WARDMOTE_SERVER, "status", o->dir, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "0 there now"));
    office_wait_text(o, o->server_log, "without somebody who is away");
    office_wait_text(o, o->server_log, "waiting for clients");
    since = office_now_ms();
    office_gateway_start(o, 2, NULL);
    office_gateway_start(o, 3, NULL);
    office_wait_rounds(o, 1);
    told("all gateways gone, enough of them back", since);
    office_wait_done(o, 0, NULL);
}

static void a_quorum_that_can_never_be_reached_is_said_and_the_run_can_be_stopped(void **state)
{
    office *o = *state;
    json_t *summary;

    start_long_job(o, 2, "{select: all, quorum: 1, deadline: 24h}");
    office_wait(o, two_train, NULL, "the training to begin");
    office_do(o, NULL, WARDMOTE_SERVER, "revoke", o->dir, o->names[3], NULL);
    office_wait(o, run_says, &(run_wish){ "note", "can never be reached" }, "the status to say so");
    office_wait_text(o, o->server_log, "can never be reached");
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "stop", o->run, NULL);
    summary = office_wait_over(o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "stopped");
    json_decref(summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, all_are_back)
        TEST(stopped_in_the_middle_of_a_round_its_place_is_anothers_at_once),
        TEST(stopped_while_it_starts_it_exits_with_0),
        TEST(killed_while_it_waits_it_is_missed_at_once),
        TEST(all_gone_it_says_whom_it_waits_for_and_goes_on_with_enough),
        TEST(a_quorum_that_can_never_be_reached_is_said_and_the_run_can_be_stopped),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
