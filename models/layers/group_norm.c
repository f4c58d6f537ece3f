/* models/layers/group_norm.c
 *
 * Group normalisation (Wu and He 2018, arXiv:1803.08494), as torch.nn.GroupNorm: the channels (the last dimension) in
 * groups, each group of an example by its own mean and variance over all positions. Needs no statistics beyond the
 * example, so it suits federated training, where batch norm's running statistics differ across clients. */
#include "models/layers/elementwise.h"
#include "models/layers/norm.h"

typedef struct group_options {
    int64_t groups;
    double  epsilon;
} group_options;

static void group_norm_fit(const void *options, wm_fit *fit)
{
    const group_options *self = options;
    uint32_t             channels = fit->inputs[0].dim[fit->inputs[0].rank - 1];

    if (channels % self->groups != 0) {
        wm_fit_refuse(fit, "%u channels do not divide into %lld groups", channels, (long long)self->groups);
        return;
    }
    wm_norm_fit(fit, (size_t)self->groups);
}

static wm_norm norm_of(const group_options *self, const wm_layer_run *run)
{
    size_t channels = run->output_shape.dim[run->output_shape.rank - 1], groups = (size_t)self->groups;

    return (wm_norm){ .examples = run->B,
                      .groups = groups,
                      .positions = wm_values(&run->output_shape) / channels,
                      .width = channels / groups,
                      .epsilon = (float)self->epsilon };
}

static void group_norm_forward(const void *options, const wm_layer_run *run)
{
    wm_norm norm = norm_of(options, run);

    wm_norm_forward(&norm, run);
}

static void group_norm_backward(const void *options, const wm_layer_run *run)
{
    wm_norm norm = norm_of(options, run);

    wm_norm_backward(&norm, run);
}

static const wm_option options[] = {
    { .name = "groups",
      .kind = WM_WHOLE,
      .offset = offsetof(group_options, groups),
      .least = 1,
      .most = 1 << 20,
      .main = true,
      .doc = "Into how many groups the channels are divided; 1 takes all of them together." },
    WM_NORM_EPSILON(group_options),
};

const wm_layer_ops wm_layer_group_norm = {
    .member = { .name = "group_norm",
                .doc =
                    "Brings groups of channels to mean 0 and deviation 1 in each example, then scales and shifts them.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(group_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = group_norm_fit,
    .forward = group_norm_forward,
    .backward = group_norm_backward,
    .reads_inputs = true,
};
