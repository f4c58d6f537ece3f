/* models/passes.c */
#include "models/passes.h"

#include "models/vector.h"

#include <assert.h>

const float *wm_pass_value(const wm_plan *plan, const wm_batch *batch, size_t node)
{
    return node < plan->model->n_inputs ? batch->inputs[node] : plan->spots[plan->spots[node].slot].value;
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
        .output = plan->spots[plan->spots[i].slot].value,
        .params = at->params,
        .buffers = at->buffers,
        .saved = plan->optimiser != NULL ? plan->spots[i].saved
                 : node->works_in_saved  ? plan->passing
                                         : NULL,
        .scratch = plan->scratch,
        .rng = training ? &plan->rng : NULL,
        .penalty = penalty,
    };
    for (size_t k = 0; k < node->n_from; k++) {
        at->inputs[k] = wm_pass_value(plan, batch, node->from[k]);
        at->shapes[k] = model->nodes[node->from[k]].shape;
    }
    for (size_t k = 0; k < node->n_tensors; k++)
        at->params[k] = params + model->tensors[node->tensors + k].offset;
    for (size_t k = 0; k < node->n_buffers; k++)
        at->buffers[k] = plan->buffers + model->buffers[node->buffers + k].offset;
}

void wm_pass_down(wm_plan *plan, const float *params, const wm_batch *batch, bool training, double *penalty)
{
    const wm_model *model = plan->model;

    for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
        frame at;

        point(&at, plan, params, batch, i, training, penalty);
        model->nodes[i].ops->forward(model->nodes[i].options, &at.run);
    }
}

double wm_pass_losses(wm_plan *plan, const wm_batch *batch, bool grads)
{
    const wm_model *model = plan->model;
    double          sum = 0;

    for (size_t h = 0; h < model->n_heads; h++) {
        const wm_head *head = &model->heads[h];
        wm_spot       *at = &plan->spots[plan->spots[head->node].slot];
        float         *grad = !grads ? NULL : plan->heads_aside[h] ? plan->spares[0] : at->grad;

        sum += head->weight * head->ops->sum(head->options, at->value, batch->targets[head->target],
                                             batch->classes[head->target], batch->n, head->width, grad,
                                             head->weight / (double)batch->n);
        if (grads && plan->heads_aside[h])
            wm_vector_add(at->grad, grad, batch->n * model->nodes[head->node].n);
    }
    return sum;
}

/* Where a node's gradients go. to: the whole of the parameters, if the node steps itself, or NULL. */
static void point_up(frame *at, wm_plan *plan, size_t i, float *to, double rate)
{
    const wm_model *model = plan->model;
    const wm_node  *node = &model->nodes[i];
    const wm_spot  *own = &plan->spots[i];

    at->run.output_grad = plan->spots[own->slot].grad;
    at->run.input_grads = at->input_grads;
    at->run.param_grads = at->param_grads;
    at->run.factor = to != NULL ? -(float)rate : 1;
    for (size_t k = 0; k < node->n_from; k++)
        at->input_grads[k] = !model->nodes[node->from[k]].learns ? NULL
                             : own->aside[k]                     ? plan->spares[k]
                                             : plan->spots[plan->spots[node->from[k]].slot].grad;
    for (size_t k = 0; k < node->n_tensors; k++) {
        size_t offset = model->tensors[node->tensors + k].offset;

        at->param_grads[k] = node->share == WM_SHARE_FROZEN ? NULL
                             : to != NULL                   ? to + offset
                                                            : plan->grads + (offset - model->n_frozen);
    }
}

/* The optimiser's step on one node's parameters, which lie one after the other. */
static void step_node(wm_plan *plan, const wm_node *node, float *params, double rate)
{
    const wm_model  *model = plan->model;
    const wm_tensor *first = &model->tensors[node->tensors], *last = first + node->n_tensors - 1;

    if (node->n_tensors == 0 || node->share == WM_SHARE_FROZEN)
        return;
    plan->optimiser->step(plan->optimiser_options, rate, plan->t, params + first->offset,
                          plan->grads + (first->offset - model->n_frozen), NULL,
                          last->offset + last->n - first->offset);
}

/* stepped: params, if they are to be stepped on, or NULL. */
static void up(wm_plan *plan, const float *params, float *stepped, const wm_batch *batch, double rate)
{
    const wm_model *model = plan->model;

    for (size_t i = model->n_nodes; i-- > model->n_inputs;) {
        const wm_node *node = &model->nodes[i];
        const wm_spot *own = &plan->spots[i];
        frame          at;

        if (!node->learns)
            continue;
        point(&at, plan, params, batch, i, true, NULL);
        point_up(&at, plan, i, own->steps ? stepped : NULL, rate);
        node->ops->backward(node->options, &at.run);
        if (stepped != NULL && !own->steps)
            step_node(plan, node, stepped, rate);
        for (size_t k = 0; k < node->n_from; k++)
            if (own->aside[k])
                wm_vector_add(plan->spots[plan->spots[node->from[k]].slot].grad, plan->spares[k],
                              batch->n * model->nodes[node->from[k]].n);
    }
}

void wm_pass_up(wm_plan *plan, const float *params, const wm_batch *batch)
{
    up(plan, params, NULL, batch, 0);
}

void wm_pass_up_stepping(wm_plan *plan, float *params, const wm_batch *batch, double rate)
{
    assert(plan->plain && !plan->dirty);
    up(plan, params, params, batch, rate);
}
