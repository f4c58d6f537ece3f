/* models/initialisers/constant.c: every value the same. zeros, for the last layer of a residual block, begins it as the
 * identity. */
#include "models/initialiser.h"

typedef struct constant_options {
    double value;
} constant_options;

static wm_initial constant_of(const void *options, const wm_shape *shape)
{
    (void)shape;
    return (wm_initial){ WM_INITIAL_CONSTANT, ((const constant_options *)options)->value };
}

static wm_initial zeros_of(const void *options, const wm_shape *shape)
{
    (void)options;
    (void)shape;
    return (wm_initial){ WM_INITIAL_CONSTANT, 0 };
}

static wm_initial ones_of(const void *options, const wm_shape *shape)
{
    (void)options;
    (void)shape;
    return (wm_initial){ WM_INITIAL_CONSTANT, 1 };
}

static const wm_option options[] = {
    { .name = "value",
      .kind = WM_REAL,
      .offset = offsetof(constant_options, value),
      .least = -1e6,
      .most = 1e6,
      .main = true,
      .doc = "The value." },
};

const wm_initialiser_ops wm_initialiser_constant = {
    .member = { .name = "constant",
                .doc = "Every weight begins as one value.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(constant_options) },
    .of = constant_of,
};

const wm_initialiser_ops wm_initialiser_zeros = {
    .member = { .name = "zeros", .doc = "Every weight begins as 0." },
    .of = zeros_of,
};

const wm_initialiser_ops wm_initialiser_ones = {
    .member = { .name = "ones", .doc = "Every weight begins as 1." },
    .of = ones_of,
};
