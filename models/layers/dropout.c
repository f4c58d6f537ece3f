/* models/layers/dropout.c
 *
 * Dropout (Srivastava et al. 2014), as torch.nn.Dropout: while training each value is zero with a given probability, and
 * the others grow so that the mean stays; an evaluation lets all pass. The dice come from the plan's stream, so that a
 * seed gives the same run again. */
#include "models/layers/elementwise.h"

#include <string.h>

typedef struct dropout_options {
    double share;
} dropout_options;

static void dropout_fit(const void *options, wm_fit *fit)
{
    (void)options;
    fit->output = fit->inputs[0];
    fit->saved.each = wm_values(&fit->inputs[0]); /* what each value is multiplied by */
}

WM_KERNEL static void multiply(const float *x, const float *by, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * by[i];
}

/* Four decisions of 16 bits out of one number; the share is rounded to 1 / 65536. */
static void throw(wm_rng * rng, double share, float *mask, size_t n)
{
    uint64_t below = (uint64_t)(share * 65536 + 0.5), bits = 0;
    float    keep = (float)(65536 / (65536 - (double)below));

    for (size_t i = 0; i < n; i++) {
        bits = i % 4 == 0 ? wm_rng_next(rng) : bits >> 16;
        mask[i] = (bits & 0xffff) < below ? 0 : keep;
    }
}

static void dropout_forward(const void *options, const wm_layer_run *run)
{
    size_t n = wm_run_values(run);

    if (!run->training) {
        if (run->output != run->inputs[0])
            memcpy(run->output, run->inputs[0], n * sizeof *run->output);
        return;
    }
    throw(run->rng, ((const dropout_options *)options)->share, run->saved, n);
    multiply(run->inputs[0], run->saved, run->output, n);
}

static void dropout_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        multiply(run->output_grad, run->saved, run->input_grads[0], wm_run_values(run));
}

static const wm_option options[] = {
    { .name = "share",
      .kind = WM_REAL,
      .offset = offsetof(dropout_options, share),
      .most = 0.99,
      .standard = "0.5",
      .main = true,
      .doc = "Probability with which a value is dropped while training." },
};

const wm_layer_ops wm_layer_dropout = {
    .member = { .name = "dropout",
                .doc = "Zeroes values at random while training, so that none is relied upon; seeded.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(dropout_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = dropout_fit,
    .forward = dropout_forward,
    .backward = dropout_backward,
    .in_place = true,
};
