/* tests/e2e/test_renewals.c
 *
 * Certificates that live for twelve seconds: a run goes on across several renewals of everybody's, the aggregator's own
 * among them, without a lost round. Then the issuing process is killed, and then it hangs: rounds go on all the while,
 * the log says what it is, and renewals come later. */
#include "tests/e2e/office.h"

#include "tests/figures.h"

#include <signal.h>
#include <unistd.h>

enum { ROUNDS = 100000, RENEWALS = 2, MORE_ROUNDS = 5 };

/* `init` has made the aggregator's certificate, for ninety days: with a new key it gets one of those that are wanted. */
static void forget_server_certificate(const office *o)
{
    static const char *const names[] = { "server.key", "server.pem" };
    char                     path[4300];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", o->dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static int setup(void **state)
{
    office *o = office_begin(
        state, &(office_wish){ .rounds = ROUNDS, .more = "certificates: {gateway: 12s, server: 12s}\n" });

    forget_server_certificate(o);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_gateways_start(o);
    office_job_start(o);
    office_wait_rounds(o, 1);
    return 0;
}

/* ---- counting ---- */

static int count_text(const char *path, const char *text)
{
    FILE  *file = fopen(path, "re");
    char  *line = NULL;
    size_t room = 0;
    int    n = 0;

    while (file != NULL && getline(&line, &room, file) >= 0)
        n += strstr(line, text) != NULL;
    free(line);
    if (file != NULL)
        fclose(file);
    return n;
}

typedef struct times {
    const char *path, *text;
    int         n;
} times;

static bool said_so_often(office *o, void *context)
{
    const times *t = context;

    (void)o;
    return count_text(t->path, t->text) >= t->n;
}

static void wait_times(office *o, const char *path, const char *text, int n)
{
    office_wait(o, said_so_often, &(times){ path, text, n }, text);
}

static const char renewed[] = "certificate: renewed", own_renewed[] = "the server's certificate is renewed";

/* Everybody's certificate is renewed so often from now on; returns how many renewals that were. */
static int wait_renewals(office *o, int more)
{
    char log[4300];
    int  before[OFFICE_GATEWAYS], own = count_text(o->server_log, own_renewed);

    for (size_t k = 0; k < o->n_gateways; k++) {
        office_gateway_log(o, k, log);
        before[k] = count_text(log, renewed);
    }
    for (size_t k = 0; k < o->n_gateways; k++) {
        office_gateway_log(o, k, log);
        wait_times(o, log, renewed, before[k] + more);
    }
    wait_times(o, o->server_log, own_renewed, own + more);
    return more * ((int)o->n_gateways + 1);
}

/* In each round all were selected, and all that were came in: nothing refused, nothing late. */
static void no_round_lost_anybody(office *o)
{
    char *csv = office_run_file(o, "rounds.csv"), *rest = csv, *line;

    (void)strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        unsigned round, selected, accepted, refused, late;

        if (sscanf(line, "%u,%*[^,],%u,%u,%u,%u", &round, &selected, &accepted, &refused, &late) != 5)
            fail_msg("what is this round? %s", line);
        if (selected != o->n_gateways || accepted != selected || refused != 0 || late != 0)
            office_fail(o, "a round lost somebody: %s", line);
    }
    free(csv);
}

/* ---- the issuing process ---- */

/* The server has no other child. 0: this system does not tell. */
static pid_t issuer_of(const office *o)
{
    char  path[64];
    int   pid = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)o->server, (int)o->server);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

/* ---- the tests ---- */

static void a_run_goes_on_across_renewals_of_all_certificates(void **state)
{
    office *o = *state;
    int     n = wait_renewals(o, RENEWALS);

    (void)office_wait_more_rounds(o, MORE_ROUNDS);
    no_round_lost_anybody(o);
    tell_fault(&(fault_figure){ .fault = "certificates renewed in the middle of a run",
                                .tries = (uint64_t)n,
                                .survived = (uint64_t)n,
                                .seconds = -1 });
}

static void lives_without_its_issuer(office *o, int signal_number, const char *said, const char *fault)
{
    pid_t  issuer = issuer_of(o);
    double seconds;

    if (issuer == 0)
        leave_out("this system does not tell a process's children");
    office_signal(o, issuer, signal_number);
    seconds = office_wait_more_rounds(o, MORE_ROUNDS);
    office_wait_text(o, o->server_log, said);
    (void)wait_renewals(o, 1);
    (void)office_wait_more_rounds(o, MORE_ROUNDS);
    no_round_lost_anybody(o);
    tell_fault(&(fault_figure){ .fault = fault, .tries = 1, .survived = 1, .seconds = seconds });
}

static void a_killed_issuer_is_started_again_and_rounds_go_on(void **state)
{
    lives_without_its_issuer(*state, SIGKILL, "the issuing process has died; it is started again",
                             "issuing process killed in the middle of a run");
}

static void a_hanging_issuer_is_started_again_and_rounds_go_on(void **state)
{
    lives_without_its_issuer(*state, SIGSTOP, "the issuing process does not answer; it is killed and started again",
                             "issuing process frozen in the middle of a run");
}

static void a_server_ends_though_its_issuer_hangs(void **state)
{
    office *o = *state;
    pid_t   issuer = issuer_of(o);

    if (issuer == 0)
        leave_out("this system does not tell a process's children");
    office_signal(o, issuer, SIGSTOP);
    office_server_stop(o);
    assert_int_equal(kill(issuer, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_across_renewals_of_all_certificates),
        cmocka_unit_test(a_killed_issuer_is_started_again_and_rounds_go_on),
        cmocka_unit_test(a_hanging_issuer_is_started_again_and_rounds_go_on),
        cmocka_unit_test(a_server_ends_though_its_issuer_hangs), /* the last: the server is gone */
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
