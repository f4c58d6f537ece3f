/* models/builder.c: what layers say while they are fitted, and the laying of nodes. */
#include "models/builder.h"

#include "models/initialiser.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8, NODES_MAX = 1 << 16 };

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
    if (!wm_shape_count(shape, &n) || !wm_size_add(model->n_params, n, &total) || total > wm_params_max) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "a %s of %s brings the model over %" PRIu64 " parameters; make the layer smaller", name,
                      wm_shape_text(shape, text), wm_params_max);
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
    if (!wm_shape_count(shape, &n) || !wm_size_add(model->n_buffer_values, n, &total) || total > wm_params_max) {
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

bool wm_node_open(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from)
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
    if (!wm_shape_count(&fit.output, &n) || n == 0 || n > wm_params_max) {
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
    node->goes_through_own = node->share == WM_SHARE_PERSONAL;
    for (size_t k = 0; k < node->n_from; k++) {
        const wm_node *from = &model->nodes[node->from[k]];

        node->learns = node->learns || from->learns;
        node->goes_through_own = node->goes_through_own || from->goes_through_own;
    }
}

size_t wm_lay(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from)
{
    wm_model           *model = builder->model;
    const wm_layer_ops *ops = (const wm_layer_ops *)layer->member;
    const wm_choice    *outer = builder->layer;
    const char         *prefix = builder->prefix;
    size_t              node = wm_no_node;

    for (size_t k = 0; k < n_from; k++)
        if (from[k] == wm_no_node)
            return wm_no_node;
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
    } else if (wm_node_open(builder, name, layer, from, n_from)) {
        fit_node(builder);
        for (size_t k = 0; k < n_from; k++)
            model->nodes[from[k]].users++;
        node = builder->st == WM_OK ? model->n_nodes++ : wm_no_node;
    }
    builder->layer = outer;
    builder->prefix = prefix;
    return node;
}

size_t wm_expand(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from)
{
    const char *full = builder->st == WM_OK ? join(builder, builder->prefix, name) : NULL;

    return full != NULL ? wm_lay(builder, full, layer, from, n_from) : wm_no_node;
}
