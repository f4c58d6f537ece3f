/* models/layers/batch_norm.c
 *
 * Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167), torch.nn.BatchNorm1d and 2d with channels last: each
 * channel is brought to mean 0 and deviation 1 over all examples and positions of the batch, then scaled and shifted by
 * weight[C] and bias[C]. An evaluation takes running_mean[C] and running_var[C] instead, buffers that follow the batches:
 *
 *     running <- (1 - momentum) running + momentum batch      (of the variance: n / (n - 1) times the batch's)
 *
 * Clients' batches differ as their readings do, and a mean of their statistics is nobody's (Hsieh et al. 2020,
 * arXiv:1910.00189); so the layer has to be a client's own. A batch of one value a channel has no spread: it gives the
 * bias, and the running statistics leave it out.
 *
 * Saved: mean[C] and 1 / sqrt(variance + epsilon)[C]. */
#include "models/layers/elementwise.h"
#include "models/layers/norm.h"

#include <string.h>

typedef struct batch_norm_options {
    double momentum, epsilon;
} batch_norm_options;

enum { WEIGHT, BIAS };
enum { RUNNING_MEAN, RUNNING_VAR };

static void batch_norm_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];
    wm_shape        channels = { .rank = 1, .dim = { x->dim[x->rank - 1] } };

    (void)options;
    if (!fit->personal) {
        wm_fit_refuse(fit,
                      "its running statistics differ from client to client and cannot be averaged: name the layer "
                      "in model.personal, or take group_norm");
        return;
    }
    fit->output = *x;
    fit->saved.once = 2 * channels.dim[0];
    fit->scratch.once = 6 * channels.dim[0]; /* two sums in double, and a vector or two of floats */
    wm_fit_tensor(fit, "weight", &channels, (wm_initial){ WM_INITIAL_CONSTANT, 1 });
    wm_fit_tensor(fit, "bias", &channels, (wm_initial){ WM_INITIAL_CONSTANT, 0 });
    wm_fit_buffer(fit, "running_mean", &channels, 0);
    wm_fit_buffer(fit, "running_var", &channels, 1);
}

/* Rows are examples and positions; C channels side by side. Sums are in double, as PyTorch's are on a processor: there
 * are as many terms as a batch has positions. */
WM_KERNEL static void batch_means(const float *x, size_t rows, size_t C, double *sum, float *mean)
{
    memset(sum, 0, C * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            sum[c] += (double)x[r * C + c];
    for (size_t c = 0; c < C; c++)
        mean[c] = (float)(sum[c] / (double)rows);
}

WM_KERNEL static void batch_variances(const float *x, size_t rows, size_t C, const float *mean, double *sum,
                                      float *variance)
{
    memset(sum, 0, C * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            sum[c] += (double)((x[r * C + c] - mean[c]) * (x[r * C + c] - mean[c]));
    for (size_t c = 0; c < C; c++)
        variance[c] = (float)(sum[c] / (double)rows);
}

static void roots(const float *variance, size_t C, double epsilon, float *root)
{
    for (size_t c = 0; c < C; c++)
        root[c] = 1 / sqrtf(variance[c] + (float)epsilon);
}

static void follow(float *running, const float *batch, size_t C, double momentum, double factor)
{
    for (size_t c = 0; c < C; c++)
        running[c] = (float)((1 - momentum) * (double)running[c] + momentum * factor * (double)batch[c]);
}

WM_KERNEL static void batch_normalise(const float *x, float *y, size_t rows, size_t C, const float *mean,
                                      const float *root, const float *weight, const float *bias)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            y[r * C + c] = (x[r * C + c] - mean[c]) * root[c] * weight[c] + bias[c];
}

static void batch_norm_forward(const void *options, const wm_layer_run *run)
{
    const batch_norm_options *self = options;
    size_t                    C = run->output_shape.dim[run->output_shape.rank - 1], rows = wm_run_values(run) / C;
    const float              *x = run->inputs[0], *mean = run->buffers[RUNNING_MEAN];
    double                   *sum = (double *)(void *)run->scratch;
    float                    *root = (float *)(sum + C);

    if (run->training) {
        float *variance = root;

        mean = run->saved;
        root = run->saved + C;
        batch_means(x, rows, C, sum, run->saved);
        batch_variances(x, rows, C, mean, sum, variance);
        roots(variance, C, self->epsilon, root);
        if (rows > 1) {
            follow(run->buffers[RUNNING_MEAN], mean, C, self->momentum, 1);
            follow(run->buffers[RUNNING_VAR], variance, C, self->momentum, (double)rows / (double)(rows - 1));
        }
    } else {
        roots(run->buffers[RUNNING_VAR], C, self->epsilon, root);
    }
    batch_normalise(x, run->output, rows, C, mean, root, run->params[WEIGHT], run->params[BIAS]);
}

/* plain <- sum dy, moment <- sum dy (x - mean) root */
WM_KERNEL static void batch_slopes(const float *x, const float *dy, size_t rows, size_t C, const float *mean,
                                   const float *root, double *plain, double *moment)
{
    memset(plain, 0, C * sizeof *plain);
    memset(moment, 0, C * sizeof *moment);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++) {
            plain[c] += (double)dy[r * C + c];
            moment[c] += (double)(dy[r * C + c] * (x[r * C + c] - mean[c]) * root[c]);
        }
}

/* With h = (x - mean) root: dx = weight root (dy - mean(dy) - h mean(dy h)). */
WM_KERNEL static void batch_input_slopes(const float *x, const float *dy, float *dx, size_t rows, size_t C,
                                         const float *mean, const float *root, const float *weight,
                                         const float *plain_mean, const float *moment_mean)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dx[r * C + c] = weight[c] * root[c] *
                            (dy[r * C + c] - plain_mean[c] - (x[r * C + c] - mean[c]) * root[c] * moment_mean[c]);
}

static void add(float *to, const double *from, size_t n)
{
    for (size_t i = 0; to != NULL && i < n; i++)
        to[i] += (float)from[i];
}

static void divide(const double *from, size_t n, double by, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(from[i] / by);
}

static void batch_norm_backward(const void *options, const wm_layer_run *run)
{
    size_t       C = run->output_shape.dim[run->output_shape.rank - 1], rows = wm_run_values(run) / C;
    const float *x = run->inputs[0], *dy = run->output_grad, *mean = run->saved, *root = run->saved + C;
    double      *plain = (double *)(void *)run->scratch, *moment = plain + C;
    float       *plain_mean = (float *)(moment + C), *moment_mean = plain_mean + C;

    (void)options;
    batch_slopes(x, dy, rows, C, mean, root, plain, moment);
    add(run->param_grads[WEIGHT], moment, C);
    add(run->param_grads[BIAS], plain, C);
    if (run->input_grads[0] == NULL)
        return;
    divide(plain, C, (double)rows, plain_mean);
    divide(moment, C, (double)rows, moment_mean);
    batch_input_slopes(x, dy, run->input_grads[0], rows, C, mean, root, run->params[WEIGHT], plain_mean,
                       moment_mean);
}

static const wm_option options[] = {
    { .name = "momentum",
      .kind = WM_REAL,
      .offset = offsetof(batch_norm_options, momentum),
      .least = 1e-6,
      .most = 1,
      .standard = "0.1",
      .doc = "The share of the newest batch in the running statistics." },
    WM_NORM_EPSILON(batch_norm_options),
};

const wm_layer_ops wm_layer_batch_norm = {
    .member = { .name = "batch_norm",
                .doc =
                    "Brings each channel to mean 0 and deviation 1 over a batch; only in layers of model.personal, "
                    "elsewhere group_norm does it.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(batch_norm_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = batch_norm_fit,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
    .reads_inputs = true,
};
