/* models/layers/flatten.c
 *
 * All values of an example as one vector, in the order in which they lie in memory. */
#include "models/layers/elementwise.h"

static void flatten_fit(const void *options, wm_fit *fit)
{
    size_t n;

    (void)options;
    if (!wm_shape_count(&fit->inputs[0], &n) || n > UINT32_MAX) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "%s is too much for one vector", wm_shape_text(&fit->inputs[0], text));
        return;
    }
    fit->output = (wm_shape){ .rank = 1, .dim = { (uint32_t)n } };
}

const wm_layer_ops wm_layer_flatten = {
    .member = { .name = "flatten", .doc = "Lays the values of an example out as one vector." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = flatten_fit,
    .forward = wm_same_values_forward,
    .backward = wm_same_values_backward,
    .in_place = true,
    .keeps_values = true,
};
