/* tests/e2e/test_nineteen_faults.c
 *
 * Nineteen faults, measured once on a peer: it was poisoned in silence by five of them, hung by six, and lost its run by
 * others. Here each comes out right: refused by name, counted, the round goes on; nothing hangs, nothing is silent, nobody
 * is locked out. Called with the part that is to be done: updates, processes or connections. */
#include "tests/e2e/nineteen.h"

#include "tests/descriptors.h"
#include "tests/figures.h"

static const struct {
    const char  *name;
    const fault *faults;
    const char  *row; /* of the table of faults */
} parts[] = {
    { "updates", faults_of_updates, "updates with which a peer was poisoned or hung" },
    { "processes", faults_of_processes, "gateways and aggregator killed or frozen, a peer's way" },
    { "connections", faults_of_connections, "floods and mute peers that locked a peer up" },
};

static size_t part;

void fault_job(office *o, int rounds, const char *cohort, bool long_fit)
{
    office_write_job(o, rounds, cohort);
    if (long_fit)
        office_change_job(o, "epochs: 1", "epochs: 250");
    office_job_start(o);
}

void fault_is_seen(office *o, const char *text)
{
    char report[4400];

    office_run_path(o, "report.html", report);
    office_wait_text(o, o->server_log, text);
    office_wait_text(o, report, text);
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, "--json", NULL);
    if (strstr(wm_text_chars(&o->output), text) == NULL)
        office_fail(o, "`clients --json` does not say \"%s\"", text);
}

double fault_progress(office *o, int rounds, int64_t since_ms)
{
    office_wait_rounds(o, rounds);
    return (double)(office_now_ms() - since_ms) / 1000;
}

static int setup(void **state)
{
    office *o;
    char    more[200];

    (void)raise_descriptors(); /* a thousand connections */
    snprintf(more, sizeof more, "presence: {silence: %dms, gone: %dms}\nuploads: {room: 1MiB}\n", FAULT_SILENCE_MS,
             FAULT_GONE_MS);
    o = office_begin(state, &(office_wish){ .n_gateways = FAULT_GATEWAYS, .more = more });
    office_server_start(o, NULL);
    office_enrol_all(o);
    for (size_t k = 0; k < FAULT_GATEWAYS; k++)
        if (k != FAULT_VICTIM)
            office_gateway_start(o, k, NULL);
    return 0;
}

static void nothing_hangs_nothing_is_silent_nobody_is_locked_out(void **state)
{
    office      *o = *state;
    fault_figure figure = { .fault = parts[part].row, .seconds = -1 };

    for (const fault *f = parts[part].faults; f->says != NULL; f++) {
        double seconds;

        print_message("# %d: %s\n", f->number, f->says);
        seconds = f->happens(o);
        if (seconds >= 0)
            print_message("#    progress after %.2f s\n", seconds);
        figure.tries++;
        figure.survived++; /* or the test has failed */
        figure.seconds = seconds > figure.seconds ? seconds : figure.seconds;
    }
    tell_fault(&figure);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_hangs_nothing_is_silent_nobody_is_locked_out, setup, office_end),
    };

    while (part < sizeof parts / sizeof *parts && (argc < 2 || strcmp(parts[part].name, argv[1]) != 0))
        part++;
    if (part == sizeof parts / sizeof *parts) {
        fprintf(stderr, "say which part: updates, processes or connections\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
