/* common/job/split.c
 *
 * data.split: which part of the examples trains, which chooses, which judges. The ways to split are a family of their
 * own, since they are written like one. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <math.h>
#include <string.h>

typedef struct shares {
    wm_reals shares;
} shares;

typedef struct file_globs {
    shares      others;
    const char *test, *validate;
} file_globs;

typedef struct owner_names {
    shares   others;
    wm_words names;
} owner_names;

typedef struct first_rows {
    int64_t train, validate;
} first_rows;

static void check_shares(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_reals *list = &((const shares *)options)->shares;
    double          sum = 0;

    for (size_t i = 0; i < list->count; i++)
        sum += list->items[i];
    if (list->count != 3)
        wm_faults_add(faults, place, path, "there are three shares: training, validation, test; not %zu",
                      list->count);
    else if (fabs(sum - 1) > 1e-6)
        wm_faults_add(faults, place, path, "the shares sum to %g, not to 1", sum);
    else if (list->items[0] <= 0)
        wm_faults_add(faults, place, path, "the first share is 0: nothing is left for training");
}

static void check_globs(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const file_globs *globs = options;

    if (strchr(globs->test, '/') != NULL || (globs->validate != NULL && strchr(globs->validate, '/') != NULL))
        wm_faults_add(faults, place, path, "a pattern is for the file's name alone; leave the folders out");
    check_shares(&globs->others, faults, place, path);
}

#define SHARES(what)                                                                                   \
    {                                                                                                  \
        .name = "shares", .kind = WM_REALS, .offset = offsetof(shares, shares), .least = 0, .most = 1, \
        .standard = "[0.7, 0.1, 0.2]", .main = true, .doc = what                                       \
    }

static const wm_option time_split_options[] = { SHARES(
    "Shares of training, validation and test, which sum to 1: the oldest examples train, the newest test.") };
static const wm_option random_split_options[] = { SHARES(
    "Shares of training, validation and test, which sum to 1; drawn by the seed and the client's name.") };

static const wm_option file_split_options[] = {
    { .name = "test",
      .kind = WM_WORD,
      .offset = offsetof(file_globs, test),
      .main = true,
      .doc = "Files whose name matches this pattern (with * and ?) are for the test." },
    { .name = "validate",
      .kind = WM_WORD,
      .offset = offsetof(file_globs, validate),
      .optional = true,
      .doc = "Files whose name matches this pattern are for validation." },
    { .name = "shares",
      .kind = WM_REALS,
      .offset = offsetof(file_globs, others.shares),
      .least = 0,
      .most = 1,
      .standard = "[1, 0, 0]",
      .doc = "How each client's examples in all other files divide by time: training, validation, test." },
};

static const wm_option owner_split_options[] = {
    { .name = "names",
      .kind = WM_WORDS,
      .offset = offsetof(owner_names, names),
      .main = true,
      .doc = "These clients do not train; all that they have is for the test." },
    { .name = "shares",
      .kind = WM_REALS,
      .offset = offsetof(owner_names, others.shares),
      .least = 0,
      .most = 1,
      .standard = "[1, 0, 0]",
      .doc = "How the other clients' examples divide by time: training, validation, test." },
};

static const wm_option row_split_options[] = {
    { .name = "train",
      .kind = WM_WHOLE,
      .offset = offsetof(first_rows, train),
      .least = 1,
      .most = 1e9,
      .main = true,
      .doc = "So many rows at the beginning of each file (or series) train." },
    { .name = "validate",
      .kind = WM_WHOLE,
      .offset = offsetof(first_rows, validate),
      .least = 0,
      .most = 1e9,
      .standard = "0",
      .doc = "The next so many are for validation; the rest is for the test." },
};

static const wm_member time_split = {
    .name = "time",
    .doc = "Each client's examples in order of time (of rows, where there is no time).",
    .options = time_split_options,
    .n_options = 1,
    .options_size = sizeof(shares),
    .check = check_shares,
};

static const wm_member random_split = {
    .name = "random",
    .doc = "Each client's examples, shuffled.",
    .options = random_split_options,
    .n_options = 1,
    .options_size = sizeof(shares),
    .check = check_shares,
};

static const wm_member file_split = {
    .name = "files",
    .doc = "By the file that a reading stands in.",
    .options = file_split_options,
    .n_options = sizeof file_split_options / sizeof *file_split_options,
    .options_size = sizeof(file_globs),
    .check = check_globs,
};

static const wm_member owner_split = {
    .name = "owners",
    .doc = "Whole clients are left out of training, to see how the model does where it never was.",
    .options = owner_split_options,
    .n_options = sizeof owner_split_options / sizeof *owner_split_options,
    .options_size = sizeof(owner_names),
    .check = check_shares, /* its first field */
};

static const wm_member row_split = {
    .name = "rows",
    .doc = "By the place in a file: the beginning trains, as where a machine is known to have run well at first.",
    .options = row_split_options,
    .n_options = sizeof row_split_options / sizeof *row_split_options,
    .options_size = sizeof(first_rows),
};

static const wm_member *const splits[] = { &file_split, &owner_split, &random_split, &row_split, &time_split };

const wm_family wm_job_splits = {
    .name = "split",
    .members = splits,
    .n_members = sizeof splits / sizeof *splits,
};

static void take_shares(wm_job_split *split, wm_split_kind kind, const wm_choice *choice)
{
    const wm_reals *list = &((const shares *)choice->options)->shares;

    split->kind = kind;
    if (list->count == 3) { /* else there was a fault */
        split->train = list->items[0];
        split->validate = list->items[1];
        split->test = list->items[2];
    }
}

/* Without a split: as the examples of a time series must be, or else at random. */
void wm_job_read_split(wm_job_draft *draft)
{
    wm_job_split *split = &draft->job.data.split;
    bool          timed = wm_job_timed(&draft->job);
    wm_yaml       standard = { .kind = WM_YAML_SCALAR, .text = timed ? "time" : "random" };
    wm_choice     choice = { 0 };

    wm_choice_read(&draft->reader, &wm_job_splits, draft->split != NULL ? draft->split : &standard, "data.split",
                   &choice);
    if (choice.member == &time_split) {
        take_shares(split, WM_SPLIT_TIME, &choice);
    } else if (choice.member == &random_split) {
        take_shares(split, WM_SPLIT_RANDOM, &choice);
    } else if (choice.member == &file_split) {
        const file_globs *globs = choice.options;

        take_shares(split, WM_SPLIT_FILES, &choice);
        split->test_files = globs->test;
        split->validate_files = globs->validate;
    } else if (choice.member == &owner_split) {
        take_shares(split, WM_SPLIT_OWNERS, &choice);
        split->owners = ((const owner_names *)choice.options)->names;
    } else if (choice.member == &row_split) {
        const first_rows *rows = choice.options;

        *split = (wm_job_split){
            .kind = WM_SPLIT_ROWS, .train = 1, .rows = rows->train, .rows_validate = rows->validate
        };
    }
}

bool wm_job_validates(const wm_job *job)
{
    const wm_job_split *split = &job->data.split;

    switch (split->kind) {
    case WM_SPLIT_TIME:
    case WM_SPLIT_RANDOM:
    case WM_SPLIT_OWNERS:
        return split->validate > 0;
    case WM_SPLIT_FILES:
        return split->validate_files != NULL || split->validate > 0;
    case WM_SPLIT_ROWS:
        return split->rows_validate > 0;
    }
    return false;
}
