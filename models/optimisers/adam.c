/* models/optimisers/adam.c
 *
 * Adam (Kingma and Ba 2015, arXiv:1412.6980) and AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), in the order of
 * torch.optim:
 *
 *     adam   g += decay p                adamw   p -= rate decay p
 *     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *     p -= rate / (1 - b1^t)  m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
 *
 * State: m, then v. */
#include "models/kernel.h"
#include "models/optimiser.h"

typedef struct adam_options {
    double beta1, beta2, epsilon, weight_decay;
} adam_options;

/* What is the same for all parameters of a step. */
typedef struct adam_step {
    float rate, root, beta1, rest1, beta2, rest2, epsilon, decay;
} adam_step;

static size_t two(const void *options)
{
    (void)options;
    return 2;
}

static adam_step constants(const adam_options *self, double rate, uint64_t t)
{
    return (adam_step){
        .rate = (float)(rate / (1 - pow(self->beta1, (double)t))),
        .root = (float)sqrt(1 - pow(self->beta2, (double)t)),
        .beta1 = (float)self->beta1,
        .rest1 = (float)(1 - self->beta1),
        .beta2 = (float)self->beta2,
        .rest2 = (float)(1 - self->beta2),
        .epsilon = (float)self->epsilon,
    };
}

/* Decay in the gradient: s.decay p is added to it. */
WM_KERNEL static void coupled(float *p, float *g, float *m, float *v, size_t n, adam_step s)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + s.decay * p[i];

        m[i] = s.beta1 * m[i] + s.rest1 * d;
        v[i] = s.beta2 * v[i] + s.rest2 * d * d;
        p[i] -= s.rate * (m[i] / (sqrtf(v[i]) / s.root + s.epsilon));
        g[i] = 0;
    }
}

/* Decay of the parameter itself: s.decay of it remains. */
WM_KERNEL static void decoupled(float *p, float *g, float *m, float *v, size_t n, adam_step s)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = s.beta1 * m[i] + s.rest1 * g[i];
        v[i] = s.beta2 * v[i] + s.rest2 * g[i] * g[i];
        p[i] = s.decay * p[i] - s.rate * (m[i] / (sqrtf(v[i]) / s.root + s.epsilon));
        g[i] = 0;
    }
}

static void adam_run(const void *options, double rate, uint64_t t, float *params, float *grads, float *state,
                     size_t n)
{
    const adam_options *self = options;
    adam_step           s = constants(self, rate, t);

    s.decay = (float)self->weight_decay;
    coupled(params, grads, state, state + n, n, s);
}

static void adamw_run(const void *options, double rate, uint64_t t, float *params, float *grads, float *state,
                      size_t n)
{
    const adam_options *self = options;
    adam_step           s = constants(self, rate, t);

    s.decay = (float)(1 - rate * self->weight_decay);
    decoupled(params, grads, state, state + n, n, s);
}

#define BETA(which, value, of)                                                                         \
    {                                                                                                  \
        .name = #which, .kind = WM_REAL, .offset = offsetof(adam_options, which), .most = 0.999999999, \
        .standard = value, .doc = "Share of the mean of " of " that is kept from step to step."        \
    }
#define OPTIONS(list, decay)                                                                             \
    static const wm_option list[] = {                                                                    \
        BETA(beta1, "0.9", "gradients"),                                                                 \
        BETA(beta2, "0.999", "squared gradients"),                                                       \
        { .name = "epsilon",                                                                             \
          .kind = WM_REAL,                                                                               \
          .offset = offsetof(adam_options, epsilon),                                                     \
          .least = 1e-30,                                                                                \
          .most = 1,                                                                                     \
          .standard = "1e-8",                                                                            \
          .doc = "Added to the root of the squares, so that nothing is divided by zero." },              \
        { .name = "weight_decay",                                                                        \
          .kind = WM_REAL,                                                                               \
          .offset = offsetof(adam_options, weight_decay),                                                \
          .most = 1,                                                                                     \
          .standard = decay,                                                                             \
          .doc = "Share of each parameter that is taken off (adamw) or added to its gradient (adam)." }, \
    }

OPTIONS(adam_table, "0");
OPTIONS(adamw_table, "0.01");

const wm_optimiser_ops wm_optimiser_adam = {
    .member = { .name = "adam",
                .doc = "Adam: steps of about the rate's length, whatever the gradient's size.",
                .options = adam_table,
                .n_options = sizeof adam_table / sizeof *adam_table,
                .options_size = sizeof(adam_options) },
    .state_each = two,
    .step = adam_run,
};

const wm_optimiser_ops wm_optimiser_adamw = {
    .member = { .name = "adamw",
                .doc = "Adam with weight decay that does not pass through its means.",
                .options = adamw_table,
                .n_options = sizeof adamw_table / sizeof *adamw_table,
                .options_size = sizeof(adam_options) },
    .state_each = two,
    .step = adamw_run,
};
