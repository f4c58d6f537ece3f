/* tests/bench/idle.c
 *
 * What a gateway takes of its machine's memory while it waits for work: the real wardmote-client, connected by TLS. Once
 * before it had any work, and once with a year of hourly readings loaded and a round behind it. Usage: idle [DAYS] */
#include "tests/bench/crowd.h"
#include "tests/figures.h"

#include <time.h>
#include <unistd.h>

enum { MUST_MIB = 10, AIM_MIB = 6, REST_MS_MAX = 25 * 1000 };

static const char *days = "365";

/* What no other process shares with it. */
static double private_mib(pid_t pid)
{
    return process_mib(pid, "smaps_rollup", "Private_Clean:") + process_mib(pid, "smaps_rollup", "Private_Dirty:");
}

static bool tell(const char *figure, double mib)
{
    tell_load(&(load_figure){ .figure = figure,
                              .unit = "MiB",
                              .value = mib,
                              .must = MUST_MIB,
                              .aim = AIM_MIB,
                              .peer = "Flower",
                              .peer_value = 60 });
    return mib <= MUST_MIB;
}

/* It rests when its line for transfers has been quiet for ten seconds; that is not said anywhere, but seen. */
static double private_mib_at_rest(pid_t pid)
{
    const struct timespec look = { .tv_nsec = 200 * 1000000L };
    int64_t               end = office_now_ms() + REST_MS_MAX;
    double                mib;

    while ((mib = private_mib(pid)) > AIM_MIB && office_now_ms() < end)
        nanosleep(&look, NULL);
    return mib;
}

static void a_gateway_that_waits_is_small(void **state)
{
    char   log[4300];
    office o;
    bool   good;

    (void)state;
    office_open(&o, &(office_wish){ .n_gateways = 2, .rounds = 2, .days = days });
    office_server_start(&o, NULL);
    office_enrol_all(&o);
    office_gateways_start(&o);
    office_wait_text(&o, o.server_log, "checked in");
    office_gateway_log(&o, 0, log);
    office_wait_text(&o, log, "connected");
    good = tell("idle client, private memory, before any work", private_mib(o.gateways[0]));
    office_job_start(&o);
    json_decref(office_wait_over(&o));
    good &= tell("idle client, private memory, a year of readings loaded", private_mib_at_rest(o.gateways[0]));
    office_close(&o);
    assert_true(good);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_gateway_that_waits_is_small) };

    if (argc > 1)
        days = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
