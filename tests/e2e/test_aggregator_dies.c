/* tests/e2e/test_aggregator_dies.c
 *
 * kill -9 of the aggregator at every durable transition of a run, and in the middle of an upload: runs that die again and
 * again. Each time the same round goes on, and at the end the model is that of a run which nobody disturbed, with no
 * update lost and none counted twice, and the history holds. The first argument chooses the run, so that all can be done
 * at once. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

typedef struct death {
    const char *says, *crash; /* NULL: the last one */
    long        round;        /* in which the store says that the run stands after it; -1: no run was started */
} death;

/* In the order in which a run comes by them; a server that is started anew counts its passages from the beginning. */
static const death taking[] = {
    { "before the run is in the store", "start-before", -1 },
    { "inside the transaction of the start", "store-start-before", -1 },
    { "with the run in the store, before it is opened", "start-after", 0 },
    { "before the statistics are open", "open-before", 0 },
    { "inside the transaction that opens them", "store-open-before", 0 },
    { "when they are open, and nobody has heard of it", "open-after", 0 },
    { "when the statistics are summed, before they are stored", "scaled-before", 0 },
    { "inside the transaction of the scaling", "store-scaled-before", 0 },
    { "when the scaling is stored", "scaled-after", 1 },
    { "in the middle of an upload", "upload-in-part", 1 },
    { "before the second update of a round is folded", "fold-before@2", 1 },
    { "when an update is folded and its gateway has not heard of it", "fold-after@2", 1 },
    { NULL, NULL, 0 },
};

static const death committing[] = {
    { "with the sums stored, before the model is", "commit-sums", 1 },
    { "with the model stored, before the ledger knows", "commit-before", 1 },
    { "inside the transaction of the commit", "store-commit-before", 1 },
    { "when the ledger has the commit and nobody has heard of it", "commit-after", 1 },
    { "before the evaluation is stored", "evaluated-before", 1 },
    { "inside the transaction of the evaluation", "store-evaluated-before", 1 },
    { "when the evaluation is stored", "evaluated-after", 2 },
    { "before a line is added to rounds.csv", "file-append-before", 2 },
    { "before the run is closed", "close-before", 2 },
    { "inside the transaction that closes it", "store-close-before", 2 },
    { "when the run is over, and its folder does not say so", "close-after", 2 },
    { NULL, NULL, 0 },
};

/* What the two above cannot come by, since a thing is done once: the same moments as the ledger has them. */
static const death storing[] = {
    { "when the start is committed", "store-start-after", 0 },
    { "when the opening is committed", "store-open-after", 0 },
    { "when a file of the run's folder is written and has no name", "file-written@2", 0 },
    { "when it has its name", "file-renamed@2", 0 },
    { "when the scaling is committed", "store-scaled-after", 1 },
    { "with sums and model stored", "commit-blobs", 1 },
    { "when the round is committed", "store-commit-after", 1 },
    { "when the evaluation is committed", "store-evaluated-after", 2 },
    { "when a line was added to rounds.csv", "file-append-after", 2 },
    { "when the end is committed", "store-close-after", 2 },
    { NULL, NULL, 0 },
};

enum { ROUNDS = 2 };

static const death *deaths; /* those that were asked for */
static const char  *figure;

/* From a death to the next durable step of the same run; the first one follows on none. */
static double longer(double longest, int64_t since_ms)
{
    double seconds = since_ms > 0 ? (double)(office_now_ms() - since_ms) / 1000 : 0;

    return seconds > longest ? seconds : longest;
}

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .rounds = ROUNDS });
    return 0;
}

/* The round in which the newest run stands, as the store has it while no server runs. */
static long round_in_store(office *o)
{
    json_t *list, *runs;
    long    round = -1;

    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "list", "--json", NULL);
    list = json_loads(wm_text_chars(&o->output), 0, NULL);
    runs = json_object_get(list, "runs");
    if (json_array_size(runs) > 0)
        round = (long)json_integer_value(json_object_get(json_array_get(runs, json_array_size(runs) - 1), "round"));
    json_decref(list);
    return round;
}

static void assert_nothing_lost_or_twice(office *o)
{
    char *rounds = office_run_file(o, "rounds.csv"), *clients = office_run_file(o, "clients.csv"), row[16];
    int   lines = 0;

    for (const char *at = rounds; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, ROUNDS + 1);
    for (int r = 1; r <= ROUNDS; r++) {
        snprintf(row, sizeof row, "%d", r);
        assert_int_equal(office_csv_long(rounds, row, "selected"), o->n_gateways);
        assert_int_equal(office_csv_long(rounds, row, "accepted"), o->n_gateways);
        assert_int_equal(office_csv_long(rounds, row, "refused"), 0);
        assert_int_equal(office_csv_long(rounds, row, "late"), 0);
    }
    for (size_t k = 0; k < o->n_gateways; k++) {
        assert_int_equal(office_csv_long(clients, o->names[k], "selected"), ROUNDS);
        assert_int_equal(office_csv_long(clients, o->names[k], "accepted"), ROUNDS);
        assert_int_equal(office_csv_long(clients, o->names[k], "refused"), 0);
    }
    free(rounds);
    free(clients);
}

static void it_dies_everywhere_and_the_model_is_the_same(void **state)
{
    office      *o = *state;
    const death *d = deaths;
    char         undisturbed[65];
    json_t      *summary;
    int64_t      died_ms = 0;
    double       longest = 0;

    office_simulate(o, "2", undisturbed);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_server_stop(o);
    office_job_start(o); /* it is queued in the store */
    for (; d->says != NULL; d++) {
        long round;

        if (o->gateways[0] == 0 && strncmp(d->crash, "start", 5) != 0 && strncmp(d->crash, "open", 4) != 0)
            office_gateways_start(o); /* no earlier: they would wait longer and longer for a server */
        office_server_start(o, d->crash);
        office_server_crashes(o);
        longest = longer(longest, died_ms);
        died_ms = office_now_ms();
        round = round_in_store(o);
        if (round != d->round)
            office_fail(o, "killed %s: the run stands in round %ld, not %ld", d->says, round, d->round);
    }
    office_server_start(o, NULL);
    summary = office_wait_over(o);
    longest = longer(longest, died_ms);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    assert_int_equal(json_integer_value(json_object_get(summary, "rounds")), ROUNDS);
    assert_int_equal(json_integer_value(json_object_get(summary, "refused")), 0);
    assert_int_equal(json_integer_value(json_object_get(summary, "late")), 0);
    assert_string_equal(json_string_value(json_object_get(summary, "model_sha256")), undisturbed);
    json_decref(summary);
    assert_nothing_lost_or_twice(o);
    office_server_stop(o);
    office_do(o, NULL, WARDMOTE_SERVER, "verify", o->dir, NULL);
    tell_fault(&(fault_figure){
        .fault = figure, .tries = (uint64_t)(d - deaths), .survived = (uint64_t)(d - deaths), .seconds = longest });
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_dies_everywhere_and_the_model_is_the_same, setup, office_end),
    };

    static const struct {
        const char  *name, *figure;
        const death *deaths;
    } parts[] = {
        { "taking", "kill -9 of the aggregator until updates are taken, before and after each step", taking },
        { "committing", "kill -9 of the aggregator around commits, evaluations and the end", committing },
        { "storing", "kill -9 of the aggregator right after each commit of its store", storing },
    };
    size_t part = 0;

    while (argc > 1 && part < 2 && strcmp(argv[1], parts[part].name) != 0)
        part++;
    deaths = parts[part].deaths;
    figure = parts[part].figure;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
