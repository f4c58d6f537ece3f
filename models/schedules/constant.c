/* models/schedules/constant.c: the same rate in every round. */
#include "models/schedule.h"

typedef struct constant_options {
    double rate;
} constant_options;

static double constant_rate(const void *options, int64_t round, int64_t rounds)
{
    const constant_options *self = options;

    (void)round;
    (void)rounds;
    return self->rate;
}

static const wm_option options[] = {
    { .name = "rate",
      .kind = WM_REAL,
      .offset = offsetof(constant_options, rate),
      .least = 1e-12,
      .most = 1e6,
      .main = true,
      .doc = "The rate." },
};

const wm_schedule_ops wm_schedule_constant = {
    .member = { .name = "constant",
                .doc = "The same rate in every round; a plain number means this.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(constant_options) },
    .rate = constant_rate,
};
