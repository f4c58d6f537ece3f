/* models/layers/noise.c
 *
 * Corrupts what passes while training, so that an autoencoder has to know what is likely in order to give back what was
 * there (Vincent et al. 2010, "Stacked Denoising Autoencoders", sections 3.2 and 3.3): gaussian noise is added to every
 * value, and then a share of the values is zero, which after scaling is the mean. Unlike dropout nothing grows to make up
 * for it. An evaluation lets all pass. What is to be given back is the input itself, which this layer leaves alone.
 *
 * The dice come from the plan's stream, as dropout's do: first those of all gaussians, then those of all masks. */
#include "models/layers/elementwise.h"

typedef struct noise_options {
    double deviation, masked;
} noise_options;

static void noise_fit(const void *options, wm_fit *fit)
{
    fit->output = fit->inputs[0];
    if (((const noise_options *)options)->masked > 0)
        fit->saved.each = wm_values(&fit->inputs[0]); /* 0 or 1 of each value */
}

static void noise_forward(const void *options, const wm_layer_run *run)
{
    const noise_options *self = options;
    size_t               n = wm_run_values(run);

    wm_same_values(run, run->inputs[0], run->output);
    if (!run->training)
        return;
    for (size_t i = 0; self->deviation > 0 && i < n; i++)
        run->output[i] += (float)(self->deviation * wm_rng_normal(run->rng));
    for (size_t i = 0; self->masked > 0 && i < n; i++) {
        run->saved[i] = wm_rng_unit(run->rng) < self->masked ? 0.0f : 1.0f;
        run->output[i] *= run->saved[i];
    }
}

static void noise_backward(const void *options, const wm_layer_run *run)
{
    wm_same_values(run, run->output_grad, run->input_grads[0]);
    if (((const noise_options *)options)->masked > 0 && run->input_grads[0] != NULL)
        for (size_t i = 0; i < wm_run_values(run); i++)
            run->input_grads[0][i] *= run->saved[i];
}

static void noise_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const noise_options *self = options;

    if (!(self->deviation > 0) && !(self->masked > 0))
        wm_faults_add(faults, place, path, "makes no noise: give a deviation, or the share that is masked");
}

static const wm_option options[] = {
    { .name = "deviation",
      .kind = WM_REAL,
      .offset = offsetof(noise_options, deviation),
      .most = 1e6,
      .standard = "0",
      .main = true,
      .doc =
          "Standard deviation of the gaussian noise that is added to every value, which has 1 itself if it is scaled." },
    { .name = "masked",
      .kind = WM_REAL,
      .offset = offsetof(noise_options, masked),
      .most = 0.99,
      .standard = "0",
      .doc = "Share of the values that become 0." },
};

const wm_layer_ops wm_layer_noise = {
    .member = { .name = "noise",
                .doc = "Corrupts values while training, seeded: before an autoencoder, a denoising one.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(noise_options),
                .check = noise_check },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = noise_fit,
    .forward = noise_forward,
    .backward = noise_backward,
    .in_place = true,
};
