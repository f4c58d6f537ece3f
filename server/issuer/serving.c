/* server/issuer/serving.c
 *
 * SERVER: the aggregator's own certificate, for the names that the operator has set and for no others. */
#include "server/issuer/issuing.h"

#include "common/crypto/identity.h"

#include <string.h>

/* Whether a certificate that was issued before still does: valid, not half through its life, and with just these names.
 * (One that is not valid yet was issued by a clock that was ahead.) */
static wm_status still_good(wm_issuing *x, const wm_certificate_record *record, const char *const *names, size_t n,
                            bool *ret)
{
    wm_chain            *chain = NULL;
    wm_certificate_facts facts;
    wm_status            st = wm_chain_decode(record->chain, strlen(record->chain), &chain, &x->err);

    if (st == WM_OK)
        st = wm_certificate_look(wm_chain_at(chain, 0), &facts, &x->err);
    if (st == WM_OK) {
        *ret = facts.n_names == n && x->now_ms >= facts.not_before_ms && !wm_renewal_due(&facts, x->now_ms);
        for (size_t i = 0; i < n && *ret; i++)
            *ret = wm_certificate_has_name(wm_chain_at(chain, 0), names[i]);
    }
    wm_chain_free(chain);
    return st;
}

static wm_status issue_server(wm_issuing *x, wm_key *key, const wm_digest *digest, const char *const *names,
                              size_t n)
{
    wm_certificate_record record = { .chain = NULL };
    bool                  good = false;
    wm_status             st = wm_issuer_store_server_certificate(x->issuer->store, digest, &record, &x->err);

    if (st == WM_OK)
        st = still_good(x, &record, names, n, &good);
    else if (st == WM_E_MISSING)
        st = WM_OK;
    if (st != WM_OK || good)
        goto out;
    wm_certificate_record_release(&record);
    st = wm_make_certificate(x, key, WM_PURPOSE_SERVER, names, n, &record);
    if (st == WM_OK)
        st = wm_issuer_store_add_server(x->issuer->store, &record, &x->err);
    if (st != WM_OK)
        goto out;
    wm_done(x, "server's certificate issued", record.name, &record.serial);
out:
    if (st == WM_OK)
        st = wm_give_certificate(x, &record);
    wm_certificate_record_release(&record);
    return st;
}

wm_status wm_issuing_server(wm_issuing *x)
{
    char        texts[WM_SERVER_NAMES_MAX][WM_HOST_TEXT];
    const char *names[WM_SERVER_NAMES_MAX];
    wm_key     *key = NULL;
    wm_digest   digest;
    size_t      n = 0;
    wm_status   st = wm_issuer_store_names(x->issuer->store, texts, &n, &x->err);

    if (st != WM_OK)
        return st;
    if (n == 0)
        return wm_refuse(x, WM_E_MISSING, WM_HEARS_REQUEST,
                         "no name was set for the server: `init DIR --name HOST`");
    for (size_t i = 0; i < n; i++)
        names[i] = texts[i];
    /* It may ask for fewer names, to be told that it gets all; never for others. */
    for (size_t i = 0; i < x->ask->n_names; i++) {
        size_t k = 0;

        while (k < n && strcmp(names[k], x->ask->names[i]) != 0)
            k++;
        if (k == n)
            return wm_refuse(
                x, WM_E_REFUSED, WM_HEARS_REQUEST,
                "\"%.63s\" is not among the server's names: the operator adds one by `init DIR --name`",
                x->ask->names[i]);
    }
    st = wm_take_request(x, &x->ask->request, &key, &digest);
    if (st == WM_OK)
        st = issue_server(x, key, &digest, names, n);
    wm_key_free(key);
    return st;
}
