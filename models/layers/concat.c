/* models/layers/concat.c: its inputs side by side along the last dimension, as torch.cat(..., -1). */
#include "models/layers/elementwise.h"

#include <string.h>

static void concat_fit(const void *options, wm_fit *fit)
{
    wm_shape first = fit->inputs[0];
    size_t   sum = 0;

    (void)options;
    for (size_t k = 0; k < fit->n_inputs; k++) {
        wm_shape other = fit->inputs[k];

        sum += other.dim[other.rank - 1];
        other.dim[other.rank - 1] = first.rank == other.rank ? first.dim[first.rank - 1] : 0;
        if (!wm_shape_equal(&first, &other) || sum > UINT32_MAX) {
            char a[WM_SHAPE_TEXT], b[WM_SHAPE_TEXT];

            wm_fit_refuse(fit, "%s and %s do not go side by side: all dimensions but the last must agree",
                          wm_shape_text(&first, a), wm_shape_text(&fit->inputs[k], b));
            return;
        }
    }
    fit->output = first;
    fit->output.dim[first.rank - 1] = (uint32_t)sum;
}

/* Copies input k's columns to or from where they lie among all; whole: [rows][width], part: [rows][n]. */
static void copy_columns(float *to, size_t ld_to, const float *from, size_t ld_from, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(to + r * ld_to, from + r * ld_from, n * sizeof *to);
}

static size_t last(const wm_shape *shape)
{
    return shape->dim[shape->rank - 1];
}

static void concat_forward(const void *options, const wm_layer_run *run)
{
    size_t width = last(&run->output_shape), rows = wm_run_values(run) / width, at = 0;

    (void)options;
    for (size_t k = 0; k < run->n_inputs; k++) {
        size_t n = last(&run->input_shapes[k]);

        copy_columns(run->output + at, width, run->inputs[k], n, rows, n);
        at += n;
    }
}

static void concat_backward(const void *options, const wm_layer_run *run)
{
    size_t width = last(&run->output_shape), rows = wm_run_values(run) / width, at = 0;

    (void)options;
    for (size_t k = 0; k < run->n_inputs; k++) {
        size_t n = last(&run->input_shapes[k]);

        if (run->input_grads[k] != NULL)
            copy_columns(run->input_grads[k], n, run->output_grad + at, width, rows, n);
        at += n;
    }
}

const wm_layer_ops wm_layer_concat = {
    .member = { .name = "concat", .doc = "The layers in `from` side by side, along the last dimension." },
    .inputs_least = 1,
    .inputs_most = WM_LAYER_INPUTS_MAX,
    .fit = concat_fit,
    .forward = concat_forward,
    .backward = concat_backward,
};
