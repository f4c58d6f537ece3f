/* models/layers/positional_encoding.c
 *
 * Tells a network that sees all steps at once which step is which: adds a vector to each. Sinusoidal, sin and cos of
 * t / 10000^(2i / channels) (Vaswani et al. 2017, arXiv:1706.03762), or learned, weight [time][channels] that begins as
 * N(0, 0.02). */
#include "models/layers/elementwise.h"
#include "models/vector.h"

#include <string.h>

typedef enum position_kind { SINUSOIDAL, LEARNED } position_kind;

typedef struct position_options {
    int kind;
} position_options;

static void position_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];

    if (x->rank != 2) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "takes time x channels, and gets %s", wm_shape_text(x, text));
        return;
    }
    fit->output = *x;
    if (((const position_options *)options)->kind == LEARNED)
        wm_fit_tensor(fit, "weight", x, (wm_initial){ WM_INITIAL_NORMAL, 0.02 });
    else
        fit->scratch.once = wm_values(x);
}

/* Each step turns every pair (cos, sin) a little further: two multiplications a value, in double. */
static void waves(float *to, size_t times, size_t channels)
{
    for (size_t c = 0; c < channels; c += 2) {
        double turn = pow(10000, -(double)c / (double)channels), s = sin(turn), k = cos(turn), x = 1, y = 0;

        for (size_t t = 0; t < times; t++) {
            double next = x * k - y * s;

            to[t * channels + c] = (float)y;
            if (c + 1 < channels)
                to[t * channels + c + 1] = (float)x;
            y = x * s + y * k;
            x = next;
        }
    }
}

static void position_forward(const void *options, const wm_layer_run *run)
{
    size_t       each = wm_values(&run->output_shape);
    bool         learned = ((const position_options *)options)->kind == LEARNED;
    const float *added = learned ? run->params[0] : run->scratch;

    if (!learned)
        waves(run->scratch, run->output_shape.dim[0], run->output_shape.dim[1]);
    if (run->output != run->inputs[0])
        memcpy(run->output, run->inputs[0], run->B * each * sizeof *run->output);
    for (size_t b = 0; b < run->B; b++)
        wm_vector_add(run->output + b * each, added, each);
}

static void position_backward(const void *options, const wm_layer_run *run)
{
    size_t each = wm_values(&run->output_shape);

    if (((const position_options *)options)->kind == LEARNED && run->param_grads[0] != NULL)
        for (size_t b = 0; b < run->B; b++)
            wm_vector_add(run->param_grads[0], run->output_grad + b * each, each);
    if (run->input_grads[0] != NULL && run->input_grads[0] != run->output_grad)
        memcpy(run->input_grads[0], run->output_grad, run->B * each * sizeof *run->output_grad);
}

static const char *const kinds[] = { [SINUSOIDAL] = "sinusoidal", [LEARNED] = "learned", NULL };

static const wm_option options[] = {
    { .name = "kind",
      .kind = WM_CHOICE,
      .offset = offsetof(position_options, kind),
      .words = kinds,
      .standard = "sinusoidal",
      .main = true,
      .doc = "sinusoidal: waves of many lengths; learned: parameters of its own." },
};

const wm_layer_ops wm_layer_positional_encoding = {
    .member = { .name = "positional_encoding",
                .doc = "Adds to each step of time a vector that tells which step it is; for attention.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(position_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = position_fit,
    .forward = position_forward,
    .backward = position_backward,
    .in_place = true,
};
