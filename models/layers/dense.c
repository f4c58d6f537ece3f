/* models/layers/dense.c
 *
 * A fully connected layer, torch.nn.Linear: y = x W^T + b over the last dimension, with W [out][in] and b [out]; the
 * dimensions before it are examples to it, so a window of 24 steps goes through step by step. Both start as
 * U(-1/sqrt(in), 1/sqrt(in)), torch's default (He et al. 2015, arXiv:1502.01852, with a = sqrt(5)). */
#include "models/gemm.h"
#include "models/layer.h"
#include "models/vector.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct dense_options {
    int64_t units;
} dense_options;

/* Everything as one product: rows are examples and the dimensions before the last. */
typedef struct dense_sizes {
    size_t rows, in, out;
} dense_sizes;

static dense_sizes sizes_of(const wm_layer_run *run)
{
    const wm_shape *x = &run->input_shapes[0];
    dense_sizes sizes = { .rows = run->B, .in = x->dim[x->rank - 1], .out = run->output_shape.dim[x->rank - 1] };

    for (uint32_t i = 0; i + 1 < x->rank; i++)
        sizes.rows *= x->dim[i];
    return sizes;
}

static void dense_fit(const void *options, wm_fit *fit)
{
    const dense_options *self = options;
    const wm_shape      *x = &fit->inputs[0];
    uint32_t             in = x->dim[x->rank - 1];
    double               a = 1 / sqrt((double)in);
    size_t               rows = 1;

    if (self->units < 1 || self->units > INT32_MAX) {
        wm_fit_refuse(fit, "%lld units; 1 to %d will do", (long long)self->units, INT32_MAX);
        return;
    }
    fit->output = *x;
    fit->output.dim[x->rank - 1] = (uint32_t)self->units;
    for (uint32_t i = 0; i + 1 < x->rank; i++)
        rows *= x->dim[i];
    fit->work = (uint64_t)rows * in * (uint64_t)self->units;
    wm_fit_tensor(fit, "weight", &(wm_shape){ .rank = 2, .dim = { (uint32_t)self->units, in } },
                  (wm_initial){ WM_INITIAL_UNIFORM, a });
    wm_fit_tensor(fit, "bias", &(wm_shape){ .rank = 1, .dim = { (uint32_t)self->units } },
                  (wm_initial){ WM_INITIAL_UNIFORM, a });
}

static void dense_forward(const void *options, const wm_layer_run *run)
{
    dense_sizes s = sizes_of(run);

    (void)options;
    wm_vector_fill_rows(run->output, run->params[1], s.rows, s.out);
    wm_gemm(WM_GEMM_NT, s.rows, s.out, s.in, run->inputs[0], s.in, run->params[0], s.in, run->output, s.out);
}

static void dense_backward(const void *options, const wm_layer_run *run)
{
    dense_sizes  s = sizes_of(run);
    const float *dy = run->output_grad;

    (void)options;
    if (run->input_grads[0] != NULL) {
        memset(run->input_grads[0], 0, s.rows * s.in * sizeof(float));
        wm_gemm(WM_GEMM_NN, s.rows, s.in, s.out, dy, s.out, run->params[0], s.in, run->input_grads[0], s.in);
    }
    if (run->param_grads[0] != NULL)
        wm_gemm_scaled(WM_GEMM_TN, s.out, s.in, s.rows, run->factor, dy, s.out, run->inputs[0], s.in,
                       run->param_grads[0], s.in);
    if (run->param_grads[1] != NULL)
        wm_vector_sum_rows_scaled(run->param_grads[1], run->factor, dy, s.rows, s.out);
}

static const wm_option options[] = {
    { .name = "units",
      .kind = WM_WHOLE,
      .offset = offsetof(dense_options, units),
      .least = 1,
      .most = INT32_MAX,
      .main = true,
      .doc = "Width of the output." },
};

const wm_layer_ops wm_layer_dense = {
    .member = { .name = "dense",
                .doc = "Fully connected: every output is a weighted sum of the last dimension's values and a bias.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(dense_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = dense_fit,
    .forward = dense_forward,
    .backward = dense_backward,
    .reads_inputs = true,
    .steps = true,
};
