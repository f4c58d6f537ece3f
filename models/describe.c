/* models/describe.c: a network as a table for people. */
#include "models/graph.h"

#include <inttypes.h>
#include <string.h>

static size_t wider(size_t width, const char *text)
{
    size_t n = strlen(text);

    return n > width ? n : width;
}

static size_t params_of(const wm_model *model, const wm_node *node)
{
    size_t n = 0;

    for (size_t i = 0; i < node->n_tensors; i++)
        n += model->tensors[node->tensors + i].n;
    return n;
}

void wm_model_describe(const wm_model *model, wm_text *text)
{
    size_t   name = strlen("layer"), kind = strlen("input"), shape = strlen("output");
    uint64_t work = 0;
    char     dims[WM_SHAPE_TEXT];

    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        name = wider(name, node->name);
        kind = wider(kind, node->ops != NULL ? node->ops->member.name : "input");
        shape = wider(shape, wm_shape_text(&node->shape, dims));
    }
    wm_text_printf(text, "%-*s  %-*s  %*s  %12s  %9s\n", (int)name, "layer", (int)kind, "kind", (int)shape,
                   "output", "parameters", "MFLOP");
    for (size_t i = 0; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        wm_text_printf(text, "%-*s  %-*s  %*s  %12zu  %9.3f\n", (int)name, node->name, (int)kind,
                       node->ops != NULL ? node->ops->member.name : "input", (int)shape,
                       wm_shape_text(&node->shape, dims), params_of(model, node), 2e-6 * (double)node->work);
        work += node->work;
    }
    wm_text_printf(text, "%-*s  %-*s  %*s  %12zu  %9.3f\n", (int)name, "total", (int)kind, "", (int)shape, "",
                   model->n_params, 2e-6 * (double)work);
}
