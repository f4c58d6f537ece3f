/* common/job/shapes.c
 *
 * What follows from the data section alone. The job was checked: no count here can be zero or wrap around. */
#include "common/job/scaling.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const wm_job_column *wm_job_find_column(const wm_job *job, const char *name)
{
    for (size_t i = 0; i < job->data.n_columns; i++)
        if (strcmp(job->data.columns[i].name, name) == 0)
            return &job->data.columns[i];
    return NULL;
}

size_t wm_job_channels(const wm_job_column *column)
{
    size_t channels = 1;

    switch (column->kind) {
    case WM_COLUMN_NUMBER:
        break;
    case WM_COLUMN_COMPASS:
    case WM_COLUMN_CYCLE:
        channels = 2;
        break;
    case WM_COLUMN_CATEGORIES:
        channels = column->index ? 1 : wm_job_categories(column);
        break;
    }
    return channels + column->mask;
}

size_t wm_job_categories(const wm_job_column *column)
{
    return column->categories.count + column->other;
}

double wm_job_transform(const wm_job_column *column, double x)
{
    return column->log ? copysign(log1p(fabs(x)), x) : x;
}

bool wm_job_timed(const wm_job *job)
{
    return job->data.time_columns.count > 0 || job->data.start != NULL;
}

bool wm_job_paced(const wm_job *job)
{
    return wm_job_timed(job) && !job->data.events;
}

static uint32_t channels_of(const wm_job *job, const wm_words *columns)
{
    size_t channels = 0;

    for (size_t i = 0; i < columns->count; i++) {
        const wm_job_column *column = wm_job_find_column(job, columns->items[i]);

        assert(column != NULL);
        channels += wm_job_channels(column);
    }
    assert(channels <= UINT32_MAX); /* a file has at most WM_DOCUMENT_NODES_MAX words */
    return (uint32_t)channels;
}

void wm_job_input_shape(const wm_job *job, size_t input, wm_shape *ret)
{
    const wm_job_input *in = &job->data.inputs[input];

    assert(input < job->data.n_inputs);
    switch (in->kind) {
    case WM_INPUT_WINDOW:
        *ret =
            (wm_shape){ .rank = 2, .dim = { (uint32_t)in->length, channels_of(job, &in->columns) + in->elapsed } };
        break;
    case WM_INPUT_AT:
        *ret = (wm_shape){ .rank = 1, .dim = { channels_of(job, &in->columns) } };
        break;
    case WM_INPUT_PIXELS:
        *ret = in->pixels;
        break;
    }
}

size_t wm_job_target_width(const wm_job *job, size_t target)
{
    const wm_job_target *t = &job->data.targets[target];

    assert(target < job->data.n_targets);
    if (t->of_input) {
        wm_shape shape;
        size_t   n = 0;

        wm_job_input_shape(job, t->input, &shape);
        return wm_shape_count(&shape, &n) ? n : 0; /* such an input is refused when its model is made */
    }
    if (t->classes > 0)
        return (size_t)t->classes;
    return t->ahead.count > 0 ? t->ahead.count : 1;
}

bool wm_job_needs_statistics(const wm_job *job)
{
    for (size_t i = 0; i < job->data.n_columns; i++)
        if (wm_scaling_covers(job, i))
            return true;
    return false;
}
