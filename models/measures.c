/* models/measures.c */
#include "models/measures.h"

#include "models/batch.h"
#include "models/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void head_of(const wm_job *job, size_t target, wm_metric_head *ret)
{
    const wm_job_model *model = &job->model;

    const wm_job_anomaly *anomaly = &job->evaluate.anomaly;

    *ret = (wm_metric_head){ .width = wm_job_target_width(job, target),
                             .classes = job->data.targets[target].classes > 0,
                             .of_input = job->data.targets[target].of_input };
    if (anomaly->false_alarms > 0 && !ret->classes &&
        (anomaly->of != NULL ? strcmp(anomaly->of, job->data.targets[target].name) == 0 : job->data.n_targets == 1))
        ret->anomaly = anomaly;
    for (size_t i = 0; i < model->n_losses; i++) {
        const wm_loss_ops *ops = (const wm_loss_ops *)model->losses[i].loss.member;

        if (strcmp(model->losses[i].target, job->data.targets[target].name) == 0 && ops != NULL &&
            ops->levels != NULL)
            ret->n_levels = ops->levels(model->losses[i].loss.options, &ret->levels);
    }
}

/* NULL: the metric is taken of that head. */
static const char *why_not(const wm_choice *metric, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    const wm_metric_ops *ops = (const wm_metric_ops *)metric->member;

    if (ops->season != NULL && head->of_input)
        return "is of a forecast, and an input that is given back is none";
    if (ops->for_classes != head->classes)
        return ops->for_classes ? "is of classes, and no target is one" : "is of values, and no target is one";
    return ops->mismatch != NULL ? ops->mismatch(metric->options, head, text) : NULL;
}

static void add_fault(wm_faults *faults, const wm_choice *metric, const char *what, const char *why)
{
    if (faults != NULL)
        wm_faults_add(faults, metric->place, metric->path, "%s %s", what, why);
}

static bool is_named(const wm_measures *measures, const char *name)
{
    for (size_t i = 0; i < measures->n; i++)
        if (strcmp(measures->items[i].name, name) == 0)
            return true;
    return false;
}

/* The measure before it whose sums are the same; NULL if there is none. */
static const wm_measure *same_sums(const wm_measures *measures, const wm_metric_ops *ops, size_t target)
{
    for (size_t i = 0; ops->detects && i < measures->n; i++)
        if (measures->items[i].ops->detects && measures->items[i].target == target)
            return &measures->items[i];
    return NULL;
}

static void add_measure(const wm_job *job, const wm_choice *metric, size_t target, const wm_metric_head *head,
                        bool several, wm_faults *faults, wm_measures *ret)
{
    const wm_metric_ops *ops = (const wm_metric_ops *)metric->member;
    const char          *label = ops->label != NULL ? ops->label(metric->options) : ops->member.name;
    wm_measure           measure = { .ops = ops, .options = metric->options, .target = target, .head = *head };
    char                 text[WM_ERROR_TEXT];

    measure.n_sums = ops->n_sums != NULL ? ops->n_sums(metric->options, head) : 1;
    snprintf(measure.name, sizeof measure.name, "%s%s%s", several ? job->data.targets[target].name : "",
             several ? "." : "", label);
    if (is_named(ret, measure.name)) {
        snprintf(text, sizeof text, "is listed already");
    } else if (ret->n == WM_MEASURES_MAX) {
        snprintf(text, sizeof text, "makes more than %d figures; leave one out", WM_MEASURES_MAX);
    } else if (same_sums(ret, ops, target) != NULL) {
        measure.again = true;
        ret->items[ret->n++] = measure;
        return;
    } else if (measure.n_sums > WM_MEASURE_SUMS_MAX - ret->n_sums) {
        snprintf(text, sizeof text, "needs %zu sums, %zu of %d are left; give it fewer bins, or leave one out",
                 measure.n_sums, WM_MEASURE_SUMS_MAX - ret->n_sums, WM_MEASURE_SUMS_MAX);
    } else {
        ret->n_sums += measure.n_sums;
        ret->inexact += ops->exact ? 0 : measure.n_sums;
        ret->items[ret->n++] = measure;
        return;
    }
    add_fault(faults, metric, measure.name, text);
}

static void add_metric(const wm_job *job, const wm_choice *metric, wm_faults *faults, wm_measures *ret)
{
    wm_metric_head heads[WM_TARGETS_MAX];
    size_t         targets[WM_TARGETS_MAX], n = 0;
    const char    *why = "there is nothing that it could be taken of";
    char           text[WM_ERROR_TEXT];

    for (size_t t = 0; t < job->data.n_targets && t < WM_TARGETS_MAX; t++) {
        const char * not ;

        head_of(job, t, &heads[n]);
        not = why_not(metric, &heads[n], text);
        if (not == NULL)
            targets[n++] = t;
        else
            why = not ;
    }
    for (size_t i = 0; i < n; i++)
        add_measure(job, metric, targets[i], &heads[i], n > 1, faults, ret);
    if (n == 0)
        add_fault(faults, metric, metric->member->name, why);
}

void wm_measures_of(const wm_job *job, wm_faults *faults, wm_measures *ret)
{
    size_t inexact = 0, exact;

    *ret = (wm_measures){ 0 };
    for (size_t m = 0; m < job->evaluate.n_metrics; m++)
        add_metric(job, &job->evaluate.metrics[m], faults, ret);
    if (job->evaluate.anomaly.false_alarms > 0)
        add_metric(job, &wm_metric_threshold, faults, ret);
    exact = ret->inexact;
    for (size_t i = 0; i < ret->n; i++) {
        wm_measure *measure = &ret->items[i];
        size_t     *next = measure->ops->exact ? &exact : &inexact;

        if (measure->again) {
            measure->first = same_sums(ret, measure->ops, measure->target)->first;
            continue;
        }
        measure->first = *next;
        *next += measure->n_sums;
    }
}

size_t wm_measures_threshold(const wm_measures *measures)
{
    size_t m = 0;

    while (m < measures->n && &measures->items[m].ops->member != wm_metric_threshold.member)
        m++;
    return m;
}

const char *wm_measure_first(const wm_job *job, char *text)
{
    wm_measures measures;

    wm_measures_of(job, NULL, &measures);
    snprintf(text, WM_MEASURE_NAME, "%s", measures.n > 0 ? measures.items[0].name : "metric");
    return text;
}

double wm_measure_badness(const wm_measure *measure, double figure)
{
    switch (measure->ops->better) {
    case WM_HIGHER_IS_BETTER:
        return -figure;
    case WM_NEARER_IS_BETTER:
        return fabs(figure - measure->ops->aim(measure->options, &measure->head));
    case WM_NEITHER_IS_BETTER:
        return NAN;
    case WM_LOWER_IS_BETTER:
        break;
    }
    return figure;
}

const char *wm_measure_unit(const wm_job *job, const wm_measure *measure, char *text)
{
    const wm_metric_ops *ops = measure->ops;
    const char          *column = job->data.targets[measure->target].column;

    if (strcmp(ops->unit, "data") == 0 && measure->head.of_input)
        snprintf(text, WM_ERROR_TEXT, "as the model sees it, scaled");
    else if (strcmp(ops->unit, "data") == 0)
        snprintf(text, WM_ERROR_TEXT, "in %s%s", column != NULL ? "units of " : "the data's units",
                 column != NULL ? column : "");
    else if (ops->better == WM_NEITHER_IS_BETTER)
        snprintf(text, WM_ERROR_TEXT, "%s", ops->unit);
    else if (ops->better == WM_NEARER_IS_BETTER)
        snprintf(text, WM_ERROR_TEXT, "%s; %.4g is right", ops->unit, ops->aim(measure->options, &measure->head));
    else
        snprintf(text, WM_ERROR_TEXT, "%s%s; %s is better", ops->unit,
                 strcmp(ops->unit, "share") == 0 ? ", 0 to 1" : "",
                 ops->better == WM_HIGHER_IS_BETTER ? "higher" : "lower");
    return text;
}
