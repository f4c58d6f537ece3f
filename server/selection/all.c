/* server/selection/all.c
 *
 * Everybody, in every round: for a handful of gateways that are up all day. */
#include "server/selection/selection.h"

static size_t all_goal(const void *options, size_t n_population)
{
    (void)options;
    return n_population;
}

static void all_draw(const void *options, wm_rng *rng, size_t n_population, size_t n, uint32_t *drawn)
{
    (void)options;
    (void)rng;
    (void)n_population;
    for (size_t k = 0; k < n; k++)
        drawn[k] = (uint32_t)k;
}

extern const wm_selection_ops wm_selection_all;
const wm_selection_ops        wm_selection_all = {
    .member = {
        .name = "all",
        .doc = "Every client of the run, in every round.",
    },
    .goal = all_goal,
    .draw = all_draw,
};
