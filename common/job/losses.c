/* common/job/losses.c
 *
 * model.loss and model.losses: one for each target, which is predicted by the layer of its name, or by the last. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <string.h>

typedef struct loss_draft {
    double weight;
} loss_draft;

static const wm_option loss_options[] = {
    { .name = "weight",
      .kind = WM_REAL,
      .offset = offsetof(loss_draft, weight),
      .least = 1e-9,
      .most = 1e9,
      .standard = "1",
      .doc = "What this loss counts in the sum of all." },
};

const wm_member wm_job_loss_table = {
    .name = "loss",
    .doc = "What may stand among a loss's own options: {cross_entropy: {weight: 0.2}}.",
    .options = loss_options,
    .n_options = 1,
    .options_size = sizeof(loss_draft),
};

/* {cross_entropy: {weight: 0.2, ...}}: takes the weight out of the loss's own options. NULL: the arena is full. */
static const wm_yaml *take_weight(wm_job_draft *draft, const wm_yaml *node, const char *path, loss_draft *ret)
{
    static const char *const keys[] = { "weight" };
    const wm_yaml           *options = node->kind == WM_YAML_MAP && node->count == 1 ? node->first : NULL;
    const wm_yaml           *own, *rest;
    wm_yaml                 *copy;

    ret->weight = 1;
    if (options == NULL || options->kind != WM_YAML_MAP)
        return node;
    own = wm_yaml_only(options, keys, 1, draft->reader.arena);
    rest = wm_yaml_without(options, keys, 1, draft->reader.arena);
    copy = wm_yaml_without(node, NULL, 0, draft->reader.arena);
    if (own == NULL || rest == NULL || copy == NULL) {
        draft->reader.full = true;
        return NULL;
    }
    wm_table_read(&draft->reader, &wm_job_loss_table, own, own->place,
                  wm_path_key(&draft->reader, path, options->key), ret);
    copy->first->first = rest->first;
    copy->first->last = rest->last;
    copy->first->count = rest->count;
    return copy;
}

/* The layer that predicts a target. */
static const char *head_of(const wm_job_draft *draft, const char *target)
{
    const wm_job_model *model = &draft->job.model;

    for (size_t i = 0; i < model->n_layers; i++)
        if (strcmp(model->layers[i].name, target) == 0)
            return model->layers[i].name;
    return model->n_layers > 0 ? model->layers[model->n_layers - 1].name : NULL;
}

static void read_loss(wm_job_draft *draft, const wm_yaml *node, const char *path, const char *target,
                      wm_job_loss *ret)
{
    loss_draft     beside = { 0 };
    const wm_yaml *kind = take_weight(draft, node, path, &beside);

    *ret = (wm_job_loss){ .target = target, .head = head_of(draft, target), .weight = beside.weight };
    if (kind != NULL)
        wm_choice_read(&draft->reader, draft->families->losses, kind, path, &ret->loss);
}

/* Every entry of `losses` names a target; after a fault false. */
static bool check_targets_named(wm_job_draft *draft)
{
    const wm_job_data *data = &draft->job.data;
    const char       **names = wm_reader_alloc(&draft->reader, data->n_targets + 1, sizeof *names);
    size_t             faults_before = draft->reader.faults->count;

    if (names == NULL)
        return false;
    for (size_t i = 0; i < data->n_targets; i++)
        names[i] = data->targets[i].name;
    for (const wm_yaml *node = draft->losses->first; node != NULL; node = node->next) {
        bool known = false;

        for (size_t i = 0; i < data->n_targets; i++)
            known |= strcmp(names[i], node->key) == 0;
        if (!known)
            wm_fault_unknown(&draft->reader, node->key_place,
                             wm_path_key(&draft->reader, "model.losses", node->key), "is not one of data.targets",
                             node->key, names, data->n_targets);
    }
    return draft->reader.faults->count == faults_before;
}

/* Two targets of one layer would each claim all of its outputs. */
static void check_heads(wm_job_draft *draft)
{
    const wm_job_model *model = &draft->job.model;

    for (size_t i = 0; i < model->n_losses; i++)
        for (size_t k = 0; k < i; k++)
            if (model->losses[i].head != NULL && model->losses[i].head == model->losses[k].head) {
                wm_faults_add(
                    draft->reader.faults, draft->losses->place, "model.losses",
                    "\"%s\" and \"%s\" would both be predicted by the layer \"%s\"; give each a layer of its "
                    "name",
                    model->losses[k].target, model->losses[i].target, model->losses[i].head);
                return;
            }
}

static void read_several(wm_job_draft *draft, wm_job_loss *losses)
{
    const wm_job_data *data = &draft->job.data;

    if (!wm_job_check_entries(&draft->reader, draft->losses, "model.losses", "losses") ||
        !check_targets_named(draft))
        return;
    for (size_t i = 0; i < data->n_targets && !draft->reader.full; i++) {
        const char    *target = data->targets[i].name;
        const wm_yaml *node = wm_yaml_get(draft->losses, target);

        if (node == NULL)
            wm_faults_add(draft->reader.faults, draft->losses->place, "model.losses",
                          "the target \"%s\" has no loss", target);
        else
            read_loss(draft, node, wm_path_key(&draft->reader, "model.losses", target), target,
                      &losses[draft->job.model.n_losses++]);
    }
    check_heads(draft);
}

void wm_job_read_losses(wm_job_draft *draft)
{
    const wm_job_data *data = &draft->job.data;
    wm_faults         *faults = draft->reader.faults;
    wm_job_loss       *losses;

    if (data->n_targets == 0)
        return; /* a fault already, and without targets nothing can be said about losses */
    if (draft->loss != NULL && draft->losses != NULL) {
        wm_faults_add(faults, draft->losses->place, "model.losses", "`loss` is given too; one of them says it");
        return;
    }
    if (draft->loss == NULL && draft->losses == NULL) {
        wm_faults_add(faults, draft->model_place, "model", "says neither `loss` (for one target) nor `losses`");
        return;
    }
    if (draft->loss != NULL && data->n_targets > 1) {
        wm_faults_add(faults, draft->loss->place, "model.loss",
                      "there are %zu targets; write losses: {NAME: loss, ...} with each of their names",
                      data->n_targets);
        return;
    }
    losses = wm_reader_alloc(&draft->reader, data->n_targets, sizeof *losses);
    if (losses == NULL)
        return;
    draft->job.model.losses = losses;
    if (draft->losses != NULL)
        read_several(draft, losses);
    else
        read_loss(draft, draft->loss, "model.loss", data->targets[0].name, &losses[draft->job.model.n_losses++]);
}
