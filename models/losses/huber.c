/* models/losses/huber.c
 *
 * Huber's loss (1964), as torch.nn.HuberLoss: d^2 / 2 up to a distance of delta and delta (|d| - delta / 2) beyond,
 * averaged over an example's values. */
#include "models/loss.h"

#include <math.h>

typedef struct huber_options {
    double delta;
} huber_options;

static double huber_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                        size_t n, size_t width, float *grad, double scale)
{
    double delta = ((const huber_options *)options)->delta, sum = 0, slope = scale / (double)width;

    (void)classes;
    for (size_t i = 0; i < n * width; i++) {
        double d = (double)predicted[i] - (double)truth[i], far = fabs(d);

        sum += far > delta ? delta * (far - delta / 2) : d * d / 2;
        if (grad != NULL)
            grad[i] = (float)(slope * (far > delta ? copysign(delta, d) : d));
    }
    return sum / (double)width;
}

static const wm_option options[] = {
    { .name = "delta",
      .kind = WM_REAL,
      .offset = offsetof(huber_options, delta),
      .least = 1e-9,
      .most = 1e9,
      .standard = "1",
      .main = true,
      .doc = "Distance, in scaled values, from which the loss grows in a straight line." },
};

const wm_loss_ops wm_loss_huber = {
    .member = { .name = "huber",
                .doc = "Squared near the truth and absolute far from it: outliers pull less.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(huber_options) },
    .sum = huber_sum,
};
