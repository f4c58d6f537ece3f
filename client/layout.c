/* client/layout.c */
#include "client/layout.h"

#include <stdlib.h>
#include <string.h>

static size_t find_used(const wm_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->n_used; i++)
        if (strcmp(layout->used[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

/* The used column of that name, added behind the others if it is new. There is room for all. */
static size_t use(wm_layout *layout, const char *name)
{
    const wm_job_data   *data = &layout->job->data;
    const wm_job_column *spec = wm_job_find_column(layout->job, name);
    size_t               i = find_used(layout, name);

    if (i != SIZE_MAX)
        return i;
    i = layout->n_used++;
    layout->used[i] = (wm_used){
        .name = name,
        .spec = spec,
        .index = spec != NULL ? (size_t)(spec - data->columns) : 0,
        .read = spec == NULL || spec->kind != WM_COLUMN_CYCLE,
        .first = layout->width,
        .channels = spec != NULL ? wm_job_channels(spec) : 1,
    };
    layout->width += layout->used[i].channels;
    return i;
}

/* The column that is made of the times; several windows may show it. */
static size_t use_elapsed(wm_layout *layout)
{
    if (layout->elapsed == SIZE_MAX) {
        layout->elapsed = layout->n_used++;
        layout->used[layout->elapsed] = (wm_used){ .name = "", .first = layout->width, .channels = 1 };
        layout->width++;
    }
    return layout->elapsed;
}

static wm_status lay_input(wm_layout *layout, size_t i, wm_error *err)
{
    const wm_job_input *input = &layout->job->data.inputs[i];
    wm_layout_input    *to = &layout->inputs[i];
    wm_shape            shape;
    size_t              at = 0;

    wm_job_input_shape(layout->job, i, &shape);
    if (!wm_shape_count(&shape, &to->values) || to->values == 0)
        return wm_fail(err, WM_E_INVALID, "data.inputs.%s has an impossible size", input->name);
    if (input->kind == WM_INPUT_PIXELS)
        return WM_OK;
    to->used = calloc(input->columns.count + 2, sizeof *to->used);
    if (to->used == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the input %s", input->name);
    to->n_used = input->columns.count;
    for (size_t c = 0; c < input->columns.count; c++) {
        to->used[c] = use(layout, input->columns.items[c]);
        to->channels += layout->used[to->used[c]].channels;
    }
    if (input->elapsed)
        to->channels += layout->used[to->used[to->n_used++] = use_elapsed(layout)].channels;
    to->channel = calloc(to->channels + 1, sizeof *to->channel);
    if (to->channel == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the input %s", input->name);
    to->contiguous = true;
    for (size_t c = 0; c < to->n_used; c++) {
        const wm_used *used = &layout->used[to->used[c]];

        for (size_t k = 0; k < used->channels; k++, at++) {
            to->channel[at] = used->first + k;
            to->contiguous = to->contiguous && to->channel[at] == to->channel[0] + at;
        }
    }
    return WM_OK;
}

static wm_status lay_target(wm_layout *layout, size_t t, wm_error *err)
{
    const wm_job_target *target = &layout->job->data.targets[t];
    wm_used             *used;

    layout->target_width[t] = wm_job_target_width(layout->job, t);
    layout->target_used[t] = SIZE_MAX;
    if (target->of_input)
        return WM_OK;
    used = &layout->used[layout->target_used[t] = use(layout, target->column)];
    if (used->spec != NULL && used->spec->kind != WM_COLUMN_NUMBER &&
        !(target->classes > 0 && used->spec->kind == WM_COLUMN_CATEGORIES))
        return wm_fail(err, WM_E_INVALID, "data.targets.%s: column %s is not a number%s", target->name,
                       target->column,
                       target->classes == 0 ? ", nor is the target a class" : " or a list of categories");
    if (target->classes > 0 && !target->alarm && (used->classes == 0 || target->classes < used->classes))
        used->classes = target->classes; /* of two targets on one column, what both can hold */
    return WM_OK;
}

static wm_status lay_label(wm_layout *layout, const char *name, wm_error *err)
{
    if (layout->images)
        return wm_fail(err, WM_E_INVALID, "evaluate.anomaly.label: images have no columns; leave it out");
    layout->label = use(layout, name);
    if (layout->used[layout->label].spec != NULL && layout->used[layout->label].spec->kind != WM_COLUMN_NUMBER)
        return wm_fail(err, WM_E_INVALID, "evaluate.anomaly.label: column %s is not a number", name);
    return WM_OK;
}

static wm_status check(const wm_layout *layout, wm_error *err)
{
    const wm_job_data *data = &layout->job->data;

    for (size_t i = 0; i < data->n_inputs; i++)
        if ((data->inputs[i].kind == WM_INPUT_PIXELS) != layout->images)
            return wm_fail(err, WM_E_INVALID, "data.inputs: pixels and columns cannot be mixed in one job");
    for (size_t t = 0; layout->images && t < data->n_targets; t++)
        if (!data->targets[t].of_input && (data->targets[t].classes == 0 || data->targets[t].ahead.count > 0))
            return wm_fail(err, WM_E_INVALID,
                           "data.targets.%s: the target of an image is its label: give `classes` and no `ahead`",
                           data->targets[t].name);
    for (size_t i = 0; !layout->timed && i < layout->n_used; i++)
        if (!layout->used[i].read)
            return wm_fail(err, WM_E_INVALID, "data.columns.%s: a cycle is taken from the time: give data.time",
                           layout->used[i].name);
    for (size_t t = 0; !layout->paced && t < data->n_targets; t++)
        if (data->targets[t].ahead.count > 0 && !data->targets[t].rows_ahead)
            return wm_fail(err, WM_E_INVALID, "data.targets.%s: `ahead` needs readings with a time: give data.time",
                           data->targets[t].name);
    return WM_OK;
}

wm_status wm_layout_new(const wm_job *job, wm_layout **ret, wm_error *err)
{
    const wm_job_data *data = &job->data;
    wm_layout         *layout = calloc(1, sizeof *layout);
    const char        *label = job->evaluate.anomaly.label;
    size_t             room = data->n_targets + 3 + (label != NULL); /* `within`, elapsed, the label */
    wm_status          st = WM_OK;

    if (layout == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the job's data section");
    layout->job = job;
    layout->timed = wm_job_timed(job);
    layout->paced = wm_job_paced(job);
    layout->elapsed = SIZE_MAX;
    layout->images = data->n_inputs > 0 && data->inputs[0].kind == WM_INPUT_PIXELS;
    if (data->n_inputs == 0 || data->n_inputs > WM_INPUTS_MAX || data->n_targets == 0 ||
        data->n_targets > WM_TARGETS_MAX) {
        st = wm_fail(err, WM_E_INVALID, "a job has 1 to %d inputs and 1 to %d targets", WM_INPUTS_MAX,
                     WM_TARGETS_MAX);
        goto out;
    }
    for (size_t i = 0; i < data->n_inputs; i++)
        room += data->inputs[i].columns.count;
    layout->used = calloc(room, sizeof *layout->used);
    if (layout->used == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the job's columns");
        goto out;
    }
    for (size_t i = 0; st == WM_OK && i < data->n_inputs; i++)
        st = lay_input(layout, i, err);
    for (size_t t = 0; st == WM_OK && t < data->n_targets; t++)
        st = lay_target(layout, t, err);
    layout->within = st == WM_OK && data->within != NULL ? use(layout, data->within) : SIZE_MAX;
    layout->label = SIZE_MAX;
    if (st == WM_OK && label != NULL)
        st = lay_label(layout, label, err);
    if (st == WM_OK)
        st = check(layout, err);
out:
    if (st == WM_OK)
        *ret = layout;
    else
        wm_layout_free(layout);
    return st;
}

static bool has_word(const wm_words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

void wm_layout_predict(wm_layout *layout)
{
    layout->predicts = true;
    for (size_t u = 0; u < layout->n_used; u++) {
        wm_used *used = &layout->used[u];

        used->optional = used->read;
        for (size_t i = 0; i < layout->job->data.n_inputs; i++)
            if (has_word(&layout->job->data.inputs[i].columns, used->name))
                used->optional = false;
    }
}

void wm_layout_free(wm_layout *layout)
{
    if (layout == NULL)
        return;
    for (size_t i = 0; i < WM_INPUTS_MAX; i++) {
        free(layout->inputs[i].used);
        free(layout->inputs[i].channel);
    }
    free(layout->used);
    free(layout);
}

wm_status wm_layout_allow(const wm_layout *layout, const wm_words *allowed, wm_error *err)
{
    if (allowed == NULL)
        return WM_OK;
    /* A cycle is made of the time, which says nothing about a reading. */
    for (size_t i = 0; i < layout->n_used; i++)
        if (layout->used[i].read && !has_word(allowed, layout->used[i].name))
            return wm_fail(
                err, WM_E_REFUSED,
                "the job uses the column %s, which this gateway does not give to jobs: add it to the allowed "
                "columns if it may be used",
                layout->used[i].name);
    if (layout->images && !has_word(allowed, "pixels"))
        return wm_fail(err, WM_E_REFUSED,
                       "the job uses images, which this gateway does not give to jobs: add `pixels` to the allowed "
                       "columns if they may be used");
    return WM_OK;
}
