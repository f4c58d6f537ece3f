/* tests/client/label_job.h: 600 rows with five labels, of three gates, and who has which of them by any rule. */
#ifndef WM_TESTS_CLIENT_LABEL_JOB_H
#define WM_TESTS_CLIENT_LABEL_JOB_H

#include "tests/client/data_job.h"

enum { ROWS = 600, CLASSES = 5 };

/* Rows "id,label,x": the id is the row, so that who has which can be read back from a batch. */
typedef struct label_job {
    wm_job        job;
    wm_job_column column;
    wm_job_input  input;
    wm_job_target target;
} label_job;

static inline void label_init(label_job *label)
{
    static const char *const names[] = { "id" };

    memset(label, 0, sizeof *label);
    label->column = (wm_job_column){ .name = "id", .scale = WM_SCALE_NONE };
    label->input = (wm_job_input){ .name = "in", .kind = WM_INPUT_WINDOW, .length = 1, .columns = { names, 1 } };
    label->target = (wm_job_target){ .name = "class", .column = "label", .classes = CLASSES };
    label->job.seed = 11;
    label->job.data = (wm_job_data){ .columns = &label->column,
                                     .n_columns = 1,
                                     .inputs = &label->input,
                                     .n_inputs = 1,
                                     .targets = &label->target,
                                     .n_targets = 1,
                                     .split = { .kind = WM_SPLIT_RANDOM, .train = 0.8, .test = 0.2 } };
}

static inline void write_labels(const char *folder)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_add(&text, "id,label,who\n");
    for (int i = 0; i < ROWS; i++)
        wm_text_printf(&text, "%d,%d,Gate %c\n", i, i * 7 % CLASSES, 'C' - i % 3);
    test_write(folder, "rows.csv", wm_text_chars(&text), text.size);
    wm_text_release(&text);
}

/* A division by rule `name`: the owners, which the caller frees. `only`, `clients`, `allowed` as in the settings. */
static inline wm_status divide(const wm_job *job, const char *name, const void *options,
                               const wm_owners_settings *more, wm_owners **ret, wm_error *err)
{
    wm_csv_options csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice source = test_choice(&wm_sources, "csv", &csv), owner = test_choice(&wm_owner_rules, name, options);
    wm_owners_settings settings = *more;
    char               folder[4096];
    wm_status          st;

    settings.folder = wm_test_folder(folder);
    settings.source = &source;
    settings.owner = &owner;
    write_labels(folder);
    st = wm_owners_open(job, &settings, ret, err);
    wm_folder_remove(folder, NULL);
    return st;
}

/* owner_of[row] <- who has it, in which part; asserts that each row has one owner. */
static inline void who_has_what(wm_owners *owners, const wm_job *job, int owner_of[ROWS], int part_of[ROWS],
                                int *labels)
{
    wm_batch_room *room;
    wm_error       err;

    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    for (int i = 0; i < ROWS; i++)
        owner_of[i] = -1;
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        wm_examples *examples = wm_owners_examples(owners, k);

        assert_ok(wm_examples_scale(examples, NULL, &err), &err);
        for (int p = 0; p < WM_PARTS; p++) {
            for (uint32_t i = 0; i < wm_examples_count(examples, (wm_part)p); i++) {
                wm_batch batch;
                int      row;

                wm_examples_gather(examples, (wm_part)p, &i, 1, room, &batch);
                row = (int)batch.inputs[0][0];
                assert_in_range(row, 0, ROWS - 1);
                assert_int_equal(owner_of[row], -1);
                owner_of[row] = (int)k;
                part_of[row] = p;
                labels[row] = batch.classes[0][0];
                assert_int_equal(labels[row], row * 7 % CLASSES);
            }
        }
    }
    wm_batch_room_free(room);
    for (int i = 0; i < ROWS; i++)
        assert_int_not_equal(owner_of[i], -1);
}

#endif
