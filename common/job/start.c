/* common/job/start.c: model.start, a warm start: the file alone, or with what is beside it. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <string.h>

typedef struct start_draft {
    const char           *file, *parameters;
    const struct wm_yaml *fresh;
} start_draft;

static const wm_option start_options[] = {
    { .name = "file",
      .kind = WM_WORD,
      .offset = offsetof(start_draft, file),
      .doc = "The safetensors file, of Wardmote or of PyTorch; its path begins in the job's folder." },
    { .name = "fresh",
      .kind = WM_YAML,
      .offset = offsetof(start_draft, fresh),
      .optional = true,
      .says = "a list of layers",
      .doc = "Layers that begin by their initialisers all the same, whatever the file has of them: a new head." },
    { .name = "parameters",
      .kind = WM_WORD,
      .offset = offsetof(start_draft, parameters),
      .optional = true,
      .doc =
          "SHA-256 of the model that comes of it: written by whoever starts the job, so that the job says what it "
          "begins with." },
};

const wm_member wm_job_start_table = {
    .name = "start",
    .doc = "What the model begins with: {file: base.safetensors, fresh: [head]}.",
    .options = start_options,
    .n_options = sizeof start_options / sizeof *start_options,
    .options_size = sizeof(start_draft),
};

static void mark_fresh(wm_job_draft *draft, wm_job_layer *layer, wm_place place, const char *path)
{
    if (layer->personal)
        wm_faults_add(draft->reader.faults, place, path,
                      "\"%s\" is personal: it begins by its initialiser anyway; leave it out here", layer->name);
    layer->fresh = true;
}

void wm_job_read_start(wm_job_draft *draft)
{
    const wm_yaml *node = draft->start;
    wm_job_start  *start = &draft->job.model.start;
    start_draft    beside = { 0 };

    if (node == NULL)
        return;
    start->place = node->place;
    if (node->kind == WM_YAML_SCALAR)
        beside.file = node->text;
    else
        wm_table_read(&draft->reader, &wm_job_start_table, node, node->place, "model.start", &beside);
    start->file = beside.file;
    if (start->file != NULL && start->file[0] == '\0')
        wm_faults_add(draft->reader.faults, node->place, "model.start", "no file is named");
    if (beside.fresh != NULL)
        wm_job_mark_layers(draft, beside.fresh, "model.start.fresh", mark_fresh);
    if (beside.parameters == NULL)
        return;
    start->has_parameters = wm_digest_parse(beside.parameters, &start->parameters);
    if (!start->has_parameters)
        wm_faults_add(draft->reader.faults, wm_yaml_get(node, "parameters")->place, "model.start.parameters",
                      "is no SHA-256, of 64 hexadecimal digits; leave it out, and it is written for you");
}
