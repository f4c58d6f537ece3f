/* models/layers/layer_norm.c
 *
 * Layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450), as torch.nn.LayerNorm over the last dimension:
 * y = (x - mean) / sqrt(variance + epsilon) weight + bias, each row by its own mean and variance. Saved: mean and
 * 1 / sqrt(variance + epsilon) of each row. */
#include "models/layers/elementwise.h"
#include "models/layers/norm.h"

static void layer_norm_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];
    wm_shape        n = { .rank = 1, .dim = { x->dim[x->rank - 1] } };

    (void)options;
    fit->output = *x;
    fit->saved.each = 2 * (wm_values(x) / n.dim[0]);
    wm_fit_tensor(fit, "weight", &n, (wm_initial){ WM_INITIAL_CONSTANT, 1 });
    wm_fit_tensor(fit, "bias", &n, (wm_initial){ WM_INITIAL_CONSTANT, 0 });
}

WM_KERNEL static void layer_normalise(const float *x, float *y, float *saved, const float *w, const float *b,
                                      size_t rows, size_t n, float epsilon)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        float mean = wm_lanes_sum(x, n) / (float)n,
              root = 1 / sqrtf(wm_lanes_spread(x, n, mean) / (float)n + epsilon);

        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * root * w[i] + b[i];
        if (saved != NULL) {
            saved[2 * r] = mean;
            saved[2 * r + 1] = root;
        }
    }
}

static void layer_norm_forward(const void *options, const wm_layer_run *run)
{
    size_t n = run->output_shape.dim[run->output_shape.rank - 1];

    layer_normalise(run->inputs[0], run->output, run->saved, run->params[0], run->params[1], wm_run_values(run) / n,
                    n, (float)((const wm_norm_options *)options)->epsilon);
}

/* With h = (x - mean) root and g = dy weight: dx = root (g - mean(g) - h mean(g h)). */
WM_KERNEL static void layer_slopes(const float *x, const float *dy, float *dx, const float *saved, const float *w,
                                   size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {
        float mean = saved[2 * r], root = saved[2 * r + 1], sums[2];

        wm_lanes_slopes(x, dy, w, n, mean, sums);
        sums[0] /= (float)n;
        sums[1] *= root * root / (float)n;
        for (size_t i = 0; i < n; i++)
            dx[i] = root * (dy[i] * w[i] - sums[0] - (x[i] - mean) * sums[1]);
    }
}

WM_KERNEL static void layer_weight_slopes(const float *x, const float *dy, float *dw, float *db, const float *saved,
                                          size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n, dy += n)
        for (size_t i = 0; i < n; i++) {
            if (dw != NULL)
                dw[i] += dy[i] * (x[i] - saved[2 * r]) * saved[2 * r + 1];
            if (db != NULL)
                db[i] += dy[i];
        }
}

static void layer_norm_backward(const void *options, const wm_layer_run *run)
{
    size_t n = run->output_shape.dim[run->output_shape.rank - 1], rows = wm_run_values(run) / n;

    (void)options;
    layer_weight_slopes(run->inputs[0], run->output_grad, run->param_grads[0], run->param_grads[1], run->saved,
                        rows, n);
    if (run->input_grads[0] != NULL)
        layer_slopes(run->inputs[0], run->output_grad, run->input_grads[0], run->saved, run->params[0], rows, n);
}

static const wm_option options[] = { WM_NORM_EPSILON(wm_norm_options) };

const wm_layer_ops wm_layer_layer_norm = {
    .member = { .name = "layer_norm",
                .doc = "Brings the values of each step to mean 0 and deviation 1, then scales and shifts them.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(wm_norm_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = layer_norm_fit,
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .reads_inputs = true,
};
