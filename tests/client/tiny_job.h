/* tests/client/tiny_job.h
 *
 * A job so small that its training is worked out by hand: the prediction of the next hour's y is w x + b. With x = 0
 * and y = c throughout, w never moves, and every step of rate r on whatever batch takes b a share 2r of the way to c:
 * after k steps from 0 it is c (1 - (1 - 2r)^k), and the loss before step k + 1 is (c - b)^2. */
#ifndef WM_TESTS_CLIENT_TINY_JOB_H
#define WM_TESTS_CLIENT_TINY_JOB_H

#include "tests/client/data_job.h"

#define TINY_JOB                                                       \
    "job: tiny\n"                                                      \
    "data:\n"                                                          \
    "  source: {csv: {files: \"*.csv\"}}\n"                            \
    "  time: {column: t, zone: UTC}\n"                                 \
    "  columns: {x: {range: [-100, 100]}, y: {range: [-100, 100]}}\n"  \
    "  inputs: {past: {window: {columns: [x], length: 1}}}\n"          \
    "  targets: {next: {column: y, ahead: 1h}}\n"                      \
    "  scale: none\n"                                                  \
    "  split: {time: [0.5, 0.2, 0.3]}\n"                               \
    "model: {layers: [flatten, {dense: 1}], loss: mse}\n"              \
    "training: {optimiser: sgd, rate: 0.25, batch: 3, epochs: 1}\n"    \
    "rounds: 3\n"                                                      \
    "cohort: {select: all, quorum: 1, deadline: 60s}\n"                \
    "strategy: fedavg\n"                                               \
    "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive]}\n" \
    "seed: 1\n"

/* folder/name <- `rows` hours, at most 600, of the same x and y. */
static inline void tiny_rows(const char *folder, const char *name, size_t rows, double x, double y)
{
    char   text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "t,x,y\n");

    for (size_t i = 0; i < rows; i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n, "2024-01-%02zu %02zu:00,%g,%g\n", 1 + i / 24, i % 24, x, y);
    assert_true(n < sizeof text);
    test_write(folder, name, text, n);
}

static inline wm_choice tiny_source(void)
{
    static const char *const    files[] = { "*.csv" };
    static const wm_csv_options csv = { { files, 1 }, { NULL, 0 }, ",", 0 };

    return test_choice(&wm_sources, "csv", &csv);
}

#endif
