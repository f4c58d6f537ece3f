/* client/examples.c */
#include "client/examples_struct.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what one example is ---- */

/* The leaf that an index of a part belongs to; *index becomes the leaf's own. */
static const wm_examples *leaf_of(const wm_examples *examples, wm_part part, uint32_t *index)
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

/* Where target t's horizon h lies, in rows from now. */
static size_t ahead_of(const wm_examples *leaf, size_t t, size_t h)
{
    const size_t *ahead = leaf->grid->pace.ahead[t];

    return ahead != NULL ? ahead[h] : 0;
}

/* A target column's reading at a row, in the data's units. */
static float reading_at(const wm_examples *leaf, size_t t, size_t row)
{
    const wm_used *used = &leaf->layout->used[leaf->layout->target_used[t]];

    return wm_grid_row(leaf->grid, row)[used->first];
}

/* Is the value at the horizon, or the change until then, over the alarm's level? */
static bool alarm_at(const wm_examples *leaf, size_t t, uint32_t row)
{
    const wm_job_target *target = &leaf->layout->job->data.targets[t];
    double               value = (double)reading_at(leaf, t, row + ahead_of(leaf, t, 0));

    return (target->difference ? value - (double)reading_at(leaf, t, row) : value) > target->above;
}

static int32_t class_at(const wm_examples *leaf, size_t t, uint32_t row)
{
    const wm_used *used;
    const float   *channels;

    if (leaf->images != NULL)
        return leaf->images->labels[row];
    if (leaf->layout->job->data.targets[t].alarm)
        return alarm_at(leaf, t, row);
    used = &leaf->layout->used[leaf->layout->target_used[t]];
    channels = wm_grid_row(leaf->grid, row + ahead_of(leaf, t, 0)) + used->first;
    if (used->spec == NULL || used->spec->kind == WM_COLUMN_NUMBER || used->spec->index)
        return (int32_t)channels[0];
    for (size_t c = 0; c < wm_job_categories(used->spec); c++)
        if (channels[c] > 0)
            return (int32_t)c;
    abort(); /* a target is a reading, or this is no example */
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
                    count += class_at(self, t, self->laid.at[WM_TRAIN][i]) == c;
                if (count > most) {
                    most = count;
                    self->majority[t] = c;
                }
            }
        } else if (data->targets[t].ahead.count == 0 && !data->targets[t].of_input) {
            double sum = 0;

            for (size_t i = 0; i < n; i++)
                sum += (double)reading_at(self, t, self->laid.at[WM_TRAIN][i]);
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
                counts[class_at(member, t, member->laid.at[WM_TRAIN][i])]++;
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
        classes[i] = class_at(examples, t, examples->laid.at[part][i]);
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
    const wm_examples *leaf = leaf_of(examples, part, &index);
    uint32_t           row = leaf->laid.at[part][index];

    return leaf->grid != NULL ? leaf->grid->times[row] : (int64_t)row;
}

/* The end of the series that a row is in. */
static size_t series_end(const wm_grid *grid, size_t row)
{
    size_t low = 0, high = grid->n_series;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (grid->series[middle].begin <= row)
            low = middle;
        else
            high = middle;
    }
    return grid->series[low].end;
}

static bool is_known(const wm_examples *leaf, size_t t, size_t row)
{
    size_t n = leaf->layout->job->data.targets[t].ahead.count;

    if (!leaf->layout->predicts || leaf->grid == NULL || leaf->layout->job->data.targets[t].of_input)
        return true;
    for (size_t h = 0; h < (n > 0 ? n : 1); h++) {
        size_t at = row + ahead_of(leaf, t, h);

        if (at >= series_end(leaf->grid, row) ||
            wm_grid_state(leaf->grid, at, leaf->layout->target_used[t]) != WM_STATE_READ)
            return false;
    }
    return true;
}

bool wm_examples_known(const wm_examples *examples, wm_part part, uint32_t index, size_t t)
{
    const wm_examples *leaf = leaf_of(examples, part, &index);

    return is_known(leaf, t, leaf->laid.at[part][index]);
}

/* ---- gathering ---- */

struct wm_batch_room {
    size_t   batch_max;
    size_t   input_values[WM_INPUTS_MAX], target_width[WM_TARGETS_MAX];
    float   *inputs[WM_INPUTS_MAX];   /* [batch_max][input_values] */
    float   *targets[WM_TARGETS_MAX]; /* [batch_max][target_width] */
    int32_t *classes[WM_TARGETS_MAX]; /* [batch_max] */
    float    pixel[256];              /* a byte divided by 255 */
};

static void *new_array(size_t n, size_t each, size_t size)
{
    size_t values;

    return wm_size_mul(n, each, &values) ? calloc(values + 1, size) : NULL;
}

wm_status wm_batch_room_new(const wm_job *job, size_t batch_max, wm_batch_room **ret, wm_error *err)
{
    const wm_job_data *data = &job->data;
    wm_batch_room     *room = calloc(1, sizeof *room);
    bool               good = room != NULL && data->n_inputs <= WM_INPUTS_MAX && data->n_targets <= WM_TARGETS_MAX;

    for (size_t i = 0; good && i < data->n_inputs; i++) {
        wm_shape shape;

        wm_job_input_shape(job, i, &shape);
        good = wm_shape_count(&shape, &room->input_values[i]) &&
               (room->inputs[i] = new_array(batch_max, room->input_values[i], sizeof(float))) != NULL;
    }
    for (size_t t = 0; good && t < data->n_targets; t++) {
        room->target_width[t] = wm_job_target_width(job, t);
        if (data->targets[t].classes > 0)
            good = (room->classes[t] = new_array(batch_max, 1, sizeof(int32_t))) != NULL;
        else if (!data->targets[t].of_input)
            good = (room->targets[t] = new_array(batch_max, room->target_width[t], sizeof(float))) != NULL;
    }
    if (!good) {
        wm_batch_room_free(room);
        return wm_fail(err, WM_E_NOMEM, "no memory for batches of %zu examples", batch_max);
    }
    room->batch_max = batch_max;
    for (int i = 0; i < 256; i++)
        room->pixel[i] = (float)i / 255.0f;
    *ret = room;
    return WM_OK;
}

void wm_batch_room_free(wm_batch_room *room)
{
    if (room == NULL)
        return;
    for (size_t i = 0; i < WM_INPUTS_MAX; i++)
        free(room->inputs[i]);
    for (size_t t = 0; t < WM_TARGETS_MAX; t++) {
        free(room->targets[t]);
        free(room->classes[t]);
    }
    free(room);
}

/* to[channels] <- one row's channels of an input, scaled. */
static void gather_row(const wm_examples *leaf, const wm_layout_input *input, const float *restrict row,
                       float *restrict to)
{
    const float *restrict mean = leaf->channel_mean, *restrict gain = leaf->channel_gain;

    if (input->contiguous) {
        size_t first = input->channel[0];

        row += first;
        mean += first;
        gain += first;
        for (size_t c = 0; c < input->channels; c++)
            to[c] = (row[c] - mean[c]) * gain[c];
        return;
    }
    for (size_t c = 0; c < input->channels; c++) {
        size_t from = input->channel[c];

        to[c] = (row[from] - mean[from]) * gain[from];
    }
}

/* window[length][channels]: every number less its last. */
static void take_differences(const wm_layout *layout, const wm_layout_input *input, size_t length, float *window)
{
    for (size_t u = 0, at = 0; u < input->n_used; at += layout->used[input->used[u++]].channels) {
        const wm_used *used = &layout->used[input->used[u]];
        float          last = window[(length - 1) * input->channels + at];

        for (size_t s = 0; used->spec != NULL && used->spec->kind == WM_COLUMN_NUMBER && s < length; s++)
            window[s * input->channels + at] -= last;
    }
}

static void gather_input(const wm_examples *leaf, size_t i, size_t now, float *to)
{
    const wm_layout_input *input = &leaf->layout->inputs[i];
    const wm_job_input    *spec = &leaf->layout->job->data.inputs[i];
    size_t                 length, stride;

    if (spec->kind == WM_INPUT_AT) {
        gather_row(leaf, input, wm_grid_row(leaf->grid, now + leaf->grid->pace.at), to);
        return;
    }
    length = (size_t)spec->length;
    stride = leaf->grid->pace.stride[i];
    now -= leaf->grid->pace.ago[i];
    for (size_t s = 0; s < length; s++)
        gather_row(leaf, input, wm_grid_row(leaf->grid, now - (length - 1 - s) * stride), to + s * input->channels);
    if (spec->difference)
        take_differences(leaf->layout, input, length, to);
}

static void gather_target(const wm_examples *leaf, size_t t, size_t now, float *to)
{
    const wm_layout *layout = leaf->layout;
    size_t           used = layout->target_used[t];
    bool             difference = layout->job->data.targets[t].difference;
    double           from = difference ? (double)reading_at(leaf, t, now) : leaf->mean[used];

    for (size_t h = 0; h < layout->target_width[t]; h++)
        to[h] = (float)(((double)reading_at(leaf, t, now + ahead_of(leaf, t, h)) - from) / leaf->deviation[used]);
}

void wm_examples_gather(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                        wm_batch_room *room, wm_batch *ret)
{
    const wm_job_data *data = &examples->layout->job->data;

    assert(n <= room->batch_max);
    *ret = (wm_batch){ .n = n };
    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = leaf_of(examples, part, &i);
        uint32_t           now = leaf->laid.at[part][i];

        assert(i < leaf->laid.counts[part] && (leaf->scaled || leaf->images != NULL));
        for (size_t k = 0; k < data->n_inputs; k++) {
            float *to = room->inputs[k] + b * room->input_values[k];

            if (leaf->images == NULL) {
                gather_input(leaf, k, now, to);
            } else {
                const uint8_t *pixels = leaf->images->pixels + (size_t)now * leaf->images->size;

                for (size_t v = 0; v < room->input_values[k]; v++)
                    to[v] = room->pixel[pixels[v]];
            }
        }
        for (size_t t = 0; t < data->n_targets; t++) {
            bool known = is_known(leaf, t, now);

            if (data->targets[t].of_input)
                continue;
            if (room->classes[t] != NULL)
                room->classes[t][b] = known ? class_at(leaf, t, now) : 0;
            else if (!known)
                for (size_t h = 0; h < room->target_width[t]; h++)
                    room->targets[t][b * room->target_width[t] + h] = NAN;
            else
                gather_target(leaf, t, now, room->targets[t] + b * room->target_width[t]);
        }
    }
    memcpy(ret->inputs, room->inputs, sizeof ret->inputs);
    memcpy(ret->targets, room->targets, sizeof ret->targets);
    memcpy(ret->classes, room->classes, sizeof ret->classes);
    for (size_t t = 0; t < data->n_targets; t++)
        if (data->targets[t].of_input)
            ret->targets[t] = room->inputs[data->targets[t].input];
}

/* ---- back to the data's units ---- */

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
        const wm_examples *leaf = leaf_of(examples, part, &i);
        double             from = leaf->mean[used];

        if (layout->job->data.targets[target].difference)
            from = (double)reading_at(leaf, target, leaf->laid.at[part][i]);
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
        const wm_examples *leaf = leaf_of(examples, part, &i);
        const float       *now = wm_grid_row(leaf->grid, leaf->laid.at[part][i] - leaf->grid->pace.ago[input]);

        for (size_t at = 0; at < from->values; at += from->channels)
            unscale_row(leaf, from, spec->kind == WM_INPUT_WINDOW && spec->difference, now,
                        values + b * from->values + at);
    }
}

static wm_normality label_of(const wm_examples *leaf, uint32_t row)
{
    const wm_layout      *layout = leaf->layout;
    const wm_job_anomaly *anomaly = &layout->job->evaluate.anomaly;
    double                value;

    if (layout->label == SIZE_MAX)
        return WM_NORMAL;
    if (wm_grid_state(leaf->grid, row, layout->label) != WM_STATE_READ)
        return WM_NOT_KNOWN;
    value = (double)wm_grid_row(leaf->grid, row)[layout->used[layout->label].first];
    for (size_t i = 0; i < anomaly->normal.count; i++)
        if (value == anomaly->normal.items[i])
            return WM_NORMAL;
    return WM_ANOMALY;
}

void wm_examples_labels(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t t,
                        wm_normality *labels)
{
    size_t horizons = examples->layout->job->data.targets[t].ahead.count;

    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = leaf_of(examples, part, &i);
        uint32_t           now = leaf->laid.at[part][i];

        labels[b] = leaf->grid == NULL
                        ? WM_NORMAL
                        : label_of(leaf, now + (uint32_t)ahead_of(leaf, t, horizons > 0 ? horizons - 1 : 0));
    }
}

void wm_examples_yardsticks(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t m,
                            double *yardsticks)
{
    for (size_t b = 0; b < n; b++) {
        uint32_t i = index[b];

        yardsticks[b] = leaf_of(examples, part, &i)->yardstick[m];
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
        const wm_examples *leaf = leaf_of(examples, part, &i);

        for (size_t h = 0; h < width; h++) {
            if (spec->of_input)
                values[b * width + h] = 0;
            else if (spec->classes > 0)
                values[b * width + h] = (int64_t)h == examples->majority[target];
            else if (spec->ahead.count == 0)
                values[b * width + h] = (float)examples->label_mean[target];
            else
                values[b * width + h] = reading_at(leaf, target, leaf->laid.at[part][i]);
        }
    }
}
