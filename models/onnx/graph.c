/* models/onnx/graph.c */
#include "models/onnx/graph.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

void *wm_onnx_alloc(wm_onnx *o, size_t bytes)
{
    void *ret = wm_arena_alloc(o->arena, bytes > 0 ? bytes : 1);

    if (ret == NULL)
        o->full = true;
    else
        memset(ret, 0, bytes);
    return ret;
}

static char *text(wm_onnx *o, const char *from)
{
    char *ret = wm_arena_text(o->arena, from, strlen(from));

    o->full |= ret == NULL;
    return ret;
}

static char *fresh_name(wm_onnx *o)
{
    char name[32];

    snprintf(name, sizeof name, "v%zu", o->fresh++);
    return text(o, name);
}

/* A list of pointers with room for one more; the old one stays in the arena. */
static void *room_for_one(wm_onnx *o, void *items, size_t n, size_t *room)
{
    void **grown;

    if (n < *room)
        return items;
    grown = wm_onnx_alloc(o, 2 * (n + 8) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    if (n > 0)
        memcpy(grown, items, n * sizeof *grown);
    *room = 2 * (n + 8);
    return grown;
}

/* ---- attributes ---- */

static Onnx__AttributeProto *attribute(wm_onnx *o, const char *name, Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = wm_onnx_alloc(o, sizeof *a);

    if (a == NULL || o->n_attributes == WM_ONNX_ATTRIBUTES_MAX) {
        o->full = true;
        return NULL;
    }
    onnx__attribute_proto__init(a);
    a->name = (char *)(uintptr_t)name;
    a->type = type;
    return o->attributes[o->n_attributes++] = a;
}

void wm_onnx_int(wm_onnx *o, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (a != NULL)
        a->i = value;
}

void wm_onnx_real(wm_onnx *o, const char *name, double value)
{
    Onnx__AttributeProto *a = attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    if (a != NULL)
        a->f = (float)value;
}

void wm_onnx_word(wm_onnx *o, const char *name, const char *value)
{
    Onnx__AttributeProto *a = attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    if (a != NULL)
        a->s = (ProtobufCBinaryData){ .data = (uint8_t *)(uintptr_t)value, .len = strlen(value) };
}

void wm_onnx_ints(wm_onnx *o, const char *name, const int64_t *values, size_t n)
{
    Onnx__AttributeProto *a = attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t              *copy = wm_onnx_alloc(o, n * sizeof *copy);

    if (a == NULL || copy == NULL)
        return;
    memcpy(copy, values, n * sizeof *copy);
    a->ints = copy;
    a->n_ints = n;
}

/* ---- operators ---- */

const char *wm_onnx_op(wm_onnx *o, const char *type, const char *const *inputs, size_t n, size_t n_outputs)
{
    Onnx__NodeProto  *node = wm_onnx_alloc(o, sizeof *node);
    Onnx__NodeProto **nodes = room_for_one(o, o->graph.node, o->graph.n_node, &o->node_room);

    if (node == NULL || nodes == NULL)
        return "";
    onnx__node_proto__init(node);
    node->op_type = (char *)(uintptr_t)type;
    node->input = wm_onnx_alloc(o, n * sizeof *node->input);
    node->output = wm_onnx_alloc(o, n_outputs * sizeof *node->output);
    node->attribute = wm_onnx_alloc(o, o->n_attributes * sizeof *node->attribute);
    if (node->input == NULL || node->output == NULL || node->attribute == NULL)
        return "";
    for (size_t i = 0; i < n; i++)
        node->input[i] = (char *)(uintptr_t)inputs[i];
    for (size_t i = 0; i < n_outputs; i++)
        node->output[i] = fresh_name(o);
    memcpy(node->attribute, o->attributes, o->n_attributes * sizeof *node->attribute);
    node->n_input = n;
    node->n_output = n_outputs;
    node->n_attribute = o->n_attributes;
    o->n_attributes = 0;
    o->graph.node = nodes;
    o->graph.node[o->graph.n_node++] = node;
    return node->output[0] != NULL ? node->output[0] : "";
}

const char *wm_onnx_output(const wm_onnx *o, size_t k)
{
    return o->full ? "" : o->graph.node[o->graph.n_node - 1]->output[k];
}

const char *wm_onnx_op1(wm_onnx *o, const char *type, const char *a)
{
    return wm_onnx_op(o, type, &a, 1, 1);
}

const char *wm_onnx_op2(wm_onnx *o, const char *type, const char *a, const char *b)
{
    return wm_onnx_op(o, type, (const char *const[]){ a, b }, 2, 1);
}

/* ---- constants ---- */

static Onnx__TensorProto *tensor(wm_onnx *o, const int64_t *dims, size_t rank, int type, size_t bytes)
{
    Onnx__TensorProto  *t = wm_onnx_alloc(o, sizeof *t);
    Onnx__TensorProto **tensors = room_for_one(o, o->graph.initializer, o->graph.n_initializer, &o->tensor_room);
    int64_t            *copy = wm_onnx_alloc(o, rank * sizeof *copy);
    uint8_t            *data = wm_onnx_alloc(o, bytes);

    if (t == NULL || tensors == NULL || copy == NULL || data == NULL)
        return NULL;
    onnx__tensor_proto__init(t);
    if (rank > 0)
        memcpy(copy, dims, rank * sizeof *copy);
    t->dims = copy;
    t->n_dims = rank;
    t->data_type = type;
    t->raw_data = (ProtobufCBinaryData){ .data = data, .len = bytes };
    t->name = fresh_name(o);
    o->graph.initializer = tensors;
    o->graph.initializer[o->graph.n_initializer++] = t;
    return t->name != NULL ? t : NULL;
}

const char *wm_onnx_floats(wm_onnx *o, const int64_t *dims, size_t rank, const float *values)
{
    size_t             n = 1;
    Onnx__TensorProto *t;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    t = tensor(o, dims, rank, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, n * sizeof(float));
    if (t == NULL)
        return "";
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, values + i, sizeof bits);
        bits = htole32(bits);
        memcpy(t->raw_data.data + i * sizeof bits, &bits, sizeof bits);
    }
    return t->name;
}

const char *wm_onnx_number(wm_onnx *o, double value)
{
    return wm_onnx_floats(o, NULL, 0, &(float){ (float)value });
}

const char *wm_onnx_wholes(wm_onnx *o, const int64_t *values, size_t n)
{
    Onnx__TensorProto *t =
        tensor(o, &(int64_t){ (int64_t)n }, 1, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, n * sizeof(int64_t));

    if (t == NULL)
        return "";
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = htole64((uint64_t)values[i]);

        memcpy(t->raw_data.data + i * sizeof bits, &bits, sizeof bits);
    }
    return t->name;
}

/* ---- shapes ---- */

const char *wm_onnx_transpose(wm_onnx *o, const char *x, const int64_t *order, size_t rank)
{
    wm_onnx_ints(o, "perm", order, rank);
    return wm_onnx_op1(o, "Transpose", x);
}

const char *wm_onnx_reshape(wm_onnx *o, const char *x, const int64_t *dims, size_t rank)
{
    int64_t all[WM_ONNX_RANK_MAX + 1] = { -1 };

    for (size_t i = 0; i < rank; i++)
        all[i + 1] = dims[i];
    return wm_onnx_op2(o, "Reshape", x, wm_onnx_wholes(o, all, rank + 1));
}
