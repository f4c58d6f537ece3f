/* models/layers/sample.c
 *
 * The middle of a variational autoencoder (Kingma and Welling 2014, arXiv:1312.6114). Of 2 n values the first n are means
 * mu and the others log variances l, as torch.chunk(2, -1) cuts them; while training the layer gives
 *
 *     z = mu + exp(l / 2) eps        eps ~ N(0, 1), the reparameterisation
 *
 * and adds beta times the divergence from N(0, 1) to the loss of each example,
 *
 *     KL = 1/2 sum (mu^2 + e^l - 1 - l)
 *
 * so with a reconstruction as its loss the network is a beta-VAE (Higgins et al. 2017). Beta stands against the error of a
 * mean value: the paper, which sums over an example's D values, has 2 D times ours. An evaluation gives mu, and its loss
 * is without the divergence: an anomaly's score is how badly it is given back. The dice come from the plan's stream. */
#include "models/layers/elementwise.h"

typedef struct sample_options {
    double beta;
} sample_options;

static void sample_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];
    uint32_t        last = x->dim[x->rank - 1];

    (void)options;
    if (last % 2 != 0) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "takes means and as many log variances side by side, and gets %s; %u would do",
                      wm_shape_text(x, text), last + 1);
        return;
    }
    fit->output = *x;
    fit->output.dim[x->rank - 1] = last / 2;
    fit->saved.each = wm_values(x); /* of every value: exp(l / 2), and that times eps */
}

/* One row: x[2 n] -> z[n], deviation[n], off[n] (= deviation x eps). Gives back its divergence. */
static double sample_row(wm_rng *rng, const float *x, size_t n, float *z, float *deviation, float *off)
{
    double sum = 0;

    for (size_t j = 0; j < n; j++) {
        double mean = (double)x[j], l = (double)x[n + j], sigma = exp(l / 2);

        sum += (mean * mean + (expm1(l) - l)) / 2;
        deviation[j] = (float)sigma;
        off[j] = (float)(sigma * wm_rng_normal(rng));
        z[j] = (float)mean + off[j];
    }
    return sum;
}

static void sample_forward(const void *options, const wm_layer_run *run)
{
    size_t n = run->output_shape.dim[run->output_shape.rank - 1], rows = wm_run_values(run) / n;
    double divergence = 0;

    for (size_t r = 0; r < rows; r++) {
        const float *x = run->inputs[0] + r * 2 * n;
        float       *z = run->output + r * n;

        if (run->training)
            divergence += sample_row(run->rng, x, n, z, run->saved + r * 2 * n, run->saved + r * 2 * n + n);
        else
            memcpy(z, x, n * sizeof *z);
    }
    if (run->training)
        *run->penalty += ((const sample_options *)options)->beta * divergence;
}

static void sample_backward(const void *options, const wm_layer_run *run)
{
    size_t n = run->output_shape.dim[run->output_shape.rank - 1], rows = wm_run_values(run) / n;
    double beta = ((const sample_options *)options)->beta / (double)run->B;

    for (size_t r = 0; run->input_grads[0] != NULL && r < rows; r++) {
        const float *x = run->inputs[0] + r * 2 * n, *dz = run->output_grad + r * n;
        const float *deviation = run->saved + r * 2 * n, *off = deviation + n;
        float       *dx = run->input_grads[0] + r * 2 * n;

        for (size_t j = 0; j < n; j++) {
            double sigma = (double)deviation[j];

            dx[j] = (float)((double)dz[j] + beta * (double)x[j]);
            dx[n + j] = (float)((double)dz[j] * (double)off[j] / 2 + beta * (sigma * sigma - 1) / 2);
        }
    }
}

static const wm_option options[] = {
    { .name = "beta",
      .kind = WM_REAL,
      .offset = offsetof(sample_options, beta),
      .most = 1e6,
      .standard = "0.01",
      .main = true,
      .doc = "What the divergence from N(0, 1) counts in the loss, against the mean error of a value." },
};

const wm_layer_ops wm_layer_sample = {
    .member = { .name = "sample",
                .doc =
                    "Of means and log variances side by side, n of each, n values: drawn while training, seeded, with a "
                    "penalty on their divergence from N(0, 1); else the means. The middle of a beta-VAE.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(sample_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = sample_fit,
    .forward = sample_forward,
    .backward = sample_backward,
    .reads_inputs = true,
};
