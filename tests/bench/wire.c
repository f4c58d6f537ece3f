/* tests/bench/wire.c [PART ...]
 *
 * What request and answer cost over TLS 1.3 on loopback, the listener in a process of its own, whose CPU time and
 * memory are told apart: a round trip of 64 bytes, ranges of 256 KiB down and up, opening a connection, an idle one.
 * Median and range of 5 repeats. */
#include "tests/wire/town.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 5, CALLS = 2000, RANGE = 256 << 10, RANGES = 1000, IDLE = 500 };

static const char DOWNLOAD[] = "download";

typedef struct bench {
    town       t; /* its listener is the child's */
    wm_caller *caller;
    pid_t      server;
    clockid_t  server_cpu;
} bench;

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
    printf("%-40s %9.2f %s  (%.2f to %.2f)\n", what, values[REPEATS / 2], unit, values[0], values[REPEATS - 1]);
    fflush(stdout);
}

static long private_kib(pid_t pid)
{
    char  line[128], path[64];
    long  kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "Pss:", 4) == 0)
            kib = atol(line + 4);
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

static void round_trips(bench *b)
{
    static const uint8_t question[64];
    double               values[REPEATS], cpu[REPEATS];

    for (int r = 0; r < REPEATS; r++) {
        double start = seconds(CLOCK_MONOTONIC), busy = seconds(b->server_cpu);

        for (int i = 0; i < CALLS; i++)
            ask(b->caller, question, sizeof question);
        values[r] = 1e6 * (seconds(CLOCK_MONOTONIC) - start) / CALLS;
        cpu[r] = 1e6 * (seconds(b->server_cpu) - busy) / CALLS;
    }
    report("round trip of 64 bytes", values, "us");
    report("    CPU of the server", cpu, "us");
}

static void ranges(bench *b, bool up)
{
    static uint8_t bytes[RANGE];
    double         rates[REPEATS], server[REPEATS], client[REPEATS], volume = (double)RANGE * RANGES;

    for (int r = 0; r < REPEATS; r++) {
        double start = seconds(CLOCK_MONOTONIC), busy = seconds(b->server_cpu),
               ours = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (int i = 0; i < RANGES; i++)
            ask(b->caller, up ? bytes : (const void *)DOWNLOAD, up ? RANGE : sizeof DOWNLOAD);
        rates[r] = 1e-6 * volume / (seconds(CLOCK_MONOTONIC) - start);
        server[r] = 1e9 * (seconds(b->server_cpu) - busy) / volume;
        client[r] = 1e9 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - ours) / volume;
    }
    report(up ? "uploads of 256 KiB" : "downloads of 256 KiB", rates, "MB/s");
    report("    CPU of the server", server, "s/GB");
    report("    CPU of the client", client, "s/GB");
}

static void downloads(bench *b)
{
    ranges(b, false);
}

static void uploads(bench *b)
{
    ranges(b, true);
}

static void connections(bench *b)
{
    static wm_caller *callers[IDLE];
    double            rates[REPEATS], cpu[REPEATS], kib = 0;

    for (int r = 0; r < REPEATS; r++) {
        long   before = private_kib(b->server);
        double start = seconds(CLOCK_MONOTONIC), busy = seconds(b->server_cpu);

        for (int i = 0; i < IDLE; i++)
            ask(callers[i] = town_caller(&b->t, b->t.north_tls), "x", 1);
        rates[r] = 1e3 * (seconds(CLOCK_MONOTONIC) - start) / IDLE;
        cpu[r] = 1e3 * (seconds(b->server_cpu) - busy) / IDLE;
        if (r == 0) /* later ones find the memory of the first */
            kib = (double)(private_kib(b->server) - before) / IDLE;
        for (int i = 0; i < IDLE; i++)
            wm_caller_free(callers[i]);
    }
    report("to open a connection, with a call", rates, "ms");
    report("    CPU of the server", cpu, "ms");
    printf("%-40s %9.1f KiB  (first run of %d)\n", "idle connection, the server's memory", kib, IDLE);
}

static const struct {
    const char *name;
    void (*run)(bench *b);
} all[] = {
    { "round", round_trips },
    { "down", downloads },
    { "up", uploads },
    { "connections", connections },
};

/* An echo, but a range is answered with a few bytes, and "download" with a range. */
static void handle(void *context, wm_request *request)
{
    size_t         n;
    const uint8_t *bytes = wm_request_bytes(request, &n);
    uint8_t       *room;

    (void)context;
    if (n != sizeof DOWNLOAD || memcmp(bytes, DOWNLOAD, n) != 0) {
        wm_request_reply(request, bytes, n < RANGE ? n : 64);
    } else if ((room = wm_request_room(request, RANGE)) != NULL) {
        memset(room, 7, RANGE);
        wm_request_send(request);
    } else {
        wm_request_drop(request);
    }
}

/* The listener's process: until it is killed. */
static void serve(town *t, int port)
{
    wm_listener_settings set = { .url = "tls+tcp://127.0.0.1:0",
                                 .tls = t->server_tls,
                                 .request_max = 320 << 10,
                                 .connections_max_per_identity = IDLE + 2,
                                 .handle = handle };
    char                 text[32];
    wm_error             err;

    assert_ok(wm_listener_start(&set, &t->listener, &err), &err);
    snprintf(text, sizeof text, "%d", wm_listener_port(t->listener));
    assert_true(write(port, text, sizeof text) == sizeof text);
    for (;;)
        pause();
}

static void start_server(bench *b)
{
    int  port[2];
    char text[32];

    assert_int_equal(pipe(port), 0);
    town_found(&b->t);
    if ((b->server = fork()) == 0)
        serve(&b->t, port[1]);
    assert_true(read(port[0], text, sizeof text) == sizeof text);
    snprintf(b->t.url, sizeof b->t.url, "tls+tcp://127.0.0.1:%.8s", text);
    assert_int_equal(clock_getcpuclockid(b->server, &b->server_cpu), 0);
    b->caller = town_caller(&b->t, b->t.north_tls);
    ask(b->caller, "x", 1);
}

int main(int argc, char **argv)
{
    struct rlimit files = { .rlim_cur = 4096, .rlim_max = 4096 };
    bench         b = { .server = 0 };

    setrlimit(RLIMIT_NOFILE, &files);
    start_server(&b);
    printf("TLS 1.3 on loopback, two processes, %ld processors, %d repeats\n", sysconf(_SC_NPROCESSORS_ONLN),
           REPEATS);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = argc > 1 ? 1 : 0; k < argc; k++)
            if (k == 0 || strcmp(argv[k], all[i].name) == 0)
                all[i].run(&b);
    fflush(stdout);
    wm_caller_free(b.caller);
    kill(b.server, SIGKILL);
    waitpid(b.server, NULL, 0);
    town_close(&b.t);
    return 0;
}
