/* tests/bench/wire.c
 *
 * What request and answer cost over TLS 1.3 on loopback, both ends in this process: the time of a round trip of 64
 * bytes, the rate of ranges of 256 KiB, the time to open a connection, the memory of an idle one. Median and range
 * of 5 repeats. */
#include "tests/wire/town.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 5, CALLS = 2000, RANGE = 256 << 10, RANGES = 1000, IDLE = 500 };

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const char *what, double values[REPEATS], const char *unit)
{
    qsort(values, REPEATS, sizeof *values, ascending);
    printf("%-34s %9.1f %s  (%.1f to %.1f)\n", what, values[REPEATS / 2], unit, values[0], values[REPEATS - 1]);
}

static long resident_kib(void)
{
    char  line[128];
    long  kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = atol(line + 6);
    if (f != NULL)
        fclose(f);
    return kib;
}

static void ask(wm_caller *caller, const void *bytes, size_t n)
{
    uint8_t *reply;
    size_t   n_reply;
    wm_error err;

    assert_ok(wm_caller_call(caller, bytes, n, 30000, &reply, &n_reply, &err), &err);
    free(reply);
}

static void round_trips(town *t, wm_caller *caller)
{
    static const uint8_t question[64];
    double               values[REPEATS];

    atomic_store(&t->answer_bytes, 0);
    for (int r = 0; r < REPEATS; r++) {
        double start = seconds(CLOCK_MONOTONIC);

        for (int i = 0; i < CALLS; i++)
            ask(caller, question, sizeof question);
        values[r] = 1e6 * (seconds(CLOCK_MONOTONIC) - start) / CALLS;
    }
    report("round trip of 64 bytes", values, "us");
}

static void downloads(town *t, wm_caller *caller)
{
    double rates[REPEATS], cpu[REPEATS], volume = (double)RANGE * RANGES;

    atomic_store(&t->answer_bytes, RANGE);
    for (int r = 0; r < REPEATS; r++) {
        double start = seconds(CLOCK_MONOTONIC), busy = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (int i = 0; i < RANGES; i++)
            ask(caller, "x", 1);
        rates[r] = 1e-6 * volume / (seconds(CLOCK_MONOTONIC) - start);
        cpu[r] = 1e9 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - busy) / volume;
    }
    report("ranges of 256 KiB", rates, "MB/s");
    report("CPU of both ends", cpu, "s/GB");
}

static void idle_connections(town *t)
{
    static wm_caller *callers[IDLE];
    double            rates[REPEATS], kib = 0;

    atomic_store(&t->answer_bytes, 0);
    for (int r = 0; r < REPEATS; r++) {
        long   before = resident_kib();
        double start = seconds(CLOCK_MONOTONIC);

        for (int i = 0; i < IDLE; i++)
            ask(callers[i] = town_caller(t, t->north_tls), "x", 1);
        rates[r] = 1e3 * (seconds(CLOCK_MONOTONIC) - start) / IDLE;
        if (r == 0) /* later ones find the memory of the first */
            kib = (double)(resident_kib() - before) / IDLE;
        for (int i = 0; i < IDLE; i++)
            wm_caller_free(callers[i]);
        town_wait_connections(t, 1);
    }
    report("to open a connection, with a call", rates, "ms");
    printf("%-34s %9.1f KiB  (first run of %d)\n", "idle connection, both ends", kib, IDLE);
}

int main(void)
{
    wm_listener_settings set = town_settings();
    struct rlimit        files = { .rlim_cur = 4096, .rlim_max = 4096 };
    town                 t;
    wm_caller           *caller;

    setrlimit(RLIMIT_NOFILE, &files);
    set.connections_max_per_identity = IDLE + 1;
    town_open(&t, &set);
    caller = town_caller(&t, t.north_tls);
    printf("TLS 1.3 on loopback, one process, %ld processors, %d repeats\n", sysconf(_SC_NPROCESSORS_ONLN),
           REPEATS);
    round_trips(&t, caller);
    downloads(&t, caller);
    idle_connections(&t);
    wm_caller_free(caller);
    town_close(&t);
    return 0;
}
