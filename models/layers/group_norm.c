/* models/layers/group_norm.c
 *
 * Group normalisation (Wu and He 2018, arXiv:1803.08494), as torch.nn.GroupNorm: the channels (the last dimension) in
 * groups, each group of an example by its own mean and variance over all positions. Needs no statistics beyond the
 * example, so it suits federated training, where batch norm's running statistics differ across clients. Saved: mean and
 * 1 / sqrt(variance + epsilon) of each group of each example. */
#include "models/layers/elementwise.h"
#include "models/layers/norm.h"

typedef struct group_options {
    int64_t groups;
    double  epsilon;
} group_options;

/* One group of one example: positions [n] of width `w` in rows of `ld`. */
typedef struct group {
    size_t positions, width, ld;
    float  epsilon;
} group;

static void group_norm_fit(const void *options, wm_fit *fit)
{
    const group_options *self = options;
    const wm_shape      *x = &fit->inputs[0];
    wm_shape             n = { .rank = 1, .dim = { x->dim[x->rank - 1] } };

    if (n.dim[0] % self->groups != 0) {
        wm_fit_refuse(fit, "%u channels do not divide into %lld groups", n.dim[0], (long long)self->groups);
        return;
    }
    fit->output = *x;
    fit->saved.each = 2 * (size_t)self->groups;
    wm_fit_tensor(fit, "weight", &n, (wm_initial){ WM_INITIAL_CONSTANT, 1 });
    wm_fit_tensor(fit, "bias", &n, (wm_initial){ WM_INITIAL_CONSTANT, 0 });
}

WM_KERNEL static void group_normalise(const float *x, float *y, const float *w, const float *b, float *saved,
                                      group g)
{
    float n = (float)(g.positions * g.width), mean = 0, spread = 0, root;

    for (size_t p = 0; p < g.positions; p++)
        mean += wm_lanes_sum(x + p * g.ld, g.width);
    mean /= n;
    for (size_t p = 0; p < g.positions; p++)
        spread += wm_lanes_spread(x + p * g.ld, g.width, mean);
    root = 1 / sqrtf(spread / n + g.epsilon);
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++)
            y[p * g.ld + i] = (x[p * g.ld + i] - mean) * root * w[i] + b[i];
    if (saved != NULL) {
        saved[0] = mean;
        saved[1] = root;
    }
}

/* As layer_norm.c's, over all positions of the group. */
WM_KERNEL static void group_slopes(const float *x, const float *dy, float *dx, const float *w, const float *saved,
                                   group g)
{
    float n = (float)(g.positions * g.width), mean = saved[0], root = saved[1], plain = 0, moment = 0, sums[2];

    for (size_t p = 0; p < g.positions; p++) {
        wm_lanes_slopes(x + p * g.ld, dy + p * g.ld, w, g.width, mean, sums);
        plain += sums[0];
        moment += sums[1];
    }
    plain /= n;
    moment *= root * root / n;
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++)
            dx[p * g.ld + i] = root * (dy[p * g.ld + i] * w[i] - plain - (x[p * g.ld + i] - mean) * moment);
}

WM_KERNEL static void group_weight_slopes(const float *x, const float *dy, float *dw, float *db, const float *saved,
                                          group g)
{
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++) {
            if (dw != NULL)
                dw[i] += dy[p * g.ld + i] * (x[p * g.ld + i] - saved[0]) * saved[1];
            if (db != NULL)
                db[i] += dy[p * g.ld + i];
        }
}

static group group_of(const group_options *self, const wm_layer_run *run)
{
    size_t channels = run->output_shape.dim[run->output_shape.rank - 1];

    return (group){ .positions = wm_values(&run->output_shape) / channels,
                    .width = channels / (size_t)self->groups,
                    .ld = channels,
                    .epsilon = (float)self->epsilon };
}

static void group_norm_forward(const void *options, const wm_layer_run *run)
{
    const group_options *self = options;
    group                g = group_of(self, run);
    size_t               groups = (size_t)self->groups, each = g.positions * g.ld;

    for (size_t i = 0; i < run->B * groups; i++) {
        size_t at = i % groups * g.width, from = i / groups * each + at;

        group_normalise(run->inputs[0] + from, run->output + from, run->params[0] + at, run->params[1] + at,
                        run->saved != NULL ? run->saved + 2 * i : NULL, g);
    }
}

static void group_norm_backward(const void *options, const wm_layer_run *run)
{
    const group_options *self = options;
    group                g = group_of(self, run);
    size_t               groups = (size_t)self->groups, each = g.positions * g.ld;

    for (size_t i = 0; i < run->B * groups; i++) {
        size_t at = i % groups * g.width, from = i / groups * each + at;
        float *dw = run->param_grads[0], *db = run->param_grads[1];

        group_weight_slopes(run->inputs[0] + from, run->output_grad + from, dw != NULL ? dw + at : NULL,
                            db != NULL ? db + at : NULL, run->saved + 2 * i, g);
        if (run->input_grads[0] != NULL)
            group_slopes(run->inputs[0] + from, run->output_grad + from, run->input_grads[0] + from,
                         run->params[0] + at, run->saved + 2 * i, g);
    }
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
