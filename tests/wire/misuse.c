/* tests/wire/misuse.c */
#include "tests/wire/misuse.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <poll.h>
#include <sys/socket.h>

void must_end(scene *x, stranger *s)
{
    struct pollfd fd = { .fd = s->fd, .events = POLLIN };
    char          bytes[4096];
    ssize_t       n = 1;

    /* Below TLS, where the end is the end: what else comes, an alert say, is passed over. */
    while (n > 0) {
        assert_case(x->row->says, poll(&fd, 1, PATIENCE_MS) == 1);
        n = recv(s->fd, bytes, sizeof bytes, 0);
    }
    stranger_leave(s, STRANGER_CLOSES);
}

void add_chain(SSL_CTX *ctx, const test_identity *identity)
{
    for (size_t i = 1; i < wm_chain_size(identity->chain); i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, wm_chain_at(identity->chain, i)), 1);
}

SSL_CTX *reckless(const test_identity *identity, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    if (version != 0) {
        assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    }
    if (identity != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity->chain, 0)), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity->key), 1);
        add_chain(ctx, identity);
    }
    return ctx;
}

void shake(scene *x, SSL_CTX *ctx)
{
    stranger s = stranger_dial(x->t);

    (void)stranger_shake(&s, ctx); /* in TLS 1.3 a client hears of its refusal after its own handshake */
    must_end(x, &s);
    SSL_CTX_free(ctx);
}

void show(scene *x, test_identity identity)
{
    shake(x, reckless(&identity, x->row->version));
    test_identity_release(&identity);
}

EVP_PKEY *posing_key(EVP_PKEY *public_half, EVP_PKEY *private_half)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX   *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY       *key = NULL;
    BIGNUM         *secret = NULL;
    unsigned char  *point;
    size_t          n = EVP_PKEY_get1_encoded_public_key(public_half, &point);
    OSSL_PARAM     *params;

    assert_int_equal(EVP_PKEY_get_bn_param(private_half, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
    assert_true(n > 0 && build != NULL && ctx != NULL);
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
    params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    OPENSSL_free(point);
    BN_free(secret);
    EVP_PKEY_CTX_free(ctx);
    return key;
}
