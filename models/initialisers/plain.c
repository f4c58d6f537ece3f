/* models/initialisers/plain.c: the same distribution whatever the shape. */
#include "models/initialiser.h"

typedef struct spread_options {
    double spread;
} spread_options;

static wm_initial normal_of(const void *options, const wm_shape *shape)
{
    (void)shape;
    return (wm_initial){ WM_INITIAL_NORMAL, ((const spread_options *)options)->spread };
}

static wm_initial uniform_of(const void *options, const wm_shape *shape)
{
    (void)shape;
    return (wm_initial){ WM_INITIAL_UNIFORM, ((const spread_options *)options)->spread };
}

static const wm_option normal_options[] = {
    { .name = "deviation",
      .kind = WM_REAL,
      .offset = offsetof(spread_options, spread),
      .least = 1e-9,
      .most = 1e6,
      .main = true,
      .doc = "Standard deviation; the mean is 0." },
};

static const wm_option uniform_options[] = {
    { .name = "bound",
      .kind = WM_REAL,
      .offset = offsetof(spread_options, spread),
      .least = 1e-9,
      .most = 1e6,
      .main = true,
      .doc = "Between minus this and this." },
};

const wm_initialiser_ops wm_initialiser_normal = {
    .member = { .name = "normal",
                .doc = "Normally distributed about 0.",
                .options = normal_options,
                .n_options = sizeof normal_options / sizeof *normal_options,
                .options_size = sizeof(spread_options) },
    .of = normal_of,
};

const wm_initialiser_ops wm_initialiser_uniform = {
    .member = { .name = "uniform",
                .doc = "Anything between two bounds with equal chance.",
                .options = uniform_options,
                .n_options = sizeof uniform_options / sizeof *uniform_options,
                .options_size = sizeof(spread_options) },
    .of = uniform_of,
};
