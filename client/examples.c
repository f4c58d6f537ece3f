/* client/examples.c */
#include "client/examples_struct.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- what one example is ---- */

const wm_examples *wm_examples_leaf(const wm_examples *examples, wm_part part, uint32_t *index)
{
    size_t low = 0, high = examples->n_members;

    if (examples->members == NULL)
        return examples;
    while (low < high) { /* the first member that ends beyond the index */
        size_t middle = low + (high - low) / 2;

        if (examples->ends[part][middle] <= *index)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low < examples->n_members);
    if (low > 0)
        *index -= (uint32_t)examples->ends[part][low - 1];
    return examples->members[low];
}

/* Is the value at the horizon, or the change until then, over the alarm's level? */
static bool alarm_at(const wm_examples *leaf, size_t t, uint32_t row)
{
    const wm_job_target *target = &leaf->layout->job->data.targets[t];
    double               value = (double)wm_leaf_reading(leaf, t, row + wm_leaf_ahead(leaf, t, 0));

    return (target->difference ? value - (double)wm_leaf_reading(leaf, t, row) : value) > target->above;
}

int32_t wm_leaf_class(const wm_examples *leaf, size_t t, uint32_t row)
{
    const wm_used *used;
    const float   *channels;

    if (leaf->images != NULL)
        return leaf->images->labels[row];
    if (leaf->layout->job->data.targets[t].alarm)
        return alarm_at(leaf, t, row);
    used = &leaf->layout->used[leaf->layout->target_used[t]];
    channels = wm_grid_row(leaf->grid, row + wm_leaf_ahead(leaf, t, 0)) + used->first;
    if (used->spec == NULL || used->spec->kind == WM_COLUMN_NUMBER || used->spec->index)
        return (int32_t)channels[0];
    for (size_t c = 0; c < wm_job_categories(used->spec); c++)
        if (channels[c] > 0)
            return (int32_t)c;
    abort(); /* a target is a reading, or this is no example */
}

bool wm_leaf_known(const wm_examples *leaf, size_t t, size_t row)
{
    size_t n = leaf->layout->job->data.targets[t].ahead.count;

    if (!leaf->layout->predicts || leaf->grid == NULL || leaf->layout->job->data.targets[t].of_input)
        return true;
    for (size_t h = 0; h < (n > 0 ? n : 1); h++) {
        size_t at = row + wm_leaf_ahead(leaf, t, h);

        if (at >= wm_grid_series(leaf->grid, row)->end ||
            wm_grid_state(leaf->grid, at, leaf->layout->target_used[t]) != WM_STATE_READ)
            return false;
    }
    return true;
}

/* ---- making ---- */

static void find_naive(wm_examples *self)
{
    const wm_job_data *data = &self->layout->job->data;
    size_t             n = self->laid.counts[WM_TRAIN];

    for (size_t t = 0; t < data->n_targets; t++) {
        if (data->targets[t].classes > 0) {
            size_t most = 0;

            for (int32_t c = 0; c < data->targets[t].classes; c++) {
                size_t count = 0;

                for (size_t i = 0; i < n; i++)
                    count += wm_leaf_class(self, t, self->laid.at[WM_TRAIN][i]) == c;
                if (count > most) {
                    most = count;
                    self->majority[t] = c;
                }
            }
        } else if (data->targets[t].ahead.count == 0 && !data->targets[t].of_input) {
            double sum = 0;

            for (size_t i = 0; i < n; i++)
                sum += (double)wm_leaf_reading(self, t, self->laid.at[WM_TRAIN][i]);
            self->label_mean[t] = n > 0 ? sum / (double)n : 0;
        }
    }
}

static wm_status new_leaf(const wm_layout *layout, wm_examples **ret, wm_error *err)
{
    wm_examples *self = calloc(1, sizeof *self);

    if (self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for examples");
    self->layout = layout;
    self->mean = calloc(layout->n_used + 1, sizeof *self->mean);
    self->deviation = calloc(layout->n_used + 1, sizeof *self->deviation);
    self->channel_mean = calloc(layout->width + 1, sizeof *self->channel_mean);
    self->channel_gain = calloc(layout->width + 1, sizeof *self->channel_gain);
    if (self->mean == NULL || self->deviation == NULL || self->channel_mean == NULL || self->channel_gain == NULL) {
        wm_examples_free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory for examples");
    }
    *ret = self;
    return WM_OK;
}

wm_status wm_examples_of_grid(const wm_layout *layout, const wm_grid *grid, wm_laid *laid, wm_examples **ret,
                              wm_error *err)
{
    wm_examples *self;
    wm_status    st = new_leaf(layout, &self, err);

    if (st != WM_OK)
        return st;
    self->grid = grid;
    self->laid = *laid;
    *laid = (wm_laid){ 0 };
    find_naive(self);
    *ret = self;
    return WM_OK;
}

wm_status wm_examples_of_images(const wm_layout *layout, const wm_images *images, wm_laid *laid, wm_examples **ret,
                                wm_error *err)
{
    wm_examples *self;
    wm_status    st = new_leaf(layout, &self, err);

    if (st != WM_OK)
        return st;
    self->images = images;
    self->laid = *laid;
    *laid = (wm_laid){ 0 };
    find_naive(self);
    *ret = self;
    return WM_OK;
}

/* A majority of majorities is not the majority: counted again over all. */
static wm_status find_naive_of_members(wm_examples *self, wm_error *err)
{
    const wm_job_data *data = &self->layout->job->data;

    for (size_t t = 0; t < data->n_targets; t++) {
        size_t  classes = (size_t)data->targets[t].classes, most = 0;
        size_t *counts = calloc(classes + 1, sizeof *counts);
        double  sum = 0;

        if (counts == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory to count %zu classes", classes);
        for (size_t m = 0; m < self->n_members; m++) {
            const wm_examples *member = self->members[m];

            sum += member->label_mean[t] * (double)member->laid.counts[WM_TRAIN];
            for (size_t i = 0; classes > 0 && i < member->laid.counts[WM_TRAIN]; i++)
                counts[wm_leaf_class(member, t, member->laid.at[WM_TRAIN][i])]++;
        }
        for (size_t c = 0; c < classes; c++) {
            if (counts[c] > most) {
                most = counts[c];
                self->majority[t] = (int64_t)c;
            }
        }
        free(counts);
        if (self->laid.counts[WM_TRAIN] > 0)
            self->label_mean[t] = sum / (double)self->laid.counts[WM_TRAIN];
    }
    return WM_OK;
}

wm_status wm_examples_of_members(const wm_layout *layout, wm_examples *const *members, size_t n, wm_examples **ret,
                                 wm_error *err)
{
    wm_examples *self = calloc(1, sizeof *self);
    wm_status    st = WM_OK;

    if (self == NULL || (self->members = calloc(n + 1, sizeof(wm_examples *))) == NULL) {
        free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory for pooled examples");
    }
    self->layout = layout;
    self->n_members = n;
    if (n > 0)
        memcpy(self->members, members, n * sizeof *members);
    for (int p = 0; p < WM_PARTS; p++) {
        self->ends[p] = calloc(n + 1, sizeof *self->ends[p]);
        if (self->ends[p] == NULL) {
            st = wm_fail(err, WM_E_NOMEM, "no memory for pooled examples");
            goto out;
        }
        for (size_t m = 0; m < n; m++)
            self->ends[p][m] = self->laid.counts[p] += members[m]->laid.counts[p];
        if (self->laid.counts[p] > UINT32_MAX) {
            st = wm_fail(err, WM_E_RANGE, "%zu pooled examples are more than can be counted", self->laid.counts[p]);
            goto out;
        }
    }
    st = find_naive_of_members(self, err);
out:
    if (st == WM_OK)
        *ret = self;
    else
        wm_examples_free(self);
    return st;
}

void wm_examples_free(wm_examples *examples)
{
    if (examples == NULL)
        return;
    wm_laid_release(&examples->laid);
    for (int p = 0; p < WM_PARTS; p++)
        free(examples->ends[p]);
    free(examples->members);
    free(examples->mean);
    free(examples->deviation);
    free(examples->channel_mean);
    free(examples->channel_gain);
    free(examples);
}

/* ---- looking ---- */

size_t wm_examples_count(const wm_examples *examples, wm_part part)
{
    return examples->laid.counts[part];
}

const uint32_t *wm_examples_rows(const wm_examples *examples, wm_part part)
{
    return examples->laid.at[part];
}

void wm_examples_classes(const wm_examples *examples, wm_part part, size_t t, int32_t *classes)
{
    for (size_t i = 0; i < examples->laid.counts[part]; i++)
        classes[i] = wm_leaf_class(examples, t, examples->laid.at[part][i]);
}

void wm_examples_summarise(const wm_examples *examples, wm_examples_summary *ret)
{
    wm_examples_summary sum = { .dropped = examples->laid.dropped };

    for (size_t m = 0; m < examples->n_members; m++) {
        wm_examples_summary one;

        wm_examples_summarise(examples->members[m], &one);
        sum.rows += one.rows;
        sum.missing += one.missing;
        sum.filled += one.filled;
        sum.dropped += one.dropped;
    }
    if (examples->grid != NULL) {
        sum.rows = examples->grid->readings;
        sum.missing = examples->grid->missing;
        sum.filled = examples->grid->filled;
    } else if (examples->images != NULL) {
        for (int p = 0; p < WM_PARTS; p++)
            sum.rows += examples->laid.counts[p];
    }
    memcpy(sum.counts, examples->laid.counts, sizeof sum.counts);
    *ret = sum;
}

int64_t wm_examples_time(const wm_examples *examples, wm_part part, uint32_t index)
{
    const wm_examples *leaf = wm_examples_leaf(examples, part, &index);
    uint32_t           row = leaf->laid.at[part][index];

    return leaf->grid != NULL ? leaf->grid->times[row] : (int64_t)row;
}

bool wm_examples_known(const wm_examples *examples, wm_part part, uint32_t index, size_t t)
{
    const wm_examples *leaf = wm_examples_leaf(examples, part, &index);

    return wm_leaf_known(leaf, t, leaf->laid.at[part][index]);
}
