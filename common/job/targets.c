/* common/job/targets.c
 *
 * data.targets: what is to be predicted. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <string.h>

typedef struct target_draft {
    const char  *column, *input;
    wm_durations ahead;
    wm_wholes    steps;
    wm_reals     above; /* at most one; a list, so that 0 is not the same as absent */
    bool         difference;
    int64_t      classes;
    int          missing;
} target_draft;

/* One rule so far; a name of its own keeps room for others. */
static const char *const missing_rules[] = { "skip", NULL };

static void check_target(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const target_draft *t = options;
    size_t              horizons = t->ahead.count + t->steps.count;

    if ((t->column != NULL) == (t->input != NULL))
        wm_faults_add(faults, place, path, "is of a `column`, or of an `input` that is to be given back");
    if (t->input != NULL && (horizons > 0 || t->above.count > 0 || t->difference || t->classes > 0))
        wm_faults_add(faults, place, path, "an input is given back as it is, now; leave the rest out");
    if (t->ahead.count > 0 && t->steps.count > 0)
        wm_faults_add(faults, place, path, "has `ahead` and `steps`; one of them says it");
    for (size_t i = 1; i < t->ahead.count; i++)
        if (t->ahead.items[i - 1] >= t->ahead.items[i])
            wm_faults_add(faults, place, path, "the horizons of `ahead` must rise");
    for (size_t i = 1; i < t->steps.count; i++)
        if (t->steps.items[i - 1] >= t->steps.items[i])
            wm_faults_add(faults, place, path, "the horizons of `steps` must rise");
    if (t->difference && horizons == 0)
        wm_faults_add(faults, place, path, "`difference` is the change until a horizon: give `ahead`");
    if (t->difference && t->classes > 0)
        wm_faults_add(faults, place, path, "classes have no `difference`");
    if (t->above.count > 1)
        wm_faults_add(faults, place, path, "an alarm has one level; give each `above` a target of its own");
    if (t->above.count > 0 && t->classes > 0)
        wm_faults_add(faults, place, path, "`above` makes two classes of a number; leave `classes` out");
    if ((t->classes > 0 || t->above.count > 0) && horizons > 1)
        wm_faults_add(faults, place, path, "a class is predicted for one horizon; give each a target of its own");
}

static const wm_option target_options[] = {
    { .name = "column",
      .kind = WM_WORD,
      .offset = offsetof(target_draft, column),
      .optional = true,
      .doc = "The column that is predicted: one of data.columns, or the label of the source (`label` for idx)." },
    { .name = "input",
      .kind = WM_WORD,
      .offset = offsetof(target_draft, input),
      .optional = true,
      .doc =
          "Instead of a column: one of data.inputs, all of whose values are to be given back (an autoencoder). Errors "
          "are told as the model sees them, scaled." },
    { .name = "ahead",
      .kind = WM_DURATIONS,
      .offset = offsetof(target_draft, ahead),
      .least = 1,
      .most = 366.0 * 86400000,
      .optional = true,
      .doc =
          "How far ahead; a list predicts several horizons at once. Without it, the value at the example itself." },
    { .name = "steps",
      .kind = WM_WHOLES,
      .offset = offsetof(target_draft, steps),
      .least = 1,
      .most = 1000000,
      .optional = true,
      .doc = "The same in rows, for readings that have an order and no time: steps: 1 is the next one." },
    { .name = "above",
      .kind = WM_REALS,
      .offset = offsetof(target_draft, above),
      .optional = true,
      .doc =
          "An alarm: class 1 where the value (with `difference`, the change) is over this number, else class 0." },
    { .name = "difference",
      .kind = WM_BOOL,
      .offset = offsetof(target_draft, difference),
      .standard = "false",
      .doc = "Learn the change from now, not the value; metrics are of the value all the same." },
    { .name = "classes",
      .kind = WM_WHOLE,
      .offset = offsetof(target_draft, classes),
      .least = 2,
      .most = 100000,
      .optional = true,
      .doc = "The column is a label from 0 to this less one. Categories need not say how many they are." },
    { .name = "missing",
      .kind = WM_CHOICE,
      .offset = offsetof(target_draft, missing),
      .words = missing_rules,
      .standard = "skip",
      .doc = "An example whose target was not read (or was filled) is left out." },
};

const wm_member wm_job_target_table = {
    .name = "target",
    .doc = "One thing that is predicted; it has a loss of its own.",
    .options = target_options,
    .n_options = sizeof target_options / sizeof *target_options,
    .options_size = sizeof(target_draft),
    .check = check_target,
};

/* The number of classes of a list of categories is its length. */
static void take_categories(wm_job_draft *draft, const wm_job_column *column, wm_place place, const char *path,
                            wm_job_target *target)
{
    size_t categories = wm_job_categories(column);

    if (target->alarm)
        wm_faults_add(draft->reader.faults, place, path, "an alarm is raised by a number, and \"%.64s\" is a word",
                      column->name);
    else if (target->classes > 0 && (size_t)target->classes != categories)
        wm_faults_add(draft->reader.faults, place, path,
                      "%lld classes, but the column \"%.64s\" has %zu categories", (long long)target->classes,
                      column->name, categories);
    if (target->difference)
        wm_faults_add(draft->reader.faults, place, path, "categories have no `difference`");
    if (target->ahead.count > 1)
        wm_faults_add(draft->reader.faults, place, path,
                      "a category is predicted for one horizon; give each a target of its own");
    target->classes = (int64_t)categories;
}

static void check_column(wm_job_draft *draft, wm_place place, const char *path, wm_job_target *target)
{
    const wm_job_column *column = wm_job_find_column(&draft->job, target->column);

    if (column == NULL && (target->classes == 0 || target->alarm))
        wm_job_fault_column(draft, target->column, place, path);
    else if (column != NULL && column->kind == WM_COLUMN_CATEGORIES)
        take_categories(draft, column, place, path, target);
    else if (column != NULL && column->kind != WM_COLUMN_NUMBER)
        wm_faults_add(draft->reader.faults, place, path,
                      "the column \"%.64s\" is a %s; numbers and categories can be predicted", column->name,
                      column->kind == WM_COLUMN_COMPASS ? "compass" : "cycle");
    else if (column != NULL && column->log)
        wm_faults_add(draft->reader.faults, place, path,
                      "the column \"%.64s\" is transformed, and errors would be told in its logarithm; predict a "
                      "column without a transform",
                      column->name);
}

/* What is to be predicted must not be shown. */
static void check_hidden(wm_job_draft *draft, const wm_job_target *target, wm_place place, const char *path)
{
    const wm_job_data *data = &draft->job.data;

    for (size_t i = 0; i < data->n_inputs; i++)
        if (data->inputs[i].kind == WM_INPUT_AT && wm_words_have(&data->inputs[i].columns, target->column))
            wm_faults_add(draft->reader.faults, place, path,
                          "the input \"%s\" shows \"%.64s\" at the target's own time; take it out",
                          data->inputs[i].name, target->column);
}

static void find_input(wm_job_draft *draft, const char *name, wm_place place, const char *path,
                       wm_job_target *target)
{
    const wm_job_data *data = &draft->job.data;
    const char       **names = wm_reader_alloc(&draft->reader, data->n_inputs + 1, sizeof *names);

    target->of_input = true;
    if (names == NULL)
        return;
    for (size_t i = 0; i < data->n_inputs; i++) {
        names[i] = data->inputs[i].name;
        if (strcmp(names[i], name) == 0) {
            target->input = i;
            return;
        }
    }
    wm_fault_unknown(&draft->reader, place, path, "is not one of data.inputs", name, names, data->n_inputs);
}

static void read_target(wm_job_draft *draft, const wm_yaml *node, wm_job_target *ret)
{
    const char  *path = wm_path_key(&draft->reader, "data.targets", node->key);
    target_draft t = { 0 };

    wm_job_check_name(&draft->reader, node->key, node->key_place, path, "a target");
    wm_table_read(&draft->reader, &wm_job_target_table, node, node->place, path, &t);
    *ret = (wm_job_target){
        .name = node->key,
        .column = t.column,
        .ahead = t.steps.count > 0 ? (wm_durations){ t.steps.items, t.steps.count } : t.ahead,
        .rows_ahead = t.steps.count > 0,
        .difference = t.difference,
        .alarm = t.above.count > 0,
        .above = t.above.count > 0 ? t.above.items[0] : 0,
        .classes = t.above.count > 0 ? 2 : t.classes,
        .place = node->key_place,
    };
    if (t.ahead.count > 0 && !wm_job_paced(&draft->job))
        wm_faults_add(draft->reader.faults, node->place, path,
                      wm_job_timed(&draft->job)
                          ? "`ahead` needs readings at a regular distance; count events with `steps`"
                          : "`ahead` needs readings with a time: give data.time, or count rows with `steps`");
    if (t.input != NULL)
        find_input(draft, t.input, node->place, path, ret);
    if (t.column == NULL || t.input != NULL)
        return;
    check_column(draft, node->place, path, ret);
    check_hidden(draft, ret, node->place, path);
}

/* `reconstruction`, or {reconstruction: ...}: the one loss that says by itself what its target is. */
static bool is_reconstruction(const wm_yaml *loss)
{
    static const char name[] = "reconstruction";

    if (loss == NULL || loss->kind == WM_YAML_LIST)
        return false;
    return strcmp(loss->kind == WM_YAML_SCALAR ? loss->text : loss->count == 1 ? loss->first->key : "", name) == 0;
}

/* Without data.targets: the only input, if the loss is its reconstruction. */
static void take_input(wm_job_draft *draft)
{
    wm_job_data   *data = &draft->job.data;
    wm_job_target *target;

    if (!is_reconstruction(draft->loss)) {
        wm_faults_add(draft->reader.faults, draft->data_place, "data.targets",
                      "must be given: What it is to predict; only `loss: reconstruction` needs none");
        return;
    }
    if (data->n_inputs == 0)
        return; /* a fault already */
    if (data->n_inputs > 1) {
        wm_faults_add(
            draft->reader.faults, draft->loss->place, "model.loss",
            "there are %zu inputs: write data.targets: {NAME: {input: %.64s}} for each that is to be given "
            "back, and losses: {NAME: reconstruction, ...}",
            data->n_inputs, data->inputs[0].name);
        return;
    }
    target = wm_reader_alloc(&draft->reader, 1, sizeof *target);
    if (target == NULL)
        return;
    *target = (wm_job_target){ .name = "reconstruction", .of_input = true, .place = draft->loss->place };
    data->targets = target;
    data->n_targets = 1;
}

void wm_job_read_targets(wm_job_draft *draft)
{
    wm_job_data   *data = &draft->job.data;
    wm_job_target *targets;

    if (draft->targets == NULL) {
        take_input(draft);
        return;
    }
    if (!wm_job_check_entries(&draft->reader, draft->targets, "data.targets", "targets"))
        return;
    targets = wm_reader_alloc(&draft->reader, draft->targets->count, sizeof *targets);
    if (targets == NULL)
        return;
    data->targets = targets;
    for (const wm_yaml *node = draft->targets->first; node != NULL; node = node->next)
        read_target(draft, node, &targets[data->n_targets++]);
}
