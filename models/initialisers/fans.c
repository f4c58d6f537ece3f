/* models/initialisers/fans.c
 *
 * Spreads that keep the variance of what goes through a layer, by the number of values that each output is made of (fan
 * in) and that each input goes to (fan out):
 *
 *     xavier   (Glorot and Bengio 2010)      variance  gain^2 2 / (fan in + fan out)
 *     kaiming  (He et al. 2015, equation 15) variance  2 / (1 + slope^2) / fan
 *
 * Fans as torch.nn.init counts them: dimension 1 and 0 of the tensor, times the places of a kernel; a recurrence's
 * weights and an attention's are one tensor of all gates or all three projections. */
#include "models/initialiser.h"

#include <math.h>

typedef struct xavier_options {
    double gain;
} xavier_options;

typedef enum fan_kind { FAN_IN, FAN_OUT } fan_kind;

typedef struct kaiming_options {
    double slope;
    int    fan;
} kaiming_options;

static double fan(const wm_shape *shape, fan_kind kind)
{
    double places = 1;

    for (uint32_t i = 2; i < shape->rank; i++)
        places *= shape->dim[i];
    return places * shape->dim[kind == FAN_IN ? 1 : 0];
}

static double xavier_deviation(const void *options, const wm_shape *shape)
{
    return ((const xavier_options *)options)->gain * sqrt(2 / (fan(shape, FAN_IN) + fan(shape, FAN_OUT)));
}

static double kaiming_deviation(const void *options, const wm_shape *shape)
{
    const kaiming_options *self = options;

    return sqrt(2 / ((1 + self->slope * self->slope) * fan(shape, (fan_kind)self->fan)));
}

/* A uniform distribution on [-a, a) has the deviation a / sqrt(3). */
static wm_initial uniform(double deviation)
{
    return (wm_initial){ WM_INITIAL_UNIFORM, sqrt(3) * deviation };
}

static wm_initial normal(double deviation)
{
    return (wm_initial){ WM_INITIAL_NORMAL, deviation };
}

static wm_initial xavier_uniform_of(const void *options, const wm_shape *shape)
{
    return uniform(xavier_deviation(options, shape));
}

static wm_initial xavier_normal_of(const void *options, const wm_shape *shape)
{
    return normal(xavier_deviation(options, shape));
}

static wm_initial kaiming_uniform_of(const void *options, const wm_shape *shape)
{
    return uniform(kaiming_deviation(options, shape));
}

static wm_initial kaiming_normal_of(const void *options, const wm_shape *shape)
{
    return normal(kaiming_deviation(options, shape));
}

static const wm_option xavier_table[] = {
    { .name = "gain",
      .kind = WM_REAL,
      .offset = offsetof(xavier_options, gain),
      .least = 1e-6,
      .most = 1e6,
      .standard = "1",
      .main = true,
      .doc = "Times this: 1 for tanh and sigmoid as PyTorch's xavier, 1.41 before a relu." },
};

static const char *const fans[] = { [FAN_IN] = "in", [FAN_OUT] = "out", NULL };

static const wm_option kaiming_table[] = {
    { .name = "slope",
      .kind = WM_REAL,
      .offset = offsetof(kaiming_options, slope),
      .least = 0,
      .most = 1e3,
      .standard = "0",
      .main = true,
      .doc = "The slope below 0 of the leaky_relu that follows; 0: a relu." },
    { .name = "fan",
      .kind = WM_CHOICE,
      .offset = offsetof(kaiming_options, fan),
      .words = fans,
      .standard = "in",
      .doc = "in: keeps the variance on the way forward; out: that of the gradients on the way back." },
};

#define XAVIER(kind, words)                                                  \
    {                                                                        \
        .member = { .name = "xavier_" #kind,                                 \
                    .doc = words,                                            \
                    .options = xavier_table,                                 \
                    .n_options = sizeof xavier_table / sizeof *xavier_table, \
                    .options_size = sizeof(xavier_options) },                \
        .of = xavier_##kind##_of,                                            \
    }

#define KAIMING(kind, words)                                                   \
    {                                                                          \
        .member = { .name = "kaiming_" #kind,                                  \
                    .doc = words,                                              \
                    .options = kaiming_table,                                  \
                    .n_options = sizeof kaiming_table / sizeof *kaiming_table, \
                    .options_size = sizeof(kaiming_options) },                 \
        .of = kaiming_##kind##_of,                                             \
    }

const wm_initialiser_ops wm_initialiser_xavier_uniform = XAVIER(uniform, "As xavier_normal, evenly within bounds.");
const wm_initialiser_ops wm_initialiser_xavier_normal =
    XAVIER(normal, "Glorot and Bengio 2010, normal: keeps the variance through layers of tanh and their like.");
const wm_initialiser_ops wm_initialiser_kaiming_uniform =
    KAIMING(uniform, "As kaiming_normal, evenly within bounds.");
const wm_initialiser_ops wm_initialiser_kaiming_normal =
    KAIMING(normal, "He et al. 2015, normal: keeps the variance through layers of relu.");
