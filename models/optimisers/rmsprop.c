/* models/optimisers/rmsprop.c
 *
 * RMSprop (Tieleman and Hinton 2012), in the order of torch.optim.RMSprop (not centred):
 * g += decay p;  s = keep s + (1 - keep) g^2;  d = g / (sqrt(s) + epsilon);  v = momentum v + d;  p -= rate v.
 * State: s, and v if there is momentum. */
#include "models/kernel.h"
#include "models/optimiser.h"

typedef struct rmsprop_options {
    double keep, epsilon, momentum, weight_decay;
} rmsprop_options;

typedef struct rmsprop_constants {
    float rate, keep, rest, epsilon, momentum, decay;
} rmsprop_constants;

static size_t rmsprop_state_each(const void *options)
{
    const rmsprop_options *self = options;

    return self->momentum != 0 ? 2 : 1;
}

WM_KERNEL static void rmsprop_plain(float *p, float *g, float *s, size_t n, rmsprop_constants c)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + c.decay * p[i];

        s[i] = c.keep * s[i] + c.rest * d * d;
        p[i] -= c.rate * (d / (sqrtf(s[i]) + c.epsilon));
        g[i] = 0;
    }
}

WM_KERNEL static void rmsprop_heavy(float *p, float *g, float *s, float *v, size_t n, rmsprop_constants c)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + c.decay * p[i];

        s[i] = c.keep * s[i] + c.rest * d * d;
        v[i] = c.momentum * v[i] + d / (sqrtf(s[i]) + c.epsilon);
        p[i] -= c.rate * v[i];
        g[i] = 0;
    }
}

static void rmsprop_step(const void *options, double rate, uint64_t t, float *params, float *grads, float *state,
                         size_t n)
{
    const rmsprop_options *self = options;
    rmsprop_constants      c = { .rate = (float)rate,
                                 .keep = (float)self->keep,
                                 .rest = (float)(1 - self->keep),
                                 .epsilon = (float)self->epsilon,
                                 .momentum = (float)self->momentum,
                                 .decay = (float)self->weight_decay };

    (void)t;
    if (self->momentum == 0)
        rmsprop_plain(params, grads, state, n, c);
    else
        rmsprop_heavy(params, grads, state, state + n, n, c);
}

static const wm_option options[] = {
    { .name = "keep",
      .kind = WM_REAL,
      .offset = offsetof(rmsprop_options, keep),
      .most = 0.999999999,
      .standard = "0.99",
      .doc = "Share of the mean of squared gradients that is kept from step to step (PyTorch's alpha)." },
    { .name = "epsilon",
      .kind = WM_REAL,
      .offset = offsetof(rmsprop_options, epsilon),
      .least = 1e-30,
      .most = 1,
      .standard = "1e-8",
      .doc = "Added to the root of the squares, so that nothing is divided by zero." },
    { .name = "momentum",
      .kind = WM_REAL,
      .offset = offsetof(rmsprop_options, momentum),
      .most = 1,
      .standard = "0",
      .doc = "Share of the velocity that is kept from step to step." },
    { .name = "weight_decay",
      .kind = WM_REAL,
      .offset = offsetof(rmsprop_options, weight_decay),
      .most = 1,
      .standard = "0",
      .doc = "Share of each parameter that is added to its gradient." },
};

const wm_optimiser_ops wm_optimiser_rmsprop = {
    .member = { .name = "rmsprop",
                .doc = "RMSprop: steps scaled by the recent size of the gradient; for recurrent networks.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(rmsprop_options) },
    .state_each = rmsprop_state_each,
    .step = rmsprop_step,
};
