/* tests/torture/test_short_of_memory.c
 *
 * A whole office, real processes over TLS, in which one allocation in so many fails, on whatever thread: of the
 * aggregator, of its issuer, of every gateway. A request, a connection or an attempt may be lost by it, and is named in
 * the log; but no process ends, and the run does. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5, EVERY = 150 };

/* Where the programs are looked for: ours are in the place of the real ones, which are those of the build tree. */
static void use_programs_that_fail(const office *o, char build[4300])
{
    static const char *const links[][2] = { { "server/wardmote", "server/wardmote" },
                                            { "server/wardmote-server", "tests/torture/torture_server" },
                                            { "client/wardmote-client", "tests/torture/torture_client" } };
    const char              *real = getenv("WM_BUILD");
    char                     from[4500], to[4500];

    assert_non_null(real);
    snprintf(build, 4300, "%s/programs", o->folder);
    assert_int_equal(mkdir(build, 0700), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(to, sizeof to, "%s/%s", build, i == 0 ? "server" : "client");
        assert_int_equal(mkdir(to, 0700), 0);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(from, sizeof from, "%s/%s", real, links[i][1]);
        snprintf(to, sizeof to, "%s/%s", build, links[i][0]);
        assert_int_equal(symlink(from, to), 0);
    }
    setenv("WM_BUILD", build, 1);
}

/* Before so many a process is starting: what fails then is told on the terminal, and it is not there. */
static void let_fail(const char *after)
{
    char every[16];

    snprintf(every, sizeof every, "%d", EVERY);
    setenv("WM_TORTURE_EVERY", every, 1);
    setenv("WM_TORTURE_AFTER", after, 1);
}

static void let_be(void)
{
    unsetenv("WM_TORTURE_EVERY");
    unsetenv("WM_TORTURE_AFTER");
}

/* "memory ran out N times of M allocations", a line at the end of each process. */
static void count(const char *path, uint64_t *failed, uint64_t *all)
{
    FILE *log = fopen(path, "r");
    char  line[4096];

    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL) {
        unsigned long long f, a;

        if (sscanf(line, "memory ran out %llu times of %llu allocations", &f, &a) == 2) {
            *failed += f;
            *all += a;
        }
    }
    fclose(log);
}

static int setup(void **state)
{
    office *o = calloc(1, sizeof *o);

    *state = o;
    office_open(o, &(office_wish){ .rounds = ROUNDS, .cohort = "{select: all, quorum: 0.3, deadline: 15s}" });
    return 0;
}

static int teardown(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

static void an_office_short_of_memory_goes_on(void **state)
{
    office  *o = *state;
    char     build[4300], log[4300], real[4096];
    uint64_t failed = 0, all = 0;
    json_t  *summary;

    snprintf(real, sizeof real, "%s", getenv("WM_BUILD"));
    use_programs_that_fail(o, build);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_job_start(o);
    office_server_stop(o);
    let_fail("1000");
    office_server_start(o, NULL);
    let_fail("300");
    office_gateways_start(o);
    let_be();
    summary = office_wait_over(o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    json_decref(summary);
    for (size_t k = 0; k < o->n_gateways; k++) {
        office_gateway_stop(o, k); /* it is still there */
        office_gateway_log(o, k, log);
        count(log, &failed, &all);
    }
    office_server_stop(o);
    count(o->server_log, &failed, &all);
    tell_fault(&(fault_figure){ .fault = "processes of an office in which one allocation in 150 fails",
                                .tries = failed,
                                .survived = failed,
                                .seconds = -1 });
    print_message("# %llu of %llu allocations failed\n", (unsigned long long)failed, (unsigned long long)all);
    assert_true(failed > 0);
    setenv("WM_BUILD", real, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_office_short_of_memory_goes_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
