/* models/schedules/decay.c
 *
 * The rate times a factor after every so many rounds: torch.optim.lr_scheduler's StepLR, and with every: 1 its
 * ExponentialLR, counted in rounds of the federation. */
#include "models/schedule.h"

#include <math.h>

typedef struct decay_options {
    double  from, factor;
    int64_t every;
} decay_options;

static double decay_rate(const void *options, int64_t round, int64_t rounds)
{
    const decay_options *self = options;
    int64_t              at = round < rounds ? round : rounds;

    return at > 1 ? self->from * pow(self->factor, (double)((at - 1) / self->every)) : self->from;
}

static const wm_option options[] = {
    { .name = "from",
      .kind = WM_REAL,
      .offset = offsetof(decay_options, from),
      .least = 1e-12,
      .most = 1e6,
      .doc = "The rate of the first round." },
    { .name = "factor",
      .kind = WM_REAL,
      .offset = offsetof(decay_options, factor),
      .least = 1e-6,
      .most = 1,
      .standard = "0.99",
      .doc = "What the rate is multiplied by." },
    { .name = "every",
      .kind = WM_WHOLE,
      .offset = offsetof(decay_options, every),
      .least = 1,
      .most = 1e9,
      .standard = "1",
      .doc = "After how many rounds it is, each time." },
};

const wm_schedule_ops wm_schedule_decay = {
    .member = { .name = "decay",
                .doc = "Falls by a factor, after every round or every so many.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(decay_options) },
    .rate = decay_rate,
};
