/* models/layers/silu.c: x sigmoid(x) (Elfwing et al. 2018), as torch.nn.SiLU; its slope is s (1 + x (1 - s)). */
#include "models/layers/elementwise.h"

WM_KERNEL static void silu(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * wm_sigmoid(x[i]);
}

WM_KERNEL static void silu_grad(const float *x, const float *dy, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float s = wm_sigmoid(x[i]);

        dx[i] = dy[i] * (s * (1 + x[i] * (1 - s)));
    }
}

static void silu_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    silu(run->inputs[0], run->output, wm_run_values(run));
}

static void silu_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->input_grads[0] != NULL)
        silu_grad(run->inputs[0], run->output_grad, run->input_grads[0], wm_run_values(run));
}

const wm_layer_ops wm_layer_silu = {
    .member = { .name = "silu", .doc = "Each value times its logistic function: a smooth relu." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = wm_same_shape,
    .forward = silu_forward,
    .backward = silu_backward,
    .reads_inputs = true,
};
