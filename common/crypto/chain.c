/* common/crypto/chain.c */
#include "common/crypto/chain.h"

#include "common/clock.h"
#include "common/crypto/openssl.h"

#include <assert.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Certificate, issuing authority, root: one between. */
enum { BETWEEN_MAX = 1 };

static const char *purpose_text(wm_purpose purpose)
{
    return purpose == WM_PURPOSE_SERVER ? "server" : "gateway";
}

static wm_status check_purpose_and_name(wm_certificate *certificate, const wm_certificate_facts *facts,
                                        const wm_chain_rule *rule, wm_error *err)
{
    bool wanted = rule->purpose == WM_PURPOSE_SERVER ? facts->for_server : facts->for_gateway;
    bool other = rule->purpose == WM_PURPOSE_SERVER ? facts->for_gateway : facts->for_server;

    if (!wanted || other || facts->is_authority)
        return wm_fail(err, WM_E_UNTRUSTED, "the certificate of \"%s\" is not a %s's", facts->name,
                       purpose_text(rule->purpose));
    if (!facts->may_sign)
        return wm_fail(err, WM_E_UNTRUSTED, "the certificate of \"%s\" has a key that may not sign", facts->name);
    if (rule->purpose == WM_PURPOSE_SERVER) {
        if (rule->name != NULL && !wm_certificate_has_name(certificate, rule->name))
            return wm_fail(
                err, WM_E_UNTRUSTED,
                "the server's certificate is for \"%s\", not for \"%.80s\": use one of its names, or add "
                "the name with `wardmote-server init DIR --name`",
                facts->name, rule->name);
        return WM_OK;
    }
    if (facts->n_names != 1 || !wm_gateway_name_ok(facts->name))
        return wm_fail(err, WM_E_UNTRUSTED, "a gateway's certificate has not exactly one fit name");
    if (rule->name != NULL && strcmp(facts->name, rule->name) != 0)
        return wm_fail(err, WM_E_UNTRUSTED, "the certificate is of gateway \"%s\", not of \"%.80s\"", facts->name,
                       rule->name);
    return WM_OK;
}

static wm_status check_dates(const wm_chain *path, int64_t wall_ms, wm_error *err)
{
    for (size_t i = 0; i < wm_chain_size(path); i++) {
        wm_certificate_facts facts;
        char                 limit[WM_TIME_TEXT], now[WM_TIME_TEXT];
        const char          *whose;
        wm_status            st = wm_certificate_look(wm_chain_at(path, i), &facts, err);

        if (st != WM_OK)
            return st;
        whose = i == 0 ? facts.name : "its authority";
        if (wall_ms < facts.not_before_ms)
            return wm_fail(err, WM_E_UNTRUSTED, "the certificate of %s is not valid before %s, and it is %s", whose,
                           wm_time_text(facts.not_before_ms, limit), wm_time_text(wall_ms, now));
        if (wall_ms > facts.not_after_ms)
            return wm_fail(err, WM_E_UNTRUSTED, "the certificate of %s has expired at %s, and it is %s", whose,
                           wm_time_text(facts.not_after_ms, limit), wm_time_text(wall_ms, now));
    }
    return WM_OK;
}

static bool set_up(X509_STORE_CTX *context, X509_STORE *store, const wm_chain *chain, const wm_chain_rule *rule)
{
    X509_VERIFY_PARAM *param;

    /* OpenSSL does not change the untrusted certificates, it only forgot to say so. */
    if (X509_STORE_add_cert(store, rule->root) != 1 ||
        X509_STORE_CTX_init(context, store, wm_chain_at(chain, 0), (wm_chain *)(uintptr_t)chain) != 1)
        return false;
    param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_depth(param, BETWEEN_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits and better everywhere */
    return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME) == 1 &&
           X509_VERIFY_PARAM_set_purpose(param, rule->purpose == WM_PURPOSE_SERVER ? X509_PURPOSE_SSL_SERVER
                                                                                   : X509_PURPOSE_SSL_CLIENT) == 1;
}

wm_status wm_chain_check(const wm_chain *chain, const wm_chain_rule *rule, wm_certificate_facts *facts,
                         wm_error *err)
{
    wm_certificate_facts mine = { .n_names = 0 };
    wm_status            st;
    X509_STORE          *store = X509_STORE_new();
    X509_STORE_CTX      *context = X509_STORE_CTX_new();

    assert(rule->root != NULL && wm_chain_size(chain) > 0);
    if (facts != NULL)
        *facts = mine;
    if (store == NULL || context == NULL || !set_up(context, store, chain, rule)) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory to check a chain of certificates");
        goto out;
    }
    st = wm_certificate_look(wm_chain_at(chain, 0), &mine, err);
    if (st != WM_OK)
        goto out;
    if (facts != NULL)
        *facts = mine;
    st = check_purpose_and_name(wm_chain_at(chain, 0), &mine, rule, err);
    if (st != WM_OK)
        goto out;
    if (X509_verify_cert(context) != 1) {
        st = wm_openssl_fail(err, WM_E_UNTRUSTED, "the certificate of \"%s\" does not lead to the root: %s",
                             mine.name, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
        goto out;
    }
    if (!rule->ignore_dates)
        st = check_dates(X509_STORE_CTX_get0_chain(context), rule->wall_ms, err);
out:
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return st;
}

wm_status wm_chain_find_root(const wm_chain *chain, const wm_digest *digest, wm_certificate **ret, wm_error *err)
{
    for (size_t i = 0; i < wm_chain_size(chain); i++) {
        wm_certificate *certificate = wm_chain_at(chain, i);
        wm_digest       found;
        wm_status       st = wm_certificate_digest(certificate, &found, err);

        if (st != WM_OK)
            return st;
        if (wm_digest_equal(&found, digest) && X509_self_signed(certificate, 1) == 1) {
            *ret = certificate;
            return WM_OK;
        }
    }
    return wm_openssl_fail(err, WM_E_UNTRUSTED,
                           "the root certificate that is expected is not among the %zu presented: this is another "
                           "office's server, or somebody in between",
                           wm_chain_size(chain));
}
