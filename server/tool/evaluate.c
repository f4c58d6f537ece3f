/* server/tool/evaluate.c: wardmote evaluate: a saved model on a job's test part, beside the job's baselines. */
#include "server/tool/tool.h"

#include "server/selection/selection.h"
#include "server/tool/contest.h"
#include "server/tool/results.h"
#include "server/tool/saved.h"
#include "server/tool/workspace.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct evaluate_settings {
    wm_workspace_settings space;
    int64_t               workers;
    bool                  model_only, elsewhere;
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
    { .name = "elsewhere",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(evaluate_settings, elsewhere),
      .doc = "also how each client's own model does on owners that were left out, or on other clients" },
};

static const evaluate_settings standard = { .space = { .seed = -1 } };

/* Epochs that a client has on average in a whole run: what `alone` and `pooled` get too. */
static uint32_t passes(const wm_job *job, size_t n_clients)
{
    size_t goal = wm_selection_of(&job->cohort.select)->goal(job->cohort.select.options, n_clients);
    double epochs = (double)(job->rounds * job->training.epochs) * (double)goal / (double)n_clients;

    return epochs < 1 ? 1 : (uint32_t)lround(epochs);
}

/* A file has the model, and the model is not all of the network: what goes through a personal layer has no figure without a
 * client's own, and is judged after an epoch that trains one. False: nothing is left to judge. */
static bool say_personal(const wm_cli_call *call, const char *path, const wm_workspace *space, bool model_only)
{
    const wm_job *job = space->job;
    wm_text       names = WM_TEXT_INIT;
    size_t        n_own = 0;

    for (size_t i = 0; i < job->model.n_layers; i++)
        if (job->model.layers[i].personal)
            wm_text_printf(&names, "%s%s", names.size > 0 ? ", " : "", job->model.layers[i].name);
    for (size_t t = 0; t < job->data.n_targets; t++)
        n_own += wm_model_is_own(space->model, t);
    if (names.size > 0 && !(model_only && n_own == job->data.n_targets))
        fprintf(call->err,
                "%s does not hold the personal layers (%s), which each client keeps: what goes through them %s.\n",
                path, wm_text_chars(&names),
                model_only
                    ? "is left out"
                    : "is judged as \"federated + 1 epoch\", with layers that are trained anew for that epoch");
    wm_text_release(&names);
    return !model_only || n_own < job->data.n_targets;
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
        .baselines = set->model_only ? 0
                                     : space->job->evaluate.baselines |
                                           (wm_model_n_own(space->model) > 0 ? (unsigned)WM_BASELINE_TUNED : 0),
        .passes = passes(space->job, n),
        .workers = set->workers > 0 ? (size_t)set->workers
                   : processors > 0 ? (size_t)processors
                                    : 1,
        .elsewhere = set->elsewhere,
    };
    wm_status st;

    if (results == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the results");
    st = wm_contest(&settings, results, err);
    if (st == WM_OK)
        wm_contest_print(call, space->job, space->model, space->owners, results, set->elsewhere);
    free(results);
    return st;
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const evaluate_settings *set = settings;
    wm_workspace_settings    space_settings = set->space;
    wm_saved_model           saved;
    wm_log                  *log = NULL;
    wm_status                st;

    if (wm_saved_is_folder(call->words[1])) {
        if (set->space.data != NULL)
            return wm_cli_misused(call, err, "%s and --data both name the data", call->words[1]);
        space_settings.data = call->words[1];
    } else {
        space_settings.file = call->words[1];
    }
    st = wm_cli_log(call, &log, err);
    if (st == WM_OK)
        st = wm_saved_open(call, call->words[0], &space_settings, &saved, err);
    if (st != WM_OK) {
        wm_log_free(log);
        return st;
    }
    st = wm_workspace_read(&saved.settings, false, log, &saved.space, err);
    wm_log_free(log);
    if (st == WM_OK && !say_personal(call, call->words[0], &saved.space, set->model_only))
        st = wm_fail(
            err, WM_E_REFUSED,
            "%s alone says nothing: every target goes through a personal layer, and each client keeps its own; "
            "leave --model-only out to judge it after an epoch",
            call->words[0]);
    if (st == WM_OK)
        st = contest(call, set, &saved.space, saved.params, saved.scaled ? &saved.scaling : NULL, err);
    wm_saved_release(&saved);
    return st;
}

const wm_cli_command wm_tool_evaluate = {
    .name = "evaluate",
    .arguments = "MODEL DATA|FILE",
    .summary = "a saved model on a job's test part, for each client and together, beside the job's baselines",
    .details =
        "The model says itself which job it is of and how its data were scaled: a folder of readings is all that it\n"
        "needs. With another job's FILE it is judged by that.\n",
    .example = "wardmote evaluate runs/no2-1/model.safetensors readings/\n"
               "wardmote evaluate runs/no2-1/model.safetensors no2.yaml --data readings/\n",
    .words_min = 2,
    .words_max = 2,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(evaluate_settings),
    .standard = &standard,
    .run = run,
};
