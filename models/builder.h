/* models/builder.h
 *
 * A model in the making, for the files of this folder: nodes are laid one after the other, each fitted to the shapes before
 * it at once. A layer that does not fit adds its fault and has an unknown shape; what takes its input from there is laid
 * without being fitted, so that one mistake is reported once and those behind it are reported too. */
#ifndef WM_MODELS_BUILDER_H
#define WM_MODELS_BUILDER_H

#include "models/graph.h"

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

static const uint64_t wm_params_max = (uint64_t)1 << 31;

/* What is given back in place of a node that there is not. */
static const size_t wm_no_node = SIZE_MAX;

/* The node under construction stands at nodes[n_nodes] and counts once it is complete; false: no memory. layer NULL: an
 * input. */
bool wm_node_open(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from);

/* One layer, or what it expands into; gives back the node that carries its output. */
size_t wm_lay(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from);

#endif
