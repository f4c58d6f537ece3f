/* models/layers/leaky_relu.c: x, and a share of it where it is negative, as torch.nn.LeakyReLU. The slope is above 0, so
 * the sign of the output tells that of the input and it works in place. */
#include "models/layers/elementwise.h"

typedef struct leaky_options {
    double slope;
} leaky_options;

WM_KERNEL static void leaky(const float *x, float *y, size_t n, float slope)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? slope * x[i] : x[i];
}

WM_KERNEL static void leaky_grad(const float *y, const float *dy, float *dx, size_t n, float slope)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] <= 0 ? slope * dy[i] : dy[i];
}

static void leaky_forward(const void *options, const wm_layer_run *run)
{
    leaky(run->inputs[0], run->output, wm_run_values(run), (float)((const leaky_options *)options)->slope);
}

static void leaky_backward(const void *options, const wm_layer_run *run)
{
    if (run->input_grads[0] != NULL)
        leaky_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run),
                   (float)((const leaky_options *)options)->slope);
}

static const wm_option options[] = {
    { .name = "slope",
      .kind = WM_REAL,
      .offset = offsetof(leaky_options, slope),
      .least = 1e-6,
      .most = 1,
      .standard = "0.01",
      .main = true,
      .doc = "Share of a negative value that passes." },
};

const wm_layer_ops wm_layer_leaky_relu = {
    .member = { .name = "leaky_relu",
                .doc = "Lets positive values pass, and a share of the negative ones.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(leaky_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = leaky_forward,
    .backward = leaky_backward,
    .reads_output = true,
    .in_place = true,
};
