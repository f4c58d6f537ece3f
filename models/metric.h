/* models/metric.h
 *
 * The family of metrics: how good predictions are, as sums that add up over batches, clients and rounds, and a last step
 * that makes the figure: rmse is sqrt(sum of squares / n). So a federated metric equals the pooled one exactly, whatever
 * the sizes of the clients. A metric says how many sums it needs: one for an error, a few for each class, a histogram.
 * Values are in the units of the data (scaling already undone), but for those of an input that is given back.
 *
 * A metric is taken of every head that it can be taken of: models/measures.h.
 *
 * Adding one: a file in models/metrics/, one line in metrics.c, and a row in tests/models/metrics/make.py, which works
 * the figure out by the definition of whoever invented it. */
#ifndef WM_MODELS_METRIC_H
#define WM_MODELS_METRIC_H

#include "common/job/job.h"
#include "common/status.h"

/* What is measured: one head and its target. */
typedef struct wm_metric_head {
    size_t                width;    /* values that an example has, or classes */
    bool                  classes;  /* a class is predicted, by logits */
    bool                  of_input; /* an input is given back; its values are as the model sees them, scaled */
    const double         *levels;   /* [n_levels]: quantiles that are predicted of each value, rising */
    size_t                n_levels;
    const wm_job_anomaly *anomaly; /* it makes a detector; NULL: it does not */
} wm_metric_head;

typedef enum wm_normality { WM_NORMAL, WM_ANOMALY, WM_NOT_KNOWN } wm_normality;

/* Predictions and truths of one head. */
typedef struct wm_metric_batch {
    size_t         n;
    const float   *predicted; /* [n][width]: values (of quantiles the one nearest the median), or logits */
    const float   *truth;     /* [n][width] values; NULL of classes */
    const int32_t *classes;   /* [n]; NULL of values */
    const float   *quantiles; /* [n][width][n_levels]; NULL of heads without, and of the naive prediction */
    const double
        *yardstick; /* [n]: how far persistence was out, on average, where the example's client trained; 0 if
                               * that is not known. NULL unless the metric has a `season` */
    /* Of a detector; NULL otherwise, and of a naive prediction that is none of an input. */
    const double       *scores; /* [n]: each example's loss */
    const wm_normality *labels; /* [n] */
    bool calibration; /* these examples are not measured: they are those by which the threshold is picked */
} wm_metric_batch;

typedef enum wm_better {
    WM_LOWER_IS_BETTER,
    WM_HIGHER_IS_BETTER,
    WM_NEARER_IS_BETTER, /* to `aim` */
    WM_NEITHER_IS_BETTER,
} wm_better;

typedef struct wm_metric_ops {
    wm_member   member;      /* first: see family.h */
    bool        for_classes; /* takes classes, not values */
    wm_better   better;
    const char *unit; /* "data": the target's own unit; "share": a number from 0 to 1; else a word for people */
    bool detects; /* is of a detector: also hears the examples by which the threshold is picked; all of them on a
                          * head have the same sums, which are kept once */
    bool exact;   /* its sums are counts, whole numbers: they add up to the same bits in any order */
    double
        value_most; /* the most that one counted value can add to a sum; the least is 0: what says more is refused */

    /* How many sums it needs. NULL: one. SIZE_MAX if that does not fit. */
    size_t (*n_sums)(const void *options, const wm_metric_head *head);

    /* Why it cannot be taken of such a head, a sentence that becomes a fault if there is no other; NULL if it can. May
     * be NULL. for_classes was looked at before. */
    const char *(*mismatch)(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT]);

    /* What it is called where its name alone does not say enough. NULL: its name. */
    const char *(*label)(const void *options);

    /* WM_NEARER_IS_BETTER: what a right figure is. */
    double (*aim)(const void *options, const wm_metric_head *head);

    /* The yardstick's season, in steps of the data. NULL: no yardstick is needed. */
    size_t (*season)(const void *options);

    void (*add)(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums);

    /* count: values seen (examples x width), or examples for classes. NaN where there is no figure. */
    double (*figure)(const void *options, const wm_metric_head *head, const double *sums, double count);
} wm_metric_ops;

/* The threshold of a detector, as a metric of its target. */
extern const wm_choice wm_metric_threshold;

/* Of sums [n_sums] of a detector's head: what picks the threshold becomes that of `from`. */
void wm_metric_take_threshold(const wm_metric_head *head, double *sums, const double *from);

/* The class that logits z[width] predict: the largest, of equal ones the first; -1 if there is a NaN among them. */
int32_t wm_metric_class(const float *z, size_t width);

#endif
