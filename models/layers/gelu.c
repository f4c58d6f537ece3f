/* models/layers/gelu.c: x Phi(x) with the normal distribution's Phi (Hendrycks and Gimpel 2016, arXiv:1606.08415), as
 * torch.nn.GELU without its approximation; its slope is Phi(x) + x phi(x). */
#include "models/layers/elementwise.h"

/* Phi(x) */
static inline float below(float x)
{
    return 0.5f + 0.5f * wm_erf(x * 0.70710678f);
}

WM_KERNEL static void gelu(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * below(x[i]);
}

WM_KERNEL static void gelu_grad(const float *x, const float *dy, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (below(x[i]) + x[i] * 0.39894228f * wm_exp(-0.5f * x[i] * x[i]));
}

static void gelu_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    gelu(run->inputs[0], run->output, wm_run_values(run));
}

static void gelu_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        gelu_grad(run->inputs[0], run->output_grad, run->input_grads[0], wm_run_values(run));
}

const wm_layer_ops wm_layer_gelu = {
    .member = { .name = "gelu",
                .doc = "Each value times the share of a normal distribution below it: a smooth relu." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = gelu_forward,
    .backward = gelu_backward,
    .reads_inputs = true,
};
