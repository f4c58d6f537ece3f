/* models/losses/binary_cross_entropy.c
 *
 * Each class against the rest, from logits, as torch.nn.BCEWithLogitsLoss with the one-hot class as its target:
 * max(z, 0) - z y + log(1 + exp(-|z|)), averaged over the classes; gradient sigmoid(z) - y. The classes need not add up
 * to one, which suits alarms and attacks that the training has not seen. */
#include "models/loss.h"

#include <math.h>

static double binary_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                         size_t n, size_t width, float *grad, double scale)
{
    double sum = 0, slope = scale / (double)width;

    (void)options;
    (void)truth;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++) {
            double z = (double)predicted[i * width + j], y = j == (size_t)classes[i] ? 1 : 0, e = exp(-fabs(z));

            sum += (z < 0 ? 0 : z) - z * y + log1p(e);
            if (grad != NULL)
                grad[i * width + j] = (float)(slope * ((z < 0 ? e : 1) / (1 + e) - y));
        }
    return sum / (double)width;
}

static void binary_probabilities(const float *z, size_t width, double *p)
{
    for (size_t j = 0; j < width; j++)
        p[j] = 1 / (1 + exp(-(double)z[j]));
}

const wm_loss_ops wm_loss_binary_cross_entropy = {
    .member = { .name = "binary_cross_entropy",
                .doc = "Each class against the rest, from logits that need not agree with one another." },
    .for_classes = true,
    .probabilities = binary_probabilities,
    .sum = binary_sum,
};
