/* common/crypto/tls.c
 *
 * Contexts: what is the same for all connections of one end. */
#include "common/crypto/tls.h"

#include "common/crypto/openssl.h"
#include "common/crypto/tls_private.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* Our certificate, the others of the chain, and the key. */
static wm_status load_own(SSL_CTX *ctx, wm_chain *chain, wm_key *key, wm_error *err)
{
    if (SSL_CTX_use_certificate(ctx, wm_chain_at(chain, 0)) != 1)
        return wm_openssl_fail(err, WM_E_INVALID, "our certificate cannot be used for TLS");
    for (size_t i = 1; i < wm_chain_size(chain); i++)
        if (SSL_CTX_add1_chain_cert(ctx, wm_chain_at(chain, i)) != 1)
            return wm_openssl_fail(err, WM_E_INVALID, "our certificate's chain cannot be used for TLS");
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return wm_openssl_fail(err, WM_E_UNTRUSTED, "our private key is not the one of our certificate");
    return WM_OK;
}

static wm_status context_new(const wm_tls *tls, wm_chain *chain, wm_key *key, SSL_CTX **ret, wm_error *err)
{
    bool     server = tls->side == WM_TLS_SERVER;
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int verify = server && tls->anonymous ? SSL_VERIFY_NONE : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    wm_status st = WM_OK;

    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1) {
        st = wm_fail(err, WM_E_NOMEM, "OpenSSL has no context for TLS 1.3");
        goto out;
    }
    SSL_CTX_set_verify(ctx, verify, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, wm_tls_judge, NULL);
    SSL_CTX_set_max_cert_list(ctx, WM_CHAIN_BYTES);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
    if (chain != NULL && (st = load_own(ctx, chain, key, err)) != WM_OK)
        goto out;
    *ret = ctx;
    ctx = NULL;
out:
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return st;
}

static wm_status check_settings(const wm_tls_settings *set, wm_error *err)
{
    bool server = set->side == WM_TLS_SERVER;

    if ((set->chain == NULL) != (set->key == NULL) || (set->chain != NULL && wm_chain_size(set->chain) == 0))
        return wm_fail(err, WM_E_INVALID, "a certificate and its private key go together");
    if (server && set->chain == NULL)
        return wm_fail(err, WM_E_INVALID, "a server needs a certificate");
    if (server && (set->pin != NULL || set->server_name != NULL))
        return wm_fail(err, WM_E_INVALID, "a pin and an expected name are for clients");
    if (!server && set->anonymous)
        return wm_fail(err, WM_E_INVALID, "a client always asks the server for its certificate");
    if (!(server && set->anonymous) && (set->root == NULL) == (set->pin == NULL))
        return wm_fail(err, WM_E_INVALID, "either a trusted root or a pin is needed");
    return WM_OK;
}

wm_status wm_tls_new(const wm_tls_settings *set, wm_tls **ret, wm_error *err)
{
    wm_tls   *tls;
    wm_status st = check_settings(set, err);

    if (st != WM_OK)
        return st;
    if ((tls = calloc(1, sizeof *tls)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for TLS settings");
    atomic_init(&tls->users, 1);
    atomic_init(&tls->now_ms, 0);
    pthread_mutex_init(&tls->lock, NULL);
    tls->side = set->side;
    tls->anonymous = set->anonymous;
    tls->clock = set->clock;
    tls->allow = set->allow;
    tls->context = set->context;
    if (set->pin != NULL) {
        tls->has_pin = true;
        tls->pin = *set->pin;
    }
    if ((tls->root = set->root) != NULL)
        X509_up_ref(tls->root);
    if (set->server_name != NULL && (tls->server_name = strdup(set->server_name)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for TLS settings");
    if (st == WM_OK)
        st = context_new(tls, set->chain, set->key, &tls->ctx, err);
    if (st == WM_OK)
        *ret = tls;
    else
        wm_tls_free(tls);
    return st;
}

void wm_tls_hold(wm_tls *tls)
{
    atomic_fetch_add(&tls->users, 1);
}

wm_tls_side wm_tls_side_of(const wm_tls *tls)
{
    return tls->side;
}

void wm_tls_free(wm_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->users, 1) != 1)
        return;
    SSL_CTX_free(tls->ctx);
    X509_free(tls->root);
    free(tls->server_name);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

SSL_CTX *wm_tls_context(wm_tls *tls)
{
    SSL_CTX *ctx;

    pthread_mutex_lock(&tls->lock);
    ctx = tls->ctx;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&tls->lock);
    return ctx;
}

wm_status wm_tls_set_own(wm_tls *tls, wm_chain *chain, wm_key *key, wm_error *err)
{
    SSL_CTX  *ctx = NULL, *old;
    wm_status st;

    if (chain == NULL || key == NULL || wm_chain_size(chain) == 0)
        return wm_fail(err, WM_E_INVALID, "a certificate and its private key go together");
    if ((st = context_new(tls, chain, key, &ctx, err)) != WM_OK)
        return st;
    pthread_mutex_lock(&tls->lock);
    old = tls->ctx;
    tls->ctx = ctx;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
    return WM_OK;
}

void wm_tls_set_now(wm_tls *tls, int64_t wall_ms)
{
    atomic_store(&tls->now_ms, wall_ms);
}

int64_t wm_tls_now(const wm_tls *tls)
{
    int64_t now_ms = atomic_load(&tls->now_ms);

    return now_ms != 0 ? now_ms : tls->clock.wall_ms != NULL ? wm_wall_ms(&tls->clock) : 0;
}

int64_t wm_tls_left_ms(const wm_tls *tls, const wm_peer *peer)
{
    int64_t now_ms = wm_tls_now(tls);

    return now_ms != 0 && peer->not_after_ms != 0 ? peer->not_after_ms - now_ms : INT64_MAX;
}

bool wm_tls_allows(const wm_tls *tls, const wm_peer *peer, char *why, size_t n)
{
    return tls->allow == NULL || tls->allow(tls->context, peer, why, n);
}

bool wm_tls_is_anonymous(const wm_tls *tls)
{
    return tls->anonymous;
}
