/* tests/bench/rounds.c
 *
 * What a round costs the aggregator when nobody trains: seconds, CPU, memory. Real processes over TLS, all on this
 * machine, which they share; but the clients' folders are in memory, since a hundred gateways have a hundred disks. Usage:
 * rounds CASE */
#include "tests/bench/crowd.h"
#include "tests/figures.h"

enum { ROUNDS_MAX = 64 };

/* Ends a phrase of the load table; a `figure` of NULL is not in it. */
typedef struct row {
    const char *figure;
    double      must, aim, peer;
} row;

static const struct {
    const char *name;
    crowd_wish  wish;
    int         skipped; /* first rounds, in which connections are made */
    row         seconds, cpu, memory;
} cases[] = {
    { "small", { .clients = 3, .layers = "flatten, {dense: 10}", .rounds = 4 }, .skipped = 1 },
    { "2nn",
      { .clients = 100,
        .layers = "flatten, {dense: 200}, relu, {dense: 200}, relu, {dense: 10}",
        .rounds = 20,
        .in_memory = true },
      .skipped = 2,
      .seconds = { "round without training, 2NN, 100 client processes, TLS", 0.35, 0.2, 0.556 } },
    { "1.66m",
      { .clients = 100, .layers = "flatten, {dense: 2092}, relu, {dense: 10}", .rounds = 6, .in_memory = true },
      .skipped = 1,
      .cpu = { "server CPU per update of 1.66M parameters, TLS, down and up", 16, 8, 26.5 },
      .memory = { "server memory, 100 clients of 1.66M parameters", 60, 40, 5316 } },
    { "25m",
      { .clients = 50,
        .layers = "flatten, {dense: 4620}, relu, {dense: 4620}, relu, {dense: 10}",
        .rounds = 3,
        .in_memory = true },
      .skipped = 1,
      .seconds = { "round without training, 25M parameters, 50 client processes, TLS", 0, 0, 0 },
      .memory = { "server memory, 50 clients of 25M parameters", 600, 450, 0 } },
};

static size_t chosen; /* of the cases, by the command line */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* False if it is not as it must be. */
static bool tell(const row *of, const char *what, const char *unit, double value)
{
    printf("# %s: %.4g %s\n", what, value, unit);
    if (of->figure != NULL)
        tell_load(&(load_figure){ .figure = of->figure,
                                  .unit = unit,
                                  .value = value,
                                  .must = of->must,
                                  .aim = of->aim,
                                  .peer = of->peer > 0 ? "Flower" : NULL,
                                  .peer_value = of->peer });
    return of->must <= 0 || value <= of->must;
}

/* From one round's opening to the next one's. */
static double seconds_a_round(crowd *c, int skipped)
{
    int64_t opened[ROUNDS_MAX];
    double  seconds[ROUNDS_MAX];
    int     n = 0;

    crowd_opened_ms(c, c->wish.rounds, opened);
    for (int r = skipped; r + 1 < c->wish.rounds; r++) {
        seconds[n++] = (double)(opened[r + 1] - opened[r]) / 1000;
        printf("# round %d: %.3f s\n", r + 1, seconds[n - 1]);
    }
    return median(seconds, n);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(crowd));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    crowd_close(*state);
    free(*state);
    return 0;
}

static void rounds_without_training(void **state)
{
    int     skipped = cases[chosen].skipped, counted = cases[chosen].wish.rounds - skipped;
    double  cpu, clients_cpu = 0, memory, seconds;
    bool    good;
    crowd  *c = *state;
    json_t *summary;

    crowd_open(c, &cases[chosen].wish);
    office_job_start(&c->o);
    crowd_wait_rounds(c, skipped);
    cpu = process_cpu(c->o.server);
    for (size_t k = 0; k < c->wish.clients; k++)
        clients_cpu += process_cpu(c->pids[k]);
    for (int r = skipped + 1; r <= c->wish.rounds; r++)
        crowd_wait_rounds(c, r);
    cpu = process_cpu(c->o.server) - cpu;
    for (size_t k = 0; k < c->wish.clients; k++)
        clients_cpu -= process_cpu(c->pids[k]);
    memory = process_mib(c->o.server, "status", "VmHWM:");
    summary = office_wait_over(&c->o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    json_decref(summary);
    office_server_stop(&c->o);
    seconds = seconds_a_round(c, skipped);
    printf("# client CPU per update: %.4g ms\n", -1000 * clients_cpu / counted / (double)c->wish.clients);
    good = tell(&cases[chosen].seconds, "seconds a round, median", "s", seconds);
    good &= tell(&cases[chosen].cpu, "server CPU per update", "ms", 1000 * cpu / counted / (double)c->wish.clients);
    good &= tell(&cases[chosen].memory, "server memory, peak", "MiB", memory);
    assert_true(good);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(rounds_without_training, setup, teardown) };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
            chosen = i;
            return cmocka_run_group_tests(tests, NULL, NULL);
        }
    fprintf(stderr, "usage: rounds small|2nn|1.66m|25m\n");
    return 2;
}
