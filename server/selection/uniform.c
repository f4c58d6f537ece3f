/* server/selection/uniform.c
 *
 * A share C of the clients, each as likely as any other: m = max(C * K, 1) of K, McMahan et al. 2017,
 * Algorithm 1. */
#include "server/selection/selection.h"

#include <math.h>

typedef struct uniform {
    double share;
} uniform;

static const wm_option uniform_options[] = {
    {
        .name = "share",
        .kind = WM_REAL,
        .offset = offsetof(uniform, share),
        .least = 0.000001,
        .most = 1,
        .main = true,
        .doc = "The share of the clients that a round aims for; at least one takes part.",
    },
};

static size_t uniform_goal(const void *options, size_t n_population)
{
    const uniform *self = options;
    size_t         goal = (size_t)llround(self->share * (double)n_population);

    return goal < 1 ? 1 : goal > n_population ? n_population : goal;
}

/* The first n steps of Fisher and Yates. */
static void uniform_draw(const void *options, wm_rng *rng, size_t n_population, size_t n, uint32_t *drawn)
{
    (void)options;
    for (size_t k = 0; k < n_population; k++)
        drawn[k] = (uint32_t)k;
    for (size_t k = 0; k < n; k++) {
        size_t   with = k + (size_t)wm_rng_below(rng, n_population - k);
        uint32_t t = drawn[k];

        drawn[k] = drawn[with];
        drawn[with] = t;
    }
}

extern const wm_selection_ops wm_selection_uniform;
const wm_selection_ops        wm_selection_uniform = {
    .member = {
        .name = "uniform",
        .doc = "A share of the clients, drawn anew for each round, each as likely as any other.",
        .options = uniform_options,
        .n_options = sizeof uniform_options / sizeof *uniform_options,
        .options_size = sizeof(uniform),
    },
    .goal = uniform_goal,
    .draw = uniform_draw,
};
