/* server/run/progress.c
 *
 * What people are shown of a run. */
#include "server/run/state.h"

#include <stdio.h>

static int64_t time_left(const wm_run *run, const wm_standing *at)
{
    double rounds = (double)run->settings.job->rounds - (double)at->round;

    if (run->seconds_of == 0 || at->phase == WM_PHASE_CLOSED)
        return -1;
    if (at->phase == WM_PHASE_TRAIN)
        rounds += 1;
    return (int64_t)(1000 * run->seconds / run->seconds_of * rounds);
}

void wm_run_progress_get(wm_run *run, wm_run_progress *ret)
{
    const wm_standing *at;
    const wm_cohort   *cohort;
    wm_engine_counts   counts;
    int64_t            now_ms;

    pthread_mutex_lock(&run->lock);
    at = wm_engine_standing(run->engine);
    cohort = wm_engine_cohort(run->engine);
    now_ms = wm_mono_ms(&run->settings.clock);
    wm_engine_counts_get(run->engine, &counts);
    *ret = (wm_run_progress){
        .standing = *at,
        .rounds = (uint32_t)run->settings.job->rounds,
        .cohort = (uint32_t)cohort->drawn,
        .goal = (uint32_t)counts.goal,
        .accepted = (uint32_t)cohort->accepted,
        .refused = counts.refused,
        .declined = (uint32_t)cohort->declined,
        .need = (uint32_t)counts.need,
        .unanswered = (uint32_t)wm_cohort_unanswered(cohort),
        .outstanding = (uint32_t)wm_cohort_outstanding(cohort),
        .left_ms = wm_engine_left_ms(run->engine, now_ms),
        .open_ms = wm_engine_open_ms(run->engine, now_ms),
        .eta_ms = time_left(run, at),
        .train_loss = run->train_loss,
        .eval_loss = run->eval_loss,
        .metric = run->metric,
    };
    wm_measure_first(run->settings.job, ret->metric_name);
    if (run->retry_ms > 0)
        snprintf(ret->trouble, sizeof ret->trouble, "%s", run->failure.text);
    pthread_mutex_unlock(&run->lock);
}

void wm_run_waiting_for(wm_run *run, size_t most, wm_text *ret)
{
    pthread_mutex_lock(&run->lock);
    wm_cohort_waiting_for(wm_engine_cohort(run->engine), (const char *const *)run->settings.record->population,
                          most, ret);
    pthread_mutex_unlock(&run->lock);
}
