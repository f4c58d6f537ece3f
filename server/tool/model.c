/* server/tool/model.c: wardmote model: the network of a job as a table, before there is any data. */
#include "server/tool/tool.h"

#include "server/tool/workspace.h"

typedef struct model_settings {
    wm_words set;
} model_settings;

static const wm_cli_option options[] = {
    { .name = "set",
      .kind = WM_CLI_TEXTS,
      .offset = offsetof(model_settings, set),
      .value = "KEY=VALUE",
      .doc = "changes the job, such as training.batch=10" },
};

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const model_settings *set = settings;
    wm_workspace          space;
    wm_text               text = WM_TEXT_INIT;
    wm_status             st;

    st = wm_workspace_open_job(
        call, &(wm_workspace_settings){ .file = call->words[0], .set = set->set, .seed = -1, .start = true },
        &space, err);
    if (st != WM_OK)
        return st;
    st = wm_model_describe(space.model, (size_t)space.job->training.batch, &text, err);
    if (st == WM_OK)
        fprintf(
            call->out,
            "%s\nMFLOP: one example's way forward; KiB: memory of a step in batches of %lld, and on a gateway of an "
            "evaluation after it.\nA client holds the parameters three times besides (as they came, as they are "
            "trained, the update: %.1f KiB), and its readings.\n",
            wm_text_chars(&text), (long long)space.job->training.batch,
            (double)(wm_model_n_whole(space.model) + wm_model_n_params(space.model) +
                     wm_model_n_trained(space.model)) *
                sizeof(float) / 1024);
    wm_text_release(&text);
    wm_workspace_release(&space);
    return st;
}

const wm_cli_command wm_tool_model = {
    .name = "model",
    .arguments = "FILE",
    .summary =
        "the network of a job: layers, shapes, parameters, work and memory; or its mistakes, each at its place",
    .example = "wardmote model no2.yaml --set training.batch=10\n",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(model_settings),
    .run = run,
};
