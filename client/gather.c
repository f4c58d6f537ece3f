/* client/gather.c
 *
 * Batches of examples, gathered from the readings and scaled on the way. */
#include "client/examples_struct.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    double           from = difference ? (double)wm_leaf_reading(leaf, t, now) : leaf->mean[used];

    for (size_t h = 0; h < layout->target_width[t]; h++)
        to[h] = (float)(((double)wm_leaf_reading(leaf, t, now + wm_leaf_ahead(leaf, t, h)) - from) /
                        leaf->deviation[used]);
}

void wm_examples_gather(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                        wm_batch_room *room, wm_batch *ret)
{
    const wm_job_data *data = &examples->layout->job->data;

    assert(n <= room->batch_max);
    *ret = (wm_batch){ .n = n };
    for (size_t b = 0; b < n; b++) {
        uint32_t           i = index[b];
        const wm_examples *leaf = wm_examples_leaf(examples, part, &i);
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
            bool known = wm_leaf_known(leaf, t, now);

            if (data->targets[t].of_input)
                continue;
            if (room->classes[t] != NULL)
                room->classes[t][b] = known ? wm_leaf_class(leaf, t, now) : 0;
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
