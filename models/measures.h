/* models/measures.h
 *
 * What a job measures: each of its metrics, of each head that it can be taken of. A job with one head has a figure for
 * each metric, under the metric's name; where a metric is taken of several, the target's name goes before it:
 * "rise.rmse". A job that makes a detector has its threshold as the last of them. The figures' sums lie side by side in
 * one vector, of bounded length: those that are exact last. */
#ifndef WM_MODELS_MEASURES_H
#define WM_MODELS_MEASURES_H

#include "common/job/job.h"
#include "models/metric.h"

enum {
    WM_MEASURES_MAX = 8,
    /* Five contenders' sums as doubles are 40 KiB: with the rest of a report they fit a control message (64 KiB). */
    WM_MEASURE_SUMS_MAX = 1024,
    WM_MEASURE_NAME = 80,
};

typedef struct wm_measure {
    const wm_metric_ops *ops;
    const void          *options;
    size_t               target; /* in data.targets */
    wm_metric_head       head;
    size_t               first, n_sums; /* in the vector of sums */
    bool                 again;         /* they are those of a measure before it, which adds to them */
    char                 name[WM_MEASURE_NAME];
} wm_measure;

typedef struct wm_measures {
    size_t     n;
    wm_measure items[WM_MEASURES_MAX];
    size_t     n_sums; /* of all */
    size_t inexact; /* the first so many of them depend on the order in which they were added, in their last bits */
} wm_measures;

/* The measures of a job, in the order of its metrics and then of its targets: the first is the run's. What does not fit
 * (a metric that no head has, too many, two of the same name) is a fault at its place and left out; faults may be NULL
 * for a job that was checked. */
void wm_measures_of(const wm_job *job, wm_faults *faults, wm_measures *ret);

/* The threshold's place among them; measures->n if the job makes no detector. */
size_t wm_measures_threshold(const wm_measures *measures);

/* The name of the run's measure, the first; "metric" if it has none. text[WM_MEASURE_NAME] */
const char *wm_measure_first(const wm_job *job, char *text);

/* A figure so that more is worse: itself, its negative, or how far it is from what is right; NaN if neither is
 * better. NaN stays NaN. */
double wm_measure_badness(const wm_measure *measure, double figure);

/* "share; 0.8 is right", "in units of PM2.5": for charts and tables. text[WM_ERROR_TEXT] */
const char *wm_measure_unit(const wm_job *job, const wm_measure *measure, char *text);

#endif
