/* models/losses/cross_entropy.c
 *
 * Softmax cross-entropy from logits z, as torch.nn.CrossEntropyLoss:  log sum_j exp(z_j) - z_c, gradient softmax(z) -
 * one-hot(c). The largest logit is taken off first, so nothing overflows; sums are in double. */
#include "models/loss.h"

#include <math.h>

/* One example; *total: sum of exp(z - max). A NaN anywhere makes it NaN. */
static double example(const float *z, size_t width, int32_t c, double *max, double *total)
{
    double m = (double)z[0], sum = 0;

    for (size_t j = 1; j < width; j++)
        m = (double)z[j] > m ? (double)z[j] : m;
    for (size_t j = 0; j < width; j++)
        sum += exp((double)z[j] - m);
    *max = m;
    *total = sum;
    return m + log(sum) - (double)z[c];
}

static double cross_entropy_sum(const void *options, const float *predicted, const float *truth,
                                const int32_t *classes, size_t n, size_t width, float *grad, double scale)
{
    double sum = 0;

    (void)options;
    (void)truth;
    for (size_t i = 0; i < n; i++) {
        const float *z = predicted + i * width;
        double       max, total;

        sum += example(z, width, classes[i], &max, &total);
        if (grad == NULL)
            continue;
        for (size_t j = 0; j < width; j++)
            grad[i * width + j] =
                (float)(scale * (exp((double)z[j] - max) / total - (j == (size_t)classes[i] ? 1 : 0)));
    }
    return sum;
}

const wm_loss_ops wm_loss_cross_entropy = {
    .member = { .name = "cross_entropy", .doc = "Softmax cross-entropy of a class target; the head gives logits." },
    .for_classes = true,
    .sum = cross_entropy_sum,
};
