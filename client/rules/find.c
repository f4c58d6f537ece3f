/* client/rules/find.c
 *
 * The owners that are in the data: named by a column, by the files, or one for all. */
#include "client/rules/rule.h"

#include <string.h>

typedef struct column_options {
    const char *name;
} column_options;

typedef struct file_options {
    const char *take;
} file_options;

static void column_find(const void *options, wm_ownership *ownership)
{
    ownership->column = ((const column_options *)options)->name;
}

static void file_find(const void *options, wm_ownership *ownership)
{
    ownership->by_file = true;
    ownership->file_part = ((const file_options *)options)->take;
}

static void file_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const char *take = ((const file_options *)options)->take, *mark = take != NULL ? strstr(take, "{}") : NULL;

    if (take != NULL && (mark == NULL || strstr(mark + 2, "{}") != NULL))
        wm_faults_add(faults, place, path,
                      "take \"%s\" must have one {} where the owner's name stands, as in \"station_{}_*\"", take);
}

static void none_find(const void *options, wm_ownership *ownership)
{
    (void)options;
    (void)ownership;
}

static const wm_option column_option_table[] = {
    { .name = "name",
      .kind = WM_WORD,
      .offset = offsetof(column_options, name),
      .main = true,
      .doc = "The column whose text names the owner of a row." },
};

const wm_owner_ops wm_owner_column = {
    .member = { .name = "column",
                .doc = "One client for each value of a column.",
                .options = column_option_table,
                .n_options = sizeof column_option_table / sizeof *column_option_table,
                .options_size = sizeof(column_options) },
    .find = column_find,
};

static const wm_option file_option_table[] = {
    { .name = "take",
      .kind = WM_WORD,
      .offset = offsetof(file_options, take),
      .optional = true,
      .main = true,
      .doc = "A pattern of the file's name in which {} stands for the owner and * for anything; without it the "
             "name up to its ending." },
};

const wm_owner_ops wm_owner_file = {
    .member = { .name = "file",
                .doc = "One client for each file, or for each part of the files' names.",
                .options = file_option_table,
                .n_options = sizeof file_option_table / sizeof *file_option_table,
                .options_size = sizeof(file_options),
                .check = file_check },
    .find = file_find,
};

const wm_owner_ops wm_owner_none = {
    .member = { .name = "none", .doc = "All readings belong to one client." },
    .find = none_find,
};
