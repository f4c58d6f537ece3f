/* client/truths.c
 *
 * What predictions are held against, in the data's own units: the values themselves, the naive prediction, whether it was
 * an anomaly, and the season's yardstick. */
#include "client/examples_struct.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void wm_examples_unscale(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t target,
                         float *values)
{
    const wm_layout *layout = examples->layout;
    size_t           width = layout->target_width[target], used = layout->target_used[target];

    assert(layout->job->data.targets[target].classes == 0);
    if (layout->job->data.targets[target].of_input)
        return;
    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = wm_examples_leaf(examples, part, &i);
        double             from = leaf->mean[used];

        if (layout->job->data.targets[target].difference)
            from = (double)wm_leaf_reading(leaf, target, leaf->laid.at[part][i]);
        for (size_t h = 0; h < width; h++)
            values[b * width + h] = (float)((double)values[b * width + h] * leaf->deviation[used] + from);
    }
}

/* One step of an input: row[channels], which was taken off what `now` says where the window is one of differences. */
static void unscale_row(const wm_examples *leaf, const wm_layout_input *input, bool difference, const float *now,
                        float *row)
{
    for (size_t u = 0, at = 0; u < input->n_used; at += leaf->layout->used[input->used[u++]].channels) {
        const wm_used *used = &leaf->layout->used[input->used[u]];
        double         value;

        if (used->spec == NULL || used->spec->kind != WM_COLUMN_NUMBER)
            continue;
        value = (double)row[at] * leaf->deviation[input->used[u]] +
                (difference ? (double)now[used->first] : leaf->mean[input->used[u]]);
        row[at] = (float)(used->spec->log ? copysign(expm1(fabs(value)), value) : value);
    }
}

void wm_examples_unscale_input(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                               size_t input, float *values)
{
    const wm_layout_input *from = &examples->layout->inputs[input];
    const wm_job_input    *spec = &examples->layout->job->data.inputs[input];

    for (size_t b = 0; spec->kind != WM_INPUT_PIXELS && b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = wm_examples_leaf(examples, part, &i);
        const float       *now = wm_grid_row(leaf->grid, leaf->laid.at[part][i] - leaf->grid->pace.ago[input]);

        for (size_t at = 0; at < from->values; at += from->channels)
            unscale_row(leaf, from, spec->kind == WM_INPUT_WINDOW && spec->difference, now,
                        values + b * from->values + at);
    }
}

void wm_examples_labels(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t t,
                        wm_normality *labels)
{
    size_t horizons = examples->layout->job->data.targets[t].ahead.count;

    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = wm_examples_leaf(examples, part, &i);
        uint32_t           now = leaf->laid.at[part][i];

        labels[b] = leaf->grid == NULL
                        ? WM_NORMAL
                        : wm_grid_normality(leaf->grid, now + wm_leaf_ahead(leaf, t, horizons > 0 ? horizons - 1 : 0));
    }
}

void wm_examples_yardsticks(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t m,
                            double *yardsticks)
{
    for (size_t b = 0; b < n; b++) {
        uint32_t i = index[b];

        yardsticks[b] = wm_examples_leaf(examples, part, &i)->yardstick[m];
    }
}

void wm_examples_take_naive(wm_examples *examples, const wm_examples *from)
{
    memcpy(examples->majority, from->majority, sizeof examples->majority);
    memcpy(examples->label_mean, from->label_mean, sizeof examples->label_mean);
}

void wm_examples_naive(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t target,
                       float *values)
{
    const wm_layout     *layout = examples->layout;
    const wm_job_target *spec = &layout->job->data.targets[target];
    size_t               width = layout->target_width[target];

    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = wm_examples_leaf(examples, part, &i);

        for (size_t h = 0; h < width; h++) {
            if (spec->of_input)
                values[b * width + h] = 0;
            else if (spec->classes > 0)
                values[b * width + h] = (int64_t)h == examples->majority[target];
            else if (spec->ahead.count == 0)
                values[b * width + h] = (float)examples->label_mean[target];
            else
                values[b * width + h] = wm_leaf_reading(leaf, target, leaf->laid.at[part][i]);
        }
    }
}
