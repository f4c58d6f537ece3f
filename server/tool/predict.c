/* server/tool/predict.c: wardmote predict: what a saved model says of readings, as CSV. */
#include "server/tool/tool.h"

#include "client/heads.h"
#include "common/clock.h"
#include "models/measures.h"
#include "models/plan.h"
#include "server/report/csv.h"
#include "server/tool/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 200,
    CLASSES_SHOWN = 32, /* of a class target with more, only the likeliest is told */
    ALONE_TRIES = 1000, /* examples whose time alone is measured */
};

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

/* One target's predictions of a batch. */
typedef struct head {
    bool          own; /* goes through a personal layer, which the model alone has not: left out */
    size_t        width, n_levels;
    const double *levels;
    float        *values;    /* [BATCH][width]: in the data's units, or logits */
    float        *quantiles; /* [BATCH][width][n_levels] */
    double       *scores; /* [BATCH] of a detector's target, and of an input that is given back; NULL otherwise */
    bool          detects;
    double       *odds; /* [width]: probabilities of one example's classes; NULL if they are not told */
} head;

typedef struct predicting {
    const wm_saved_model *saved;
    const wm_job         *job;
    head                  heads[WM_TARGETS_MAX];
    wm_plan              *plan;
    wm_batch_room        *room;
    wm_text               text;
    FILE                 *to;
    size_t                examples;
} predicting;

static void release(predicting *p)
{
    for (size_t t = 0; t < WM_TARGETS_MAX; t++) {
        free(p->heads[t].values);
        free(p->heads[t].quantiles);
        free(p->heads[t].scores);
        free(p->heads[t].odds);
    }
    wm_plan_free(p->plan);
    wm_batch_room_free(p->room);
    wm_text_release(&p->text);
}

static wm_status open_heads(predicting *p, wm_error *err)
{
    wm_measures measures;
    size_t      threshold;
    bool        good = true;

    wm_measures_of(p->job, NULL, &measures);
    threshold = wm_measures_threshold(&measures);
    for (size_t t = 0; t < p->job->data.n_targets; t++) {
        head *h = &p->heads[t];

        h->own = wm_model_is_own(p->saved->space.model, t);
        h->width = wm_job_target_width(p->job, t);
        h->n_levels = wm_head_levels(p->job, t, &h->levels);
        h->values = calloc(BATCH * h->width, sizeof *h->values);
        h->quantiles = calloc(BATCH * wm_head_width(p->job, t), sizeof *h->quantiles);
        good = good && h->values != NULL && h->quantiles != NULL;
        h->detects = threshold < measures.n && measures.items[threshold].target == t;
        if (h->detects || p->job->data.targets[t].of_input)
            good = (h->scores = calloc(BATCH, sizeof *h->scores)) != NULL && good;
        if (p->job->data.targets[t].classes > 0 && h->width <= CLASSES_SHOWN &&
            wm_head_probabilities(p->job, t, NULL, NULL))
            good = (h->odds = calloc(h->width, sizeof *h->odds)) != NULL && good;
    }
    return good ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for predictions");
}

/* ---- the file ---- */

/* 6h, 90m, or the number of rows: as the job says it. */
static void horizon_text(const wm_job_target *target, size_t h, char text[32])
{
    static const struct {
        const char *unit;
        int64_t     ms;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
    int64_t ms = target->ahead.items[h];
    size_t  u = 0;

    while (ms % units[u].ms != 0)
        u++;
    if (target->rows_ahead)
        snprintf(text, 32, "%" PRId64, ms);
    else
        snprintf(text, 32, "%" PRId64 "%s", ms / units[u].ms, units[u].unit);
}

static void class_name(const wm_job *job, size_t t, size_t c, char text[96])
{
    const wm_job_column *column = wm_job_find_column(job, job->data.targets[t].column);

    if (column != NULL && column->kind == WM_COLUMN_CATEGORIES && c < column->categories.count)
        snprintf(text, 96, "%s", column->categories.items[c]);
    else if (column != NULL && column->kind == WM_COLUMN_CATEGORIES && column->other)
        snprintf(text, 96, "other");
    else
        snprintf(text, 96, "%zu", c);
}

static void add_name(predicting *p, const char *a, const char *b, const char *c)
{
    wm_text name = WM_TEXT_INIT;

    wm_text_printf(&name, "%s%s%s%s%s", a, *b != '\0' ? "_" : "", b, *c != '\0' ? "_" : "", c);
    wm_text_add(&p->text, ",");
    wm_csv_text(&p->text, wm_text_chars(&name));
    p->text.bad |= name.bad;
    wm_text_release(&name);
}

static void add_number(wm_text *to, double value)
{
    if (isfinite(value))
        wm_text_printf(to, ",%.7g", value);
    else
        wm_text_add(to, ",");
}

/* Of an input that is given back: its numbers at its newest step, in the order of its columns. value NULL: their names. */
static void add_given_back(predicting *p, const wm_job_target *target, const float *values)
{
    const wm_job_input *input = &p->job->data.inputs[target->input];
    wm_shape            shape;
    size_t              at = 0;

    if (input->kind == WM_INPUT_PIXELS)
        return;
    wm_job_input_shape(p->job, target->input, &shape);
    if (input->kind == WM_INPUT_WINDOW)
        at = (size_t)(shape.dim[0] - 1) * shape.dim[1];
    for (size_t c = 0; c < input->columns.count; c++) {
        const wm_job_column *column = wm_job_find_column(p->job, input->columns.items[c]);

        if (column->kind == WM_COLUMN_NUMBER && values == NULL)
            add_name(p, target->name, column->name, "");
        else if (column->kind == WM_COLUMN_NUMBER)
            add_number(&p->text, (double)values[at]);
        at += wm_job_channels(column);
    }
}

static void add_score_titles(predicting *p, size_t t)
{
    const head *h = &p->heads[t];

    if (h->detects)
        wm_text_add(&p->text, isnan(p->saved->threshold) ? ",score" : ",score,alarm");
    else if (h->scores != NULL)
        add_name(p, p->job->data.targets[t].name, "error", "");
}

static void add_titles(predicting *p, size_t t)
{
    const wm_job_target *target = &p->job->data.targets[t];
    const head          *h = &p->heads[t];
    char                 horizon[32] = "", level[32], class[96];

    if (target->of_input)
        add_given_back(p, target, NULL);
    if (target->classes > 0)
        add_name(p, target->name, "", "");
    for (size_t c = 0; h->odds != NULL && c < h->width; c++) {
        class_name(p->job, t, c, class);
        add_name(p, target->name, class, "");
    }
    for (size_t i = 0; target->classes == 0 && !target->of_input && i < h->width; i++) {
        if (h->width > 1)
            horizon_text(target, i, horizon);
        if (h->n_levels == 0)
            add_name(p, target->name, horizon, "");
        for (size_t l = 0; l < h->n_levels; l++) {
            snprintf(level, sizeof level, "q%g", h->levels[l]);
            add_name(p, target->name, horizon, level);
        }
    }
    add_score_titles(p, t);
}

static void add_header(predicting *p)
{
    wm_text_add(&p->text, wm_job_timed(p->job) ? "time,client" : "row,client");
    for (size_t t = 0; t < p->job->data.n_targets; t++)
        if (!p->heads[t].own)
            add_titles(p, t);
    wm_text_add(&p->text, "\n");
}

/* The predictions of target t of the batch's example i. */
static void add_target(predicting *p, size_t t, size_t i)
{
    const wm_job_target *target = &p->job->data.targets[t];
    const head          *h = &p->heads[t];
    char                 name[96];

    if (target->of_input) {
        add_given_back(p, target, h->values + i * h->width);
    } else if (target->classes > 0) {
        int32_t c = wm_metric_class(h->values + i * h->width, h->width);

        wm_text_add(&p->text, ",");
        if (c >= 0) {
            class_name(p->job, t, (size_t)c, name);
            wm_csv_text(&p->text, name);
        }
        if (h->odds != NULL)
            wm_head_probabilities(p->job, t, h->values + i * h->width, h->odds);
        for (size_t k = 0; h->odds != NULL && k < h->width; k++)
            add_number(&p->text, h->odds[k]);
    } else if (h->n_levels == 0) {
        for (size_t k = 0; k < h->width; k++)
            add_number(&p->text, (double)h->values[i * h->width + k]);
    } else {
        for (size_t k = 0; k < h->width * h->n_levels; k++)
            add_number(&p->text, (double)h->quantiles[i * h->width * h->n_levels + k]);
    }
    if (h->scores == NULL)
        return;
    add_number(&p->text, h->scores[i]);
    if (h->detects && !isnan(p->saved->threshold))
        wm_text_add(&p->text, isnan(h->scores[i]) ? "," : h->scores[i] >= p->saved->threshold ? ",1" : ",0");
}

static wm_status flush(predicting *p, wm_error *err)
{
    if (p->text.bad)
        return wm_fail(err, WM_E_NOMEM, "no memory for predictions");
    if (fwrite(wm_text_chars(&p->text), 1, p->text.size, p->to) != p->text.size)
        return wm_fail(err, WM_E_IO, "the predictions cannot be written: %s", strerror(errno));
    wm_text_release(&p->text);
    p->text = (wm_text)WM_TEXT_INIT;
    return WM_OK;
}

/* ---- predicting ---- */

static wm_status predict_batch(predicting *p, const wm_examples *examples, const char *client,
                               const uint32_t *index, size_t n, wm_error *err)
{
    const float *outputs[WM_TARGETS_MAX];
    wm_batch     batch;
    wm_status    st;

    wm_examples_gather(examples, WM_TEST, index, n, p->room, &batch);
    st = wm_plan_forward(p->plan, p->saved->params, &batch, outputs, NULL, err);
    if (st != WM_OK)
        return st;
    for (size_t t = 0; t < p->job->data.n_targets; t++) {
        wm_head_values(p->job, examples, WM_TEST, index, n, t, outputs[t], p->heads[t].values,
                       p->heads[t].quantiles);
        if (p->job->data.targets[t].of_input)
            wm_examples_unscale_input(examples, WM_TEST, index, n, p->job->data.targets[t].input,
                                      p->heads[t].values);
        if (p->heads[t].scores != NULL)
            wm_head_scores(p->job, &batch, t, outputs[t], p->heads[t].scores);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t at = wm_examples_time(examples, WM_TEST, index[i]);
        char    time[WM_TIME_TEXT];

        if (wm_job_timed(p->job))
            wm_text_add(&p->text, wm_time_text(at, time));
        else
            wm_text_printf(&p->text, "%" PRId64, at);
        wm_text_add(&p->text, ",");
        wm_csv_text(&p->text, client);
        for (size_t t = 0; t < p->job->data.n_targets; t++)
            if (!p->heads[t].own)
                add_target(p, t, i);
        wm_text_add(&p->text, "\n");
    }
    p->examples += n;
    return flush(p, err);
}

static wm_status predict_client(predicting *p, const wm_examples *examples, const char *client, wm_error *err)
{
    size_t    n = wm_examples_count(examples, WM_TEST);
    uint32_t  index[BATCH];
    wm_status st = WM_OK;

    for (size_t at = 0; st == WM_OK && at < n; at += BATCH) {
        size_t size = n - at < BATCH ? n - at : BATCH;

        for (size_t i = 0; i < size; i++)
            index[i] = (uint32_t)(at + i);
        st = predict_batch(p, examples, client, index, size, err);
    }
    return st;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What one example takes when it comes alone, as it does on a gateway: gathered, scaled, predicted. In seconds, the median;
 * NaN if there is none. */
static double time_alone(const predicting *p, const wm_examples *examples)
{
    const wm_part  part = WM_TEST;
    size_t         n = wm_examples_count(examples, part), tries = n < ALONE_TRIES ? n : ALONE_TRIES;
    double        *taken = calloc(ALONE_TRIES, sizeof *taken), median = NAN;
    wm_plan       *plan = NULL;
    wm_batch_room *room = NULL;

    if (tries > 0 && taken != NULL &&
        wm_plan_new(p->saved->space.model, 1, WM_PLAN_EVALUATE, &plan, NULL) == WM_OK &&
        wm_batch_room_new(p->job, 1, &room, NULL) == WM_OK) {
        for (uint32_t i = 0; i < tries; i++) {
            const float *outputs[WM_TARGETS_MAX];
            wm_batch     batch;
            double       begin = seconds_now();

            wm_examples_gather(examples, part, &i, 1, room, &batch);
            (void)wm_plan_forward(plan, p->saved->params, &batch, outputs, NULL, NULL);
            taken[i] = seconds_now() - begin;
        }
        qsort(taken, tries, sizeof *taken, by_value);
        median = taken[tries / 2];
    }
    wm_plan_free(plan);
    wm_batch_room_free(room);
    free(taken);
    return median;
}

static void tell(const wm_cli_call *call, const predicting *p, double seconds, double alone)
{
    fprintf(call->err, "%zu examples in %.3f s", p->examples, seconds);
    if (isfinite(alone))
        fprintf(call->err, "; one alone takes %.1f us on one core", alone * 1e6);
    if (isfinite(p->saved->threshold))
        fprintf(call->err, "; an alarm from a score of %.6g on", p->saved->threshold);
    fputc('\n', call->err);
}

static wm_status predict_all(const wm_cli_call *call, predicting *p, wm_owners *owners, bool verbose, wm_error *err)
{
    double    begin = seconds_now(), taken, alone = NAN;
    wm_status st;

    if ((st = open_heads(p, err)) != WM_OK ||
        (st = wm_plan_new(p->saved->space.model, BATCH, WM_PLAN_EVALUATE, &p->plan, err)) != WM_OK ||
        (st = wm_batch_room_new(p->job, BATCH, &p->room, err)) != WM_OK)
        return st;
    add_header(p);
    st = flush(p, err);
    for (size_t i = 0; st == WM_OK && i < wm_owners_count(owners); i++)
        st = predict_client(p, wm_owners_examples(owners, i), wm_owners_name(owners, i), err);
    if (st == WM_OK && p->examples == 0)
        return wm_fail(err, WM_E_RANGE,
                       "there is nothing to predict from: no stretch of readings is as long as the job's windows");
    taken = seconds_now() - begin;
    for (size_t i = 0; st == WM_OK && verbose && isnan(alone) && i < wm_owners_count(owners); i++)
        alone = time_alone(p, wm_owners_examples(owners, i));
    if (st == WM_OK && verbose)
        tell(call, p, taken, alone);
    return st;
}

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
    wm_workspace      trained = { .job = saved->space.job, .model = saved->space.model };
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

    *folder = slash != NULL ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (*folder == NULL || asprintf(set, "data.source.csv.files=[\"%s\"]", slash != NULL ? slash + 1 : path) < 0) {
        *set = NULL;
        return wm_fail(err, WM_E_NOMEM, "no memory for the data");
    }
    return WM_OK;
}

static wm_status predict_to(const wm_cli_call *call, const predict_settings *set, wm_saved_model *saved,
                            wm_error *err)
{
    predicting p = { .saved = saved, .job = saved->space.job, .text = WM_TEXT_INIT, .to = call->out };
    wm_status  st;

    if (set->out != NULL && (p.to = fopen(set->out, "w")) == NULL)
        return wm_fail(err, WM_E_IO, "%s cannot be written: %s", set->out, strerror(errno));
    st = predict_all(call, &p, saved->space.owners, set->verbose, err);
    if (fflush(p.to) != 0 && st == WM_OK)
        st = wm_fail(err, WM_E_IO, "the predictions cannot be written: %s", strerror(errno));
    if (set->out != NULL && fclose(p.to) != 0 && st == WM_OK)
        st = wm_fail(err, WM_E_IO, "%s cannot be written: %s", set->out, strerror(errno));
    release(&p);
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
