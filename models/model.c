/* models/model.c
 *
 * From a job to a graph. Layers are laid in the order of the job; each is fitted to the shapes before it at once, so a
 * fault is found where it is, and a layer that did not fit has an unknown shape: what takes its input from there is
 * laid without being fitted, so that one mistake is reported once and those behind it are reported too. */
#include "models/model.h"

#include "models/batch.h"
#include "models/graph.h"
#include "models/initialiser.h"
#include "models/measures.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t params_max = (uint64_t)1 << 31;

/* A name in the job and the node that carries it: a composite's is its last layer's. */
typedef struct named {
    const char *name;
    size_t      node;
} named;

struct wm_builder {
    wm_model        *model;
    wm_faults       *faults;
    size_t           faults_before; /* that somebody else added */
    wm_status        st;            /* WM_E_NOMEM once memory ran out: nothing more is done */
    const wm_choice *layer;         /* the one at hand, for faults */
    const wm_choice *initial;       /* of the job's layer at hand; member NULL: none is named */
    bool             begun;         /* there is a tensor that it applies to */
    wm_share         share;         /* of the job's layer at hand */
    bool             fresh;         /* the same */
    const char      *prefix;        /* name of the one at hand, for what it expands into */
    size_t           depth;         /* of composites in composites */
    bool             refused;       /* the one at hand does not fit */
};

enum { DEPTH_MAX = 8, NODES_MAX = 1 << 16 };

static const size_t no_node = SIZE_MAX;

/* A growing list of n items: gives it back with room for one more (room doubles at powers of two), or NULL. */
static void *room_for_one(wm_builder *builder, void *items, size_t n, size_t size)
{
    if (builder->st != WM_OK)
        return NULL;
    if (n > 0 && (n < 8 || (n & (n - 1)) != 0))
        return items;
    items = reallocarray(items, n < 8 ? 8 : 2 * n, size);
    if (items == NULL)
        builder->st = WM_E_NOMEM;
    return items;
}

static void *take(wm_builder *builder, size_t bytes)
{
    void *ret = wm_arena_alloc(builder->model->arena, bytes);

    if (ret == NULL)
        builder->st = WM_E_NOMEM;
    return ret;
}

static const char *join(wm_builder *builder, const char *a, const char *b)
{
    size_t n = strlen(a) + strlen(b) + 2;
    char  *text = take(builder, n);

    if (text != NULL)
        snprintf(text, n, "%s.%s", a, b);
    return text;
}

/* ---- what layers say while they are fitted ---- */

const char *wm_shape_text(const wm_shape *shape, char text[WM_SHAPE_TEXT])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < shape->rank; i++)
        used +=
            (size_t)snprintf(text + used, WM_SHAPE_TEXT - used, "%s%" PRIu32, i > 0 ? " x " : "", shape->dim[i]);
    return text;
}

void wm_fit_refuse(wm_fit *fit, const char *fmt, ...)
{
    wm_builder *builder = fit->builder;
    char        text[WM_ERROR_TEXT];
    va_list     args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    wm_faults_add(builder->faults, builder->layer->place, builder->layer->path, "%s: %s",
                  builder->layer->member->name, text);
    builder->refused = true;
}

/* What the job says of the beginning of such a tensor, or else what the layer says. */
static wm_initial initial_of(wm_builder *builder, const wm_shape *shape, wm_initial usual)
{
    const wm_choice          *at = builder->initial;
    const wm_initialiser_ops *ops = (const wm_initialiser_ops *)at->member;
    const char               *wrong;
    char                      words[WM_ERROR_TEXT];

    if (ops == NULL || shape->rank < 2)
        return usual;
    builder->begun = true;
    if (ops->mismatch != NULL && (wrong = ops->mismatch(shape, words)) != NULL)
        wm_faults_add(builder->faults, at->place, at->path, "%s", wrong);
    return ops->of(at->options, shape);
}

void wm_fit_tensor(wm_fit *fit, const char *name, const wm_shape *shape, wm_initial initial)
{
    wm_builder *builder = fit->builder;
    wm_model   *model = builder->model;
    wm_node    *node = &model->nodes[model->n_nodes];
    wm_tensor  *tensors;
    wm_initial *initials;
    const char *full;
    size_t      n, total;

    if (builder->st != WM_OK || builder->refused)
        return;
    assert(node->n_tensors < WM_LAYER_TENSORS_MAX);
    if (!wm_shape_count(shape, &n) || !wm_size_add(model->n_params, n, &total) || total > params_max) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "a %s of %s brings the model over %" PRIu64 " parameters; make the layer smaller", name,
                      wm_shape_text(shape, text), params_max);
        return;
    }
    tensors = room_for_one(builder, model->tensors, model->n_tensors, sizeof *tensors);
    if (tensors == NULL)
        return;
    model->tensors = tensors;
    initials = room_for_one(builder, model->initials, model->n_tensors, sizeof *initials);
    if (initials == NULL)
        return;
    model->initials = initials;
    full = join(builder, node->name, name);
    if (full == NULL)
        return;
    initials[model->n_tensors] = initial_of(builder, shape, initial);
    tensors[model->n_tensors++] = (wm_tensor){ .name = full, .shape = *shape, .offset = model->n_params, .n = n };
    model->n_params = total;
    node->n_tensors++;
}

void wm_fit_buffer(wm_fit *fit, const char *name, const wm_shape *shape, double value)
{
    wm_builder *builder = fit->builder;
    wm_model   *model = builder->model;
    wm_node    *node = &model->nodes[model->n_nodes];
    wm_buffer  *buffers;
    size_t      n, total;

    if (builder->st != WM_OK || builder->refused)
        return;
    assert(node->n_buffers < WM_LAYER_TENSORS_MAX);
    if (!wm_shape_count(shape, &n) || !wm_size_add(model->n_buffer_values, n, &total) || total > params_max) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "a %s of %s is too large; make the layer smaller", name, wm_shape_text(shape, text));
        return;
    }
    buffers = room_for_one(builder, model->buffers, model->n_buffers, sizeof *buffers);
    if (buffers == NULL)
        return;
    model->buffers = buffers;
    buffers[model->n_buffers++] = (wm_buffer){ .offset = model->n_buffer_values, .n = n, .value = value };
    model->n_buffer_values = total;
    node->n_buffers++;
}

/* ---- laying nodes ---- */

/* The node under construction stands at nodes[n_nodes] and counts once it is complete. */
static bool node_open(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from,
                      size_t n_from)
{
    wm_model *model = builder->model;
    wm_node  *nodes = room_for_one(builder, model->nodes, model->n_nodes, sizeof *nodes);
    size_t   *copy = NULL;

    if (nodes == NULL)
        return false;
    model->nodes = nodes;
    if (n_from > 0) {
        copy = take(builder, n_from * sizeof *copy);
        if (copy == NULL)
            return false;
        memcpy(copy, from, n_from * sizeof *copy);
    }
    nodes[model->n_nodes] = (wm_node){
        .name = name,
        .ops = layer != NULL ? (const wm_layer_ops *)layer->member : NULL,
        .options = layer != NULL ? layer->options : NULL,
        .place = layer != NULL ? layer->place : (wm_place){ 0 },
        .path = layer != NULL ? layer->path : "",
        .from = copy,
        .n_from = n_from,
        .share = builder->share,
        .fresh = builder->fresh,
        .tensors = model->n_tensors,
        .buffers = model->n_buffers,
    };
    return true;
}

static void fit_node(wm_builder *builder)
{
    wm_model           *model = builder->model;
    wm_node            *node = &model->nodes[model->n_nodes];
    const wm_layer_ops *ops = node->ops;
    wm_shape            inputs[WM_LAYER_INPUTS_MAX];
    wm_fit              fit = {
                     .n_inputs = node->n_from, .inputs = inputs, .personal = node->share == WM_SHARE_PERSONAL, .builder = builder
    };
    size_t n = 0;

    if (node->n_from < ops->inputs_least || node->n_from > ops->inputs_most) {
        wm_fit_refuse(&fit, "takes %s%zu input%s, and `from` gives %zu",
                      ops->inputs_least < ops->inputs_most ? "up to " : "", ops->inputs_most,
                      ops->inputs_most == 1 ? "" : "s", node->n_from);
        return;
    }
    for (size_t k = 0; k < node->n_from; k++) {
        inputs[k] = model->nodes[node->from[k]].shape;
        if (inputs[k].rank == 0)
            return; /* reported where it went wrong */
    }
    ops->fit(node->options, &fit);
    if (builder->st != WM_OK || builder->refused)
        return;
    assert(fit.output.rank >= 1 && fit.output.rank <= WM_RANK_MAX);
    if (!wm_shape_count(&fit.output, &n) || n == 0 || n > params_max) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(&fit, "its output of %s is %s; give it another size", wm_shape_text(&fit.output, text),
                      n == 0 ? "empty" : "too large");
        return;
    }
    node->shape = fit.output;
    node->n = n;
    node->saved = fit.saved;
    node->scratch = fit.scratch;
    node->works_in_saved = fit.works_in_saved;
    node->work = fit.work;
    node->learns = node->n_tensors > 0 && node->share != WM_SHARE_FROZEN;
    for (size_t k = 0; k < node->n_from; k++)
        node->learns = node->learns || model->nodes[node->from[k]].learns;
}

/* One layer, or what it expands into; gives back the node that carries its output. */
static size_t lay(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from)
{
    wm_model           *model = builder->model;
    const wm_layer_ops *ops = (const wm_layer_ops *)layer->member;
    const wm_choice    *outer = builder->layer;
    const char         *prefix = builder->prefix;
    size_t              node = no_node;

    for (size_t k = 0; k < n_from; k++)
        if (from[k] == no_node)
            return no_node;
    builder->layer = layer;
    builder->prefix = name;
    builder->refused = false;
    if (model->n_nodes >= NODES_MAX || builder->depth >= DEPTH_MAX) {
        wm_faults_add(builder->faults, layer->place, layer->path,
                      "more than %d layers, or blocks in blocks more than %d deep; make the network smaller",
                      NODES_MAX, DEPTH_MAX);
    } else if (ops->expand != NULL) {
        builder->depth++;
        node = ops->expand(layer->options, builder, from, n_from);
        builder->depth--;
    } else if (node_open(builder, name, layer, from, n_from)) {
        fit_node(builder);
        for (size_t k = 0; k < n_from; k++)
            model->nodes[from[k]].users++;
        node = builder->st == WM_OK ? model->n_nodes++ : no_node;
    }
    builder->layer = outer;
    builder->prefix = prefix;
    return node;
}

size_t wm_expand(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from)
{
    const char *full = builder->st == WM_OK ? join(builder, builder->prefix, name) : NULL;

    return full != NULL ? lay(builder, full, layer, from, n_from) : no_node;
}

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

    for (size_t i = 0; i < data->n_inputs && node_open(builder, data->inputs[i].name, NULL, NULL, 0); i++) {
        wm_node *node = &model->nodes[i];

        wm_job_input_shape(model->job, i, &node->shape);
        assert(node->shape.rank >= 1 && node->shape.rank <= WM_RANK_MAX);
        if (!wm_shape_count(&node->shape, &node->n) || node->n == 0 || node->n > params_max) {
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
    return node != no_node && builder->model->nodes[node].shape.rank > 0;
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
        size_t              from[WM_LAYER_INPUTS_MAX], n_from = 0, node = no_node, first = builder->model->n_nodes;

        if (find(names, n_names, layer->name) != NULL)
            wm_faults_add(builder->faults, layer->layer.place, layer->layer.path,
                          "the name %s is taken; name this layer differently", layer->name);
        builder->initial = &layer->initial;
        builder->begun = false;
        builder->fresh = layer->fresh;
        builder->share = layer->personal ? WM_SHARE_PERSONAL : layer->frozen ? WM_SHARE_FROZEN : WM_SHARE_TOGETHER;
        if (resolve(builder, names, n_names, i, from, &n_from))
            node = lay(builder, layer->name, &layer->layer, from, n_from);
        if (fits(builder, node))
            check_marks(builder, layer, first);
        names[n_names++] = (named){ .name = layer->name, .node = node };
    }
}

/* ---- heads ---- */

static void lay_head(wm_builder *builder, const named *names, size_t n_names, size_t i)
{
    wm_model          *model = builder->model;
    const wm_job      *job = model->job;
    const wm_job_loss *loss = &job->model.losses[i];
    const wm_choice   *at = &loss->loss;
    const wm_loss_ops *ops = (const wm_loss_ops *)at->member;
    const named       *found = loss->head != NULL ? find(names, n_names, loss->head) : &names[n_names - 1];
    size_t             t = 0, want;
    wm_node           *node;
    char               words[WM_ERROR_TEXT];
    const char        *wrong;

    while (t < job->data.n_targets && strcmp(job->data.targets[t].name, loss->target) != 0)
        t++;
    if (t == job->data.n_targets) {
        wm_faults_add(builder->faults, at->place, at->path, "there is no target named %s", loss->target);
        return;
    }
    if (found == NULL || found < names + model->n_inputs) {
        wm_faults_add(builder->faults, at->place, at->path, "there is no layer named %s to take the loss of",
                      loss->head != NULL ? loss->head : "(the last)");
        return;
    }
    if (ops->for_classes != (job->data.targets[t].classes > 0)) {
        wm_faults_add(builder->faults, at->place, at->path, "%s is a loss of %s, and %s is a target of %s",
                      at->member->name, ops->for_classes ? "classes" : "values", loss->target,
                      ops->for_classes ? "values" : "classes");
        return;
    }
    if (ops->of_inputs && !job->data.targets[t].of_input) {
        wm_faults_add(
            builder->faults, at->place, at->path,
            "%s is a loss of an input, and %s is a target of a column; write mse, or give the target an `input`",
            at->member->name, loss->target);
        return;
    }
    if (found->node == no_node || model->nodes[found->node].shape.rank == 0)
        return; /* reported where it went wrong */
    node = &model->nodes[found->node];
    model->heads[model->n_heads] = (wm_head){
        .target = t,
        .node = found->node,
        .ops = ops,
        .options = at->options,
        .weight = loss->weight,
        .width = wm_job_target_width(job, t),
    };
    want = model->heads[model->n_heads].width;
    if (ops->mismatch != NULL && (wrong = ops->mismatch(at->options, want, words)) != NULL) {
        wm_faults_add(builder->faults, at->place, at->path, "%s", wrong);
        return;
    }
    if (ops->head_width != NULL)
        want = ops->head_width(at->options, want);
    if (node->n != want && job->data.targets[t].of_input) {
        const wm_node *input = &model->nodes[job->data.targets[t].input];
        char           gives[WM_SHAPE_TEXT], takes[WM_SHAPE_TEXT];

        wm_faults_add(builder->faults, node->place, node->path,
                      "layer %s gives %s, and the input %s, which it is to give back with %s, is %s: %zu values",
                      found->name, wm_shape_text(&node->shape, gives), input->name, at->member->name,
                      wm_shape_text(&input->shape, takes), want);
        return;
    }
    if (node->n != want) {
        char text[WM_SHAPE_TEXT];

        wm_faults_add(builder->faults, node->place, node->path,
                      "layer %s gives %s, and target %s with %s takes %zu values%s", found->name,
                      wm_shape_text(&node->shape, text), loss->target, at->member->name, want,
                      node->shape.rank > 1 ? "; is a flatten missing?" : "");
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
