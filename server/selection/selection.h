/* server/selection/selection.h
 *
 * Who takes part in a round: a rule that says how many clients a round aims for, and draws them. The dice are
 * handed in, keyed by seed, round and attempt, so that a cohort is the same again after a restart.
 *
 * Adding one: a file in server/selection/, one line in selection.c. */
#ifndef WM_SERVER_SELECTION_SELECTION_H
#define WM_SERVER_SELECTION_SELECTION_H

#include "common/config/family.h"
#include "common/rng.h"

typedef struct wm_selection_ops {
    wm_member member; /* first: see family.h */

    /* How many updates a round aims for, of n_population > 0 clients: 1 to n_population. */
    size_t (*goal)(const void *options, size_t n_population);

    /* drawn[0..n-1] <- n different clients below n_population, in any order; goal <= n <= n_population. There
     * is room for n_population. */
    void (*draw)(const void *options, wm_rng *rng, size_t n_population, size_t n, uint32_t *drawn);
} wm_selection_ops;

static inline const wm_selection_ops *wm_selection_of(const wm_choice *choice)
{
    return (const wm_selection_ops *)(const void *)choice->member;
}

extern const wm_family wm_selections;

#endif
