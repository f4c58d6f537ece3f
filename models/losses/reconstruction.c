/* models/losses/reconstruction.c
 *
 * What an autoencoder is measured by: how far the head is from one of the network's own inputs, as the data gave it
 * (scaled, and before any noise that a layer puts on it). The mean over an example's values of the square of the distance,
 * or of the distance itself; torch.nn.MSELoss and L1Loss. */
#include "models/loss.h"

extern const wm_loss_ops wm_loss_mae, wm_loss_mse;

typedef enum reconstruction_error { SQUARED, ABSOLUTE } reconstruction_error;

typedef struct reconstruction_options {
    int error;
} reconstruction_options;

static double reconstruction_sum(const void *options, const float *predicted, const float *truth,
                                 const int32_t *classes, size_t n, size_t width, float *grad, double scale)
{
    const wm_loss_ops *ops =
        ((const reconstruction_options *)options)->error == ABSOLUTE ? &wm_loss_mae : &wm_loss_mse;

    return ops->sum(NULL, predicted, truth, classes, n, width, grad, scale);
}

static const char *const errors[] = { [SQUARED] = "squared", [ABSOLUTE] = "absolute", NULL };

static const wm_option options[] = {
    { .name = "error",
      .kind = WM_CHOICE,
      .offset = offsetof(reconstruction_options, error),
      .words = errors,
      .standard = "squared",
      .main = true,
      .doc = "squared, or absolute, by which outliers count less." },
};

const wm_loss_ops wm_loss_reconstruction = {
    .member = { .name = "reconstruction",
                .doc =
                    "How badly the network gives back one of its own inputs: an autoencoder. With one input it needs no "
                    "`data.targets`.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(reconstruction_options) },
    .of_inputs = true,
    .sum = reconstruction_sum,
};
