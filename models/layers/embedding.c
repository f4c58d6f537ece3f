/* models/layers/embedding.c
 *
 * A vector for each of a number of kinds, torch.nn.Embedding: values 0, 1, ... of the input are the rows of
 * weight[kinds][units], which begin as N(0, 1). A value that is no kind gives NaN, which the loss then names. */
#include "models/layers/elementwise.h"

#include <string.h>

typedef struct embedding_options {
    int64_t kinds, units;
} embedding_options;

static void embedding_fit(const void *options, wm_fit *fit)
{
    const embedding_options *self = options;
    const wm_shape          *x = &fit->inputs[0];

    fit->output = *x;
    if (x->dim[x->rank - 1] == 1 && x->rank > 1) {
        fit->output.dim[x->rank - 1] = (uint32_t)self->units; /* a window of one column: T x 1 */
    } else if (x->rank < WM_RANK_MAX) {
        fit->output.dim[fit->output.rank++] = (uint32_t)self->units;
    } else {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "%s has no room for one more dimension; flatten it before", wm_shape_text(x, text));
        return;
    }
    wm_fit_tensor(fit, "weight", &(wm_shape){ .rank = 2, .dim = { (uint32_t)self->kinds, (uint32_t)self->units } },
                  (wm_initial){ WM_INITIAL_NORMAL, 1 });
}

/* The row that a value names; SIZE_MAX for none: a fraction is a number that was scaled, and no kind of anything. */
static size_t row_of(float value, size_t kinds)
{
    return value >= 0 && value < (float)kinds && value == floorf(value) ? (size_t)value : SIZE_MAX;
}

static void embedding_forward(const void *options, const wm_layer_run *run)
{
    const embedding_options *self = options;
    size_t                   units = (size_t)self->units, n = wm_values(&run->input_shapes[0]) * run->B;

    for (size_t i = 0; i < n; i++) {
        size_t row = row_of(run->inputs[0][i], (size_t)self->kinds);
        float *y = run->output + i * units;

        if (row != SIZE_MAX)
            memcpy(y, run->params[0] + row * units, units * sizeof *y);
        else
            for (size_t j = 0; j < units; j++)
                y[j] = NAN;
    }
}

static void embedding_backward(const void *options, const wm_layer_run *run)
{
    const embedding_options *self = options;
    size_t                   units = (size_t)self->units, n = wm_values(&run->input_shapes[0]) * run->B;

    for (size_t i = 0; run->param_grads[0] != NULL && i < n; i++) {
        size_t row = row_of(run->inputs[0][i], (size_t)self->kinds);

        for (size_t j = 0; row != SIZE_MAX && j < units; j++)
            run->param_grads[0][row * units + j] += run->output_grad[i * units + j];
    }
    if (run->input_grads[0] != NULL) /* steps have no slope */
        memset(run->input_grads[0], 0, n * sizeof *run->input_grads[0]);
}

static const wm_option options[] = {
    { .name = "kinds",
      .kind = WM_WHOLE,
      .offset = offsetof(embedding_options, kinds),
      .least = 1,
      .most = 1 << 24,
      .doc = "How many kinds there are: values 0 to kinds - 1." },
    { .name = "units",
      .kind = WM_WHOLE,
      .offset = offsetof(embedding_options, units),
      .least = 1,
      .most = 1 << 20,
      .doc = "Length of a kind's vector." },
};

const wm_layer_ops wm_layer_embedding = {
    .member = { .name = "embedding",
                .doc = "A trained vector for each kind of thing: characters, categories.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(embedding_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = embedding_fit,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .reads_inputs = true,
    .cure =
        "it was given a number that is none of its kinds: let it take a column of `categories` with `index: true`, "
        "and have as many kinds as that has",
};
