/* common/job/inputs.c
 *
 * data.inputs: what the network sees of an example. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <string.h>

typedef struct window_draft {
    wm_words columns;
    int64_t  length, every_ms, ago_ms;
    bool     difference, elapsed;
} window_draft;

typedef struct pixels_draft {
    wm_wholes shape;
} pixels_draft;

typedef struct input_draft {
    window_draft window;
    pixels_draft pixels;
    unsigned     at; /* 0: not given */
    wm_words     columns;
} input_draft;

static const char *const moments[] = { "target", NULL };

static void check_pixels(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_wholes *shape = &((const pixels_draft *)options)->shape;

    if (shape->count != 2 && shape->count != 3)
        wm_faults_add(faults, place, path, "an image is [height, width] or [height, width, channels]");
}

static const wm_option window_options[] = {
    { .name = "columns",
      .kind = WM_WORDS,
      .offset = offsetof(window_draft, columns),
      .doc = "The columns that are seen, in this order of their channels." },
    { .name = "length",
      .kind = WM_WHOLE,
      .offset = offsetof(window_draft, length),
      .least = 1,
      .most = 1000000,
      .doc = "How many steps back, the present one included." },
    { .name = "every",
      .kind = WM_DURATION,
      .offset = offsetof(window_draft, every_ms),
      .least = 0,
      .most = 366.0 * 86400000,
      .standard = "0",
      .doc = "The distance of the steps; 0: the step of the data." },
    { .name = "ago",
      .kind = WM_DURATION,
      .offset = offsetof(window_draft, ago_ms),
      .least = 0,
      .most = 366.0 * 86400000,
      .standard = "0",
      .doc = "The window ends this long before now: ago: 7d shows the same hours a week ago." },
    { .name = "difference",
      .kind = WM_BOOL,
      .offset = offsetof(window_draft, difference),
      .standard = "false",
      .doc =
          "Numbers are shown as their difference from the window's last step, so that a level which was never seen in "
          "training looks like any other; goes with a target's `difference`." },
    { .name = "elapsed",
      .kind = WM_BOOL,
      .offset = offsetof(window_draft, elapsed),
      .standard = "false",
      .doc =
          "One more channel, the last: how long after the one before it each step was, as log(1 + seconds) / 10; for "
          "events at irregular times." },
};

static const wm_member window_table = {
    .name = "window",
    .doc = "The last `length` steps up to now: [length, channels].",
    .options = window_options,
    .n_options = sizeof window_options / sizeof *window_options,
    .options_size = sizeof(window_draft),
};

static const wm_option pixels_options[] = {
    { .name = "shape",
      .kind = WM_WHOLES,
      .offset = offsetof(pixels_draft, shape),
      .least = 1,
      .most = 16384,
      .main = true,
      .doc = "[height, width] or [height, width, channels]." },
};

static const wm_member pixels_table = {
    .name = "pixels",
    .doc = "An image of the source, its values divided by 255.",
    .options = pixels_options,
    .n_options = 1,
    .options_size = sizeof(pixels_draft),
    .check = check_pixels,
};

static void check_input(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const input_draft *in = options;

    if ((in->window.length > 0) + (in->pixels.shape.count > 0) + (in->at != 0) != 1)
        wm_faults_add(faults, place, path, "an input is one of window, at and pixels");
    else if (in->at != 0 && in->columns.count == 0)
        wm_faults_add(faults, place, path, "`at` needs the `columns` that it takes");
    else if (in->at == 0 && in->columns.count > 0)
        wm_faults_add(faults, place, path, "`columns` stands beside `at`; those of a window stand inside it");
}

static const wm_option input_options[] = {
    { .name = "window",
      .kind = WM_SECTION,
      .offset = offsetof(input_draft, window),
      .section = &window_table,
      .optional = true,
      .doc = "The last `length` steps up to now: [length, channels]." },
    { .name = "at",
      .kind = WM_FLAGS,
      .offset = offsetof(input_draft, at),
      .words = moments,
      .optional = true,
      .doc = "`target`: the columns at the target's time, which must be known beforehand, such as the hour." },
    { .name = "columns",
      .kind = WM_WORDS,
      .offset = offsetof(input_draft, columns),
      .optional = true,
      .doc = "With `at`: the columns." },
    { .name = "pixels",
      .kind = WM_SECTION,
      .offset = offsetof(input_draft, pixels),
      .section = &pixels_table,
      .optional = true,
      .doc = "An image of the source, its values divided by 255." },
};

const wm_member wm_job_input_table = {
    .name = "input",
    .doc = "One input of the network: a window, an image, or columns at the target's time.",
    .options = input_options,
    .n_options = sizeof input_options / sizeof *input_options,
    .options_size = sizeof(input_draft),
    .check = check_input,
};

static void check_input_columns(wm_job_draft *draft, const wm_job_input *input, wm_place place, const char *path)
{
    for (size_t i = 0; i < input->columns.count; i++) {
        const char *name = input->columns.items[i];
        wm_words    before = { .items = input->columns.items, .count = i };

        if (wm_job_find_column(&draft->job, name) == NULL)
            wm_job_fault_column(draft, name, place, path);
        if (wm_words_have(&before, name))
            wm_faults_add(draft->reader.faults, place, path, "the column \"%.64s\" is there twice", name);
    }
}

static void read_input(wm_job_draft *draft, const wm_yaml *node, wm_job_input *ret)
{
    wm_reader  *reader = &draft->reader;
    const char *path = wm_path_key(reader, "data.inputs", node->key);
    input_draft in = { 0 };

    wm_job_check_name(reader, node->key, node->key_place, path, "an input");
    wm_table_read(reader, &wm_job_input_table, node, node->place, path, &in);
    *ret = (wm_job_input){ .name = node->key, .place = node->key_place };
    if (in.pixels.shape.count > 0) {
        ret->kind = WM_INPUT_PIXELS;
        for (size_t i = 0; i < in.pixels.shape.count && i < WM_RANK_MAX; i++)
            ret->pixels.dim[ret->pixels.rank++] = (uint32_t)in.pixels.shape.items[i];
    } else if (in.at != 0) {
        ret->kind = WM_INPUT_AT;
        ret->columns = in.columns;
    } else {
        ret->kind = WM_INPUT_WINDOW;
        ret->columns = in.window.columns;
        ret->length = in.window.length;
        ret->every_ms = in.window.every_ms;
        ret->ago_ms = in.window.ago_ms;
        ret->difference = in.window.difference;
        ret->elapsed = in.window.elapsed;
    }
    check_input_columns(draft, ret, node->place, path);
    if ((ret->every_ms > 0 || ret->ago_ms > 0) && !wm_job_paced(&draft->job))
        wm_faults_add(reader->faults, node->place, path, "`%s` needs readings with a time%s",
                      ret->every_ms > 0 ? "every" : "ago",
                      wm_job_timed(&draft->job) ? ", and a step; events have none" : ": give data.time");
    if (ret->elapsed && !wm_job_timed(&draft->job))
        wm_faults_add(reader->faults, node->place, path, "`elapsed` needs readings with a time: give data.time");
}

void wm_job_read_inputs(wm_job_draft *draft)
{
    wm_job_data  *data = &draft->job.data;
    wm_job_input *inputs;

    if (draft->inputs == NULL || !wm_job_check_entries(&draft->reader, draft->inputs, "data.inputs", "inputs"))
        return;
    inputs = wm_reader_alloc(&draft->reader, draft->inputs->count, sizeof *inputs);
    if (inputs == NULL)
        return;
    data->inputs = inputs;
    for (const wm_yaml *node = draft->inputs->first; node != NULL; node = node->next)
        read_input(draft, node, &inputs[data->n_inputs++]);
}
