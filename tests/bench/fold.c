/* tests/bench/fold.c
 *
 * What it costs to take an update in: the check of its values and the fold into the exact sum, against the
 * plain reference. Prints median and spread, in milliseconds; of McMahan's CNN the fold is a figure of the load table.
 * Usage: fold [VALUES] [REPEATS] */
#include "common/rng.h"
#include "server/accumulator.h"
#include "server/fold.h"
#include "tests/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const char *what, size_t n, double *ms, size_t repeats)
{
    qsort(ms, repeats, sizeof *ms, by_value);
    printf("%-28s %9zu values  median %.3f ms  least %.3f  most %.3f  %zu repeats, 1 thread\n", what, n,
           ms[repeats / 2], ms[0], ms[repeats - 1], repeats);
}

enum { CNN = 1663370 }; /* McMahan's, parameters */

int main(int argc, char **argv)
{
    size_t         n = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : CNN;
    size_t         repeats = argc > 2 ? (size_t)strtoull(argv[2], NULL, 10) : 101;
    wm_update_spec spec = {
        .n_parts = 1,
        .parts = { { .name = "delta", .kind = WM_PART_F32, .n = n, .bound = 16, .shift_min = 24 } },
        .weight_cap = 1 << 20
    };
    wm_update_key   key = { .kind = WM_TASK_TRAIN, .round = 1 };
    wm_update       update;
    wm_accumulator *acc;
    wm_error        err;
    wm_rng          rng;
    double         *ms = calloc(repeats, sizeof *ms);
    int64_t        *plain = calloc(n, sizeof *plain);

    if (ms == NULL || plain == NULL || wm_update_new(&spec, &key, &update, &err) != WM_OK ||
        wm_accumulator_new(&spec, 10000, &acc, &err) != WM_OK) {
        fprintf(stderr, "fold: no memory for %zu values\n", n);
        return 1;
    }
    wm_rng_init(&rng, 1);
    for (size_t i = 0; i < n; i++)
        ((float *)update.values[0])[i] = (float)(0.01 * (wm_rng_unit(&rng) - 0.5));
    update.weight = 600;
    wm_update_seal(&update, &spec);

    for (size_t k = 0; k < repeats; k++) {
        wm_update again;
        double    start = now_ms();

        if (wm_update_open(&spec, &key, update.bytes, update.n_bytes, &again, &err) != WM_OK)
            return 1;
        ms[k] = now_ms() - start;
    }
    report("check of an update", n, ms, repeats);
    for (size_t k = 0; k < repeats; k++) {
        double start = now_ms();

        if (k % 1000 == 0)
            wm_accumulator_reset(acc);
        wm_accumulator_add(acc, &update);
        ms[k] = now_ms() - start;
    }
    report("fold of an update", n, ms, repeats);
    if (n == CNN)
        tell_load(&(load_figure){ .figure = "fold of an update of 1.66M parameters",
                                  .unit = "ms",
                                  .value = ms[repeats / 2],
                                  .must = 1.0,
                                  .aim = 0.7,
                                  .peer = "Flower",
                                  .peer_value = 3.0 });
    for (size_t k = 0; k < repeats; k++) {
        double start = now_ms();

        wm_fold_plain(plain, update.values[0], n, 31, update.weight);
        ms[k] = now_ms() - start;
    }
    report("fold, plain reference", n, ms, repeats);
    wm_accumulator_free(acc);
    wm_update_release(&update);
    free(ms);
    free(plain);
    return 0;
}
