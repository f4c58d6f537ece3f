/* models/layers/layer_norm.c
 *
 * Layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450), as torch.nn.LayerNorm over the last dimension:
 * y = (x - mean) / sqrt(variance + epsilon) weight + bias, each row by its own mean and variance. */
#include "models/layers/elementwise.h"
#include "models/layers/norm.h"

typedef struct layer_options {
    double epsilon;
} layer_options;

static size_t channels_of(const wm_shape *x)
{
    return x->dim[x->rank - 1];
}

static void layer_norm_fit(const void *options, wm_fit *fit)
{
    (void)options;
    wm_norm_fit(fit, wm_values(&fit->inputs[0]) / channels_of(&fit->inputs[0]));
}

/* Every row is one group. */
static wm_norm norm_of(const layer_options *self, const wm_layer_run *run)
{
    size_t channels = channels_of(&run->output_shape);

    return (wm_norm){ .examples = wm_run_values(run) / channels,
                      .groups = 1,
                      .positions = 1,
                      .width = channels,
                      .epsilon = (float)self->epsilon };
}

static void layer_norm_forward(const void *options, const wm_layer_run *run)
{
    wm_norm norm = norm_of(options, run);

    wm_norm_forward(&norm, run);
}

static void layer_norm_backward(const void *options, const wm_layer_run *run)
{
    wm_norm norm = norm_of(options, run);

    wm_norm_backward(&norm, run);
}

static const wm_option options[] = { WM_NORM_EPSILON(layer_options) };

const wm_layer_ops wm_layer_layer_norm = {
    .member = { .name = "layer_norm",
                .doc = "Brings the values of each step to mean 0 and deviation 1, then scales and shifts them.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(layer_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = layer_norm_fit,
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .reads_inputs = true,
};
