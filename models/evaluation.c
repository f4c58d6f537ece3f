/* models/evaluation.c */
#include "models/evaluation.h"

#include <assert.h>
#include <math.h>

void wm_evaluation_add(wm_evaluation *to, const wm_evaluation *from)
{
    to->examples += from->examples;
    to->loss_sum += from->loss_sum;
    to->count += from->count;
    for (size_t m = 0; m < WM_METRICS_MAX; m++)
        for (size_t s = 0; s < WM_METRIC_SUMS_MAX; s++)
            to->sums[m][s] += from->sums[m][s];
}

double wm_evaluation_metric(const wm_job *job, const wm_evaluation *evaluation, size_t metric)
{
    const wm_choice *choice = &job->evaluate.metrics[metric];

    assert(metric < job->evaluate.n_metrics);
    return ((const wm_metric_ops *)choice->member)
        ->figure(choice->options, evaluation->sums[metric], evaluation->count);
}

double wm_evaluation_loss(const wm_evaluation *evaluation)
{
    return evaluation->examples > 0 ? evaluation->loss_sum / (double)evaluation->examples : NAN;
}
