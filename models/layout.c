/* models/layout.c
 *
 * Making a plan: who shares whose slot, who writes a gradient first, and one arena for all of it. It is reserved twice, first
 * without an arena, so that what is known beforehand is what is taken. */
#include "models/layout.h"

#include <assert.h>
#include <stdlib.h>

/* n floats. Without an arena they are only counted. */
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
           (!ops->reads_inputs && !plan->spots[plan->spots[node->from[0]].slot].read);
}

static void share_slots(wm_plan *plan)
{
    const wm_model *model = plan->model;

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_layer_ops *ops = model->nodes[i].ops;
        wm_spot            *own = &plan->spots[i];

        own->slot = ops != NULL && may_share(plan, i) ? plan->spots[model->nodes[i].from[0]].slot : i;
        if (ops != NULL && ops->reads_output)
            plan->spots[own->slot].read = true;
    }
}

/* Who writes a gradient first and who comes later, in the order in which a step goes up. */
static void order_gradients(wm_plan *plan)
{
    const wm_model *model = plan->model;

    for (size_t h = 0; h < model->n_heads; h++) {
        wm_spot *at = &plan->spots[model->heads[h].node];

        plan->heads_aside[h] = at->written;
        at->written = true;
    }
    for (size_t i = model->n_nodes; i-- > model->n_inputs;)
        for (size_t k = 0; k < model->nodes[i].n_from; k++) {
            wm_spot *at = &plan->spots[model->nodes[i].from[k]];

            if (!model->nodes[model->nodes[i].from[k]].learns)
                continue;
            plan->spots[i].aside[k] = at->written;
            at->written = true;
        }
}

static void settle_steps(wm_plan *plan)
{
    if (plan->optimiser == NULL || plan->optimiser->is_plain == NULL)
        return;
    plan->plain = plan->optimiser->is_plain(plan->optimiser_options);
    for (size_t i = plan->model->n_inputs; i < plan->model->n_nodes; i++)
        plan->spots[i].steps = plan->plain && plan->model->nodes[i].ops->steps;
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

            if (plan->spots[i].aside[k] && n > each[k])
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
        wm_spot       *own = &plan->spots[i];
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
    if (plan == NULL || (plan->spots = calloc(model->n_nodes, sizeof *plan->spots)) == NULL ||
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
    settle_steps(plan);
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
    return sizeof *plan + plan->model->n_nodes * sizeof *plan->spots + plan->model->n_heads * sizeof(bool) +
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
        bytes[i] = plan->spots[i].bytes;
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
    free(plan->spots);
    free(plan);
}
