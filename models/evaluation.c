/* models/evaluation.c */
#include "models/evaluation.h"

#include "models/loss.h"

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

static double count_of(const wm_measure *measure, const wm_evaluation *evaluation)
{
    return (double)evaluation->examples * (measure->head.classes ? 1 : (double)measure->head.width);
}

/* Of a detector the examples that set its threshold count too, which are others. */
static wm_status check_measure(const wm_measure *measure, const char *name, const wm_evaluation *evaluation,
                               uint64_t examples_most, wm_error *err)
{
    double count = measure->ops->detects ? (double)examples_most : count_of(measure, evaluation);
    double most = count * measure->ops->value_most;

    for (size_t s = measure->first; s < measure->first + measure->n_sums; s++) {
        double sum = evaluation->sums[s];

        if (!isfinite(sum))
            return wm_fail(err, WM_E_NONFINITE, "report: a sum of %s of %s is not finite", measure->name, name);
        if (sum < 0 || sum > most)
            return wm_fail(err, WM_E_RANGE, "report: a sum of %s of %s is %g, between 0 and %g is possible",
                           measure->name, name, sum, most);
        if (measure->ops->exact && sum != floor(sum))
            return wm_fail(err, WM_E_RANGE, "report: a sum of %s of %s is %g, and it counts examples",
                           measure->name, name, sum);
    }
    return WM_OK;
}

wm_status wm_evaluation_check(const wm_job *job, const wm_measures *measures, wm_contender contender,
                              const wm_evaluation *evaluation, uint64_t examples_most, wm_error *err)
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
    for (size_t m = 0; st == WM_OK && m < measures->n; m++)
        st = check_measure(&measures->items[m], name, evaluation, examples_most, err);
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
    for (size_t s = 0; s < WM_MEASURE_SUMS_MAX; s++)
        to->sums[s] += from->sums[s];
}

void wm_evaluation_take_threshold(const wm_measures *measures, wm_evaluation *to, const wm_evaluation *from)
{
    size_t            m = wm_measures_threshold(measures);
    const wm_measure *measure = &measures->items[m];

    if (m < measures->n)
        wm_metric_take_threshold(&measure->head, to->sums + measure->first, from->sums + measure->first);
}

double wm_evaluation_figure(const wm_measure *measure, const wm_evaluation *evaluation)
{
    return measure->ops->figure(measure->options, &measure->head, evaluation->sums + measure->first,
                                count_of(measure, evaluation));
}

double wm_evaluation_loss(const wm_evaluation *evaluation)
{
    return evaluation->examples > 0 ? evaluation->loss_sum / (double)evaluation->examples : NAN;
}
