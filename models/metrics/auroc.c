/* models/metrics/auroc.c
 *
 * Area under the receiver operating characteristic: the share of pairs of a positive and a negative example in which the
 * positive one has the higher score, equal scores counting half (Hanley and McNeil 1982). Of more than two classes the
 * mean over the classes of each against the rest (macro), of those that have examples on both sides.
 *
 * No score leaves a client: it counts its examples in a histogram of `bins` bins, positives and negatives apart, and
 * histograms add up. The figure is that of scores rounded to their bin: only pairs within one bin are not told apart, so
 * it is off by at most
 *
 *     1/2 sum_b P_b N_b / (P N)        P_b, N_b: positives and negatives in bin b
 *
 * which the histogram itself says, and which is 1 / (2 bins) where scores are spread evenly. The score s of a class is
 * the log-odds of its softmax probability (z1 - z0 of two classes). Its bin is by s / (8 + |s|), which has all numbers in
 * -1 to 1: with 256 bins they are 1/16 wide about even odds, 1/4 at 3000 to 1, and there is no score beyond the last.
 *
 * A NaN is never a good score: a positive example's is the lowest, a negative one's the highest. */
#include "common/sizes.h"
#include "models/metric.h"

#include <assert.h>
#include <math.h>

typedef struct auroc_options {
    int64_t bins;
} auroc_options;

enum { NEGATIVE, POSITIVE, SIDES }; /* sums[classes][bins][2], of two classes only [bins][2] for class 1 */

static const double middle = 8; /* log-odds at which half of a side's bins are behind */

static size_t one_against_rest(const wm_metric_head *head)
{
    return head->width == 2 ? 1 : head->width;
}

static size_t auroc_sums(const void *options, const wm_metric_head *head)
{
    size_t n;

    return wm_size_mul(one_against_rest(head), SIDES * (size_t)((const auroc_options *)options)->bins, &n)
               ? n
               : SIZE_MAX;
}

static const char *auroc_mismatch(const void *options, const wm_metric_head *head, char text[WM_ERROR_TEXT])
{
    (void)options;
    (void)text;
    return head->width < 2 ? "tells classes apart, and there is one" : NULL;
}

/* log(p / (1 - p)) with p the softmax probability of class c. */
static double log_odds(const float *z, size_t width, size_t c)
{
    double most = -INFINITY, sum = 0;

    for (size_t j = 0; j < width; j++)
        if (j != c && (double)z[j] > most)
            most = (double)z[j];
    for (size_t j = 0; j < width; j++)
        sum += j != c ? exp((double)z[j] - most) : 0;
    return (double)z[c] - most - log(sum);
}

static size_t bin_of(double score, bool positive, size_t bins)
{
    double place = isnan(score)   ? positive ? -1.0 : 1.0
                   : isinf(score) ? score > 0 ? 1.0 : -1.0
                                  : score / (middle + fabs(score));
    double bin = floor((place + 1) / 2 * (double)bins);

    return bin < (double)bins ? (size_t)bin : bins - 1;
}

static void auroc_add(const void *options, const wm_metric_head *head, const wm_metric_batch *batch, double *sums)
{
    size_t bins = (size_t)((const auroc_options *)options)->bins, width = head->width;

    for (size_t i = 0; i < batch->n; i++)
        for (size_t k = 0; k < one_against_rest(head); k++) {
            size_t c = width == 2 ? 1 : k;
            bool   positive = (size_t)batch->classes[i] == c;
            double score = log_odds(batch->predicted + i * width, width, c);

            sums[(k * bins + bin_of(score, positive, bins)) * SIDES + (positive ? POSITIVE : NEGATIVE)]++;
        }
}

/* Of one histogram [bins][2]; NaN if one side is empty. */
static double area(const double *histogram, size_t bins)
{
    double below = 0, positives = 0, pairs = 0;

    for (size_t b = 0; b < bins; b++) {
        const double *bin = histogram + b * SIDES;

        pairs += bin[POSITIVE] * (below + bin[NEGATIVE] / 2);
        below += bin[NEGATIVE];
        positives += bin[POSITIVE];
    }
    return below > 0 && positives > 0 ? pairs / (below * positives) : NAN;
}

static double auroc_figure(const void *options, const wm_metric_head *head, const double *sums, double count)
{
    size_t bins = (size_t)((const auroc_options *)options)->bins;
    double sum = 0, classes = 0;

    (void)count;
    for (size_t k = 0; k < one_against_rest(head); k++) {
        double one = area(sums + k * bins * SIDES, bins);

        if (!isnan(one)) {
            sum += one;
            classes++;
        }
    }
    return classes > 0 ? sum / classes : NAN;
}

static const wm_option options[] = {
    { .name = "bins",
      .kind = WM_WHOLE,
      .offset = offsetof(auroc_options, bins),
      .least = 2,
      .most = 512, /* twice that is WM_MEASURE_SUMS_MAX */
      .standard = "256",
      .main = true,
      .doc =
          "Bins of the histogram of scores that clients send: the figure is exact but for pairs in the same bin." },
};

const wm_metric_ops wm_metric_auroc = {
    .member = { .name = "auroc",
                .doc =
                    "Area under the ROC curve, out of a histogram of scores; of more than two classes the mean of "
                    "each against the rest. Higher is better, 0.5 is chance.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(auroc_options) },
    .for_classes = true,
    .better = WM_HIGHER_IS_BETTER,
    .unit = "share",
    .exact = true,
    .value_most = 1,
    .n_sums = auroc_sums,
    .mismatch = auroc_mismatch,
    .add = auroc_add,
    .figure = auroc_figure,
};
