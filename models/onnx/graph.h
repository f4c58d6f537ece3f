/* models/onnx/graph.h
 *
 * A graph in the making: operators over named values, in an arena that ends with it. After a lack of memory everything
 * goes on, and nothing counts. For the files of this folder. */
#ifndef WM_MODELS_ONNX_GRAPH_H
#define WM_MODELS_ONNX_GRAPH_H

#include "models/graph.h"
#include "onnx.pb-c.h"

enum { WM_ONNX_ATTRIBUTES_MAX = 8, WM_ONNX_RANK_MAX = 8 };

typedef struct wm_onnx {
    wm_arena        *arena;
    const wm_model  *model;
    const float     *params;
    Onnx__GraphProto graph;
    size_t           node_room, tensor_room;
    size_t           fresh; /* names that were made up */
    bool             full;  /* the arena was */

    Onnx__AttributeProto *attributes[WM_ONNX_ATTRIBUTES_MAX]; /* of the next operator */
    size_t                n_attributes;
} wm_onnx;

/* An attribute of the operator that comes next. */
void wm_onnx_int(wm_onnx *o, const char *name, int64_t value);
void wm_onnx_real(wm_onnx *o, const char *name, double value);
void wm_onnx_word(wm_onnx *o, const char *name, const char *value);
void wm_onnx_ints(wm_onnx *o, const char *name, const int64_t *values, size_t n);

/* An operator on inputs[n] ("" leaves one out), with its output's name; output k of several under wm_onnx_output. */
const char *wm_onnx_op(wm_onnx *o, const char *type, const char *const *inputs, size_t n, size_t n_outputs);
const char *wm_onnx_output(const wm_onnx *o, size_t k); /* of the operator that came last */

/* The same on one and two. */
const char *wm_onnx_op1(wm_onnx *o, const char *type, const char *a);
const char *wm_onnx_op2(wm_onnx *o, const char *type, const char *a, const char *b);

/* A constant: its name. values are copied. */
const char *wm_onnx_floats(wm_onnx *o, const int64_t *dims, size_t rank, const float *values);
const char *wm_onnx_number(wm_onnx *o, double value);
const char *wm_onnx_wholes(wm_onnx *o, const int64_t *values, size_t n);

const char *wm_onnx_transpose(wm_onnx *o, const char *x, const int64_t *order, size_t rank);
/* dims[rank] behind the batch. */
const char *wm_onnx_reshape(wm_onnx *o, const char *x, const int64_t *dims, size_t rank);

void *wm_onnx_alloc(wm_onnx *o, size_t bytes); /* zeroed; NULL once the arena is full */

/* The value of node i of the model, made of its inputs'; NULL if the layer cannot be said. */
const char *wm_onnx_layer(wm_onnx *o, const wm_node *node, const char *const *inputs);

#endif
