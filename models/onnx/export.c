/* models/onnx/export.c */
#include "models/onnx/export.h"

#include "models/onnx/graph.h"

#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 7, OPSET = 13 };

/* `name`: [N][shape]. */
static Onnx__ValueInfoProto *value_info(wm_onnx *o, const char *name, const wm_shape *shape)
{
    Onnx__ValueInfoProto               *info = wm_onnx_alloc(o, sizeof *info);
    Onnx__TypeProto                    *type = wm_onnx_alloc(o, sizeof *type);
    Onnx__TypeProto__Tensor            *tensor = wm_onnx_alloc(o, sizeof *tensor);
    Onnx__TensorShapeProto             *dims = wm_onnx_alloc(o, sizeof *dims);
    Onnx__TensorShapeProto__Dimension **list = wm_onnx_alloc(o, (shape->rank + 1) * sizeof *list);

    if (info == NULL || type == NULL || tensor == NULL || dims == NULL || list == NULL)
        return NULL;
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(dims);
    for (uint32_t i = 0; i <= shape->rank; i++) {
        if ((list[i] = wm_onnx_alloc(o, sizeof **list)) == NULL)
            return NULL;
        onnx__tensor_shape_proto__dimension__init(list[i]);
        list[i]->value_case = i == 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                     : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (i == 0)
            list[i]->dim_param = (char *)(uintptr_t) "N";
        else
            list[i]->dim_value = shape->dim[i - 1];
    }
    dims->dim = list;
    dims->n_dim = shape->rank + 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = dims;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    info->name = (char *)(uintptr_t)name;
    info->type = type;
    return info;
}

static wm_status say_layers(wm_onnx *o, const char **names, wm_error *err)
{
    const wm_model *model = o->model;

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];
        const char    *inputs[WM_LAYER_INPUTS_MAX];

        if (i < model->n_inputs) {
            names[i] = node->name;
            continue;
        }
        for (size_t k = 0; k < node->n_from; k++)
            inputs[k] = names[node->from[k]];
        names[i] = wm_onnx_layer(o, node, inputs);
        if (names[i] == NULL)
            return wm_fail(err, WM_E_INVALID, "layer %s is a %s, which cannot be said in ONNX yet", node->name,
                           node->ops->member.name);
    }
    return WM_OK;
}

/* Names are all that ONNX tells values apart by. */
static wm_status check_names(const wm_model *model, wm_error *err)
{
    for (size_t h = 0; h < model->n_heads; h++)
        for (size_t i = 0; i < model->n_inputs; i++) {
            const char *target = model->job->data.targets[model->heads[h].target].name;

            if (strcmp(target, model->nodes[i].name) == 0)
                return wm_fail(
                    err, WM_E_INVALID,
                    "%s is the name of an input and of a target, and ONNX knows one value of a name; rename one "
                    "of them in the job",
                    target);
        }
    return WM_OK;
}

/* Inputs under the job's names, and an output for each target: an Identity whose name is the target's. */
static void say_ends(wm_onnx *o, const char *const *names)
{
    const wm_model *model = o->model;

    o->graph.input = wm_onnx_alloc(o, model->n_inputs * sizeof *o->graph.input);
    o->graph.output = wm_onnx_alloc(o, model->n_heads * sizeof *o->graph.output);
    for (size_t i = 0; !o->full && i < model->n_inputs; i++)
        o->graph.input[o->graph.n_input++] = value_info(o, names[i], &model->nodes[i].shape);
    for (size_t h = 0; !o->full && h < model->n_heads; h++) {
        const wm_head *head = &model->heads[h];
        const char    *target = model->job->data.targets[head->target].name;

        wm_onnx_op1(o, "Identity", names[head->node]);
        if (o->full)
            return;
        o->graph.node[o->graph.n_node - 1]->output[0] = (char *)(uintptr_t)target;
        o->graph.output[o->graph.n_output++] = value_info(o, target, &model->nodes[head->node].shape);
    }
}

static void say_metadata(wm_onnx *o, const wm_metadata *metadata, Onnx__ModelProto *to)
{
    size_t n = 0;

    while (metadata != NULL && metadata[n].name != NULL)
        n++;
    to->metadata_props = wm_onnx_alloc(o, n * sizeof *to->metadata_props);
    for (size_t i = 0; !o->full && i < n; i++) {
        Onnx__StringStringEntryProto *entry = wm_onnx_alloc(o, sizeof *entry);

        if (entry == NULL)
            return;
        onnx__string_string_entry_proto__init(entry);
        entry->key = (char *)(uintptr_t)metadata[i].name;
        entry->value = (char *)(uintptr_t)metadata[i].text;
        to->metadata_props[to->n_metadata_props++] = entry;
    }
}

/* An input or a target may be named as what we make up: v0, v1, ... */
static size_t first_free_name(const wm_job *job)
{
    size_t most = 0;

    for (size_t i = 0; i < job->data.n_inputs + job->data.n_targets; i++) {
        const char *name =
            i < job->data.n_inputs ? job->data.inputs[i].name : job->data.targets[i - job->data.n_inputs].name;

        if (name[0] == 'v' && strtoul(name + 1, NULL, 10) >= most)
            most = strtoul(name + 1, NULL, 10) + 1;
    }
    return most;
}

wm_status wm_onnx_export(const wm_model *model, const float *params, const wm_metadata *metadata, uint8_t **bytes,
                         size_t *n, wm_error *err)
{
    Onnx__ModelProto         file = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = { &opset };
    wm_onnx                  o = { .model = model, .params = params, .fresh = first_free_name(model->job) };
    const char             **names = calloc(model->n_nodes + 1, sizeof *names);
    uint8_t                 *packed = NULL;
    wm_status                st = wm_arena_new_growing(0, &o.arena, err);

    if (st != WM_OK)
        goto out;
    onnx__graph_proto__init(&o.graph);
    o.graph.name = (char *)(uintptr_t)model->job->name;
    if ((st = check_names(model, err)) != WM_OK || names == NULL || (st = say_layers(&o, names, err)) != WM_OK)
        goto out;
    say_ends(&o, names);
    say_metadata(&o, metadata, &file);
    opset.domain = (char *)(uintptr_t) "";
    opset.version = OPSET;
    file.ir_version = IR_VERSION;
    file.producer_name = (char *)(uintptr_t) "wardmote";
    file.producer_version = (char *)(uintptr_t)WM_VERSION;
    file.graph = &o.graph;
    file.opset_import = opsets;
    file.n_opset_import = 1;
    if (!o.full && (packed = malloc(onnx__model_proto__get_packed_size(&file) + 1)) != NULL) {
        *n = onnx__model_proto__pack(&file, packed);
        *bytes = packed;
    }
out:
    if (st == WM_OK && packed == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the model as ONNX");
    wm_arena_free(o.arena);
    free(names);
    return st;
}
