/* common/job/draft.h
 *
 * A job while it is read, for the files of this folder. The tables of options fill what they can at once, straight into
 * the record; lists and mappings whose entries have names of the analyst's own are left as trees, and are then read in
 * an order in which each may ask for what came before: columns, inputs and targets, split, layers, losses.
 *
 * Every reader adds its faults and goes on; nothing of the record is used once there is one. */
#ifndef WM_COMMON_JOB_DRAFT_H
#define WM_COMMON_JOB_DRAFT_H

#include "common/config/options.h"
#include "common/job/job.h"

typedef struct wm_time_draft {
    wm_words    columns;
    const char *column; /* `column: t` says the same as `columns: [t]` */
    const char *zone, *format, *start;
    int64_t     step_ms;
    bool        events;
} wm_time_draft;

typedef struct wm_job_draft {
    wm_job                 job;
    const wm_job_families *families;
    wm_reader              reader;
    wm_time_draft          time;
    const struct wm_yaml  *columns, *inputs, *targets, *examples, *split; /* of data */
    const struct wm_yaml  *layers, *loss, *losses;                        /* of model */
    const struct wm_yaml  *personal, *freeze, *start;                     /* of model */
    wm_place               data_place, model_place;
} wm_job_draft;

/* Each reads its part of the draft, in this order. */
void wm_job_read_time(wm_job_draft *draft);
void wm_job_read_columns(wm_job_draft *draft);
void wm_job_read_inputs(wm_job_draft *draft);
void wm_job_read_targets(wm_job_draft *draft);
void wm_job_read_examples(wm_job_draft *draft);
void wm_job_check_ranges(wm_job_draft *draft); /* columns that are used and scaled `federated` */
void wm_job_read_split(wm_job_draft *draft);
void wm_job_read_layers(wm_job_draft *draft);
void wm_job_read_start(wm_job_draft *draft);
void wm_job_read_losses(wm_job_draft *draft);

extern const wm_member wm_job_time_table;

/* A list of names of layers, each of which is told to `mark`; a lone name is a list of one. */
void wm_job_mark_layers(wm_job_draft *draft, const struct wm_yaml *list, const char *path,
                        void (*mark)(wm_job_draft *draft, wm_job_layer *layer, wm_place place, const char *path));

/* Names of inputs, targets and layers: a letter or _, then letters, digits, _ and -, 63 characters at most. A fault
 * otherwise; `what`: "an input". */
bool wm_job_check_name(wm_reader *reader, const char *name, wm_place place, const char *path, const char *what);

/* A mapping from names to `what` ("columns"), with at least one; false after a fault if it is anything else. */
bool wm_job_check_entries(wm_reader *reader, const wm_yaml *map, const char *path, const char *what);

/* A column that is named and not declared. */
void wm_job_fault_column(wm_job_draft *draft, const char *name, wm_place place, const char *path);

bool wm_words_have(const wm_words *words, const char *word);

#endif
