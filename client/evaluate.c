/* client/evaluate.c
 *
 * Evaluation: a model, or the naive prediction, over one part of the examples, batch by batch, as the sums that the
 * job's measures are made of (models/evaluation.h). Metrics are taken in the data's units, not in the scaled ones that
 * the model saw; a detector's scores are its losses, and the validation part sets its threshold. */
#include "client/trainer_struct.h"

#include "client/heads.h"

#include <math.h>
#include <string.h>

/* Whether target t is what a detector judges by. */
static bool is_detector(const wm_trainer *self, size_t t)
{
    size_t m = wm_measures_threshold(&self->measures);

    return m < self->measures.n && self->measures.items[m].target == t;
}

/* The naive prediction can be scored where it is in the model's own terms: of an input that is given back. */
static bool is_scored(const wm_trainer *self, size_t t, bool naive)
{
    const double *levels;

    return is_detector(self, t) &&
           (!naive || (self->job->data.targets[t].of_input && wm_head_levels(self->job, t, &levels) == 0));
}

/* scores and labels <- of a detector's target: each example's loss, and what it was. output: as the model gave it. */
static void take_scores(wm_trainer *self, const wm_examples *examples, wm_part part, const uint32_t *index,
                        const wm_batch *batch, size_t t, const float *output, wm_metric_batch *ret)
{
    wm_head_scores(self->job, batch, t, output, self->scores);
    wm_examples_labels(examples, part, index, batch->n, t, self->labels);
    ret->scores = self->scores;
    ret->labels = self->labels;
}

/* Adds one batch's part of the measures of target t, whose predictions are in `values`, in the data's units. */
static void add_metrics(wm_trainer *self, const wm_examples *examples, wm_part part, const uint32_t *index,
                        const wm_batch *batch, size_t t, const float *output, wm_evaluation *ret)
{
    const wm_job   *job = self->job;
    size_t          width = wm_job_target_width(job, t);
    bool            classes = job->data.targets[t].classes > 0;
    const double   *levels;
    wm_metric_batch measured = { .n = batch->n,
                                 .predicted = self->values,
                                 .truth = classes ? NULL : self->truths,
                                 .classes = batch->classes[t],
                                 .quantiles = output != NULL && wm_head_levels(job, t, &levels) > 0
                                                  ? self->quantiles
                                                  : NULL };

    if (!classes) {
        memcpy(self->truths, batch->targets[t], batch->n * width * sizeof *self->truths);
        wm_examples_unscale(examples, part, index, batch->n, t, self->truths);
    }
    if (is_scored(self, t, output == NULL))
        take_scores(self, examples, part, index, batch, t, output != NULL ? output : self->values, &measured);
    for (size_t m = 0; m < self->measures.n; m++) {
        const wm_measure *measure = &self->measures.items[m];

        if (measure->target != t || measure->again)
            continue;
        if (measure->ops->season != NULL) {
            wm_examples_yardsticks(examples, part, index, batch->n, m, self->yardsticks);
            measured.yardstick = self->yardsticks;
        }
        measure->ops->add(measure->options, &measure->head, &measured, ret->sums + measure->first);
    }
    ret->count += (double)(classes ? batch->n : batch->n * width);
}

/* Adds the scores of one batch of the examples that set a detector's threshold, and nothing else. */
static wm_status calibrate_batch(wm_trainer *self, const wm_examples *examples, wm_part part, const uint32_t *index,
                                 size_t n, const float *params, wm_evaluation *ret, wm_error *err)
{
    const wm_measure *measure = &self->measures.items[wm_measures_threshold(&self->measures)];
    const float      *outputs[WM_TARGETS_MAX];
    wm_metric_batch   measured = { .n = n, .calibration = true };
    wm_batch          batch;
    size_t            t = measure->target;
    wm_status         st = WM_OK;

    wm_examples_gather(examples, part, index, n, self->room, &batch);
    if (params != NULL)
        st = wm_plan_forward(self->evaluate, params, &batch, outputs, NULL, err);
    else
        wm_examples_naive(examples, part, index, n, t, self->values);
    if (st != WM_OK)
        return st;
    take_scores(self, examples, part, index, &batch, t, params != NULL ? outputs[t] : self->values, &measured);
    measure->ops->add(measure->options, &measure->head, &measured, ret->sums + measure->first);
    return WM_OK;
}

static wm_status evaluate_batch(wm_trainer *self, const wm_examples *examples, wm_part part, const uint32_t *index,
                                size_t n, const float *params, wm_evaluation *ret, wm_error *err)
{
    const float *outputs[WM_TARGETS_MAX];
    wm_batch     batch;

    wm_examples_gather(examples, part, index, n, self->room, &batch);
    if (params != NULL) {
        double    sum;
        wm_status st = wm_plan_forward(self->evaluate, params, &batch, outputs, &sum, err);

        if (st != WM_OK)
            return st;
        ret->loss_sum += sum;
    }
    for (size_t t = 0; t < self->job->data.n_targets; t++) {
        if (params != NULL)
            wm_head_values(self->job, examples, part, index, n, t, outputs[t], self->values, self->quantiles);
        else
            wm_examples_naive(examples, part, index, n, t, self->values);
        add_metrics(self, examples, part, index, &batch, t, params != NULL ? outputs[t] : NULL, ret);
    }
    return WM_OK;
}

typedef wm_status (*each_batch)(wm_trainer *self, const wm_examples *examples, wm_part part, const uint32_t *index,
                                size_t n, const float *params, wm_evaluation *ret, wm_error *err);

static wm_status over_part(wm_trainer *self, const wm_examples *examples, wm_part part, const float *params,
                           each_batch each, const atomic_bool *stop, wm_evaluation *ret, wm_error *err)
{
    size_t    n = wm_examples_count(examples, part);
    uint32_t  index[WM_EVALUATE_BATCH];
    wm_status st = WM_OK;

    if (params != NULL)
        wm_plan_set_buffers(self->evaluate, params + wm_trainer_buffers_at(self));
    for (size_t at = 0; st == WM_OK && at < n; at += self->evaluate_batch) {
        size_t size = n - at < self->evaluate_batch ? n - at : self->evaluate_batch;

        for (size_t i = 0; i < size; i++)
            index[i] = (uint32_t)(at + i);
        st = wm_trainer_is_stopped(stop) ? wm_fail(err, WM_E_CLOSED, "the evaluation was stopped")
                                         : each(self, examples, part, index, size, params, ret, err);
    }
    wm_trainer_rest(self, self->evaluate);
    return st;
}

wm_status wm_evaluate(wm_trainer *trainer, const wm_examples *examples, wm_part part, const float *params,
                      const atomic_bool *stop, wm_evaluation *ret, wm_error *err)
{
    size_t        threshold = wm_measures_threshold(&trainer->measures);
    wm_evaluation result = { .examples = wm_examples_count(examples, part), .loss_sum = params != NULL ? 0 : NAN };
    wm_status     st = over_part(trainer, examples, part, params, evaluate_batch, stop, &result, err);

    if (st == WM_OK && threshold < trainer->measures.n &&
        is_scored(trainer, trainer->measures.items[threshold].target, params == NULL))
        st = over_part(trainer, examples, wm_examples_count(examples, WM_VALIDATE) > 0 ? WM_VALIDATE : WM_TRAIN,
                       params, calibrate_batch, stop, &result, err);
    if (st == WM_OK)
        *ret = result;
    return st;
}
