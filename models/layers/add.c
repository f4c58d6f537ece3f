/* models/layers/add.c: the sum of its inputs, which have one shape. */
#include "models/layers/elementwise.h"
#include "models/vector.h"

#include <string.h>

static void add_fit(const void *options, wm_fit *fit)
{
    (void)options;
    for (size_t k = 1; k < fit->n_inputs; k++)
        if (!wm_shape_equal(&fit->inputs[k], &fit->inputs[0])) {
            char a[WM_SHAPE_TEXT], b[WM_SHAPE_TEXT];

            wm_fit_refuse(fit, "cannot add %s and %s; give them one shape", wm_shape_text(&fit->inputs[0], a),
                          wm_shape_text(&fit->inputs[k], b));
            return;
        }
    fit->output = fit->inputs[0];
}

static void add_forward(const void *options, const wm_layer_run *run)
{
    size_t n = wm_run_values(run);

    (void)options;
    if (run->output != run->inputs[0])
        memcpy(run->output, run->inputs[0], n * sizeof *run->output);
    for (size_t k = 1; k < run->n_inputs; k++)
        wm_vector_add(run->output, run->inputs[k], n);
}

static void add_backward(const void *options, const wm_layer_run *run)
{
    size_t n = wm_run_values(run);

    (void)options;
    for (size_t k = 0; k < run->n_inputs; k++)
        if (run->input_grads[k] != NULL && run->input_grads[k] != run->output_grad)
            memcpy(run->input_grads[k], run->output_grad, n * sizeof *run->output_grad);
}

const wm_layer_ops wm_layer_add = {
    .member = { .name = "add", .doc = "The sum of the layers in `from`, value by value." },
    .inputs_least = 1,
    .inputs_most = WM_LAYER_INPUTS_MAX,
    .fit = add_fit,
    .forward = add_forward,
    .backward = add_backward,
    .in_place = true,
};
