/* models/evaluation.c */
#include "models/evaluation.h"

#include "models/loss.h"

#include <assert.h>
#include <math.h>

/* Values that the metrics count in an example. */
static double values_of(const wm_job *job)
{
    double values = 0;

    for (size_t t = 0; t < job->data.n_targets; t++)
        values += job->data.targets[t].classes > 0 ? 1 : (double)wm_job_target_width(job, t);
    return values;
}

static wm_status check_loss(const wm_job *job, const char *name, const wm_evaluation *evaluation, wm_error *err)
{
    double loss = wm_evaluation_loss(evaluation), least = 0;

    for (size_t i = 0; i < job->model.n_losses; i++)
        if (((const wm_loss_ops *)job->model.losses[i].loss.member)->negative)
            least = -WM_EVALUATION_LOSS_BOUND;
    if (!isfinite(loss))
        return wm_fail(err, WM_E_NONFINITE, "report: the loss of %s is not finite", name);
    if (loss < least || loss > WM_EVALUATION_LOSS_BOUND)
        return wm_fail(err, WM_E_RANGE, "report: the loss of %s is %g, between %g and %g is possible", name, loss,
                       least, WM_EVALUATION_LOSS_BOUND);
    return WM_OK;
}

static wm_status check_metric(const wm_job *job, const char *name, const wm_evaluation *evaluation, size_t m,
                              wm_error *err)
{
    const wm_metric_ops *metric = (const wm_metric_ops *)job->evaluate.metrics[m].member;
    double               most = evaluation->count * metric->value_most;

    for (size_t s = 0; s < metric->n_sums; s++) {
        double sum = evaluation->sums[m][s];

        if (!isfinite(sum))
            return wm_fail(err, WM_E_NONFINITE, "report: a sum of %s of %s is not finite", metric->member.name,
                           name);
        if (sum < 0 || sum > most)
            return wm_fail(err, WM_E_RANGE, "report: a sum of %s of %s is %g, between 0 and %g is possible",
                           metric->member.name, name, sum, most);
    }
    return WM_OK;
}

wm_status wm_evaluation_check(const wm_job *job, wm_contender contender, const wm_evaluation *evaluation,
                              uint64_t examples_most, wm_error *err)
{
    const char *name = wm_contender_name(contender);
    double      count = (double)evaluation->examples * values_of(job);
    wm_status   st = WM_OK;

    if (evaluation->examples < 1 || evaluation->examples > examples_most)
        return wm_fail(err, WM_E_RANGE, "report: %llu examples for %s, between 1 and %llu are allowed",
                       (unsigned long long)evaluation->examples, name, (unsigned long long)examples_most);
    if (!(evaluation->count == count)) /* nor NaN */
        return wm_fail(err, WM_E_RANGE, "report: the count of %s is %g, and %llu examples have %g values", name,
                       evaluation->count, (unsigned long long)evaluation->examples, count);
    if (!(contender == WM_NAIVE && isnan(evaluation->loss_sum)))
        st = check_loss(job, name, evaluation, err);
    for (size_t m = 0; st == WM_OK && m < job->evaluate.n_metrics; m++)
        st = check_metric(job, name, evaluation, m, err);
    return st;
}

void wm_evaluation_clamp(wm_evaluation *evaluation)
{
    double most = WM_EVALUATION_LOSS_BOUND * (double)evaluation->examples;

    if (!isnan(evaluation->loss_sum)) /* fmin would make a number of it */
        evaluation->loss_sum = fmin(fmax(evaluation->loss_sum, -most), most);
}

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
