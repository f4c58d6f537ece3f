/* server/tool/predicted.c */
#include "server/tool/predicted.h"

#include "client/heads.h"
#include "models/measures.h"
#include "server/report/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLASSES_SHOWN = 32, /* of a class target with more, only the likeliest is told */
};

wm_status wm_predicted_init(const wm_saved_model *saved, size_t n_batch, wm_predicted *ret, wm_error *err)
{
    const wm_job *job = saved->space.job;
    wm_measures   measures;
    size_t        threshold;
    bool          good = true;

    wm_measures_of(job, NULL, &measures);
    threshold = wm_measures_threshold(&measures);
    for (size_t t = 0; t < job->data.n_targets; t++) {
        wm_predicted *h = &ret[t];

        h->own = wm_model_is_own(saved->space.model, t);
        h->width = wm_job_target_width(job, t);
        h->n_levels = wm_head_levels(job, t, &h->levels);
        h->values = calloc(n_batch * h->width, sizeof *h->values);
        h->quantiles = calloc(n_batch * wm_head_width(job, t), sizeof *h->quantiles);
        good = good && h->values != NULL && h->quantiles != NULL;
        h->detects = threshold < measures.n && measures.items[threshold].target == t;
        if (h->detects || job->data.targets[t].of_input)
            good = (h->scores = calloc(n_batch, sizeof *h->scores)) != NULL && good;
        if (job->data.targets[t].classes > 0 && h->width <= CLASSES_SHOWN &&
            wm_head_probabilities(job, t, NULL, NULL))
            good = (h->odds = calloc(h->width, sizeof *h->odds)) != NULL && good;
    }
    return good ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for predictions");
}

void wm_predicted_release(wm_predicted *targets)
{
    for (size_t t = 0; t < WM_TARGETS_MAX; t++) {
        free(targets[t].values);
        free(targets[t].quantiles);
        free(targets[t].scores);
        free(targets[t].odds);
    }
}

/* ---- names ---- */

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

static void add_name(wm_text *to, const char *a, const char *b, const char *c)
{
    wm_text name = WM_TEXT_INIT;

    wm_text_printf(&name, "%s%s%s%s%s", a, *b != '\0' ? "_" : "", b, *c != '\0' ? "_" : "", c);
    wm_text_add(to, ",");
    wm_csv_text(to, wm_text_chars(&name));
    to->bad |= name.bad;
    wm_text_release(&name);
}

static void add_number(wm_text *to, double value)
{
    if (isfinite(value))
        wm_text_printf(to, ",%.7g", value);
    else
        wm_text_add(to, ",");
}

/* ---- columns ---- */

/* Of an input that is given back: its numbers at its newest step, in the order of its columns. value NULL: their names. */
static void add_given_back(const wm_job *job, const wm_job_target *target, const float *values, wm_text *to)
{
    const wm_job_input *input = &job->data.inputs[target->input];
    wm_shape            shape;
    size_t              at = 0;

    if (input->kind == WM_INPUT_PIXELS)
        return;
    wm_job_input_shape(job, target->input, &shape);
    if (input->kind == WM_INPUT_WINDOW)
        at = (size_t)(shape.dim[0] - 1) * shape.dim[1];
    for (size_t c = 0; c < input->columns.count; c++) {
        const wm_job_column *column = wm_job_find_column(job, input->columns.items[c]);

        if (column->kind == WM_COLUMN_NUMBER && values == NULL)
            add_name(to, target->name, column->name, "");
        else if (column->kind == WM_COLUMN_NUMBER)
            add_number(to, (double)values[at]);
        at += wm_job_channels(column);
    }
}

static void add_score_titles(const wm_saved_model *saved, const wm_predicted *h, const char *target, wm_text *to)
{
    if (h->detects)
        wm_text_add(to, isnan(saved->threshold) ? ",score" : ",score,alarm");
    else if (h->scores != NULL)
        add_name(to, target, "error", "");
}

static void add_titles(const wm_saved_model *saved, const wm_predicted *h, size_t t, wm_text *to)
{
    const wm_job        *job = saved->space.job;
    const wm_job_target *target = &job->data.targets[t];
    char                 horizon[32] = "", level[32], class[96];

    if (target->of_input)
        add_given_back(job, target, NULL, to);
    if (target->classes > 0)
        add_name(to, target->name, "", "");
    for (size_t c = 0; h->odds != NULL && c < h->width; c++) {
        class_name(job, t, c, class);
        add_name(to, target->name, class, "");
    }
    for (size_t i = 0; target->classes == 0 && !target->of_input && i < h->width; i++) {
        if (h->width > 1)
            horizon_text(target, i, horizon);
        if (h->n_levels == 0)
            add_name(to, target->name, horizon, "");
        for (size_t l = 0; l < h->n_levels; l++) {
            snprintf(level, sizeof level, "q%g", h->levels[l]);
            add_name(to, target->name, horizon, level);
        }
    }
    add_score_titles(saved, h, target->name, to);
}

void wm_predicted_header(const wm_saved_model *saved, const wm_predicted *targets, wm_text *to)
{
    const wm_job *job = saved->space.job;

    wm_text_add(to, wm_job_timed(job) ? "time,client" : "row,client");
    for (size_t t = 0; t < job->data.n_targets; t++)
        if (!targets[t].own)
            add_titles(saved, &targets[t], t, to);
    wm_text_add(to, "\n");
}

/* ---- rows ---- */

static void add_class(const wm_job *job, size_t t, const wm_predicted *h, const float *logits, wm_text *to)
{
    int32_t c = wm_metric_class(logits, h->width);
    char    name[96];

    wm_text_add(to, ",");
    if (c >= 0) {
        class_name(job, t, (size_t)c, name);
        wm_csv_text(to, name);
    }
    if (h->odds != NULL)
        wm_head_probabilities(job, t, logits, h->odds);
    for (size_t k = 0; h->odds != NULL && k < h->width; k++)
        add_number(to, h->odds[k]);
}

static void add_target(const wm_saved_model *saved, size_t t, const wm_predicted *h, size_t i, wm_text *to)
{
    const wm_job        *job = saved->space.job;
    const wm_job_target *target = &job->data.targets[t];

    if (target->of_input) {
        add_given_back(job, target, h->values + i * h->width, to);
    } else if (target->classes > 0) {
        add_class(job, t, h, h->values + i * h->width, to);
    } else if (h->n_levels == 0) {
        for (size_t k = 0; k < h->width; k++)
            add_number(to, (double)h->values[i * h->width + k]);
    } else {
        for (size_t k = 0; k < h->width * h->n_levels; k++)
            add_number(to, (double)h->quantiles[i * h->width * h->n_levels + k]);
    }
    if (h->scores == NULL)
        return;
    add_number(to, h->scores[i]);
    if (h->detects && !isnan(saved->threshold))
        wm_text_add(to, isnan(h->scores[i]) ? "," : h->scores[i] >= saved->threshold ? ",1" : ",0");
}

void wm_predicted_row(const wm_saved_model *saved, const wm_predicted *targets, size_t i, wm_text *to)
{
    for (size_t t = 0; t < saved->space.job->data.n_targets; t++)
        if (!targets[t].own)
            add_target(saved, t, &targets[t], i, to);
}
