/* server/own_certificate.c */
#include "server/own_certificate.h"

#include "common/crypto/chain.h"
#include "server/issuer/office.h"

#include <stdlib.h>

struct wm_own_certificate {
    wm_own_certificate_settings set;
    wm_tls                     *tls, *enrolment_tls;
};

/* What the folder has. */
typedef struct loaded {
    wm_chain *chain, *root;
    wm_key   *key;
} loaded;

static void loaded_release(loaded *own)
{
    wm_chain_free(own->chain);
    wm_chain_free(own->root);
    wm_key_free(own->key);
}

static wm_status load(const wm_own_certificate_settings *set, loaded *own, wm_error *err)
{
    char     *chain = wm_path_join(set->folder, "server.pem");
    char     *key = wm_path_join(set->folder, "server.key");
    char     *root = wm_path_join(set->folder, "root.pem");
    wm_status st = WM_OK;

    if (chain == NULL || key == NULL || root == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the certificate");
    if (st == WM_OK)
        st = wm_chain_load(set->files, chain, &own->chain, err);
    if (st == WM_OK)
        st = wm_key_load(set->files, key, &own->key, err);
    if (st == WM_OK)
        st = wm_chain_load(set->files, root, &own->root, err);
    free(chain);
    free(key);
    free(root);
    return st;
}

static wm_status check_names(const wm_own_certificate_settings *set, wm_certificate *certificate, wm_error *err)
{
    for (size_t i = 0; i < set->names->count; i++)
        if (!wm_certificate_has_name(certificate, set->names->items[i]))
            return wm_fail(
                err, WM_E_INVALID,
                "server.yaml has the name %s, which the certificate does not carry: run `wardmote-server init %s "
                "--name %s`",
                set->names->items[i], set->folder, set->names->items[i]);
    return WM_OK;
}

/* Both ends of TLS. */
static wm_status make_ends(wm_own_certificate *self, const loaded *own, wm_error *err)
{
    const wm_own_certificate_settings *set = &self->set;
    wm_tls_settings                    mutual = { .side = WM_TLS_SERVER,
                                                  .chain = own->chain,
                                                  .key = own->key,
                                                  .root = wm_chain_at(own->root, 0),
                                                  .clock = set->clock,
                                                  .allow = set->allow,
                                                  .context = set->context };
    wm_tls_settings                    enrolment = {
                           .side = WM_TLS_SERVER, .chain = own->chain, .key = own->key, .anonymous = true, .clock = set->clock
    };
    wm_status st = wm_tls_new(&mutual, &self->tls, err);

    return st == WM_OK ? wm_tls_new(&enrolment, &self->enrolment_tls, err) : st;
}

wm_status wm_own_certificate_open(const wm_own_certificate_settings *settings, wm_own_certificate **ret,
                                  wm_error *err)
{
    wm_own_certificate *self = calloc(1, sizeof *self);
    loaded              own = { 0 };
    bool                changed;
    wm_status           st;

    if (self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the certificate");
    self->set = *settings;
    st = wm_office_renew_server(settings->folder, settings->files, &settings->issuer, &changed, err);
    if (st == WM_OK)
        st = load(settings, &own, err);
    if (st == WM_OK)
        st = check_names(settings, wm_chain_at(own.chain, 0), err);
    if (st == WM_OK)
        st = make_ends(self, &own, err);
    loaded_release(&own);
    if (st == WM_OK)
        *ret = self;
    else
        wm_own_certificate_free(self);
    return st;
}

void wm_own_certificate_free(wm_own_certificate *own)
{
    if (own == NULL)
        return;
    wm_tls_free(own->tls);
    wm_tls_free(own->enrolment_tls);
    free(own);
}

wm_tls *wm_own_certificate_tls(const wm_own_certificate *own)
{
    return own->tls;
}

wm_tls *wm_own_certificate_enrolment_tls(const wm_own_certificate *own)
{
    return own->enrolment_tls;
}

wm_status wm_own_certificate_renew(wm_own_certificate *own, bool *changed, wm_error *err)
{
    const wm_own_certificate_settings *set = &own->set;
    loaded                             fresh = { 0 };
    wm_status                          st;

    *changed = false;
    st = wm_office_renew_server(set->folder, set->files, &set->issuer, changed, err);
    if (st == WM_OK && *changed)
        st = load(set, &fresh, err);
    if (st == WM_OK && *changed)
        st = wm_tls_set_own(own->tls, fresh.chain, fresh.key, err);
    if (st == WM_OK && *changed)
        st = wm_tls_set_own(own->enrolment_tls, fresh.chain, fresh.key, err);
    loaded_release(&fresh);
    return st;
}
