/* models/schedules/cosine.c
 *
 * Half a cosine from the first round's rate to the last round's (Loshchilov and Hutter 2017, arXiv:1608.03983,
 * equation 5, without restarts). */
#include "models/schedule.h"

#include <math.h>

typedef struct cosine_options {
    double from, to;
} cosine_options;

static double cosine_rate(const void *options, int64_t round, int64_t rounds)
{
    const cosine_options *self = options;
    double                way;

    if (rounds <= 1 || round <= 1)
        return self->from;
    way = round < rounds ? (double)(round - 1) / (double)(rounds - 1) : 1;
    return self->to + (self->from - self->to) * 0.5 * (1 + cos(M_PI * way));
}

static const wm_option options[] = {
    { .name = "from",
      .kind = WM_REAL,
      .offset = offsetof(cosine_options, from),
      .least = 1e-12,
      .most = 1e6,
      .doc = "The rate of the first round." },
    { .name = "to",
      .kind = WM_REAL,
      .offset = offsetof(cosine_options, to),
      .least = 0,
      .most = 1e6,
      .standard = "0",
      .doc = "The rate of the last round." },
};

const wm_schedule_ops wm_schedule_cosine = {
    .member = { .name = "cosine",
                .doc = "Falls from one rate to another along half a cosine over the rounds of the job.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(cosine_options) },
    .rate = cosine_rate,
};
