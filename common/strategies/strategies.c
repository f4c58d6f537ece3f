/* common/strategies/strategies.c
 *
 * The registry of federated methods, and the declaration of updates that follows from a job. */
#include "common/strategies/strategy.h"

extern const wm_strategy_ops wm_strategy_fedavg;

static const wm_member *const members[] = {
    &wm_strategy_fedavg.member,
};

const wm_family wm_strategies = {
    .name = "strategy",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};

void wm_strategy_spec(const wm_job *job, size_t n_params, wm_update_spec *spec)
{
    wm_update_spec made = { 0 };

    wm_strategy_of(job)->parts(job->strategy.options, n_params, &made);
    for (size_t i = 0; i < made.n_parts; i++)
        if (made.parts[i].bound == 0)
            made.parts[i].bound = job->cohort.bound;
    made.weight_cap = (uint64_t)job->cohort.weight_cap;
    *spec = made;
}
