/* models/start.c */
#include "models/start.h"

#include "models/graph.h"
#include "models/tensor_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char where[] = "model.start";

/* Whether the layer begins anew, whatever the file says. */
static bool begins_anew(const wm_node *node)
{
    return node->fresh || node->share == WM_SHARE_PERSONAL;
}

static bool is_of(const wm_node *node, const char *name)
{
    size_t n = strlen(node->name);

    return strncmp(name, node->name, n) == 0 && name[n] == '.';
}

/* Whether the model has that tensor, or a layer that begins anew would. */
static bool is_known(const wm_model *model, const char *name)
{
    for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        if (!is_of(node, name))
            continue;
        if (begins_anew(node))
            return true;
        for (size_t k = 0; k < node->n_tensors; k++)
            if (strcmp(model->tensors[node->tensors + k].name, name) == 0)
                return true;
    }
    return false;
}

/* What the file has and the model has not; and that its tensors fill it. extents: room for all entries. */
static wm_status check_entries(const wm_tensor_file *file, const wm_model *model, wm_extent *extents,
                               wm_faults *faults, wm_error *err)
{
    const char *name;
    json_t     *entry;
    size_t      n = 0;

    json_object_foreach(file->header, name, entry)
    {
        wm_status st;

        if (strcmp(name, wm_tensor_metadata) == 0)
            continue;
        st = wm_tensor_file_extent(file, name, entry, &extents[n++], err);
        if (st != WM_OK)
            return st;
        if (!is_known(model, name))
            wm_faults_add(faults, model->job->model.start.place, where,
                          "%s: tensor %.80s is of no layer of the model; name the layers as the file does",
                          file->path, name);
    }
    return wm_tensor_file_check_fill(file, extents, n, err);
}

static void read_tensors(const wm_tensor_file *file, const wm_model *model, wm_faults *faults, float *params)
{
    for (size_t i = model->n_inputs; i < model->n_nodes; i++) {
        const wm_node *node = &model->nodes[i];

        for (size_t k = 0; !begins_anew(node) && k < node->n_tensors; k++) {
            const wm_tensor *tensor = &model->tensors[node->tensors + k];
            wm_extent        extent;
            wm_error         why;

            if (wm_tensor_file_find(file, tensor, &extent, &why) == WM_OK)
                wm_tensor_file_floats(file, &extent, params + tensor->offset, tensor->n);
            else
                wm_faults_add(faults, model->job->model.start.place, where, "%s", why.text);
        }
    }
}

static void check_finite(const wm_model *model, const char *path, const float *params, wm_faults *faults)
{
    for (size_t i = 0; i < model->n_tensors; i++)
        for (size_t p = 0; p < model->tensors[i].n; p++)
            if (!isfinite(params[model->tensors[i].offset + p])) {
                wm_faults_add(faults, model->job->model.start.place, where,
                              "%s: tensor %s holds a value that is not finite", path, model->tensors[i].name);
                break;
            }
}

wm_status wm_start_read(const wm_files *files, const char *path, const wm_model *model, wm_faults *faults,
                        float *params, wm_error *err)
{
    wm_tensor_file file;
    size_t         before = faults->count;
    wm_extent     *extents = NULL;
    wm_status      st = wm_tensor_file_open(files, path, wm_tensor_file_max(), &file, err);

    if (st != WM_OK)
        goto out;
    extents = calloc(json_object_size(file.header) + 1, sizeof *extents);
    if (extents == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the tensors of %s", path);
        goto out;
    }
    wm_model_init(model, model->job->seed, params);
    st = check_entries(&file, model, extents, faults, err);
    if (st != WM_OK)
        goto out;
    read_tensors(&file, model, faults, params);
    check_finite(model, path, params, faults);
    if (faults->count > before)
        st = wm_faults_result(faults, err);
out:
    wm_tensor_file_release(&file);
    free(extents);
    return st;
}
