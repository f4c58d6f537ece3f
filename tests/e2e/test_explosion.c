/* tests/e2e/test_explosion.c
 *
 * A gateway whose training explodes, honestly: its sensor counts in other units by a hundred million. It withholds its update
 * and says in which layer it began, to its own log and to the office, where it is counted and shown; the others go on to
 * the end, and the model is as good as without it. */
#include "tests/e2e/inside.h"

enum { WILD = 1, ROUNDS = 3 };

static int setup(void **state)
{
    office_begin(state, &(office_wish){ .rounds = ROUNDS, .cohort = "{select: all, quorum: 0.6, deadline: 10m}" });
    return 0;
}

/* Without scaling, and at a rate at which readings of some hundred are learned. */
static void unscaled(office *o)
{
    office_change_job(o, "range: [0, 1000]", "range: [-1.0e12, 1.0e12]");
    office_change_job(o, "scale: federated", "scale: none");
    office_change_job(o, "rate: 0.03", "rate: 1.0e-8");
}

/* The pm25 of the gateway's readings, the fourth column, times 10^8. */
static void make_wild(office *o)
{
    enum { PM25 = 3 };
    char  path[4400], *text, *rest, *value;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.csv", o->data, o->names[WILD]);
    text = rest = office_read_text(path);
    assert_non_null(text);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", strsep(&rest, "\n"));
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        for (int column = 0; column < PM25; column++)
            fprintf(file, "%s,", strsep(&line, ","));
        value = strsep(&line, ",");
        fprintf(file, "%s%s,%s\n", value, *value != '\0' ? "e8" : "", line);
    }
    assert_int_equal(fclose(file), 0);
    free(text);
}

static void its_update_is_withheld_and_the_run_goes_on(void **state)
{
    office *o = *state;
    char    log[4300], *clients;
    json_t *summary;

    unscaled(o);
    make_wild(o);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_job_start(o);
    office_gateways_start(o);
    summary = office_wait_over(o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    assert_int_equal(json_integer_value(json_object_get(summary, "rounds")), ROUNDS);
    json_decref(summary);
    clients = office_run_file(o, "clients.csv");
    for (size_t k = 0; k < o->n_gateways; k++) {
        assert_int_equal(office_csv_long(clients, o->names[k], "declined"), k == WILD ? ROUNDS : 0);
        assert_int_equal(office_csv_long(clients, o->names[k], "accepted"), k == WILD ? 0 : ROUNDS);
        assert_int_equal(office_csv_long(clients, o->names[k], "refused"), 0);
    }
    free(clients);
    office_gateway_log(o, WILD, log);
    assert_true(
        office_has_text(log, "the loss is not finite: layer 1.dense (dense) is the first whose output is not"));
    assert_true(office_has_text(o->server_log, "layer 1.dense (dense) is the first whose output is not"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_update_is_withheld_and_the_run_goes_on, setup, office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
