/* models/layers/reshape.c: the same values under another shape, in the order in which they lie in memory. */
#include "models/layers/elementwise.h"

typedef struct reshape_options {
    wm_wholes shape;
} reshape_options;

static void reshape_fit(const void *options, wm_fit *fit)
{
    const wm_wholes *want = &((const reshape_options *)options)->shape;
    wm_shape         shape = { .rank = (uint32_t)want->count };
    char             a[WM_SHAPE_TEXT], b[WM_SHAPE_TEXT];
    size_t           have = wm_values(&fit->inputs[0]), n = 0;

    if (want->count < 1 || want->count > WM_RANK_MAX) {
        wm_fit_refuse(fit, "a shape of %zu dimensions; 1 to %d will do", want->count, WM_RANK_MAX);
        return;
    }
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dim[i] = (uint32_t)want->items[i];
    if (!wm_shape_count(&shape, &n) || n != have) {
        wm_fit_refuse(fit, "gets %s, which is %zu values, and cannot make %s of them",
                      wm_shape_text(&fit->inputs[0], a), have, wm_shape_text(&shape, b));
        return;
    }
    fit->output = shape;
}

static const wm_option options[] = {
    { .name = "shape",
      .kind = WM_WHOLES,
      .offset = offsetof(reshape_options, shape),
      .least = 1,
      .most = UINT32_MAX,
      .main = true,
      .doc = "The dimensions, such as [7, 7, 64]: height and width, or time, before channels." },
};

const wm_layer_ops wm_layer_reshape = {
    .member = { .name = "reshape",
                .doc = "Lays the values of an example out under another shape.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(reshape_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = reshape_fit,
    .forward = wm_same_values_forward,
    .backward = wm_same_values_backward,
    .in_place = true,
    .keeps_values = true,
};
