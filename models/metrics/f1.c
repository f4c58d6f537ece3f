/* models/metrics/f1.c
 *
 * F1 = 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall (van Rijsbergen 1979): of one class against
 * the rest (binary), or the mean of that over the classes (macro). As scikit-learn's f1_score, a class that is neither
 * there nor predicted is left out of the mean. An example with NaN among its logits is predicted to be of no class. */
#include "common/sizes.h"
#include "models/metric.h"

#include <math.h>
#include <stdio.h>

typedef enum f1_average { BINARY, MACRO } f1_average;

typedef struct f1_options {
    int     average; /* f1_average */
    int64_t positive;
} f1_options;

enum { TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES, SUMS }; /* of a class; sums[C][3] */

static size_t f1_sums(const void *options, const wm_metric_head *head)
{
    size_t n;

    (void)options;
    return wm_size_mul(head->width, SUMS, &n) ? n : SIZE_MAX;
}

static const char *f1_mismatch(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    const f1_options *self = options;

    if (self->average == BINARY && head->width != 2) {
        snprintf(text, WM_ERROR_TEXT, "is of one class of two, and there are %zu; write f1: macro for the mean",
                 head->width);
        return text;
    }
    return NULL;
}

static const char *f1_label(const void *options)
{
    return ((const f1_options *)options)->average == MACRO ? "f1_macro" : "f1";
}

static void f1_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums)
{
    (void)options;
    for (size_t i = 0; i < batch->n; i++) {
        int32_t guess = wm_metric_class(batch->predicted + i * head->width, head->width), c = batch->classes[i];

        if (guess == c) {
            sums[(size_t)c * SUMS + TRUE_POSITIVES]++;
            continue;
        }
        sums[(size_t)c * SUMS + FALSE_NEGATIVES]++;
        if (guess >= 0)
            sums[(size_t)guess * SUMS + FALSE_POSITIVES]++;
    }
}

/* NaN: the class is neither there nor predicted. */
static double f1_of(const double *sums)
{
    double all = 2 * sums[TRUE_POSITIVES] + sums[FALSE_POSITIVES] + sums[FALSE_NEGATIVES];

    return all > 0 ? 2 * sums[TRUE_POSITIVES] / all : NAN;
}

static double f1_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    const f1_options *self = options;
    double            mean = 0, classes = 0;

    if (!(count > 0))
        return NAN;
    if (self->average == BINARY) {
        double f1 = f1_of(sums + (size_t)self->positive * SUMS);

        return isnan(f1) ? 0 : f1; /* as scikit-learn's zero_division */
    }
    for (size_t c = 0; c < head->width; c++) {
        double f1 = f1_of(sums + c * SUMS);

        if (!isnan(f1)) {
            mean += f1;
            classes++;
        }
    }
    return mean / classes;
}

static const char *const averages[] = { "binary", "macro", NULL };

static const wm_option options[] = {
    { .name = "average",
      .kind = WM_CHOICE,
      .offset = offsetof(f1_options, average),
      .words = averages,
      .standard = "binary",
      .main = true,
      .doc = "binary: of the positive class, where there are two; macro: the mean over all classes." },
    { .name = "positive",
      .kind = WM_WHOLE,
      .offset = offsetof(f1_options, positive),
      .least = 0,
      .most = 1,
      .standard = "1",
      .doc = "The positive class, for binary: the alarm, the attack." },
};

const wm_metric_ops wm_metric_f1 = {
    .member = { .name = "f1",
                .doc = "Harmonic mean of precision and recall; higher is better.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(f1_options) },
    .for_classes = true,
    .better = WM_HIGHER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .value_most = 1,
    .n_sums = f1_sums,
    .mismatch = f1_mismatch,
    .label = f1_label,
    .add = f1_add,
    .figure = f1_figure,
};
