/* models/metrics/detection.c
 *
 * A model as a detector of anomalies, and the threshold that makes it one (the job's evaluate.anomaly). An example's score
 * is its loss: how far off what the model made of it was. Each client counts the scores of its normal examples that were
 * not trained on (the validation part; the training part where there is none) in a histogram of `bins` bins, evenly over
 * the logarithm from 2^-16 to 2^16: whole numbers, and nothing else leaves it. The threshold is the lowest edge of a bin
 * with no more than the wanted share of false alarms at or above it, over all clients together: an example is an alarm if
 * its score is at or above it. So it is at most one bin above the quantile itself, a factor of 2^(32 / bins): 9 % with 256.
 *
 * The part that is measured is counted alike, normal examples and anomalies apart; since the threshold is an edge, what
 * follows at it (recall, precision, F1, false alarms) is exact, and AUROC is exact but for pairs within a bin (auroc.c).
 * One histogram serves all figures. Sums are [3][bins]. Of a client alone the figures are at the client's own threshold.
 *
 * A NaN is never a good score: a normal example's is the highest, an anomaly's the lowest. */
#include "models/metric.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CALIBRATION, NORMAL, ANOMALOUS, SECTIONS };

static const double log_least = -16, log_most = 16;

typedef enum detection_figure { F1, RECALL, PRECISION, AUROC } detection_figure;

typedef struct detection_options {
    int figure;
} detection_options;

static size_t bins_of(const wm_metric_head *head)
{
    return (size_t)head->anomaly->bins;
}

static size_t detection_sums(const void *options, const wm_metric_head *head)
{
    (void)options;
    return SECTIONS * bins_of(head);
}

static const char *detection_mismatch(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    (void)options;
    (void)text;
    return head->anomaly == NULL ? "is of a detector, which evaluate.anomaly makes of a target of values" : NULL;
}

static const char *label_mismatch(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    const char *why = detection_mismatch(options, head, text);

    return why == NULL && head->anomaly->label == NULL
               ? "needs to know which examples are anomalies; give evaluate.anomaly a label"
               : why;
}

static size_t bin_of(double score, bool high_if_nan, size_t bins)
{
    double place;

    if (isnan(score))
        return high_if_nan ? bins - 1 : 0;
    if (!(score > 0))
        return 0;
    place = floor((log2(score) - log_least) / (log_most - log_least) * (double)bins);
    return place < 0 ? 0 : place >= (double)bins ? bins - 1 : (size_t)place;
}

static void detection_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch,
                          double *sums)
{
    size_t bins = bins_of(head);

    (void)options;
    if (batch->scores == NULL)
        return;
    for (size_t i = 0; i < batch->n; i++) {
        bool   normal = batch->labels[i] == WM_NORMAL;
        size_t section = batch->calibration ? CALIBRATION : normal ? NORMAL : ANOMALOUS;

        if (batch->labels[i] != WM_NOT_KNOWN && (normal || !batch->calibration))
            sums[section * bins + bin_of(batch->scores[i], normal, bins)]++;
    }
}

void wm_metric_take_threshold(const wm_metric_head *head, double *sums, const double *from)
{
    memcpy(sums + CALIBRATION * bins_of(head), from + CALIBRATION * bins_of(head), bins_of(head) * sizeof *sums);
}

static double total(const double *histogram, size_t bins)
{
    double sum = 0;

    for (size_t b = 0; b < bins; b++)
        sum += histogram[b];
    return sum;
}

/* The first bin that is an alarm; `bins` if none can be without too many false ones. */
static size_t first_alarm(const wm_metric_head *head, const double *sums)
{
    const double *normal = sums + CALIBRATION * bins_of(head);
    double        allowed = head->anomaly->false_alarms * total(normal, bins_of(head)), above = 0;
    size_t        b = bins_of(head);

    while (b > 0 && above + normal[b - 1] <= allowed)
        above += normal[--b];
    return b;
}

/* P(score of an anomaly > of a normal example) + half of those in the same bin. */
static double area(const double *normal, const double *anomalous, size_t bins)
{
    double below = 0, pairs = 0;

    for (size_t b = 0; b < bins; b++) {
        pairs += anomalous[b] * (below + normal[b] / 2);
        below += normal[b];
    }
    return pairs / (below * total(anomalous, bins));
}

static double detection_figure_of(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    size_t        bins = bins_of(head), first = first_alarm(head, sums);
    const double *normal = sums + NORMAL * bins, *anomalous = sums + ANOMALOUS * bins;
    double        hits = total(anomalous + first, bins - first), anomalies = total(anomalous, bins);
    double        alarms = hits + total(normal + first, bins - first);

    (void)count;
    if (!(total(sums, bins) > 0) || !(anomalies > 0))
        return NAN; /* no threshold, or nothing to detect */
    switch ((detection_figure)((const detection_options *)options)->figure) {
    case F1:
        return 2 * hits / (alarms + anomalies);
    case RECALL:
        return hits / anomalies;
    case PRECISION:
        return alarms > 0 ? hits / alarms : 0;
    case AUROC:
        return total(normal, bins) > 0 ? area(normal, anomalous, bins) : NAN;
    }
    return NAN;
}

static const char *detection_label(const void *options)
{
    static const char *const labels[] = { "detection_f1", "detection_recall", "detection_precision",
                                          "detection_auroc" };

    return labels[((const detection_options *)options)->figure];
}

static const char *const figures[] = { "f1", "recall", "precision", "auroc", NULL };

static const wm_option options[] = {
    { .name = "figure",
      .kind = WM_CHOICE,
      .offset = offsetof(detection_options, figure),
      .words = figures,
      .standard = "f1",
      .main = true,
      .doc = "f1, recall or precision of the anomalies at the threshold, or auroc, over all thresholds." },
};

const wm_metric_ops wm_metric_detection = {
    .member = { .name = "detection",
                .doc =
                    "How well anomalies are told from normal examples (evaluate.anomaly with a label); higher is "
                    "better.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(detection_options) },
    .better = WM_HIGHER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .detects = true,
    .value_most = 1,
    .n_sums = detection_sums,
    .mismatch = label_mismatch,
    .label = detection_label,
    .add = detection_add,
    .figure = detection_figure_of,
};

/* ---- false alarms ---- */

static double rate_aim(const void *none, const wm_metric_head *head)
{
    (void)none;
    return head->anomaly->false_alarms;
}

static double rate_figure(const void *none, const wm_metric_head *head, const double *sums, double count)
{
    size_t        bins = bins_of(head), first = first_alarm(head, sums);
    const double *normal = sums + NORMAL * bins;

    (void)none;
    (void)count;
    if (!(total(sums, bins) > 0) || !(total(normal, bins) > 0))
        return NAN;
    return total(normal + first, bins - first) / total(normal, bins);
}

const wm_metric_ops wm_metric_false_alarms = {
    .member = { .name = "false_alarms",
                .doc =
                    "Share of the normal examples that are taken for an anomaly at the threshold (evaluate.anomaly): "
                    "right is what the job asks for." },
    .better = WM_NEARER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .detects = true,
    .value_most = 1,
    .n_sums = detection_sums,
    .mismatch = detection_mismatch,
    .aim = rate_aim,
    .add = detection_add,
    .figure = rate_figure,
};

/* ---- the threshold itself: a figure of every job that makes a detector, and of no other ---- */

static double threshold_figure(const void *none, const wm_metric_head *head, const double *sums, double count)
{
    size_t bins = bins_of(head), first = first_alarm(head, sums);

    (void)none;
    (void)count;
    if (!(total(sums, bins) > 0) || first == bins)
        return NAN; /* no normal example, or all of them are beyond what is counted */
    return exp2(log_least + (log_most - log_least) * (double)first / (double)bins);
}

static const wm_metric_ops threshold = {
    .member = { .name = "threshold", .doc = "The score from which on an example is an alarm." },
    .better = WM_NEITHER_IS_BETTER,
    .unit = "loss from which on it is an alarm",
    .exact = true,
    .detects = true,
    .value_most = 1,
    .n_sums = detection_sums,
    .mismatch = detection_mismatch,
    .add = detection_add,
    .figure = threshold_figure,
};

const wm_choice wm_metric_threshold = { .member = &threshold.member, .path = "evaluate.anomaly" };
