/* models/optimisers/sgd.c
 *
 * Stochastic gradient descent with momentum, Nesterov's form of it, and weight decay, in the order of torch.optim.SGD
 * (without dampening):  g += decay p;  v = momentum v + g;  g = v, or g + momentum v with Nesterov;  p -= rate g.
 * With v = 0 before the first step this is also torch's special case of it, v = g. */
#include "models/kernel.h"
#include "models/optimiser.h"

typedef struct sgd_options {
    double momentum, weight_decay;
    bool   nesterov;
} sgd_options;

static void sgd_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const sgd_options *self = options;

    if (self->nesterov && self->momentum == 0)
        wm_faults_add(faults, place, path, "nesterov needs a momentum above 0");
}

static size_t sgd_state_each(const void *options)
{
    const sgd_options *self = options;

    return self->momentum != 0 ? 1 : 0;
}

static bool sgd_is_plain(const void *options)
{
    const sgd_options *self = options;

    return self->momentum == 0 && self->weight_decay == 0;
}

WM_KERNEL static void plain(float *p, float *g, size_t n, float rate, float decay)
{
    for (size_t i = 0; i < n; i++) {
        p[i] -= rate * (g[i] + decay * p[i]);
        g[i] = 0;
    }
}

WM_KERNEL static void plainest(float *p, float *g, size_t n, float rate)
{
    for (size_t i = 0; i < n; i++) {
        p[i] -= rate * g[i];
        g[i] = 0;
    }
}

WM_KERNEL static void heavy(float *p, float *g, float *v, size_t n, float rate, float decay, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (g[i] + decay * p[i]);
        p[i] -= rate * v[i];
        g[i] = 0;
    }
}

WM_KERNEL static void nesterov(float *p, float *g, float *v, size_t n, float rate, float decay, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + decay * p[i];

        v[i] = momentum * v[i] + d;
        p[i] -= rate * (d + momentum * v[i]);
        g[i] = 0;
    }
}

static void sgd_step(const void *options, double rate, uint64_t t, float *params, float *grads, float *state,
                     size_t n)
{
    const sgd_options *self = options;
    float              eta = (float)rate, decay = (float)self->weight_decay, mu = (float)self->momentum;

    (void)t;
    if (sgd_is_plain(self))
        plainest(params, grads, n, eta);
    else if (mu == 0)
        plain(params, grads, n, eta, decay);
    else if (self->nesterov)
        nesterov(params, grads, state, n, eta, decay, mu);
    else
        heavy(params, grads, state, n, eta, decay, mu);
}

static const wm_option options[] = {
    { .name = "momentum",
      .kind = WM_REAL,
      .offset = offsetof(sgd_options, momentum),
      .least = 0,
      .most = 1,
      .standard = "0",
      .doc = "Share of the velocity that is kept from step to step." },
    { .name = "nesterov",
      .kind = WM_BOOL,
      .offset = offsetof(sgd_options, nesterov),
      .standard = "false",
      .doc = "Takes the gradient a step ahead, along the velocity." },
    { .name = "weight_decay",
      .kind = WM_REAL,
      .offset = offsetof(sgd_options, weight_decay),
      .least = 0,
      .most = 1,
      .standard = "0",
      .doc = "Share of each parameter that is added to its gradient." },
};

const wm_optimiser_ops wm_optimiser_sgd = {
    .member = { .name = "sgd",
                .doc = "Stochastic gradient descent, with momentum and weight decay as in PyTorch.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(sgd_options),
                .check = sgd_check },
    .state_each = sgd_state_each,
    .is_plain = sgd_is_plain,
    .step = sgd_step,
};
