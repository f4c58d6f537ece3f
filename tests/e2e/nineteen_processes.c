/* tests/e2e/nineteen_processes.c: gateways that are killed or frozen, and the aggregator killed. */
#include "tests/e2e/nineteen.h"

#include <signal.h>
#include <unistd.h>

enum { THE_OTHERS = FAULT_GATEWAYS - 1, ROUNDS_FROZEN = 5 };

/* The victim runs, and is in the middle of the training of a round of this job. */
static void victim_trains(office *o, int rounds, const char *cohort)
{
    char log[4300];

    office_gateway_log(o, FAULT_VICTIM, log);
    (void)unlink(log); /* an earlier life of it has trained as well */
    office_gateway_start(o, FAULT_VICTIM, NULL);
    office_wait_text(o, log, "connected");
    fault_job(o, rounds, cohort, true);
    office_wait_text(o, log, "phase=train");
}

static bool holds_an_update(const office *o)
{
    char folder[4300], path[4400];

    office_gateway_folder(o, FAULT_VICTIM, folder);
    snprintf(path, sizeof path, "%s/pending", folder);
    return access(path, F_OK) == 0;
}

static double killed_in_training(office *o)
{
    int64_t since;
    double  seconds;
    char   *rounds, *clients;

    victim_trains(o, 2, "{select: all, quorum: 0.8, deadline: 10m}");
    since = office_now_ms();
    office_gateway_kill(o, FAULT_VICTIM);
    seconds = fault_progress(o, 1, since);
    office_wait_text(o, o->server_log, "its connection ended");
    office_wait_done(o, 2, NULL);
    rounds = office_run_file(o, "rounds.csv");
    clients = office_run_file(o, "clients.csv");
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), THE_OTHERS);
    assert_int_equal(office_csv_long(clients, o->names[FAULT_VICTIM], "missed"), 2);
    free(rounds);
    free(clients);
    return seconds;
}

/* Whether the status names the victim, and nobody else, as who is waited for, and since when. */
static bool waits_for_the_victim(office *o, void *context)
{
    json_t     *status = office_status(o), *run = json_object_get(status, "run");
    const char *names = json_string_value(json_object_get(run, "waiting_for"));
    char        want[100];
    bool        is;

    snprintf(want, sizeof want, "%s (away)", o->names[FAULT_VICTIM]);
    is = names != NULL && strcmp(names, want) == 0 && json_is_string(json_object_get(run, "waiting_since")) &&
         json_integer_value(json_object_get(run, "accepted")) == THE_OTHERS;
    (void)context;
    json_decref(status);
    return is;
}

/* The victim trains for a job of which all are needed, and that would come to model `undisturbed`. */
static void all_are_needed(office *o, char undisturbed[65])
{
    static const char cohort[] = "{select: all, quorum: 1, deadline: 10m}";

    office_write_job(o, 3, cohort);
    office_change_job(o, "epochs: 1", "epochs: 250");
    office_simulate(o, "2", undisturbed);
    victim_trains(o, 3, cohort);
}

static double killed_where_all_are_needed(office *o)
{
    char    undisturbed[65];
    int64_t since;
    double  seconds;

    all_are_needed(o, undisturbed);
    assert_false(holds_an_update(o));
    office_gateway_kill(o, FAULT_VICTIM);
    office_wait(o, waits_for_the_victim, NULL, "the status to say who is waited for, and since when");
    office_wait_text(o, o->server_log, "waiting for clients");
    since = office_now_ms();
    office_gateway_start(o, FAULT_VICTIM, NULL);
    seconds = fault_progress(o, 1, since);
    office_wait_done(o, 0, undisturbed);
    office_gateway_stop(o, FAULT_VICTIM);
    return seconds;
}

/* Round 1 goes on without the frozen one, which is thawed then: what it still hands in of that round comes too late, it is
 * drawn again and takes part. */
static double thawed_after_the_round(office *o, int64_t since)
{
    char   log[4300], *rounds, *clients;
    double seconds = fault_progress(o, 1, since);

    office_signal(o, o->gateways[FAULT_VICTIM], SIGCONT);
    office_gateway_log(o, FAULT_VICTIM, log);
    office_wait_text(o, log, "update committed"); /* of a later round */
    office_wait_done(o, ROUNDS_FROZEN, NULL);
    rounds = office_run_file(o, "rounds.csv");
    clients = office_run_file(o, "clients.csv");
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), THE_OTHERS);
    assert_true(office_csv_long(clients, o->names[FAULT_VICTIM], "missed") >= 1);
    assert_true(office_csv_long(clients, o->names[FAULT_VICTIM], "accepted") >= 1);
    free(rounds);
    free(clients);
    office_gateway_stop(o, FAULT_VICTIM);
    return seconds;
}

/* In the middle of its training: its silence gives it away. */
static double frozen_without_a_deadline(office *o)
{
    double seconds;

    victim_trains(o, ROUNDS_FROZEN, "{select: all, quorum: 0.8, deadline: 24h}");
    office_signal(o, o->gateways[FAULT_VICTIM], SIGSTOP);
    seconds = thawed_after_the_round(o, office_now_ms());
    office_wait_text(o, o->server_log, "connected, and silent");
    return seconds;
}

/* While it waits for work: the deadline passes. */
static double frozen_with_a_deadline(office *o)
{
    char    log[4300];
    int64_t since;

    office_gateway_log(o, FAULT_VICTIM, log);
    (void)unlink(log);
    office_gateway_start(o, FAULT_VICTIM, NULL);
    office_wait_text(o, log, "connected");
    office_signal(o, o->gateways[FAULT_VICTIM], SIGSTOP);
    office_write_job(o, ROUNDS_FROZEN, "{select: all, quorum: 0.8, deadline: 3s}");
    office_change_job(o, "scale: federated", "scale: client"); /* or it would miss the statistics first */
    since = office_now_ms();
    office_job_start(o);
    return thawed_after_the_round(o, since);
}

static double the_aggregator_killed(office *o)
{
    char    undisturbed[65];
    int64_t since;
    double  seconds;

    all_are_needed(o, undisturbed);
    since = office_now_ms();
    office_server_kill(o);
    office_server_start(o, NULL);
    seconds = fault_progress(o, 1, since);
    office_wait_done(o, 0, undisturbed);
    office_gateway_stop(o, FAULT_VICTIM); /* it never died of it, nor did the others: they exit with 0 at the end */
    for (size_t k = 0; k < THE_OTHERS; k++)
        office_gateway_stop(o, k);
    return seconds;
}

const fault faults_of_processes[] = {
    { 1, "a gateway is killed in the middle of its training", killed_in_training },
    { 2, "the same, where all are needed", killed_where_all_are_needed },
    { 3, "a gateway is frozen, and the deadline is a day", frozen_without_a_deadline },
    { 4, "a gateway is frozen, and the deadline is three seconds", frozen_with_a_deadline },
    { 5, "the aggregator is killed and started again", the_aggregator_killed },
    { 0 },
};
