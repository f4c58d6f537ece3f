/* server/tool/export.c: wardmote export: a saved model for other runtimes. */
#include "server/tool/tool.h"

#include "models/onnx/export.h"
#include "server/tool/saved.h"

#include <math.h>
#include <stdlib.h>

typedef struct export_settings {
    wm_workspace_settings space;
    const char           *onnx;
} export_settings;

static const wm_cli_option options[] = {
    { .name = "onnx",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(export_settings, onnx),
      .value = "FILE",
      .doc = "writes the model as ONNX, opset 13" },
    { .name = "job",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(export_settings, space.file),
      .value = "FILE",
      .doc = "the job that the model is of (default: the one that it holds)" },
};

static const export_settings standard = { .space = { .seed = -1 } };

static wm_status write_onnx(const char *model, const char *path, const wm_saved_model *saved, wm_error *err)
{
    const wm_files *files = wm_files_system();
    char           *scaling = NULL, threshold[32];
    uint8_t        *bytes = NULL;
    size_t          n = 0;
    wm_status       st = saved->scaled ? wm_safetensors_metadata(files, model, "scaling", &scaling, err) : WM_OK;

    snprintf(threshold, sizeof threshold, "%.17g", saved->threshold);
    if (st == WM_OK) {
        bool              detects = isfinite(saved->threshold);
        const wm_metadata metadata[] = { { "job", saved->space.job->text },
                                         { scaling != NULL ? "scaling"
                                           : detects       ? "threshold"
                                                           : NULL,
                                           scaling != NULL ? scaling : threshold },
                                         { scaling != NULL && detects ? "threshold" : NULL, threshold },
                                         { NULL, NULL } };

        st = wm_onnx_export(saved->space.model, saved->params, metadata, &bytes, &n, err);
    }
    if (st == WM_OK)
        st = files->replace(files, path, bytes, n, 0644, err);
    free(bytes);
    free(scaling);
    return st;
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const export_settings *set = settings;
    wm_saved_model         saved;
    wm_status              st;

    if (set->onnx == NULL)
        return wm_cli_misused(call, err, "say where to: --onnx FILE");
    st = wm_saved_open(call, call->words[0], &set->space, &saved, err);
    if (st != WM_OK)
        return st;
    st = wm_saved_check_whole(call->words[0], &saved, err);
    if (st == WM_OK)
        st = write_onnx(call->words[0], set->onnx, &saved, err);
    wm_saved_release(&saved);
    return st;
}

const wm_cli_command wm_tool_export = {
    .name = "export",
    .arguments = "MODEL",
    .summary = "a saved model as ONNX, for other runtimes",
    .details =
        "Inputs and outputs bear the job's names and are as the model sees them: scaled as the file's metadata say,\n"
        "logits for classes.\n",
    .example = "wardmote export runs/no2-1/model.safetensors --onnx no2.onnx\n",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(export_settings),
    .standard = &standard,
    .run = run,
};
