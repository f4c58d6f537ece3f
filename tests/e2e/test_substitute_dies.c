/* tests/e2e/test_substitute_dies.c
 *
 * kill -9 of the aggregator while another gateway is drawn in the place of one that has gone: it is drawn, and the round
 * is committed with its update though the first never comes back; or it is not, and nobody knows of it. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

#include <unistd.h>

enum { GATEWAYS = 4, NOBODY = 99 };

static const struct {
    const char *says, *crash;
    bool        drawn; /* the ledger has it */
} deaths[] = {
    { "before the ledger hears of it", "substitute-before", false },
    { "inside its transaction", "store-substitute-before", false },
    { "when it is committed", "store-substitute-after", true },
    { "when the ledger has it and the gateway has not heard of it", "substitute-after", true },
};

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .n_gateways = GATEWAYS, .more = "presence: {gone: 1s}\n" });

    office_server_start(o, NULL);
    office_enrol_all(o);
    office_server_stop(o);
    return 0;
}

/* A gateway after `at` that trains, with that in its log. */
static size_t in_training(const office *o, size_t at)
{
    char log[4300];

    for (; at < GATEWAYS; at++) {
        office_gateway_log(o, at, log);
        if (office_has_text(log, "working phase=training round=1"))
            return at;
    }
    return NOBODY;
}

static bool two_train(office *o, void *context)
{
    size_t first = in_training(o, 0);

    (void)context;
    return first != NOBODY && in_training(o, first + 1) != NOBODY;
}

static bool is_trained(office *o, void *context)
{
    json_t     *status = office_status(o);
    const char *phase = json_string_value(json_object_get(json_object_get(status, "run"), "phase"));
    bool        is = phase == NULL || strcmp(phase, "training") != 0;

    (void)context;
    json_decref(status);
    return is;
}

static void start_long_job(office *o)
{
    char log[4300];

    for (size_t k = 0; k < GATEWAYS; k++) { /* of this job, and of no other */
        office_gateway_log(o, k, log);
        if (o->gateways[k] != 0)
            assert_int_equal(truncate(log, 0), 0);
    }
    office_write_job(o, 1, "{select: {uniform: 0.5}, quorum: 1, deadline: 24h}");
    office_change_job(o, "epochs: 1", "epochs: 500");
    office_job_start(o);
}

static void it_dies_and_the_round_is_done_without_who_has_gone(void **state)
{
    office *o = *state;
    size_t  n = sizeof deaths / sizeof *deaths;
    double  longest = 0;

    for (size_t i = 0; i < n; i++) {
        size_t  victim;
        json_t *summary;
        char   *rounds;
        int64_t since;

        office_server_start(o, deaths[i].crash);
        for (size_t k = 0; k < GATEWAYS; k++)
            if (o->gateways[k] == 0)
                office_gateway_start(o, k, NULL);
        start_long_job(o);
        office_wait(o, two_train, NULL, "the two that were drawn to train");
        victim = in_training(o, 0);
        office_gateway_stop(o, victim);
        office_server_crashes(o);
        since = office_now_ms();
        office_server_start(o, NULL);
        if (deaths[i].drawn) /* the round must end without it */
            office_wait(o, is_trained, NULL, "the substitute's update");
        office_gateway_start(o, victim, NULL);
        summary = office_wait_over(o);
        if (strcmp(json_string_value(json_object_get(summary, "outcome")), "done") != 0)
            office_fail(o, "killed %s: %s", deaths[i].says, json_string_value(json_object_get(summary, "why")));
        assert_int_equal(json_integer_value(json_object_get(summary, "refused")), 0);
        json_decref(summary);
        if ((double)(office_now_ms() - since) / 1000 > longest)
            longest = (double)(office_now_ms() - since) / 1000;
        rounds = office_run_file(o, "rounds.csv");
        assert_int_equal(office_csv_long(rounds, "1", "selected"), deaths[i].drawn ? 3 : 2);
        assert_int_equal(office_csv_long(rounds, "1", "accepted"), 2);
        free(rounds);
        office_server_stop(o);
    }
    office_do(o, NULL, WARDMOTE_SERVER, "verify", o->dir, NULL);
    tell_fault(&(fault_figure){ .fault = "kill -9 of the aggregator while one is drawn in another's place",
                                .tries = n,
                                .survived = n,
                                .seconds = longest });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_dies_and_the_round_is_done_without_who_has_gone, setup, office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
