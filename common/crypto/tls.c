/* common/crypto/tls.c
 *
 * Contexts: what is the same for all connections of one end. */
#include "common/crypto/tls.h"

#include "common/crypto/tls_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_BYTES_MAX = 16 << 10, /* of the certificates that a peer shows; OpenSSL's default is 100 KiB */
    CHAIN_DEPTH_MAX = 4,
    ROOTS_MAX = 16,
};

/* OpenSSL would otherwise ask on the terminal. */
static int no_password(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static BIO *pem_reader(const char *pem)
{
    return BIO_new_mem_buf(pem, -1);
}

/* Adds the roots of `pem` to the store. */
static wm_status load_roots(X509_STORE *store, const char *pem, wm_error *err)
{
    BIO *reader = pem_reader(pem);
    X509 *root;
    int n = 0;
    wm_status st = WM_OK;

    if (reader == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the trusted roots");
    while (st == WM_OK && (root = PEM_read_bio_X509(reader, NULL, no_password, NULL)) != NULL) {
        if (++n > ROOTS_MAX)
            st = wm_fail(err, WM_E_INVALID, "more than %d trusted roots", ROOTS_MAX);
        else if (X509_STORE_add_cert(store, root) != 1)
            st = wm_fail(err, WM_E_NOMEM, "a trusted root cannot be stored");
        X509_free(root);
    }
    BIO_free(reader);
    ERR_clear_error(); /* reading PEM to its end leaves an error behind */
    if (st == WM_OK && n == 0)
        st = wm_fail(err, WM_E_MALFORMED, "the trusted roots are not certificates in PEM");
    return st;
}

static wm_status load_chain(SSL_CTX *ctx, const char *pem, wm_error *err)
{
    BIO *reader = pem_reader(pem);
    X509 *leaf = NULL, *link;
    wm_status st = WM_OK;

    if (reader == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for our certificate");
    leaf = PEM_read_bio_X509(reader, NULL, no_password, NULL);
    if (leaf == NULL || SSL_CTX_use_certificate(ctx, leaf) != 1)
        st = wm_fail(err, WM_E_MALFORMED, "our certificate is not a certificate in PEM that can be used");
    X509_free(leaf);
    while (st == WM_OK && (link = PEM_read_bio_X509(reader, NULL, no_password, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(ctx, link) != 1) {
            X509_free(link);
            st = wm_fail(err, WM_E_MALFORMED, "our certificate's chain cannot be used");
        }
    BIO_free(reader);
    ERR_clear_error();
    return st;
}

static wm_status load_key(SSL_CTX *ctx, const char *pem, wm_error *err)
{
    BIO *reader = pem_reader(pem);
    EVP_PKEY *key;
    wm_status st = WM_OK;

    if (reader == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for our private key");
    key = PEM_read_bio_PrivateKey(reader, NULL, no_password, NULL);
    BIO_free(reader);
    if (key == NULL)
        st = wm_fail(err, WM_E_MALFORMED, "our private key is not an unencrypted key in PEM");
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        st = wm_fail(err, WM_E_UNTRUSTED, "our private key is not the one of our certificate");
    EVP_PKEY_free(key);
    ERR_clear_error();
    return st;
}

static wm_status context_new(const wm_tls *tls, const char *chain, const char *key, SSL_CTX **ret,
                             wm_error *err)
{
    bool server = tls->side == WM_TLS_SERVER;
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int verify =
        server && tls->anonymous ? SSL_VERIFY_NONE : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    wm_status st = WM_OK;

    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1) {
        st = wm_fail(err, WM_E_NOMEM, "OpenSSL has no context for TLS 1.3");
        goto out;
    }
    SSL_CTX_set_verify(ctx, verify, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, wm_tls_judge, NULL);
    SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
    SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
    SSL_CTX_set1_cert_store(ctx, tls->trust);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_max_send_fragment(ctx, WM_TLS_RECORD_MAX);
    if (chain != NULL) {
        if ((st = load_chain(ctx, chain, err)) != WM_OK || (st = load_key(ctx, key, err)) != WM_OK)
            goto out;
    }
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

    if ((set->chain == NULL) != (set->key == NULL))
        return wm_fail(err, WM_E_INVALID, "a certificate and its private key go together");
    if (server && set->chain == NULL)
        return wm_fail(err, WM_E_INVALID, "a server needs a certificate");
    if (server && (set->pin != NULL || set->server_name != NULL))
        return wm_fail(err, WM_E_INVALID, "a pin and an expected name are for clients");
    if (!server && set->anonymous)
        return wm_fail(err, WM_E_INVALID, "a client always asks the server for its certificate");
    if (!(server && set->anonymous) && (set->roots == NULL) == (set->pin == NULL))
        return wm_fail(err, WM_E_INVALID, "either trusted roots or a pin are needed");
    return WM_OK;
}

wm_status wm_tls_new(const wm_tls_settings *set, wm_tls **ret, wm_error *err)
{
    wm_tls *tls;
    wm_status st = check_settings(set, err);

    if (st != WM_OK)
        return st;
    if ((tls = calloc(1, sizeof *tls)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for TLS settings");
    atomic_init(&tls->users, 1);
    pthread_mutex_init(&tls->lock, NULL);
    tls->side = set->side;
    tls->anonymous = set->anonymous;
    tls->allow = set->allow;
    tls->context = set->context;
    atomic_init(&tls->now_ms, set->now_ms);
    if (set->pin != NULL) {
        tls->has_pin = true;
        tls->pin = *set->pin;
    }
    if ((set->server_name != NULL && (tls->server_name = strdup(set->server_name)) == NULL) ||
        (tls->trust = X509_STORE_new()) == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for TLS settings");
        goto out;
    }
    if (set->roots != NULL && (st = load_roots(tls->trust, set->roots, err)) != WM_OK)
        goto out;
    if ((st = context_new(tls, set->chain, set->key, &tls->ctx, err)) != WM_OK)
        goto out;
    *ret = tls;
    tls = NULL;
out:
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
    X509_STORE_free(tls->trust);
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

wm_status wm_tls_set_own(wm_tls *tls, const char *chain, const char *key, wm_error *err)
{
    SSL_CTX *ctx = NULL, *old;
    wm_status st;

    if (chain == NULL || key == NULL)
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

void wm_tls_set_now(wm_tls *tls, int64_t now_ms)
{
    atomic_store(&tls->now_ms, now_ms);
}

bool wm_tls_allows(const wm_tls *tls, const wm_peer *peer, char *why, size_t n)
{
    return tls->allow == NULL || tls->allow(tls->context, peer, why, n);
}

bool wm_tls_is_anonymous(const wm_tls *tls)
{
    return tls->anonymous;
}
