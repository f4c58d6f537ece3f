/* models/graph.h
 *
 * What a wm_model is inside, for the files of this folder: nodes in an order in which each comes after what it takes
 * its inputs from. The first n_inputs nodes are the network's inputs; the rest are layers, composites expanded. */
#ifndef WM_MODELS_GRAPH_H
#define WM_MODELS_GRAPH_H

#include "common/arena.h"
#include "models/layer.h"
#include "models/loss.h"
#include "models/model.h"

/* Whose the parameters of a layer are. In this order their tensors stand in the vector, so that what is averaged comes
 * before what is not, and what is trained is of one piece:
 *
 *     frozen | trained together | personal
 *     ------ the model -------- |
 *            -- what an optimiser steps on --
 *            ---- an update --- | */
typedef enum wm_share { WM_SHARE_FROZEN, WM_SHARE_TOGETHER, WM_SHARE_PERSONAL, WM_SHARES } wm_share;

typedef struct wm_node {
    const char         *name; /* the layer's, or the input's */
    const wm_layer_ops *ops;  /* NULL: an input */
    const void         *options;
    wm_place            place;
    const char         *path;
    const size_t       *from; /* [n_from] nodes */
    size_t              n_from;
    wm_shape            shape; /* of its output; rank 0: unknown, since it did not fit */
    size_t              n;     /* values of its output, for one example */
    size_t              users; /* layers that take it as an input */
    bool                is_head;
    wm_share            share;
    bool                fresh;  /* a warm start leaves it alone */
    bool                learns; /* it, or something before it, has parameters to train: gradients are of use */
    bool                goes_through_own;   /* it, or something before it, is personal */
    size_t              tensors, n_tensors; /* model->tensors[tensors] is its first */
    size_t              buffers, n_buffers;
    wm_amount           saved, scratch;
    bool                works_in_saved;
    uint64_t            work;
} wm_node;

typedef struct wm_buffer {
    size_t offset, n; /* in the plan's vector of buffers */
    double value;     /* at the start */
} wm_buffer;

/* One loss on one node. */
typedef struct wm_head {
    size_t             target, node;
    const wm_loss_ops *ops;
    const void        *options;
    double             weight;
    size_t             width; /* of the target; the node's is ops->head_width of it */
} wm_head;

struct wm_model {
    const wm_job *job;
    wm_arena     *arena; /* names, lists of inputs */
    wm_node      *nodes;
    size_t        n_nodes, n_inputs;
    wm_tensor    *tensors;
    wm_initial   *initials;                 /* a tensor each */
    size_t        n_tensors, n_own_tensors; /* of the model, and then the personal ones */
    size_t        n_params, n_own_params;   /* the same */
    size_t        n_frozen;                 /* of n_params: the first ones */
    wm_buffer    *buffers;
    size_t        n_buffers, n_buffer_values;
    wm_head      *heads;
    size_t        n_heads;
};

/* What an optimiser steps on. */
static inline size_t wm_model_n_learning(const wm_model *model)
{
    return model->n_params - model->n_frozen + model->n_own_params;
}

/* each * batch + once; false if it does not fit. */
static inline bool wm_amount_floats(wm_amount amount, size_t batch, size_t *ret)
{
    size_t n;

    if (!wm_size_mul(amount.each, batch, &n) || !wm_size_add(n, amount.once, &n))
        return false;
    *ret = n;
    return true;
}

#endif
