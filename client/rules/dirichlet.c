/* client/rules/dirichlet.c
 *
 * Label skew of any strength: for every class the clients' shares are drawn from a symmetric Dirichlet distribution.
 * A small alpha gives most of a class to few clients, a large one comes near iid. (Hsu, Qi, Brown 2019, "Measuring
 * the Effects of Non-Identical Data Distribution", arXiv:1909.06335; by class, as Yurochkin et al. 2019 do.) */
#include "client/rules/rule.h"

#include <math.h>
#include <stdlib.h>

typedef struct dirichlet_options {
    double  alpha;
    int64_t clients;
} dirichlet_options;

static int64_t dirichlet_clients(const void *options)
{
    return ((const dirichlet_options *)options)->clients;
}

/* The logarithm of a Gamma(alpha, 1) number: Marsaglia and Tsang 2000, and for alpha below 1 their boost by u^(1/alpha).
 * As a logarithm, since for a small alpha the number itself is below the smallest double. */
static double log_gamma_draw(wm_rng *rng, double alpha)
{
    double boost = 0, d, c;

    if (alpha < 1) {
        boost = log(1 - wm_rng_unit(rng)) / alpha;
        alpha += 1;
    }
    d = alpha - 1.0 / 3;
    c = 1 / sqrt(9 * d);
    for (;;) {
        double x = wm_rng_normal(rng), v = 1 + c * x, u = 1 - wm_rng_unit(rng);

        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

/* ends[clients] <- running sums of shares, the last 1. */
static void draw_shares(wm_rng *rng, double alpha, size_t clients, double *ends)
{
    double most = -INFINITY, sum = 0;

    for (size_t k = 0; k < clients; k++) {
        ends[k] = log_gamma_draw(rng, alpha);
        most = ends[k] > most ? ends[k] : most;
    }
    for (size_t k = 0; k < clients; k++)
        ends[k] = sum += exp(ends[k] - most);
    for (size_t k = 0; k < clients; k++)
        ends[k] /= sum;
}

static wm_status dirichlet_deal(const void *options, const int32_t *classes, size_t n_classes, size_t n,
                                size_t clients, wm_rng *rng, uint32_t *to, wm_error *err)
{
    const dirichlet_options *self = options;
    double                  *ends = malloc((clients + 1) * sizeof *ends);
    uint32_t                *order = malloc((n + 1) * sizeof *order);
    wm_status                st = WM_OK;

    if (ends == NULL || order == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to deal %zu examples", n);
        goto out;
    }
    for (size_t c = 0; c < n_classes; c++) {
        size_t count = 0, k = 0;

        for (size_t i = 0; i < n; i++)
            if ((size_t)classes[i] == c)
                order[count++] = (uint32_t)i;
        wm_rng_shuffle(rng, order, count);
        draw_shares(rng, self->alpha, clients, ends);
        for (size_t i = 0; i < count; i++) {
            while (k + 1 < clients && (double)i + 0.5 > ends[k] * (double)count)
                k++;
            to[order[i]] = (uint32_t)k;
        }
    }
out:
    free(ends);
    free(order);
    return st;
}

static const wm_option dirichlet_option_table[] = {
    { .name = "alpha",
      .kind = WM_REAL,
      .offset = offsetof(dirichlet_options, alpha),
      .least = 0.001,
      .most = 1e6,
      .standard = "0.5",
      .main = true,
      .doc = "How even the labels are: 0.1 is very skewed, 100 nearly iid." },
    { .name = "clients",
      .kind = WM_WHOLE,
      .offset = offsetof(dirichlet_options, clients),
      .least = 1,
      .most = WM_DEALT_CLIENTS_MAX,
      .standard = "100",
      .doc = "How many clients the examples are dealt to." },
};

const wm_owner_ops wm_owner_dirichlet = {
    .member = { .name = "dirichlet",
                .doc = "Examples dealt so that each client has its own mix of labels.",
                .options = dirichlet_option_table,
                .n_options = sizeof dirichlet_option_table / sizeof *dirichlet_option_table,
                .options_size = sizeof(dirichlet_options) },
    .clients = dirichlet_clients,
    .needs_classes = true,
    .deal = dirichlet_deal,
};
