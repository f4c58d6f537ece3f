/* models/layers/softmax.c
 *
 * exp(x) over its sum along the last dimension, as torch.nn.Softmax(-1); dx = y (dy - sum(dy y)). For mixtures and gates
 * within a network: a class target's head gives logits, and its loss does the rest. */
#include "models/layers/elementwise.h"

WM_KERNEL static void softmax(const float *x, float *y, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        float most = x[0], sum = 0;

        for (size_t i = 1; i < n; i++)
            most = x[i] > most ? x[i] : most;
        for (size_t i = 0; i < n; i++)
            y[i] = wm_exp(x[i] - most);
        for (size_t i = 0; i < n; i++)
            sum += y[i];
        for (size_t i = 0; i < n; i++)
            y[i] /= sum;
    }
}

WM_KERNEL static void softmax_grad(const float *y, const float *dy, float *dx, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
        float sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += dy[i] * y[i];
        for (size_t i = 0; i < n; i++)
            dx[i] = y[i] * (dy[i] - sum);
    }
}

static size_t last(const wm_layer_run *run)
{
    return run->output_shape.dim[run->output_shape.rank - 1];
}

static void softmax_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    softmax(run->inputs[0], run->output, wm_run_values(run) / last(run), last(run));
}

static void softmax_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        softmax_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run) / last(run), last(run));
}

const wm_layer_ops wm_layer_softmax = {
    .member = { .name = "softmax",
                .doc =
                    "Shares that add up to one along the last dimension. Not before cross_entropy, which does it." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .reads_output = true,
    .in_place = true,
};
