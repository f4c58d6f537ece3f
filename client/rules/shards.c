/* client/rules/shards.c
 *
 * The pathological division of McMahan et al. 2017, section 3: examples sorted by label, cut into clients * per_client
 * shards of equal size, and per_client of them dealt to each client. With two shards most clients know two digits. */
#include "client/rules/rule.h"

#include <stdlib.h>

typedef struct shards_options {
    int64_t clients, per_client;
} shards_options;

static int64_t shards_clients(const void *options)
{
    return ((const shards_options *)options)->clients;
}

/* order[n] <- the examples by class, those of a class in their own order: a counting sort. */
static wm_status sort_by_class(const int32_t *classes, size_t n_classes, size_t n, uint32_t *order, wm_error *err)
{
    size_t *begin = calloc(n_classes + 1, sizeof *begin);

    if (begin == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu classes", n_classes);
    for (size_t i = 0; i < n; i++)
        begin[classes[i] + 1]++;
    for (size_t c = 0; c < n_classes; c++)
        begin[c + 1] += begin[c];
    for (size_t i = 0; i < n; i++)
        order[begin[classes[i]]++] = (uint32_t)i;
    free(begin);
    return WM_OK;
}

static wm_status shards_deal(const void *options, const int32_t *classes, size_t n_classes, size_t n,
                             size_t clients, wm_rng *rng, uint32_t *to, wm_error *err)
{
    const shards_options *self = options;
    size_t                per_client = (size_t)self->per_client, n_shards;
    uint32_t             *order = NULL, *deal = NULL; /* deal[shard]: its place after shuffling */
    wm_status             st;

    if (!wm_size_mul(clients, per_client, &n_shards) || n_shards > n)
        return wm_fail(err, WM_E_INVALID, "data.owner: %zu examples cannot be cut in %zu clients of %zu shards", n,
                       clients, per_client);
    order = malloc((n + 1) * sizeof *order);
    deal = malloc((n_shards + 1) * sizeof *deal);
    if (order == NULL || deal == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to deal %zu examples", n);
        goto out;
    }
    st = sort_by_class(classes, n_classes, n, order, err);
    if (st != WM_OK)
        goto out;
    for (size_t s = 0; s < n_shards; s++)
        deal[s] = (uint32_t)s;
    wm_rng_shuffle(rng, deal, n_shards);
    for (size_t i = 0; i < n; i++)
        to[order[i]] = (uint32_t)(deal[i * n_shards / n] / per_client);
out:
    free(order);
    free(deal);
    return st;
}

static const wm_option shards_option_table[] = {
    { .name = "clients",
      .kind = WM_WHOLE,
      .offset = offsetof(shards_options, clients),
      .least = 1,
      .most = WM_DEALT_CLIENTS_MAX,
      .standard = "100",
      .doc = "How many clients the examples are dealt to." },
    { .name = "per_client",
      .kind = WM_WHOLE,
      .offset = offsetof(shards_options, per_client),
      .least = 1,
      .most = 1000,
      .standard = "2",
      .doc = "Shards of one label, or nearly, that each client gets." },
};

const wm_owner_ops wm_owner_shards = {
    .member = { .name = "shards",
                .doc = "Examples sorted by label and dealt in shards, so that each client knows few labels.",
                .options = shards_option_table,
                .n_options = sizeof shards_option_table / sizeof *shards_option_table,
                .options_size = sizeof(shards_options) },
    .clients = shards_clients,
    .needs_classes = true,
    .deal = shards_deal,
};
