/* client/heads.c */
#include "client/heads.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Every target has one: the model was made. */
static const wm_job_loss *loss_of(const wm_job *job, size_t t)
{
    for (size_t i = 0; i < job->model.n_losses; i++)
        if (strcmp(job->model.losses[i].target, job->data.targets[t].name) == 0)
            return &job->model.losses[i];
    return NULL;
}

size_t wm_head_width(const wm_job *job, size_t t)
{
    const wm_job_loss *loss = loss_of(job, t);
    const wm_loss_ops *ops = loss != NULL ? (const wm_loss_ops *)loss->loss.member : NULL;
    size_t             width = wm_job_target_width(job, t);

    return ops != NULL && ops->head_width != NULL ? ops->head_width(loss->loss.options, width) : width;
}

size_t wm_head_levels(const wm_job *job, size_t t, const double **ret)
{
    const wm_job_loss *loss = loss_of(job, t);
    const wm_loss_ops *ops = loss != NULL ? (const wm_loss_ops *)loss->loss.member : NULL;

    return ops != NULL && ops->levels != NULL ? ops->levels(loss->loss.options, ret) : 0;
}

bool wm_head_probabilities(const wm_job *job, size_t t, const float *z, double *p)
{
    const wm_job_loss *loss = loss_of(job, t);
    const wm_loss_ops *ops = loss != NULL ? (const wm_loss_ops *)loss->loss.member : NULL;

    if (ops == NULL || ops->probabilities == NULL)
        return false;
    if (p != NULL)
        ops->probabilities(z, wm_job_target_width(job, t), p);
    return true;
}

size_t wm_heads_values_max(const wm_job *job)
{
    size_t most = 1;

    for (size_t t = 0; t < job->data.n_targets; t++) {
        size_t width = wm_job_target_width(job, t);

        most = width > most ? width : most;
    }
    return most;
}

size_t wm_heads_width_max(const wm_job *job)
{
    size_t most = 1;

    for (size_t t = 0; t < job->data.n_targets; t++) {
        size_t width = wm_head_width(job, t);

        most = width > most ? width : most;
    }
    return most;
}

void wm_head_values(const wm_job *job, const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                    size_t t, const float *output, float *values, float *quantiles)
{
    size_t        width = wm_job_target_width(job, t), n_levels, middle = 0;
    const double *levels = NULL;

    n_levels = wm_head_levels(job, t, &levels);
    if (n_levels == 0) {
        memcpy(values, output, n * width * sizeof *values);
        if (job->data.targets[t].classes == 0)
            wm_examples_unscale(examples, part, index, n, t, values);
        return;
    }
    for (size_t l = 1; l < n_levels; l++)
        if (fabs(levels[l] - 0.5) < fabs(levels[middle] - 0.5))
            middle = l;
    for (size_t l = 0; l < n_levels; l++) {
        for (size_t i = 0; i < n * width; i++)
            values[i] = output[i * n_levels + l];
        wm_examples_unscale(examples, part, index, n, t, values);
        for (size_t i = 0; i < n * width; i++)
            quantiles[i * n_levels + l] = values[i];
    }
    for (size_t i = 0; i < n * width; i++)
        values[i] = quantiles[i * n_levels + middle];
}

void wm_head_scores(const wm_job *job, const wm_batch *batch, size_t t, const float *output, double *scores)
{
    const wm_job_loss *loss = loss_of(job, t);
    const wm_loss_ops *ops = (const wm_loss_ops *)loss->loss.member;
    size_t             width = wm_job_target_width(job, t), head_width = wm_head_width(job, t);

    assert(!ops->for_classes);
    for (size_t i = 0; i < batch->n; i++)
        scores[i] = ops->sum(loss->loss.options, output + i * head_width, batch->targets[t] + i * width, NULL, 1,
                             width, NULL, 0);
}
