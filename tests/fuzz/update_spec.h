/* tests/fuzz/update_spec.h: the job and the specs that the update target and its seeds share. */
#ifndef WM_TESTS_FUZZ_UPDATE_SPEC_H
#define WM_TESTS_FUZZ_UPDATE_SPEC_H

#include "common/strategies/strategy.h"

enum { PARAMS = 5, IS_SUMS = 1, HAS_INTEGERS = 2, KEY_IS_RIGHT = 4 };

static const wm_update_spec mixed = {
    .n_parts = 3,
    .parts = { { .name = "delta", .kind = WM_PART_F32, .n = PARAMS, .bound = 16, .shift_min = 24 },
               { .name = "count", .kind = WM_PART_I64, .n = 2, .bound = 1000, .weight = WM_WEIGHT_ONE },
               { .name = "train_loss", .kind = WM_PART_F32, .n = 1, .bound = 1024, .shift_min = 8 } },
    .weight_cap = 1 << 20,
};

static inline wm_job a_job(void)
{
    return (wm_job){ .cohort = { .weight_cap = 1 << 20, .bound = 16 },
                     .strategy = { .member = wm_family_find(&wm_strategies, "fedavg") } };
}

static inline wm_update_key a_key(void)
{
    return (wm_update_key){ .run = "the run", .kind = WM_TASK_TRAIN, .round = 3, .model = { { 7 } } };
}

#endif
