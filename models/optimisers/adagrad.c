/* models/optimisers/adagrad.c
 *
 * Adagrad (Duchi, Hazan and Singer 2011), in the order of torch.optim.Adagrad:
 * g += decay p;  s += g^2;  p -= rate g / (sqrt(s) + epsilon). State: s. */
#include "models/kernel.h"
#include "models/optimiser.h"

typedef struct adagrad_options {
    double epsilon, weight_decay;
} adagrad_options;

static size_t one(const void *options)
{
    (void)options;
    return 1;
}

WM_KERNEL static void adagrad(float *p, float *g, float *s, size_t n, float rate, float epsilon, float decay)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + decay * p[i];

        s[i] += d * d;
        p[i] -= rate * (d / (sqrtf(s[i]) + epsilon));
        g[i] = 0;
    }
}

static void adagrad_step(const void *options, double rate, uint64_t t, float *params, float *grads, float *state,
                         size_t n)
{
    const adagrad_options *self = options;

    (void)t;
    adagrad(params, grads, state, n, (float)rate, (float)self->epsilon, (float)self->weight_decay);
}

static const wm_option options[] = {
    { .name = "epsilon",
      .kind = WM_REAL,
      .offset = offsetof(adagrad_options, epsilon),
      .least = 1e-30,
      .most = 1,
      .standard = "1e-10",
      .doc = "Added to the root of the squares, so that nothing is divided by zero." },
    { .name = "weight_decay",
      .kind = WM_REAL,
      .offset = offsetof(adagrad_options, weight_decay),
      .most = 1,
      .standard = "0",
      .doc = "Share of each parameter that is added to its gradient." },
};

const wm_optimiser_ops wm_optimiser_adagrad = {
    .member = { .name = "adagrad",
                .doc = "Adagrad: parameters that have moved much move less; for features that are seldom seen.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(adagrad_options) },
    .state_each = one,
    .step = adagrad_step,
};
