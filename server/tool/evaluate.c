/* server/tool/evaluate.c: wardmote evaluate: a saved model on a job's test part, beside the job's baselines. */
#include "server/tool/tool.h"

#include "models/safetensors.h"
#include "server/selection/selection.h"
#include "server/tool/contest.h"
#include "server/tool/results.h"
#include "server/tool/workspace.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct evaluate_settings {
    wm_workspace_settings space;
    int64_t               workers;
    bool                  model_only;
} evaluate_settings;

static const wm_cli_option options[] = {
    WM_WORKSPACE_OPTIONS(evaluate_settings, space),
    { .name = "workers",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(evaluate_settings, workers),
      .value = "N",
      .least = 1,
      .most = 1024,
      .doc = "threads (default: as many as there are processors)" },
    { .name = "model-only",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(evaluate_settings, model_only),
      .doc = "the model alone, without the job's baselines" },
};

static const evaluate_settings standard = { .space = { .seed = -1 } };

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The scaling that the model was trained under, out of the file's own metadata. */
static wm_status read_scaling(const char *path, const wm_job *job, wm_scaling *ret, wm_error *err)
{
    char     *text = NULL;
    uint8_t  *bytes;
    size_t    n;
    wm_status st = wm_safetensors_metadata(wm_files_system(), path, "scaling", &text, err);

    if (st == WM_E_MISSING)
        return wm_fail(
            err, st, "%s holds no scaling, but the job's columns are scaled: it is not a model of this job", path);
    if (st != WM_OK)
        return st;
    n = strlen(text) / 2;
    bytes = malloc(n > 0 ? n : 1);
    for (size_t i = 0; st == WM_OK && bytes != NULL && i < n; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            st = wm_fail(err, WM_E_MALFORMED, "%s: its scaling is damaged", path);
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    if (bytes == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the scaling");
    if (st == WM_OK)
        st = wm_scaling_decode(job, bytes, n, ret, err);
    free(bytes);
    free(text);
    return st;
}

/* Epochs that a client has on average in a whole run: what `alone` and `pooled` get too. */
static uint32_t passes(const wm_job *job, size_t n_clients)
{
    size_t goal = wm_selection_of(&job->cohort.select)->goal(job->cohort.select.options, n_clients);
    double epochs = (double)(job->rounds * job->training.epochs) * (double)goal / (double)n_clients;

    return epochs < 1 ? 1 : (uint32_t)lround(epochs);
}

static wm_status contest(wm_cli_call *call, const evaluate_settings *set, const wm_workspace *space,
                         const float *params, const wm_scaling *scaling, wm_error *err)
{
    long                processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t              n = wm_owners_count(space->owners);
    wm_contest_result  *results = calloc(n > 0 ? n : 1, sizeof *results);
    wm_contest_settings settings = {
        .job = space->job,
        .model = space->model,
        .params = params,
        .scaling = scaling,
        .owners = space->owners,
        .baselines = set->model_only ? 0 : space->job->evaluate.baselines,
        .passes = passes(space->job, n),
        .workers = set->workers > 0 ? (size_t)set->workers
                   : processors > 0 ? (size_t)processors
                                    : 1,
    };
    wm_status st;

    if (results == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the results");
    st = wm_contest(&settings, results, err);
    if (st == WM_OK)
        wm_contest_print(call, space->job, space->owners, results);
    free(results);
    return st;
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const evaluate_settings *set = settings;
    const char              *path = call->words[0];
    wm_workspace_settings    space_settings = set->space;
    wm_workspace             space;
    wm_scaling               scaling = { 0 };
    float                   *params = NULL;
    bool                     scaled;
    wm_status                st;

    space_settings.file = call->words[1];
    st = wm_workspace_open(call, &space_settings, NULL, &space, err);
    if (st != WM_OK)
        return st;
    scaled = wm_job_needs_statistics(space.job);
    params = malloc(wm_model_n_params(space.model) * sizeof *params);
    if (params == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the model");
    else if ((st = wm_safetensors_read(wm_files_system(), path, space.model, params, err)) == WM_OK && scaled)
        st = read_scaling(path, space.job, &scaling, err);
    if (st == WM_OK)
        st = contest(call, set, &space, params, scaled ? &scaling : NULL, err);
    wm_scaling_release(&scaling);
    free(params);
    wm_workspace_release(&space);
    return st;
}

const wm_cli_command wm_tool_evaluate = {
    .name = "evaluate",
    .arguments = "MODEL FILE",
    .summary = "a saved model on a job's test part, for each client and together, beside the job's baselines",
    .example = "wardmote evaluate runs/no2-1/model.safetensors no2.yaml --data readings/\n",
    .words_min = 2,
    .words_max = 2,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(evaluate_settings),
    .standard = &standard,
    .run = run,
};
