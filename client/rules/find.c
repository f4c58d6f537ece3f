/* client/rules/find.c
 *
 * The owners that are in the data: named by a column, by the files, or one for all. */
#include "client/rules/rule.h"

#include "common/config/document.h"

#include <string.h>

typedef struct column_options {
    const char *name;
} column_options;

typedef struct group_options {
    const char    *column;
    const wm_yaml *of;
} group_options;

typedef struct file_options {
    const char *take;
} file_options;

static void column_find(const void *options, wm_ownership *ownership)
{
    ownership->column = ((const column_options *)options)->name;
}

static void group_find(const void *options, wm_ownership *ownership)
{
    ownership->column = ((const group_options *)options)->column;
    ownership->groups = ((const group_options *)options)->of;
}

/* Is the text listed before the node `until`? */
static bool is_listed(const wm_yaml *of, const wm_yaml *until)
{
    for (const wm_yaml *group = of->first; group != NULL; group = group->next)
        for (const wm_yaml *node = group->first; node != NULL; node = node->next)
            if (node == until)
                return false;
            else if (strcmp(node->text, until->text) == 0)
                return true;
    return false;
}

static void group_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_yaml *of = ((const group_options *)options)->of;

    if (of->kind != WM_YAML_MAP || of->count == 0) {
        wm_faults_add(faults, of->place, path, "a mapping from owners to lists of the column's texts belongs here");
        return;
    }
    (void)place;
    for (const wm_yaml *group = of->first; group != NULL; group = group->next) {
        if (group->kind != WM_YAML_LIST || group->count == 0)
            wm_faults_add(faults, group->place, path, "the owner %.64s needs a list of the column's texts",
                          group->key);
        for (const wm_yaml *node = group->first; node != NULL; node = node->next)
            if (node->kind != WM_YAML_SCALAR)
                wm_faults_add(faults, node->place, path, "the owner %.64s is a list of texts", group->key);
            else if (is_listed(of, node))
                wm_faults_add(faults, node->place, path, "\"%.64s\" is listed twice", node->text);
    }
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

static void month_find(const void *options, wm_ownership *ownership)
{
    (void)options;
    ownership->by_month = true;
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

static const wm_option group_option_table[] = {
    { .name = "column",
      .kind = WM_WORD,
      .offset = offsetof(group_options, column),
      .doc = "The column whose text tells which group a row is of." },
    { .name = "of",
      .kind = WM_YAML,
      .offset = offsetof(group_options, of),
      .says = "a mapping from owners to lists of texts",
      .doc =
          "The owners, each with the texts of its rows: {harbour: [S1, S2], old-town: [S3]}. A row whose text is in "
          "no list is nobody's, and is left out." },
};

const wm_owner_ops wm_owner_groups = {
    .member = { .name = "groups",
                .doc = "One client for several values of a column: the sensors of a district.",
                .options = group_option_table,
                .n_options = sizeof group_option_table / sizeof *group_option_table,
                .options_size = sizeof(group_options),
                .check = group_check },
    .find = group_find,
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

const wm_owner_ops wm_owner_month = {
    .member = { .name = "month", .doc = "One client for each month (2014-01) of the readings' local time." },
    .find = month_find,
};

const wm_owner_ops wm_owner_none = {
    .member = { .name = "none", .doc = "All readings belong to one client." },
    .find = none_find,
};
