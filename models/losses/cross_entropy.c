/* models/losses/cross_entropy.c
 *
 * Softmax cross-entropy from logits z, as torch.nn.CrossEntropyLoss with its class weights w and label smoothing s:
 *
 *     - sum_j t_j w_j log p_j   with p = softmax(z), t_j = s / C, and 1 - s more for the class itself
 *     gradient   p_j sum_k t_k w_k - t_j w_j
 *
 * The largest logit is taken off first, so nothing overflows; sums are in double. An example's loss counts its weight,
 * and a batch's mean is over its examples (PyTorch's is over their weights). */
#include "models/losses/class_weights.h"

#include <math.h>

typedef struct entropy_options {
    wm_reals class_weights; /* empty: all 1 */
    double   smoothing;
} entropy_options;

/* sum of exp(z - *max) */
static double exponentials(const float *z, size_t width, double *max)
{
    double m = (double)z[0], sum = 0;

    for (size_t j = 1; j < width; j++)
        m = (double)z[j] > m ? (double)z[j] : m;
    for (size_t j = 0; j < width; j++)
        sum += exp((double)z[j] - m);
    *max = m;
    return sum;
}

/* t_j w_j of an example of class c */
static double share(const entropy_options *self, size_t width, size_t j, size_t c)
{
    return wm_class_weight(&self->class_weights, j) *
           (self->smoothing / (double)width + (j == c ? 1 - self->smoothing : 0));
}

static double cross_entropy_sum(const void *options, const float *predicted, const float *truth,
                                const int32_t *classes, size_t n, size_t width, float *grad, double scale)
{
    const entropy_options *self = options;
    double                 sum = 0;

    (void)truth;
    for (size_t i = 0; i < n; i++) {
        const float *z = predicted + i * width;
        size_t       c = (size_t)classes[i];
        double       max, total = exponentials(z, width, &max), log_total = log(total), all = 0;

        for (size_t j = 0; j < width; j++) {
            double t = share(self, width, j, c);

            all += t;
            sum += t > 0 ? t * (max + log_total - (double)z[j]) : 0;
        }
        for (size_t j = 0; grad != NULL && j < width; j++)
            grad[i * width + j] =
                (float)(scale * (all * exp((double)z[j] - max) / total - share(self, width, j, c)));
    }
    return sum;
}

static void cross_entropy_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    wm_class_weights_check(&((const entropy_options *)options)->class_weights, faults, place, path);
}

static const char *cross_entropy_mismatch(const void *options, size_t width, char text[WM_ERROR_TEXT])
{
    return wm_class_weights_mismatch(&((const entropy_options *)options)->class_weights, width, text);
}

static const wm_option options[] = {
    { .name = "class_weights",
      .kind = WM_REALS,
      .offset = offsetof(entropy_options, class_weights),
      .optional = true,
      .doc = "What an example counts, for each class in order: larger for a class that is rare." },
    { .name = "smoothing",
      .kind = WM_REAL,
      .offset = offsetof(entropy_options, smoothing),
      .most = 0.999,
      .standard = "0",
      .doc = "Label smoothing: the share of the truth that is spread over all classes." },
};

static void cross_entropy_probabilities(const float *z, size_t width, double *p)
{
    double max, total = exponentials(z, width, &max);

    for (size_t j = 0; j < width; j++)
        p[j] = exp((double)z[j] - max) / total;
}

const wm_loss_ops wm_loss_cross_entropy = {
    .member = { .name = "cross_entropy",
                .doc = "Softmax cross-entropy of a class target; the head gives logits.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(entropy_options),
                .check = cross_entropy_check },
    .for_classes = true,
    .mismatch = cross_entropy_mismatch,
    .probabilities = cross_entropy_probabilities,
    .sum = cross_entropy_sum,
};
