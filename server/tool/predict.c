/* server/tool/predict.c: wardmote predict: what a saved model says of readings, as CSV. */
#include "server/tool/tool.h"

#include "common/files.h"
#include "server/tool/predictor.h"
#include "server/tool/saved.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct predict_settings {
    wm_workspace_settings space;
    const char           *out;
    bool                  verbose;
} predict_settings;

static const wm_cli_option options[] = {
    { .name = "out",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(predict_settings, out),
      .value = "FILE",
      .doc = "where the predictions go (default: standard output)" },
    { .name = "job",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(predict_settings, space.file),
      .value = "FILE",
      .doc = "the job that says how to read the data (default: the one that the model holds)" },
    { .name = "set",
      .kind = WM_CLI_TEXTS,
      .offset = offsetof(predict_settings, space.set),
      .value = "KEY=VALUE",
      .doc = "changes the job, such as data.source.csv.separator=;" },
    { .name = "verbose",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(predict_settings, verbose),
      .doc = "says how many examples there were and how long one takes" },
};

static const predict_settings standard = { .space = { .seed = -1 } };

/* ---- scaling ---- */

static bool scales_by_client(const wm_job *job)
{
    for (size_t i = 0; i < job->data.n_columns; i++)
        if (job->data.columns[i].scale == WM_SCALE_CLIENT)
            return true;
    return false;
}

static wm_examples *find_owner(wm_owners *owners, const char *name)
{
    for (size_t i = 0; i < wm_owners_count(owners); i++)
        if (strcmp(wm_owners_name(owners, i), name) == 0)
            return wm_owners_examples(owners, i);
    return NULL;
}

/* Columns that each client scales by itself are scaled by its training part, as when the model was trained. */
static wm_status scale_all(wm_saved_model *saved, wm_error *err)
{
    const wm_scaling *scaling = saved->scaled ? &saved->scaling : NULL;
    wm_workspace      trained = { .job = saved->space.job,
                                  .model = saved->space.model,
                                  .changed = saved->space.changed };
    wm_owners        *owners = saved->space.owners;
    bool              by_client = scales_by_client(saved->space.job);
    wm_status         st = by_client ? wm_workspace_read(&saved->settings, false, NULL, &trained, err) : WM_OK;

    for (size_t i = 0; st == WM_OK && i < wm_owners_count(owners); i++) {
        wm_examples *like = by_client ? find_owner(trained.owners, wm_owners_name(owners, i)) : NULL;

        if (by_client && like == NULL) {
            st = wm_fail(err, WM_E_MISSING,
                         "%s has no examples to train on, and the job scales columns by those of each client",
                         wm_owners_name(owners, i));
        } else if (like == NULL) {
            st = wm_examples_scale(wm_owners_examples(owners, i), scaling, err);
        } else if ((st = wm_examples_scale(like, scaling, err)) == WM_OK) {
            wm_examples_scale_like(wm_owners_examples(owners, i), like);
        }
    }
    wm_owners_free(trained.owners);
    return st;
}

/* ---- the command ---- */

/* Targets that go through a client's own layers have no columns, and that is said; WM_E_REFUSED if all do. */
static wm_status say_own(const wm_cli_call *call, const char *path, const wm_saved_model *saved, wm_error *err)
{
    const wm_job *job = saved->space.job;
    wm_text       names = WM_TEXT_INIT;
    size_t        n = 0;

    for (size_t t = 0; t < job->data.n_targets; t++)
        if (wm_model_is_own(saved->space.model, t))
            wm_text_printf(&names, "%s%s", n++ > 0 ? ", " : "", job->data.targets[t].name);
    if (n > 0 && n < job->data.n_targets)
        fprintf(call->err,
                "%s is left out: it goes through personal layers, and each client keeps its own of these.\n",
                wm_text_chars(&names));
    wm_text_release(&names);
    return n < job->data.n_targets ? WM_OK : wm_saved_check_whole(path, saved, err);
}

/* DATA that is one file: its folder, and the job reads that file. Both are the caller's to free(). */
static wm_status take_file(const char *path, char **folder, char **set, wm_error *err)
{
    const char *slash = strrchr(path, '/');

    if (access(path, R_OK) != 0)
        return wm_fail(err, WM_E_MISSING, "cannot open %s: %s", path, strerror(errno));
    *folder = wm_path_folder(path);
    if (*folder == NULL || asprintf(set, "data.source.csv.files=[\"%s\"]", slash != NULL ? slash + 1 : path) < 0) {
        *set = NULL;
        return wm_fail(err, WM_E_NOMEM, "no memory for the data");
    }
    return WM_OK;
}

static void tell(const wm_cli_call *call, const wm_saved_model *saved, const wm_predictor *p, double seconds)
{
    wm_owners *owners = saved->space.owners;
    double     alone = NAN;

    for (size_t i = 0; isnan(alone) && i < wm_owners_count(owners); i++)
        alone = wm_predictor_alone(p, wm_owners_examples(owners, i));
    fprintf(call->err, "%zu examples in %.3f s", wm_predictor_count(p), seconds);
    if (isfinite(alone))
        fprintf(call->err, "; one alone takes %.1f us on one core", alone * 1e6);
    if (isfinite(saved->threshold))
        fprintf(call->err, "; an alarm from a score of %.6g on", saved->threshold);
    fputc('\n', call->err);
}

static wm_status predict_all(const wm_cli_call *call, const wm_saved_model *saved, FILE *to, bool verbose,
                             wm_error *err)
{
    wm_owners    *owners = saved->space.owners;
    double        begin = wm_predictor_seconds();
    wm_predictor *p = NULL;
    wm_status     st = wm_predictor_new(saved, to, &p, err);

    for (size_t i = 0; st == WM_OK && i < wm_owners_count(owners); i++)
        st = wm_predictor_client(p, wm_owners_examples(owners, i), wm_owners_name(owners, i), err);
    if (st == WM_OK && wm_predictor_count(p) == 0)
        st = wm_fail(err, WM_E_RANGE,
                     "there is nothing to predict from: no stretch of readings is as long as the job's windows");
    if (st == WM_OK && verbose)
        tell(call, saved, p, wm_predictor_seconds() - begin);
    wm_predictor_free(p);
    return st;
}

static wm_status predict_to(const wm_cli_call *call, const predict_settings *set, const wm_saved_model *saved,
                            wm_error *err)
{
    FILE     *to = set->out != NULL ? fopen(set->out, "w") : call->out;
    wm_status st;

    if (to == NULL)
        return wm_fail(err, WM_E_IO, "%s cannot be written: %s", set->out, strerror(errno));
    st = predict_all(call, saved, to, set->verbose, err);
    if (fflush(to) != 0 && st == WM_OK)
        st = wm_fail(err, WM_E_IO, "the predictions cannot be written: %s", strerror(errno));
    if (set->out != NULL && fclose(to) != 0 && st == WM_OK)
        st = wm_fail(err, WM_E_IO, "%s cannot be written: %s", set->out, strerror(errno));
    return st;
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const predict_settings *set = settings;
    wm_workspace_settings   space_settings = set->space;
    wm_saved_model          saved = { 0 };
    const char            **sets = calloc(set->space.set.count + 1, sizeof *sets);
    char                   *folder = NULL, *file = NULL;
    wm_log                 *log = NULL;
    wm_status               st = sets != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory to begin");

    space_settings.data = call->words[1];
    if (st == WM_OK && !wm_saved_is_folder(call->words[1]) &&
        (st = take_file(call->words[1], &folder, &file, err)) == WM_OK) {
        sets[0] = file;
        for (size_t i = 0; i < set->space.set.count; i++)
            sets[i + 1] = set->space.set.items[i];
        space_settings.data = folder;
        space_settings.set = (wm_words){ sets, set->space.set.count + 1 };
    }
    if (st == WM_OK && (st = wm_cli_log(call, &log, err)) == WM_OK &&
        (st = wm_saved_open(call, call->words[0], &space_settings, &saved, err)) == WM_OK &&
        (st = say_own(call, call->words[0], &saved, err)) == WM_OK &&
        (st = wm_workspace_read(&saved.settings, true, log, &saved.space, err)) == WM_OK &&
        (st = scale_all(&saved, err)) == WM_OK)
        st = predict_to(call, set, &saved, err);
    wm_saved_release(&saved);
    wm_log_free(log);
    free(folder);
    free(file);
    free(sets);
    return st;
}

const wm_cli_command wm_tool_predict = {
    .name = "predict",
    .arguments = "MODEL DATA",
    .summary = "what a saved model says of readings, as CSV: a line for each time and client",
    .details =
        "DATA is a folder, or one CSV file. Predictions are in the data's own units, also where what came of it is not\n"
        "known yet: a forecast's horizons (pm25_6h), quantiles (rise_3h_q0.9), a class and its probabilities (alarm,\n"
        "alarm_1), a detector's score and whether it is an alarm; of a window that is given back its newest step, column by\n"
        "column, and the error of the whole. `time` is that of the newest reading that was looked at.\n",
    .example = "wardmote predict runs/no2-1/model.safetensors readings/ --out predictions.csv\n",
    .words_min = 2,
    .words_max = 2,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(predict_settings),
    .standard = &standard,
    .run = run,
};
