/* tests/torture/sights.h: the job and the source of readings that several scenarios share. */
#ifndef WM_TESTS_TORTURE_SIGHTS_H
#define WM_TESTS_TORTURE_SIGHTS_H

#include "client/owners.h"
#include "client/source.h"
#include "client/sources/options.h"

#define SMALL_JOB                                                                       \
    "job: air\n"                                                                        \
    "data:\n"                                                                           \
    "  source: {csv: {files: \"*.csv*\"}}\n"                                            \
    "  time: {column: time, zone: Europe/Berlin}\n"                                     \
    "  columns:\n"                                                                      \
    "    no2: {range: [0, 500], missing: {fill: last, limit: 3}}\n"                     \
    "    wd: {compass: 8}\n"                                                            \
    "    hour: {cycle: 24h}\n"                                                          \
    "  inputs: {past: {window: {columns: [no2, wd, hour], length: 3}}}\n"               \
    "  targets: {ahead: {column: no2, ahead: 2h, missing: skip}}\n"                     \
    "  scale: federated\n"                                                              \
    "  rows_min: 10\n"                                                                  \
    "  split: {time: [0.6, 0.2, 0.2]}\n"                                                \
    "model: {layers: [flatten, {dense: 3}, relu, {dense: 1}], loss: mse}\n"             \
    "training: {optimiser: {sgd: {momentum: 0.5}}, rate: 0.01, batch: 16, epochs: 1}\n" \
    "rounds: 1\n"                                                                       \
    "cohort: {select: all}\n"                                                           \
    "strategy: fedavg\n"                                                                \
    "evaluate: {every: 1, metrics: [rmse], baselines: [naive, alone]}\n"                \
    "seed: 1\n"

static inline wm_choice csv_source(void)
{
    static const char *const    files[] = { "*.csv*" };
    static const wm_csv_options options = { { files, 1 }, { NULL, 0 }, ",", 0 };

    return (wm_choice){ .member = wm_family_find(&wm_sources, "csv"), .options = &options, .path = "" };
}

#endif
