/* models/layers/activations.c
 *
 * The element-wise layers: y = f(x), dx = f'(x) dy, with f' written in y. They work in place. Each is two loops; what
 * they share is the shape. */
#include "models/layers/elementwise.h"

/* ---- relu: max(0, x), and NaN for NaN, which is why it is not written x > 0 ? x : 0 ---- */

WM_KERNEL static void relu(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}

WM_KERNEL static void relu_grad(const float *y, const float *dy, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] <= 0 ? 0 : dy[i];
}

static void relu_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    relu(run->inputs[0], run->output, wm_run_values(run));
}

static void relu_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        relu_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run));
}

/* ---- tanh ---- */

WM_KERNEL static void hyperbolic_tangent(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = wm_tanh(x[i]);
}

WM_KERNEL static void tanh_grad(const float *y, const float *dy, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1 - y[i] * y[i]);
}

static void tanh_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    hyperbolic_tangent(run->inputs[0], run->output, wm_run_values(run));
}

static void tanh_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        tanh_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run));
}

/* ---- sigmoid ---- */

WM_KERNEL static void sigmoid(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = wm_sigmoid(x[i]);
}

WM_KERNEL static void sigmoid_grad(const float *y, const float *dy, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (y[i] * (1 - y[i]));
}

static void sigmoid_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    sigmoid(run->inputs[0], run->output, wm_run_values(run));
}

static void sigmoid_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        sigmoid_grad(run->output, run->output_grad, run->input_grads[0], wm_run_values(run));
}

/* ---- the tables ---- */

const wm_layer_ops wm_layer_relu = {
    .member = { .name = "relu", .doc = "Lets positive values pass and makes the others zero." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = relu_forward,
    .backward = relu_backward,
    .reads_output = true,
    .in_place = true,
};

const wm_layer_ops wm_layer_tanh = {
    .member = { .name = "tanh", .doc = "The hyperbolic tangent of each value, between -1 and 1." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = tanh_forward,
    .backward = tanh_backward,
    .reads_output = true,
    .in_place = true,
};

const wm_layer_ops wm_layer_sigmoid = {
    .member = { .name = "sigmoid",
                .doc = "The logistic function 1 / (1 + exp(-x)) of each value, between 0 and 1." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .reads_output = true,
    .in_place = true,
};
