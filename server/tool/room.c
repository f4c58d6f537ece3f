/* server/tool/room.c */
#include "server/tool/room.h"

#include "client/trainer.h"
#include "common/config/faults.h"
#include "common/sizes.h"

#include <string.h>

size_t wm_room_needed(const wm_job *job, const wm_model *model, size_t workers)
{
    /* The engine's: the model, the next one, and the sum of updates in int64. */
    size_t engine = 2 * sizeof(float) + sizeof(int64_t), worker, all, shared;

    /* A worker's: its trainer, the model of the task, and the update. */
    if (wm_trainer_bytes(job, model, &worker, NULL) != WM_OK ||
        !wm_size_add(worker, 2 * sizeof(float) * wm_model_n_whole(model), &worker) ||
        !wm_size_mul(worker, workers, &all) || !wm_size_mul(wm_model_n_params(model), engine, &shared) ||
        !wm_size_add(all, shared, &all))
        return SIZE_MAX;
    return all;
}

/* Parameters of the layer of this name: of the tensors that are named after it. */
static size_t n_params_of(const wm_model *model, const char *layer)
{
    size_t length = strlen(layer), n = 0;

    for (size_t i = 0; i < wm_model_n_tensors(model); i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);

        if (strncmp(tensor->name, layer, length) == 0 && tensor->name[length] == '.')
            n += tensor->n;
    }
    return n;
}

static const wm_job_layer *largest_layer(const wm_job *job, const wm_model *model, size_t *n_params)
{
    const wm_job_layer *largest = &job->model.layers[0];

    *n_params = 0;
    for (size_t i = 0; i < job->model.n_layers; i++) {
        size_t n = n_params_of(model, job->model.layers[i].name);

        if (n > *n_params) {
            *n_params = n;
            largest = &job->model.layers[i];
        }
    }
    return largest;
}

wm_status wm_room_check(const char *file, const wm_job *job, const wm_model *model, size_t workers, size_t machine,
                        wm_error *err)
{
    const double        gib = 1 << 30;
    size_t              needed = wm_room_needed(job, model, workers), n_params;
    const wm_job_layer *layer = largest_layer(job, model, &n_params);
    wm_faults           faults;
    wm_status           st;

    if (needed <= machine)
        return WM_OK;
    wm_faults_init(&faults, file);
    wm_faults_add(
        &faults, layer->layer.place, layer->layer.path,
        "to train this model may take %.3g GiB with %zu worker%s, and this machine has %.3g: make this layer, of "
        "%zu parameters, or training.batch smaller%s",
        (double)needed / gib, workers, workers == 1 ? "" : "s", (double)machine / gib, n_params,
        workers == 1 ? "" : ", or take fewer --workers");
    st = wm_faults_result(&faults, err);
    wm_faults_release(&faults);
    return st;
}
