/* models/describe.c: a network as a table for people. */
#include "common/table.h"
#include "models/graph.h"
#include "models/plan.h"

#include <stdio.h>
#include <stdlib.h>

static size_t params_of(const wm_model *model, const wm_node *node)
{
    size_t n = 0;

    for (size_t i = 0; i < node->n_tensors; i++)
        n += model->tensors[node->tensors + i].n;
    return n;
}

static double kib(size_t bytes)
{
    return (double)bytes / 1024;
}

/* Forward, in multiplications and additions. */
static double mflop(uint64_t work)
{
    return 2e-6 * (double)work;
}

static const char *const shares[WM_SHARES] = {
    [WM_SHARE_FROZEN] = ", frozen", [WM_SHARE_TOGETHER] = "", [WM_SHARE_PERSONAL] = ", personal"
};

static void add_row(wm_table *table, const wm_model *model, const wm_node *node, size_t bytes)
{
    char dims[WM_SHAPE_TEXT];

    wm_table_cell(table, "%s", node->name);
    wm_table_cell(table, "%s%s", node->ops != NULL ? node->ops->member.name : "input",
                  node->n_tensors > 0 ? shares[node->share] : "");
    wm_table_cell(table, "%s", wm_shape_text(&node->shape, dims));
    wm_table_cell(table, "%zu", params_of(model, node));
    wm_table_number(table, 3, mflop(node->work));
    wm_table_number(table, 1, kib(bytes));
}

static void add_sum(wm_table *table, const char *name, const char *params, double work, double size)
{
    wm_table_cell(table, "%s", name);
    wm_table_cell(table, "%s", "");
    wm_table_cell(table, "%s", "");
    wm_table_cell(table, "%s", params);
    if (work < 0)
        wm_table_cell(table, "%s", "");
    else
        wm_table_number(table, 3, work);
    wm_table_number(table, 1, size);
}

static void write_table(const wm_model *model, const size_t *bytes, size_t all, wm_text *text)
{
    static const wm_table_column columns[] = { { "layer", false },     { "kind", false }, { "output", true },
                                               { "parameters", true }, { "MFLOP", true }, { "KiB", true } };
    wm_table                     table;
    uint64_t                     work = 0;
    size_t                       layers = 0;
    char                         params[32];

    wm_table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < model->n_nodes; i++) {
        add_row(&table, model, &model->nodes[i], bytes[i]);
        work += model->nodes[i].work;
        layers += bytes[i];
    }
    add_sum(&table, "gradients, optimiser, scratch", "", -1, kib(all - layers));
    snprintf(params, sizeof params, "%zu", model->n_params + model->n_own_params);
    add_sum(&table, "all", params, mflop(work), kib(all));
    wm_table_write(&table, text);
    if (model->n_frozen > 0 || model->n_own_params > 0)
        wm_text_printf(
            text,
            "%zu parameters are trained together, which is what an update carries; %zu are frozen, and %zu "
            "each client's own.\n",
            wm_model_n_trained(model), model->n_frozen, model->n_own_params);
    wm_table_release(&table);
}

wm_status wm_model_describe(const wm_model *model, size_t batch, wm_text *text, wm_error *err)
{
    size_t   *bytes = calloc(model->n_nodes, sizeof *bytes), all = 0;
    wm_status st = bytes != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for the table of a network");

    if (st == WM_OK)
        st = wm_plan_node_bytes(model, batch, WM_PLAN_TRAIN, bytes, &all, err);
    if (st == WM_OK)
        write_table(model, bytes, all, text);
    free(bytes);
    return st == WM_OK && text->bad ? wm_fail(err, WM_E_NOMEM, "no memory for the table of a network") : st;
}
