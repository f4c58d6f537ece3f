/* models/plan.c
 *
 * What is done with a plan: steps, outputs, gradients for tests, and what is carried from step to step. How its memory lies
 * is layout.h's, the ways through the graph are passes.h's. */
#include "models/plan.h"

#include "models/passes.h"
#include "models/vector.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void zero(float *x, size_t n)
{
    if (x != NULL)
        memset(x, 0, n * sizeof *x);
}

void wm_plan_reset(wm_plan *plan, uint64_t seed)
{
    const wm_model *model = plan->model;

    if (plan->optimiser != NULL &&
        plan->t > 0) /* else it is as the arena gave it, and its pages are not taken yet */
        zero(plan->state, wm_model_n_learning(model) * plan->optimiser->state_each(plan->optimiser_options));
    for (size_t i = 0; i < model->n_buffers; i++)
        for (size_t j = 0; j < model->buffers[i].n; j++)
            plan->buffers[model->buffers[i].offset + j] = (float)model->buffers[i].value;
    plan->t = 0;
    wm_rng_init(&plan->rng, seed);
}

void wm_plan_rest(wm_plan *plan)
{
    wm_arena_rest(plan->arena);
    plan->dirty = false;
    plan->t = 0;
}

void wm_plan_set_buffers(wm_plan *plan, const float *values)
{
    if (plan->buffers != NULL)
        memcpy(plan->buffers, values, plan->model->n_buffer_values * sizeof *values);
}

void wm_plan_get_buffers(const wm_plan *plan, float *values)
{
    if (plan->buffers != NULL)
        memcpy(values, plan->buffers, plan->model->n_buffer_values * sizeof *values);
}

/* A batch comes from readings, and readings come from anywhere. */
static wm_status check_batch(const wm_plan *plan, const wm_batch *batch, bool truths, wm_error *err)
{
    const wm_model *model = plan->model;

    if (batch->n == 0 || batch->n > plan->batch_max)
        return wm_fail(err, WM_E_RANGE, "a batch of %zu examples; the plan is for 1 to %zu", batch->n,
                       plan->batch_max);
    for (size_t h = 0; truths && h < model->n_heads; h++) {
        const wm_head *head = &model->heads[h];
        const int32_t *classes = batch->classes[head->target];

        assert(head->ops->for_classes ? classes != NULL : batch->targets[head->target] != NULL);
        for (size_t i = 0; head->ops->for_classes && i < batch->n; i++)
            if (classes[i] < 0 || (size_t)classes[i] >= head->width)
                return wm_fail(err, WM_E_RANGE, "class %d in target %s; its classes are 0 to %zu", classes[i],
                               model->job->data.targets[head->target].name, head->width - 1);
    }
    return WM_OK;
}

/* Who began it. Layers that work in place are seen as the one that they overwrite. */
static wm_status blame(const wm_plan *plan, const wm_batch *batch, wm_error *err)
{
    const wm_model *model = plan->model;

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        if (wm_vector_finite(wm_pass_value(plan, batch, i), batch->n * node->n))
            continue;
        if (node->ops == NULL)
            return wm_fail(err, WM_E_NONFINITE, "the loss is not finite: the input %s is not", node->name);
        return wm_fail(err, WM_E_NONFINITE,
                       "the loss is not finite: layer %s (%s) is the first whose output is not; %s", node->name,
                       node->ops->member.name,
                       node->ops->cure != NULL ? node->ops->cure : "a lower rate or a clip may help");
    }
    return wm_fail(err, WM_E_NONFINITE, "the loss is not finite, and every layer's output is: look at the targets");
}

/* *sum <- the examples' losses and what layers add to them; the gradients at the heads; zeros in plan->grads. */
static wm_status down(wm_plan *plan, const float *params, const wm_batch *batch, double *sum, wm_error *err)
{
    double    penalty = 0, all;
    wm_status st = check_batch(plan, batch, true, err);

    assert(plan->optimiser != NULL);
    if (st != WM_OK)
        return st;
    if (plan->dirty)
        zero(plan->grads, wm_model_n_learning(plan->model));
    plan->dirty = false;
    wm_pass_down(plan, params, batch, true, &penalty);
    all = wm_pass_losses(plan, batch, true) + penalty;
    if (!isfinite(all))
        return blame(plan, batch, err);
    *sum = all;
    return WM_OK;
}

static void gradient(wm_plan *plan, const float *params, const wm_batch *batch)
{
    plan->dirty = true;
    wm_pass_up(plan, params, batch);
}

wm_status wm_plan_gradient(wm_plan *plan, const float *params, const wm_batch *batch, const float **grads,
                           double *loss, wm_error *err)
{
    double    sum = 0;
    wm_status st = down(plan, params, batch, &sum, err);

    if (st != WM_OK)
        return st;
    gradient(plan, params, batch);
    *grads = plan->grads;
    *loss = sum / (double)batch->n;
    return WM_OK;
}

/* As torch.nn.utils.clip_grad_norm_. */
static wm_status clip_norm(wm_plan *plan, double most, wm_error *err)
{
    size_t n = wm_model_n_learning(plan->model);
    double norm = sqrt(wm_vector_squares(plan->grads, n)), factor = most / (norm + 1e-6);

    if (!isfinite(norm))
        return wm_fail(err, WM_E_NONFINITE, "the gradient is not finite, though the loss is; lower the rate");
    if (factor < 1)
        wm_vector_scale(plan->grads, (float)factor, n);
    return WM_OK;
}

/* Whether layers may step on the way up: only where nobody is to see the gradient as a whole. */
static bool steps_on_the_way(const wm_plan *plan, const wm_step *step)
{
    return plan->plain && step->clip == 0 && step->adjust == NULL;
}

/* A step by way of the gradient. */
static wm_status descend(wm_plan *plan, float *params, const wm_batch *batch, const wm_step *step, wm_error *err)
{
    float    *learning = params + plan->model->n_frozen;
    wm_status st = WM_OK;

    gradient(plan, params, batch);
    if (step->clip > 0)
        st = clip_norm(plan, step->clip, err);
    if (st != WM_OK)
        return st;
    if (step->adjust != NULL)
        step->adjust(step->context, learning, plan->grads, wm_model_n_trained(plan->model));
    plan->optimiser->step(plan->optimiser_options, step->rate, ++plan->t, learning, plan->grads, plan->state,
                          wm_model_n_learning(plan->model));
    plan->dirty = false;
    return WM_OK;
}

wm_status wm_plan_step(wm_plan *plan, float *params, const wm_batch *batch, const wm_step *step, double *loss,
                       wm_error *err)
{
    double    sum = 0;
    wm_status st = down(plan, params, batch, &sum, err);

    if (st != WM_OK)
        return st;
    if (steps_on_the_way(plan, step)) {
        plan->t++;
        wm_pass_up_stepping(plan, params, batch, step->rate);
    } else
        st = descend(plan, params, batch, step, err);
    if (st == WM_OK)
        *loss = sum / (double)batch->n;
    return st;
}

wm_status wm_plan_forward(wm_plan *plan, const float *params, const wm_batch *batch,
                          const float *outputs[WM_TARGETS_MAX], double *loss_sum, wm_error *err)
{
    const wm_model *model = plan->model;
    wm_status       st = check_batch(plan, batch, loss_sum != NULL, err);

    if (st != WM_OK)
        return st;
    wm_pass_down(plan, params, batch, false, NULL);
    for (size_t h = 0; h < model->n_heads; h++)
        outputs[model->heads[h].target] = wm_pass_value(plan, batch, model->heads[h].node);
    if (loss_sum != NULL)
        *loss_sum = wm_pass_losses(plan, batch, false);
    return WM_OK;
}
