/* models/layout.h
 *
 * What a wm_plan is inside, for the files of this folder: where everything of it lies. Every node's output has a slot of
 * memory, [batch_max][values], and when training a second one for its gradient; a layer that works in place shares those of
 * the node before it, where nobody reads what it overwrites. Layers overwrite the gradients of their inputs; where a node
 * has several users, all but the first to come write into a spare slot, which is then added. Which that is follows from the
 * graph, so it is settled when the plan is made (layout.c), and a step only walks down and up (passes.h). */
#ifndef WM_MODELS_LAYOUT_H
#define WM_MODELS_LAYOUT_H

#include "models/graph.h"
#include "models/optimiser.h"
#include "models/plan.h"

/* One node at run time. */
typedef struct wm_spot {
    size_t slot; /* the node whose memory this one's output lives in: itself, or one before it */
    bool   read; /* in a slot's owner: backward reads an output that lives in it, so it must not be overwritten */
    bool   written; /* while the plan is made, going up: something has written this node's gradient */
    bool   aside[WM_LAYER_INPUTS_MAX]; /* this input's gradient goes to a spare slot and is added */
    bool   steps;                      /* it may take the optimiser's step itself (layer.h) */
    float *value, *grad;               /* in a slot's owner */
    float *saved;
    size_t bytes; /* of the three */
} wm_spot;

struct wm_plan {
    const wm_model         *model;
    const wm_optimiser_ops *optimiser; /* NULL for WM_PLAN_EVALUATE */
    const void             *optimiser_options;
    size_t                  batch_max;
    wm_arena               *arena;
    size_t                  bytes;       /* of the arena; counted before there is one */
    bool                    over;        /* that does not fit a size_t */
    bool                    plain;       /* the optimiser's step is one of plain gradient descent */
    wm_spot                *spots;       /* [n_nodes] */
    bool                   *heads_aside; /* [n_heads]: a head before it has written this node's gradient */
    float                  *grads;       /* [n_learning]: layers that do not step add to it; zeros between steps */
    bool                    dirty;       /* but not after one that was asked for, or after training exploded */
    float                  *state, *buffers, *scratch, *passing;
    float                  *spares[WM_LAYER_INPUTS_MAX]; /* an input each */
    uint64_t                t;                           /* optimiser steps since the reset */
    wm_rng                  rng;
};

#endif
