/* models/plan.c
 *
 * Running a graph. Every node's output has a slot of memory, [batch_max][values], and when training a second one for
 * its gradient; a layer that works in place shares those of the node before it, where nobody reads what it
 * overwrites. Layers overwrite the gradients of their inputs; where a node has several users, all but the first to
 * come write into a spare slot, which is then added. Which that is follows from the graph, so it is settled when the
 * plan is made, and a step only walks down and up.
 *
 * The gradient of the parameters is one vector that layers add to; it is all zero between steps, since the optimiser
 * leaves it so. */
#include "models/plan.h"

#include "models/graph.h"
#include "models/optimiser.h"
#include "models/vector.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One node at run time. */
typedef struct cell {
    size_t slot; /* the node whose memory this one's output lives in: itself, or one before it */
    bool   read; /* in a slot's owner: backward reads an output that lives in it, so it must not be overwritten */
    bool   written; /* while the plan is made, going up: something has written this node's gradient */
    bool   aside[WM_LAYER_INPUTS_MAX]; /* this input's gradient goes to a spare slot and is added */
    float *value, *grad;               /* in a slot's owner */
    float *saved;
    size_t bytes; /* of the three */
} cell;

struct wm_plan {
    const wm_model         *model;
    const wm_optimiser_ops *optimiser; /* NULL for WM_PLAN_EVALUATE */
    const void             *optimiser_options;
    size_t                  batch_max;
    wm_arena               *arena;
    size_t                  bytes;       /* of the arena; counted before there is one */
    bool                    over;        /* that does not fit a size_t */
    cell                   *cells;       /* [n_nodes] */
    bool                   *heads_aside; /* [n_heads]: a head before it has written this node's gradient */
    float                  *grads, *state, *buffers, *scratch, *passing;
    float                  *spares[WM_LAYER_INPUTS_MAX]; /* an input each */
    uint64_t                t;                           /* optimiser steps since the reset */
    bool                    dirty; /* grads are not zero: a gradient was asked for, or training exploded */
    wm_rng                  rng;
};

/* ---- making a plan ---- */

/* n floats. Without an arena they are only counted, so that what is known beforehand is what is taken. */
static float *reserve(wm_plan *plan, size_t n)
{
    size_t bytes, cost;

    if (n == 0 || plan->over)
        return NULL;
    if (!wm_size_mul(n, sizeof(float), &bytes) || (cost = wm_arena_cost(bytes)) < bytes ||
        !wm_size_add(plan->bytes, cost, &plan->bytes)) {
        plan->over = true;
        return NULL;
    }
    return plan->arena != NULL ? wm_arena_floats(plan->arena, n) : NULL;
}

/* Rows of a product of matrices are at most so many (gemm.h), and no activation has more rows than values. */
static const size_t values_max = INT32_MAX;

/* An amount for the largest batch; 0 and `over` if it does not fit. */
static size_t floats(wm_plan *plan, wm_amount amount)
{
    size_t n = 0;

    if (!wm_amount_floats(amount, plan->batch_max, &n))
        plan->over = true;
    return n;
}

static bool may_share(const wm_plan *plan, size_t i)
{
    const wm_node      *node = &plan->model->nodes[i], *before = &plan->model->nodes[node->from[0]];
    const wm_layer_ops *ops = node->ops;

    if (!ops->in_place || before->ops == NULL || before->users > 1 || before->is_head || before->n != node->n)
        return false;
    return ops->keeps_values || plan->optimiser == NULL ||
           (!ops->reads_inputs && !plan->cells[plan->cells[node->from[0]].slot].read);
}

static void share_slots(wm_plan *plan)
{
    const wm_model *model = plan->model;

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_layer_ops *ops = model->nodes[i].ops;
        cell               *own = &plan->cells[i];

        own->slot = ops != NULL && may_share(plan, i) ? plan->cells[model->nodes[i].from[0]].slot : i;
        if (ops != NULL && ops->reads_output)
            plan->cells[own->slot].read = true;
    }
}

/* Who writes a gradient first and who comes later, in the order in which a step goes up. */
static void order_gradients(wm_plan *plan)
{
    const wm_model *model = plan->model;

    for (size_t h = 0; h < model->n_heads; h++) {
        cell *at = &plan->cells[model->heads[h].node];

        plan->heads_aside[h] = at->written;
        at->written = true;
    }
    for (size_t i = model->n_nodes; i-- > model->n_inputs;)
        for (size_t k = 0; k < model->nodes[i].n_from; k++) {
            cell *at = &plan->cells[model->nodes[i].from[k]];

            if (!model->nodes[model->nodes[i].from[k]].learns)
                continue;
            plan->cells[i].aside[k] = at->written;
            at->written = true;
        }
}

static void reserve_spares(wm_plan *plan)
{
    const wm_model *model = plan->model;
    size_t          each[WM_LAYER_INPUTS_MAX] = { 0 };

    for (size_t h = 0; h < model->n_heads; h++)
        if (plan->heads_aside[h] && model->nodes[model->heads[h].node].n > each[0])
            each[0] = model->nodes[model->heads[h].node].n;
    for (size_t i = model->n_inputs; i < model->n_nodes; i++)
        for (size_t k = 0; k < model->nodes[i].n_from; k++) {
            size_t n = model->nodes[model->nodes[i].from[k]].n;

            if (plan->cells[i].aside[k] && n > each[k])
                each[k] = n;
        }
    for (size_t k = 0; k < WM_LAYER_INPUTS_MAX; k++)
        plan->spares[k] = reserve(plan, floats(plan, (wm_amount){ .each = each[k] }));
}

/* Runs twice with the same result: once to count and once to take. */
static void reserve_all(wm_plan *plan)
{
    const wm_model *model = plan->model;
    bool            training = plan->optimiser != NULL;
    size_t          scratch = 0, passing = 0, state = 0;

    for (size_t i = 0; i < model->n_nodes; i++)
        if (model->nodes[i].n > values_max / plan->batch_max)
            plan->over = true;
    for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];
        cell          *own = &plan->cells[i];
        size_t         n = floats(plan, (wm_amount){ .each = node->n }), mine = floats(plan, node->scratch);

        own->bytes = plan->bytes;
        if (own->slot == i) {
            own->value = reserve(plan, n);
            own->grad = training ? reserve(plan, n) : NULL;
        }
        own->saved = training ? reserve(plan, floats(plan, node->saved)) : NULL;
        own->bytes = plan->bytes - own->bytes;
        scratch = mine > scratch ? mine : scratch;
        mine = !training && node->works_in_saved ? floats(plan, node->saved) : 0;
        passing = mine > passing ? mine : passing;
    }
    plan->scratch = reserve(plan, scratch);
    plan->passing = reserve(plan, passing);
    plan->buffers = reserve(plan, model->n_buffer_values);
    if (!training)
        return;
    plan->grads = reserve(plan, wm_model_n_learning(model));
    if (!wm_size_mul(wm_model_n_learning(model), plan->optimiser->state_each(plan->optimiser_options), &state))
        plan->over = true;
    plan->state = reserve(plan, state);
    reserve_spares(plan);
}

/* Everything but the arena. */
static wm_status outline(const wm_model *model, size_t batch_max, wm_plan_use use, wm_plan **ret, wm_error *err)
{
    const wm_choice *optimiser = &model->job->training.optimiser;
    wm_plan         *plan = calloc(1, sizeof *plan);

    assert(batch_max > 0);
    if (plan == NULL || (plan->cells = calloc(model->n_nodes, sizeof *plan->cells)) == NULL ||
        (plan->heads_aside = calloc(model->n_heads, sizeof *plan->heads_aside)) == NULL) {
        wm_plan_free(plan);
        return wm_fail(err, WM_E_NOMEM, "no memory for the plan of a network");
    }
    plan->model = model;
    plan->batch_max = batch_max;
    if (use == WM_PLAN_TRAIN) {
        assert(optimiser->member != NULL);
        plan->optimiser = (const wm_optimiser_ops *)optimiser->member;
        plan->optimiser_options = optimiser->options;
    }
    share_slots(plan);
    order_gradients(plan);
    reserve_all(plan);
    if (plan->over) {
        wm_plan_free(plan);
        return wm_fail(err, WM_E_RANGE,
                       "batches of %zu examples of this network do not fit any memory; make the batch smaller",
                       batch_max);
    }
    *ret = plan;
    return WM_OK;
}

/* The plan, its two lists and the arena. */
static size_t bytes_of(const wm_plan *plan)
{
    return sizeof *plan + plan->model->n_nodes * sizeof *plan->cells + plan->model->n_heads * sizeof(bool) +
           plan->bytes;
}

wm_status wm_plan_bytes(const wm_model *model, size_t batch_max, wm_plan_use use, size_t *ret, wm_error *err)
{
    wm_plan  *plan;
    wm_status st = outline(model, batch_max, use, &plan, err);

    if (st != WM_OK)
        return st;
    *ret = bytes_of(plan);
    wm_plan_free(plan);
    return WM_OK;
}

wm_status wm_plan_node_bytes(const wm_model *model, size_t batch_max, wm_plan_use use, size_t *bytes, size_t *all,
                             wm_error *err)
{
    wm_plan  *plan;
    wm_status st = outline(model, batch_max, use, &plan, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < model->n_nodes; i++)
        bytes[i] = plan->cells[i].bytes;
    *all = bytes_of(plan);
    wm_plan_free(plan);
    return WM_OK;
}

wm_status wm_plan_new(const wm_model *model, size_t batch_max, wm_plan_use use, wm_plan **ret, wm_error *err)
{
    wm_plan  *plan;
    size_t    counted;
    wm_status st = outline(model, batch_max, use, &plan, err);

    if (st != WM_OK)
        return st;
    counted = plan->bytes;
    st = wm_arena_new(counted, &plan->arena, err);
    if (st != WM_OK) {
        wm_error_prefix(err, "batches of %zu examples", batch_max);
        wm_plan_free(plan);
        return st;
    }
    plan->bytes = 0;
    reserve_all(plan);
    assert(plan->bytes == counted && wm_arena_used(plan->arena) == counted);
    wm_plan_reset(plan, 0);
    *ret = plan;
    return WM_OK;
}

void wm_plan_free(wm_plan *plan)
{
    if (plan == NULL)
        return;
    wm_arena_free(plan->arena);
    free(plan->heads_aside);
    free(plan->cells);
    free(plan);
}

static void zero(float *x, size_t n)
{
    if (x != NULL)
        memset(x, 0, n * sizeof *x);
}

void wm_plan_reset(wm_plan *plan, uint64_t seed)
{
    const wm_model *model = plan->model;

    if (plan->optimiser != NULL)
        zero(plan->state, wm_model_n_learning(model) * plan->optimiser->state_each(plan->optimiser_options));
    for (size_t i = 0; i < model->n_buffers; i++)
        for (size_t j = 0; j < model->buffers[i].n; j++)
            plan->buffers[model->buffers[i].offset + j] = (float)model->buffers[i].value;
    plan->t = 0;
    wm_rng_init(&plan->rng, seed);
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

/* ---- running it ---- */

static const float *value_of(const wm_plan *plan, const wm_batch *batch, size_t node)
{
    return node < plan->model->n_inputs ? batch->inputs[node] : plan->cells[plan->cells[node].slot].value;
}

/* What points a layer at its memory; a run's arrays live as long as the call. */
typedef struct frame {
    wm_layer_run run;
    const float *inputs[WM_LAYER_INPUTS_MAX];
    wm_shape     shapes[WM_LAYER_INPUTS_MAX];
    const float *params[WM_LAYER_TENSORS_MAX];
    float       *buffers[WM_LAYER_TENSORS_MAX];
    float       *input_grads[WM_LAYER_INPUTS_MAX];
    float       *param_grads[WM_LAYER_TENSORS_MAX];
} frame;

static void point(frame *at, wm_plan *plan, const float *params, const wm_batch *batch, size_t i, bool training,
                  double *penalty)
{
    const wm_model *model = plan->model;
    const wm_node  *node = &model->nodes[i];

    at->run = (wm_layer_run){
        .B = batch->n,
        .training = training,
        .n_inputs = node->n_from,
        .input_shapes = at->shapes,
        .inputs = at->inputs,
        .output_shape = node->shape,
        .output = plan->cells[plan->cells[i].slot].value,
        .params = at->params,
        .buffers = at->buffers,
        .saved = plan->optimiser != NULL ? plan->cells[i].saved
                 : node->works_in_saved  ? plan->passing
                                         : NULL,
        .scratch = plan->scratch,
        .rng = training ? &plan->rng : NULL,
        .penalty = penalty,
    };
    for (size_t k = 0; k < node->n_from; k++) {
        at->inputs[k] = value_of(plan, batch, node->from[k]);
        at->shapes[k] = model->nodes[node->from[k]].shape;
    }
    for (size_t k = 0; k < node->n_tensors; k++)
        at->params[k] = params + model->tensors[node->tensors + k].offset;
    for (size_t k = 0; k < node->n_buffers; k++)
        at->buffers[k] = plan->buffers + model->buffers[node->buffers + k].offset;
}

static void forward(wm_plan *plan, const float *params, const wm_batch *batch, bool training, double *penalty)
{
    const wm_model *model = plan->model;

    for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
        frame at;

        point(&at, plan, params, batch, i, training, penalty);
        model->nodes[i].ops->forward(model->nodes[i].options, &at.run);
    }
}

static void backward(wm_plan *plan, const float *params, const wm_batch *batch)
{
    const wm_model *model = plan->model;

    for (size_t i = model->n_nodes; i-- > model->n_inputs;) {
        const wm_node *node = &model->nodes[i];
        cell          *own = &plan->cells[i];
        frame          at;

        if (!node->learns)
            continue;
        point(&at, plan, params, batch, i, true, NULL);
        at.run.output_grad = plan->cells[own->slot].grad;
        at.run.input_grads = at.input_grads;
        at.run.param_grads = at.param_grads;
        for (size_t k = 0; k < node->n_from; k++) {
            const cell *from = &plan->cells[plan->cells[node->from[k]].slot];

            at.input_grads[k] = !model->nodes[node->from[k]].learns ? NULL
                                : own->aside[k]                     ? plan->spares[k]
                                                                    : from->grad;
        }
        for (size_t k = 0; k < node->n_tensors; k++)
            at.param_grads[k] = node->share == WM_SHARE_FROZEN
                                    ? NULL
                                    : plan->grads + (model->tensors[node->tensors + k].offset - model->n_frozen);
        node->ops->backward(node->options, &at.run);
        for (size_t k = 0; k < node->n_from; k++)
            if (own->aside[k])
                wm_vector_add(plan->cells[plan->cells[node->from[k]].slot].grad, plan->spares[k],
                              batch->n * model->nodes[node->from[k]].n);
    }
}

/* The sum of all heads' losses over the examples; with `grads` also the gradient of the batch's mean at each head. */
static double losses(wm_plan *plan, const wm_batch *batch, bool grads)
{
    const wm_model *model = plan->model;
    double          sum = 0;

    for (size_t h = 0; h < model->n_heads; h++) {
        const wm_head *head = &model->heads[h];
        cell          *at = &plan->cells[plan->cells[head->node].slot];
        float         *grad = !grads ? NULL : plan->heads_aside[h] ? plan->spares[0] : at->grad;

        sum += head->weight * head->ops->sum(head->options, at->value, batch->targets[head->target],
                                             batch->classes[head->target], batch->n, head->width, grad,
                                             head->weight / (double)batch->n);
        if (grads && plan->heads_aside[h])
            wm_vector_add(at->grad, grad, batch->n * model->nodes[head->node].n);
    }
    return sum;
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

        if (wm_vector_finite(value_of(plan, batch, i), batch->n * node->n))
            continue;
        if (node->ops == NULL)
            return wm_fail(err, WM_E_NONFINITE, "the loss is not finite: the input %s is not", node->name);
        return wm_fail(err, WM_E_NONFINITE,
                       "the loss is not finite: layer %s (%s) is the first whose output is not; a lower rate or a "
                       "clip may help",
                       node->name, node->ops->member.name);
    }
    return wm_fail(err, WM_E_NONFINITE, "the loss is not finite, and every layer's output is: look at the targets");
}

static wm_status gradient(wm_plan *plan, const float *params, const wm_batch *batch, double *loss, wm_error *err)
{
    double    penalty = 0, sum;
    wm_status st = check_batch(plan, batch, true, err);

    assert(plan->optimiser != NULL);
    if (st != WM_OK)
        return st;
    if (plan->dirty)
        zero(plan->grads, wm_model_n_learning(plan->model));
    plan->dirty = false;
    forward(plan, params, batch, true, &penalty);
    sum = losses(plan, batch, true) + penalty;
    if (!isfinite(sum))
        return blame(plan, batch, err);
    backward(plan, params, batch);
    plan->dirty = true;
    *loss = sum / (double)batch->n;
    return WM_OK;
}

wm_status wm_plan_gradient(wm_plan *plan, const float *params, const wm_batch *batch, const float **grads,
                           double *loss, wm_error *err)
{
    wm_status st = gradient(plan, params, batch, loss, err);

    if (st == WM_OK)
        *grads = plan->grads;
    return st;
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

wm_status wm_plan_step(wm_plan *plan, float *params, const wm_batch *batch, const wm_step *step, double *loss,
                       wm_error *err)
{
    float    *learning = params + plan->model->n_frozen;
    double    before = 0;
    wm_status st = gradient(plan, params, batch, &before, err);

    if (st == WM_OK && step->clip > 0)
        st = clip_norm(plan, step->clip, err);
    if (st != WM_OK)
        return st;
    if (step->adjust != NULL)
        step->adjust(step->context, learning, plan->grads, wm_model_n_trained(plan->model));
    plan->optimiser->step(plan->optimiser_options, step->rate, ++plan->t, learning, plan->grads, plan->state,
                          wm_model_n_learning(plan->model));
    plan->dirty = false;
    *loss = before;
    return WM_OK;
}

wm_status wm_plan_forward(wm_plan *plan, const float *params, const wm_batch *batch,
                          const float *outputs[WM_TARGETS_MAX], double *loss_sum, wm_error *err)
{
    const wm_model *model = plan->model;
    wm_status       st = check_batch(plan, batch, loss_sum != NULL, err);

    if (st != WM_OK)
        return st;
    forward(plan, params, batch, false, NULL);
    for (size_t h = 0; h < model->n_heads; h++)
        outputs[model->heads[h].target] = value_of(plan, batch, model->heads[h].node);
    if (loss_sum != NULL)
        *loss_sum = losses(plan, batch, false);
    return WM_OK;
}
