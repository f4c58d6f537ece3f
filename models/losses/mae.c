/* models/losses/mae.c: the absolute difference, averaged over an example's values, as torch.nn.L1Loss; its slope at 0
 * is 0. */
#include "models/loss.h"

#include <math.h>

static double mae_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                      size_t n, size_t width, float *grad, double scale)
{
    double sum = 0, slope = scale / (double)width;

    (void)options;
    (void)classes;
    for (size_t i = 0; i < n * width; i++) {
        double d = (double)predicted[i] - (double)truth[i];

        sum += fabs(d);
        if (grad != NULL)
            grad[i] = (float)(d > 0 ? slope : d < 0 ? -slope : d);
    }
    return sum / (double)width;
}

const wm_loss_ops wm_loss_mae = {
    .member = { .name = "mae",
                .doc = "Mean absolute error of the values, as the model sees them (scaled); outliers count less." },
    .sum = mae_sum,
};
