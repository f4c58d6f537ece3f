/* models/evaluation.h
 *
 * How good a model was on some examples, as sums that add up over batches, clients and rounds: the figure of the sum is
 * the figure of all the examples together, whatever the sizes of the clients. A plain record; travels as it is. */
#ifndef WM_MODELS_EVALUATION_H
#define WM_MODELS_EVALUATION_H

#include "common/job/job.h"
#include "common/task.h"
#include "models/measures.h"

typedef struct wm_evaluation {
    uint64_t examples;
    double   loss_sum;                  /* NaN where there is no model (the naive prediction) */
    double   count;                     /* values of all targets, a class counting as one */
    double   sums[WM_MEASURE_SUMS_MAX]; /* [n_sums of the job's measures]; the rest is 0 */
} wm_evaluation;

/* A mean loss beyond this is reported as this, as that of training is: a model that has exploded at one client is bad news
 * that must count, and one client's figure must not drown all others'. */
#define WM_EVALUATION_LOSS_BOUND 1024.0

/* What cannot be is refused, with the contender's name in the sentence: no examples or more than `examples_most`
 * (WM_E_RANGE); a count that is not theirs (WM_E_RANGE); a loss or a sum that is not finite (WM_E_NONFINITE), or that no
 * such examples can have (WM_E_RANGE); a count that is not whole (WM_E_RANGE). The naive prediction has no loss: NaN. */
wm_status wm_evaluation_check(const wm_job *job, const wm_measures *measures, wm_contender contender,
                              const wm_evaluation *evaluation, uint64_t examples_most, wm_error *err);

/* Its loss, within the bound. */
void wm_evaluation_clamp(wm_evaluation *evaluation);

void wm_evaluation_add(wm_evaluation *to, const wm_evaluation *from);

/* A detector that is judged where it was not made takes its threshold along: that of `from` becomes that of `to`. Nothing,
 * where the job makes none. */
void wm_evaluation_take_threshold(const wm_measures *measures, wm_evaluation *to, const wm_evaluation *from);

/* NaN if there was no example. */
double wm_evaluation_figure(const wm_measure *measure, const wm_evaluation *evaluation);
double wm_evaluation_loss(const wm_evaluation *evaluation);

#endif
