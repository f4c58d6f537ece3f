/* models/layers/softmax.c
 *
 * exp(x) over its sum along the last dimension, as torch.nn.Softmax(-1); dx = y (dy - sum(dy y)). For mixtures and gates
 * within a network: a class target's head gives logits, and its loss does the rest. */
#include "models/layers/softmax_rows.h"

#include "models/lanes.h"
#include "models/layers/elementwise.h"

/* Three passes over all rows: in the second, which costs most, no value waits for another. */
WM_KERNEL static void softmax(const float *x, float *y, size_t rows, size_t n, bool causal, float scale)
{
    for (size_t r = 0; r < rows; r++) {
        size_t seen = causal ? r + 1 : n;
        float  most = wm_lanes_most(x + r * n, seen);

        for (size_t i = 0; i < seen; i++)
            y[r * n + i] = scale * (x[r * n + i] - most);
        for (size_t i = seen; i < n; i++)
            y[r * n + i] = -INFINITY;
    }
    for (size_t i = 0; i < rows * n; i++)
        y[i] = wm_exp(y[i]);
    for (size_t r = 0; r < rows; r++) {
        size_t seen = causal ? r + 1 : n;
        float  sum = wm_lanes_sum(y + r * n, seen);

        for (size_t i = 0; i < seen; i++)
            y[r * n + i] /= sum;
    }
}

WM_KERNEL static void softmax_grad(const float *y, const float *dy, float *dx, size_t rows, size_t n, float scale)
{
    for (size_t at = 0; at < rows * n; at += n) {
        float sum = wm_lanes_dot(y + at, dy + at, n);

        for (size_t i = at; i < at + n; i++)
            dx[i] = scale * y[i] * (dy[i] - sum);
    }
}

void wm_softmax_rows(const float *x, float *y, size_t rows, size_t n, bool causal, float scale)
{
    softmax(x, y, rows, n, causal, scale);
}

void wm_softmax_rows_grad(const float *y, const float *dy, float *dx, size_t rows, size_t n, float scale)
{
    softmax_grad(y, dy, dx, rows, n, scale);
}

static size_t last(const wm_layer_run *run)
{
    return run->output_shape.dim[run->output_shape.rank - 1];
}

static void softmax_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];

    wm_same_shape(options, fit);
    if (x->dim[x->rank - 1] == 1)
        wm_fit_refuse(fit, "the share of one value is always 1; leave it out, or take sigmoid");
}

static void softmax_forward(const void *options, const wm_layer_run *run)
{
    size_t each = wm_values(&run->output_shape);

    (void)options;
    for (size_t b = 0; b < run->B; b++) /* an example stays in the cache for the three passes */
        softmax(run->inputs[0] + b * each, run->output + b * each, each / last(run), last(run), false, 1);
}

static void softmax_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        softmax_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run) / last(run), last(run),
                     1);
}

const wm_layer_ops wm_layer_softmax = {
    .member = { .name = "softmax",
                .doc =
                    "Shares that add up to one along the last dimension. Not before cross_entropy, which does it." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = softmax_fit,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .reads_output = true,
    .in_place = true,
};
