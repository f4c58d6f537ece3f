/* models/layers/softmax.c
 *
 * exp(x) over its sum along the last dimension, as torch.nn.Softmax(-1); dx = y (dy - sum(dy y)). For mixtures and gates
 * within a network: a class target's head gives logits, and its loss does the rest. */
#include "models/layers/softmax_rows.h"

#include "models/lanes.h"
#include "models/layers/elementwise.h"

WM_KERNEL static void softmax(const float *x, float *y, size_t n, size_t seen, float scale)
{
    float most = wm_lanes_most(x, seen), sum;

    for (size_t i = 0; i < seen; i++)
        y[i] = wm_exp(scale * (x[i] - most));
    sum = wm_lanes_sum(y, seen);
    for (size_t i = 0; i < seen; i++)
        y[i] /= sum;
    for (size_t i = seen; i < n; i++)
        y[i] = 0;
}

WM_KERNEL static void softmax_grad(const float *y, const float *dy, float *dx, size_t n, float scale)
{
    float sum = wm_lanes_dot(y, dy, n);

    for (size_t i = 0; i < n; i++)
        dx[i] = scale * y[i] * (dy[i] - sum);
}

void wm_softmax_row(const float *x, float *y, size_t n, size_t seen, float scale)
{
    softmax(x, y, n, seen, scale);
}

void wm_softmax_row_grad(const float *y, const float *dy, float *dx, size_t n, float scale)
{
    softmax_grad(y, dy, dx, n, scale);
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
    (void)options;
    for (size_t at = 0; at < wm_run_values(run); at += last(run))
        softmax(run->inputs[0] + at, run->output + at, last(run), last(run), 1);
}

static void softmax_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t at = 0; run->input_grads[0] != NULL && at < wm_run_values(run); at += last(run))
        softmax_grad(run->output + at, run->output_grad + at, run->input_grads[0] + at, last(run), 1);
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
