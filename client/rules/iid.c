/* client/rules/iid.c
 *
 * Independent and identically distributed: examples shuffled and dealt in equal shares (McMahan et al. 2017,
 * section 3). */
#include "client/rules/rule.h"

#include <stdlib.h>

typedef struct iid_options {
    int64_t clients;
} iid_options;

wm_status wm_deal_evenly(size_t n, size_t clients, wm_rng *rng, uint32_t *to, wm_error *err)
{
    uint32_t *order = malloc((n + 1) * sizeof *order);

    if (order == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to deal %zu examples", n);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    wm_rng_shuffle(rng, order, n);
    for (size_t i = 0; i < n; i++)
        to[order[i]] = (uint32_t)(i * clients / n);
    free(order);
    return WM_OK;
}

static int64_t iid_clients(const void *options)
{
    return ((const iid_options *)options)->clients;
}

static wm_status iid_deal(const void *options, const int32_t *classes, size_t n_classes, size_t n, size_t clients,
                          wm_rng *rng, uint32_t *to, wm_error *err)
{
    (void)options;
    (void)classes;
    (void)n_classes;
    return wm_deal_evenly(n, clients, rng, to, err);
}

static const wm_option iid_option_table[] = {
    { .name = "clients",
      .kind = WM_WHOLE,
      .offset = offsetof(iid_options, clients),
      .least = 1,
      .most = WM_DEALT_CLIENTS_MAX,
      .standard = "100",
      .main = true,
      .doc = "How many clients the examples are dealt to." },
};

const wm_owner_ops wm_owner_iid = {
    .member = { .name = "iid",
                .doc = "Examples dealt at random in equal shares.",
                .options = iid_option_table,
                .n_options = sizeof iid_option_table / sizeof *iid_option_table,
                .options_size = sizeof(iid_options) },
    .clients = iid_clients,
    .deal = iid_deal,
};
