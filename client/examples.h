/* client/examples.h
 *
 * One client's examples, ready to be drawn in batches: readings cleaned, windows laid, split in three parts. Readings
 * are kept once; an example is an index, and a batch is gathered from them when it is asked for. Immutable after
 * wm_examples_scale; may then be gathered from by several threads.
 *
 * The way there: a source gives readings -> owners divides them -> windows lays examples -> statistics and scaling. */
#ifndef WM_CLIENT_EXAMPLES_H
#define WM_CLIENT_EXAMPLES_H

#include "common/job/scaling.h"
#include "models/batch.h"
#include "models/metric.h"

typedef struct wm_examples wm_examples;

typedef enum wm_part { WM_TRAIN, WM_VALIDATE, WM_TEST, WM_PARTS } wm_part;

size_t wm_examples_count(const wm_examples *examples, wm_part part);

/* What was read and what became of it: for logs, `check` and the report. */
typedef struct wm_examples_summary {
    size_t rows;    /* readings' rows in the sources */
    size_t missing; /* readings that were absent, unreadable or out of range, over the columns that are used */
    size_t filled;  /* of these, filled by the columns' rules */
    size_t dropped; /* examples left out because a gap lies in their window or at their target */
    size_t counts[WM_PARTS];
} wm_examples_summary;
void wm_examples_summarise(const wm_examples *examples, wm_examples_summary *ret);

/* Room for batches of up to batch_max examples; each thread that gathers has its own. WM_E_NOMEM. */
typedef struct wm_batch_room wm_batch_room;
wm_status wm_batch_room_new(const wm_job *job, size_t batch_max, wm_batch_room **ret, wm_error *err);
void      wm_batch_room_free(wm_batch_room *room);

/* The batch of examples index[0..n-1] of `part`, in that order, scaled; points into `room`. n <= batch_max. */
void wm_examples_gather(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                        wm_batch_room *room, wm_batch *ret);

/* ---- of examples that are to be predicted (wm_owners_settings.predict) ---- */

/* When an example is: UTC ms of its newest reading; the number of the row or image where there is no time. */
int64_t wm_examples_time(const wm_examples *examples, wm_part part, uint32_t index);

/* Whether target t of it was read; in a batch one that was not is NaN, or class 0. */
bool wm_examples_known(const wm_examples *examples, wm_part part, uint32_t index, size_t t);

/* Instead of wm_examples_scale: as those are scaled, which are of the same job. */
void wm_examples_scale_like(wm_examples *examples, const wm_examples *like);

/* ---- scaling ---- */

/* Fills an update of wm_statistics_spec from the training part. WM_E_REFUSED with fewer than data.rows_min rows. */
wm_status wm_examples_statistics(const wm_examples *examples, wm_update *update, wm_error *err);

/* Must be called once before the first gather; scaling NULL: the job needs none. Computes client scaling itself. */
wm_status wm_examples_scale(wm_examples *examples, const wm_scaling *scaling, wm_error *err);

/* values[n][width of target], predictions or truths as the model sees them, become the data's own units. A
 * `difference` target becomes the value at the horizon; an input that is given back stays as it is. index as in gather. */
void wm_examples_unscale(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t target,
                         float *values);

/* values[n][all of the input], as the model sees them, become the data's own units where they are of a column of numbers. */
void wm_examples_unscale_input(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                               size_t input, float *values);

/* values[n][width] <- the naive prediction in the data's units: persistence. For a class target: logits of the
 * majority class of this client's training part. For an input that is given back: 0, the mean of whatever is scaled. */
void wm_examples_naive(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t target,
                       float *values);

/* labels[n] <- whether each example is an anomaly, by the job's column for that, at the time of target t's farthest
 * horizon. Without such a column all are normal. */
void wm_examples_labels(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t t,
                        wm_normality *labels);

/* yardsticks[n] <- for measure m of the job, which has a season: how far persistence from a season ago was out, on
 * average, over the readings that each example's client trained on; 0 where there are no two of them, or all are equal. */
void wm_examples_yardsticks(const wm_examples *examples, wm_part part, const uint32_t *index, size_t n, size_t m,
                            double *yardsticks);

/* One that never trains has no majority and no mean of its own: its naive prediction becomes that of `from`. Before any
 * thread uses them. */
void wm_examples_take_naive(wm_examples *examples, const wm_examples *from);

void wm_examples_free(wm_examples *examples);

#endif
