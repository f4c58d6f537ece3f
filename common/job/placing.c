/* common/job/placing.c
 *
 * data.examples: which of the rows that have a whole window and a target become examples. */
#include "common/job/draft.h"
#include "common/job/tables.h"

typedef struct examples_draft {
    int64_t     every;
    const char *within;
} examples_draft;

static const wm_option examples_options[] = {
    { .name = "every",
      .kind = WM_WHOLE,
      .offset = offsetof(examples_draft, every),
      .least = 1,
      .most = 1000000,
      .standard = "1",
      .main = true,
      .doc =
          "Only each so many-th row of a series is the end of an example's window: 64 lets windows of 128 overlap "
          "by half." },
    { .name = "within",
      .kind = WM_WORD,
      .offset = offsetof(examples_draft, within),
      .optional = true,
      .doc = "A column that must have been read, and be the same, in all rows of an example's windows, such as an "
             "activity; `every` then counts from where it last changed." },
};

const wm_member wm_job_examples_table = {
    .name = "examples",
    .doc = "Which rows become examples. Without it, all that have a whole window and a target.",
    .options = examples_options,
    .n_options = sizeof examples_options / sizeof *examples_options,
    .options_size = sizeof(examples_draft),
};

void wm_job_read_examples(wm_job_draft *draft)
{
    wm_job_data   *data = &draft->job.data;
    examples_draft examples = { .every = 1 };
    const wm_yaml *within;

    if (draft->examples == NULL)
        return;
    wm_table_read(&draft->reader, &wm_job_examples_table, draft->examples, draft->examples->place, "data.examples",
                  &examples);
    data->every = examples.every;
    data->within = examples.within;
    within = draft->examples->kind == WM_YAML_MAP ? wm_yaml_get(draft->examples, "within") : NULL;
    if (within != NULL && examples.within != NULL && wm_job_find_column(&draft->job, examples.within) == NULL)
        wm_job_fault_column(draft, examples.within, within->place, "data.examples.within");
}
