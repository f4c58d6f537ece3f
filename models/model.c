/* models/model.c
 *
 * From a job to a graph: its inputs and layers in the order of the job (builder.h), then the heads, then the vector of
 * parameters. */
#include "models/model.h"

#include "models/batch.h"
#include "models/builder.h"
#include "models/measures.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name in the job and the node that carries it: a composite's is its last layer's. */
typedef struct named {
    const char *name;
    size_t      node;
} named;

/* ---- the job's layers ---- */

static const named *find(const named *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

static void lay_inputs(wm_builder *builder, named *names)
{
    const wm_job_data *data = &builder->model->job->data;
    wm_model          *model = builder->model;

    for (size_t i = 0; i < data->n_inputs && wm_node_open(builder, data->inputs[i].name, NULL, NULL, 0); i++) {
        wm_node *node = &model->nodes[i];

        wm_job_input_shape(model->job, i, &node->shape);
        assert(node->shape.rank >= 1 && node->shape.rank <= WM_RANK_MAX);
        if (!wm_shape_count(&node->shape, &node->n) || node->n == 0 || node->n > wm_params_max) {
            wm_faults_add(builder->faults, data->inputs[i].place, "data.inputs",
                          "an example of %s is empty or too large to train on", node->name);
            node->shape.rank = 0;
        }
        names[i] = (named){ .name = node->name, .node = i };
        model->n_nodes++;
        model->n_inputs++;
    }
}

/* Where layer i of the job takes its inputs from; false: a fault was added. */
static bool resolve(wm_builder *builder, const named *names, size_t n_names, size_t i,
                    size_t from[WM_LAYER_INPUTS_MAX], size_t *n_from)
{
    const wm_job       *job = builder->model->job;
    const wm_job_layer *layer = &job->model.layers[i];
    const wm_choice    *at = &layer->layer;
    bool                good = true;

    if (layer->from.count == 0) {
        if (i == 0 && job->data.n_inputs > 1) {
            wm_faults_add(builder->faults, at->place, at->path,
                          "there are %zu inputs: name the one that this layer takes with `from`",
                          job->data.n_inputs);
            return false;
        }
        from[0] = names[n_names - 1].node; /* the layer before, or the only input */
        *n_from = 1;
        return true;
    }
    if (layer->from.count > WM_LAYER_INPUTS_MAX) {
        wm_faults_add(builder->faults, at->place, at->path, "`from` names %zu inputs; at most %d will do",
                      layer->from.count, WM_LAYER_INPUTS_MAX);
        return false;
    }
    for (size_t k = 0; k < layer->from.count; k++) {
        const named *found = find(names, n_names, layer->from.items[k]);

        if (found == NULL) {
            wm_faults_add(builder->faults, at->place, at->path,
                          "`from`: no input and no layer before this one is named %s", layer->from.items[k]);
            good = false;
        } else {
            from[k] = found->node;
        }
    }
    *n_from = layer->from.count;
    return good;
}

static bool fits(const wm_builder *builder, size_t node)
{
    return node != wm_no_node && builder->model->nodes[node].shape.rank > 0;
}

/* What was said of a layer for nothing; `first` is the first of its nodes. */
static void check_marks(wm_builder *builder, const wm_job_layer *layer, size_t first)
{
    const wm_model  *model = builder->model;
    const wm_choice *at = &layer->layer;
    bool             keeps = false;

    for (size_t i = first; i < model->n_nodes; i++)
        keeps = keeps || model->nodes[i].n_tensors > 0 || model->nodes[i].n_buffers > 0;
    if (layer->initial.member != NULL && !builder->begun)
        wm_faults_add(builder->faults, layer->initial.place, layer->initial.path,
                      "%s has no weights that %s could begin; leave it out", at->member->name,
                      layer->initial.member->name);
    if (!keeps && (layer->personal || layer->frozen))
        wm_faults_add(builder->faults, at->place, at->path,
                      "model.%s names %s, and %s has no parameters; leave it out there",
                      layer->personal ? "personal" : "freeze", layer->name, at->member->name);
}

static void lay_layers(wm_builder *builder, named *names)
{
    const wm_job_model *net = &builder->model->job->model;
    size_t              n_names = builder->model->n_inputs;

    for (size_t i = 0; i < net->n_layers && builder->st == WM_OK; i++) {
        const wm_job_layer *layer = &net->layers[i];
        size_t from[WM_LAYER_INPUTS_MAX], n_from = 0, node = wm_no_node, first = builder->model->n_nodes;

        if (find(names, n_names, layer->name) != NULL)
            wm_faults_add(builder->faults, layer->layer.place, layer->layer.path,
                          "the name %s is taken; name this layer differently", layer->name);
        builder->initial = &layer->initial;
        builder->begun = false;
        builder->fresh = layer->fresh;
        builder->share = layer->personal ? WM_SHARE_PERSONAL : layer->frozen ? WM_SHARE_FROZEN : WM_SHARE_TOGETHER;
        if (resolve(builder, names, n_names, i, from, &n_from))
            node = wm_lay(builder, layer->name, &layer->layer, from, n_from);
        if (fits(builder, node))
            check_marks(builder, layer, first);
        names[n_names++] = (named){ .name = layer->name, .node = node };
    }
}

/* ---- heads ---- */

/* Is a loss of the wrong kind for its target? A sentence that becomes a fault; NULL: it is right. */
static const char *wrong_kind(const wm_job_loss *loss, const wm_job_target *target, char words[WM_ERROR_TEXT])
{
    const wm_loss_ops *ops = (const wm_loss_ops *)loss->loss.member;
    const char        *name = ops->member.name;

    if (ops->for_classes != (target->classes > 0)) {
        snprintf(words, WM_ERROR_TEXT, "%s is a loss of %s, and %s is a target of %s", name,
                 ops->for_classes ? "classes" : "values", loss->target, ops->for_classes ? "values" : "classes");
        return words;
    }
    if (ops->of_inputs && !target->of_input) {
        snprintf(
            words, WM_ERROR_TEXT,
            "%s is a loss of an input, and %s is a target of a column; write mse, or give the target an `input`",
            name, loss->target);
        return words;
    }
    return NULL;
}

/* The layer gives another number of values than the loss of its target takes. */
static void refuse_width(wm_builder *builder, const char *layer, const wm_node *node, const wm_head *head,
                         size_t want)
{
    const wm_model      *model = builder->model;
    const wm_job_target *target = &model->job->data.targets[head->target];
    const wm_node       *input = target->of_input ? &model->nodes[target->input] : NULL;
    const char          *loss = head->ops->member.name;
    char                 gives[WM_SHAPE_TEXT], takes[WM_SHAPE_TEXT];

    wm_shape_text(&node->shape, gives);
    if (input == NULL)
        wm_faults_add(builder->faults, node->place, node->path,
                      "layer %s gives %s, and target %s with %s takes %zu value%s%s", layer, gives, target->name,
                      loss, want, want == 1 ? "" : "s", node->shape.rank > 1 ? "; is a flatten missing?" : "");
    else if (input->shape.rank > 0) /* else it is too large, which was said */
        wm_faults_add(builder->faults, node->place, node->path,
                      "layer %s gives %s, and the input %s, which it is to give back with %s, is %s: %zu values",
                      layer, gives, input->name, loss, wm_shape_text(&input->shape, takes), want);
}

/* The target of that name; n_targets if there is none. */
static size_t target_of(const wm_job *job, const char *name)
{
    size_t t = 0;

    while (t < job->data.n_targets && strcmp(job->data.targets[t].name, name) != 0)
        t++;
    return t;
}

static void lay_head(wm_builder *builder, const named *names, size_t n_names, size_t i)
{
    wm_model          *model = builder->model;
    const wm_job      *job = model->job;
    const wm_job_loss *loss = &job->model.losses[i];
    const wm_choice   *at = &loss->loss;
    const wm_loss_ops *ops = (const wm_loss_ops *)at->member;
    const named       *found = loss->head != NULL ? find(names, n_names, loss->head) : &names[n_names - 1];
    size_t             t = target_of(job, loss->target), want;
    wm_head           *head = &model->heads[model->n_heads];
    wm_node           *node;
    char               words[WM_ERROR_TEXT];
    const char        *wrong;

    if (t == job->data.n_targets) {
        wm_faults_add(builder->faults, at->place, at->path, "there is no target named %s", loss->target);
        return;
    }
    if (found == NULL || found < names + model->n_inputs) {
        wm_faults_add(builder->faults, at->place, at->path, "there is no layer named %s to take the loss of",
                      loss->head != NULL ? loss->head : "(the last)");
        return;
    }
    if ((wrong = wrong_kind(loss, &job->data.targets[t], words)) != NULL) {
        wm_faults_add(builder->faults, at->place, at->path, "%s", wrong);
        return;
    }
    if (found->node == wm_no_node || model->nodes[found->node].shape.rank == 0)
        return; /* reported where it went wrong */
    node = &model->nodes[found->node];
    *head = (wm_head){
        .target = t,
        .node = found->node,
        .ops = ops,
        .options = at->options,
        .weight = loss->weight,
        .width = wm_job_target_width(job, t),
    };
    if (ops->mismatch != NULL && (wrong = ops->mismatch(at->options, head->width, words)) != NULL) {
        wm_faults_add(builder->faults, at->place, at->path, "%s", wrong);
        return;
    }
    want = ops->head_width != NULL ? ops->head_width(at->options, head->width) : head->width;
    if (node->n != want) {
        refuse_width(builder, found->name, node, head, want);
        return;
    }
    if (!node->learns)
        wm_faults_add(builder->faults, node->place, node->path,
                      "nothing before the loss of %s has parameters to train; add a layer such as dense",
                      loss->target);
    node->is_head = true;
    model->n_heads++;
}

static void lay_heads(wm_builder *builder, const named *names, size_t n_names)
{
    const wm_job *job = builder->model->job;

    for (size_t i = 0; i < job->model.n_losses; i++)
        lay_head(builder, names, n_names, i);
    for (size_t t = 0; t < job->data.n_targets; t++) {
        size_t i = 0;

        while (i < job->model.n_losses && strcmp(job->model.losses[i].target, job->data.targets[t].name) != 0)
            i++;
        if (i == job->model.n_losses)
            wm_faults_add(builder->faults, job->data.targets[t].place, "model.losses",
                          "target %s has no loss; give it one", job->data.targets[t].name);
    }
}

/* A layer or an input that leads nowhere is a mistake in `from`; said only of a network that fits otherwise, since
 * any other mistake cuts branches off. */
static void check_uses(wm_builder *builder)
{
    wm_model *model = builder->model;

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        if (node->users > 0 || node->is_head)
            continue;
        if (i < model->n_inputs)
            wm_faults_add(builder->faults, model->job->data.inputs[i].place, "data.inputs",
                          "no layer takes the input %s; name it in a layer's `from`, or leave it out", node->name);
        else
            wm_faults_add(builder->faults, node->place, node->path,
                          "nothing takes the output of %s; name it in a layer's `from`, or leave it out",
                          node->name);
    }
}

/* ---- the vector ---- */

/* Moves the tensors, which were laid layer by layer, to where their share stands in the vector. */
static void arrange(wm_builder *builder)
{
    wm_model   *model = builder->model;
    wm_tensor  *tensors = calloc(model->n_tensors + 1, sizeof *tensors);
    wm_initial *initials = calloc(model->n_tensors + 1, sizeof *initials);
    size_t      n = 0, n_of[WM_SHARES] = { 0 }, params = 0, params_of[WM_SHARES] = { 0 };

    if (tensors == NULL || initials == NULL) {
        builder->st = WM_E_NOMEM;
        free(tensors);
        free(initials);
        return;
    }
    for (wm_share share = 0; share < WM_SHARES; share++)
        for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
            wm_node *node = &model->nodes[i];
            size_t   from = node->tensors;

            if (node->share != share)
                continue;
            node->tensors = n;
            for (size_t k = 0; k < node->n_tensors; k++, n++) {
                tensors[n] = model->tensors[from + k];
                initials[n] = model->initials[from + k];
                tensors[n].offset = params;
                params += tensors[n].n;
                params_of[share] += tensors[n].n;
                n_of[share]++;
            }
        }
    assert(n == model->n_tensors && params == model->n_params);
    free(model->tensors);
    free(model->initials);
    model->tensors = tensors;
    model->initials = initials;
    model->n_own_tensors = n_of[WM_SHARE_PERSONAL];
    model->n_tensors -= model->n_own_tensors;
    model->n_own_params = params_of[WM_SHARE_PERSONAL];
    model->n_params -= model->n_own_params;
    model->n_frozen = params_of[WM_SHARE_FROZEN];
    if (model->n_params == model->n_frozen)
        wm_faults_add(
            builder->faults, model->job->model.layers[0].layer.place, "model.layers",
            "every layer with parameters is personal or frozen: there is nothing that clients could train "
            "together");
}

/* ---- the life of a model ---- */

static void build(wm_builder *builder)
{
    wm_model     *model = builder->model;
    const wm_job *job = model->job;
    size_t        n_names = job->data.n_inputs + job->model.n_layers;
    named        *names = calloc(n_names + 1, sizeof *names);
    wm_measures   measures;

    model->heads = calloc(job->model.n_losses + 1, sizeof *model->heads);
    if (names == NULL || model->heads == NULL) {
        builder->st = WM_E_NOMEM;
        goto out;
    }
    if (job->data.n_inputs == 0 || job->data.n_inputs > WM_INPUTS_MAX || job->data.n_targets == 0 ||
        job->data.n_targets > WM_TARGETS_MAX || job->model.n_layers == 0 || job->model.n_losses == 0) {
        wm_faults_add(builder->faults, (wm_place){ 0 }, "model",
                      "a network needs 1 to %d inputs, 1 to %d targets, a layer and a loss", WM_INPUTS_MAX,
                      WM_TARGETS_MAX);
        goto out;
    }
    lay_inputs(builder, names);
    lay_layers(builder, names);
    if (builder->st == WM_OK)
        lay_heads(builder, names, n_names);
    wm_measures_of(job, builder->faults, &measures);
    if (builder->st == WM_OK && builder->faults->count == builder->faults_before)
        check_uses(builder);
    if (builder->st == WM_OK && builder->faults->count == builder->faults_before)
        arrange(builder);
out:
    free(names);
}

wm_status wm_model_new(const wm_job *job, wm_faults *faults, wm_model **ret, wm_error *err)
{
    wm_faults  own;
    wm_model  *model = calloc(1, sizeof *model);
    wm_builder builder = { .model = model, .faults = faults != NULL ? faults : &own };

    wm_faults_init(&own, job->name != NULL ? job->name : "job");
    if (model == NULL || wm_arena_new_growing(0, &model->arena, err) != WM_OK) {
        builder.st = WM_E_NOMEM;
        goto out;
    }
    builder.faults_before = builder.faults->count;
    model->job = job;
    build(&builder);
out:
    if (builder.st != WM_OK)
        builder.st = wm_fail(err, builder.st, "no memory for the description of the network");
    else if (builder.faults->count > builder.faults_before)
        builder.st = wm_faults_result(builder.faults, err);
    if (builder.st != WM_OK)
        wm_model_free(model);
    else
        *ret = model;
    wm_faults_release(&own);
    return builder.st;
}

void wm_model_free(wm_model *model)
{
    if (model == NULL)
        return;
    free(model->nodes);
    free(model->tensors);
    free(model->initials);
    free(model->buffers);
    free(model->heads);
    wm_arena_free(model->arena);
    free(model);
}

size_t wm_model_n_params(const wm_model *model)
{
    return model->n_params;
}

size_t wm_model_n_tensors(const wm_model *model)
{
    return model->n_tensors;
}

const wm_tensor *wm_model_tensor(const wm_model *model, size_t i)
{
    assert(i < model->n_tensors);
    return &model->tensors[i];
}

size_t wm_model_n_trained(const wm_model *model)
{
    return model->n_params - model->n_frozen;
}

size_t wm_model_n_own(const wm_model *model)
{
    return model->n_own_params + model->n_buffer_values;
}

size_t wm_model_n_whole(const wm_model *model)
{
    return model->n_params + wm_model_n_own(model);
}

size_t wm_model_n_buffer_values(const wm_model *model)
{
    return model->n_buffer_values;
}

size_t wm_model_n_own_tensors(const wm_model *model)
{
    return model->n_own_tensors;
}

const wm_tensor *wm_model_own_tensor(const wm_model *model, size_t i)
{
    assert(i < model->n_own_tensors);
    return &model->tensors[model->n_tensors + i];
}

bool wm_model_is_own(const wm_model *model, size_t target)
{
    bool own = false;

    for (size_t h = 0; h < model->n_heads; h++)
        own = own || (model->heads[h].target == target && model->nodes[model->heads[h].node].goes_through_own);
    return own;
}
