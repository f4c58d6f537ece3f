/* models/losses/mse.c: the squared difference, averaged over an example's values, as torch.nn.MSELoss. */
#include "models/loss.h"

static double mse_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                      size_t n, size_t width, float *grad, double scale)
{
    double sum = 0, slope = 2 * scale / (double)width;

    (void)options;
    (void)classes;
    for (size_t i = 0; i < n * width; i++) {
        double d = (double)predicted[i] - (double)truth[i];

        sum += d * d;
        if (grad != NULL)
            grad[i] = (float)(slope * d);
    }
    return sum / (double)width;
}

const wm_loss_ops wm_loss_mse = {
    .member = { .name = "mse", .doc = "Mean squared error of the values, as the model sees them (scaled)." },
    .sum = mse_sum,
};
