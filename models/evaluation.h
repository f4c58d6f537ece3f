/* models/evaluation.h
 *
 * How good a model was on some examples, as sums that add up over batches, clients and rounds: the figure of the sum is
 * the figure of all the examples together, whatever the sizes of the clients. A plain record; travels as it is. */
#ifndef WM_MODELS_EVALUATION_H
#define WM_MODELS_EVALUATION_H

#include "common/job/job.h"
#include "models/metric.h"

enum { WM_METRICS_MAX = 8 };

typedef struct wm_evaluation {
    uint64_t examples;
    double   loss_sum; /* NaN where there is no model (the naive prediction) */
    double   count;    /* what the metrics count: values, or examples of classes */
    double   sums[WM_METRICS_MAX][WM_METRIC_SUMS_MAX]; /* [metrics of the job] */
} wm_evaluation;

void wm_evaluation_add(wm_evaluation *to, const wm_evaluation *from);

/* NaN if there was no example. */
double wm_evaluation_metric(const wm_job *job, const wm_evaluation *evaluation, size_t metric);
double wm_evaluation_loss(const wm_evaluation *evaluation);

#endif
