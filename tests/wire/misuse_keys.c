/* tests/wire/misuse_keys.c: who comes with keys that were agreed on before: tickets, PSK, early data. */
#include "tests/wire/misuse.h"

static SSL_SESSION *made_up_session(SSL_CTX *ctx, SSL *ssl)
{
    static const unsigned char key[32] = { 1, 2, 3 }, suite[2] = { 0x13, 0x01 };
    SSL_SESSION               *session = SSL_SESSION_new();

    (void)ctx;
    assert_true(SSL_SESSION_set1_master_key(session, key, sizeof key) == 1 &&
                SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, suite)) == 1 &&
                SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
                SSL_SESSION_set_max_early_data(session, 4096) == 1);
    return session;
}

static int offer_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n, SSL_SESSION **session)
{
    static const unsigned char name[] = "north";

    (void)md;
    *id = name;
    *n = sizeof name - 1;
    *session = made_up_session(SSL_get_SSL_CTX(ssl), ssl);
    return 1;
}

static void with_a_shared_key_in_place_of_a_certificate(scene *x)
{
    SSL_CTX *ctx = reckless(NULL, TLS1_3_VERSION);

    SSL_CTX_set_psk_use_session_callback(ctx, offer_psk);
    shake(x, ctx);
}

static void with_data_before_the_handshake(scene *x)
{
    SSL_CTX *ctx = reckless(NULL, TLS1_3_VERSION);
    stranger s = stranger_dial(x->t);
    size_t   n;

    SSL_CTX_set_psk_use_session_callback(ctx, offer_psk);
    s.ssl = SSL_new(ctx);
    SSL_set_fd(s.ssl, s.fd);
    assert_int_equal(SSL_write_early_data(s.ssl, "\0SP\0\0\x30\0\0", 8, &n), 1);
    (void)SSL_connect(s.ssl);
    must_end(x, &s);
    SSL_CTX_free(ctx);
}

/* It was let in once; now it is revoked, and comes with the session of that time. */
static void with_the_session_of_better_days(scene *x)
{
    test_identity identity = test_issue(x->t->authority, &x->row->wish);
    SSL_CTX      *ctx = reckless(&identity, TLS1_3_VERSION);
    stranger      s = stranger_dial(x->t);
    uint8_t       answer[17];
    SSL_SESSION  *session;

    assert_true(stranger_shake(&s, ctx) && stranger_greet(&s) && stranger_ask(&s, "hello", 5) &&
                stranger_hear(&s, answer, sizeof answer));
    session = SSL_get1_session(s.ssl);
    assert_case(x->row->says, !SSL_SESSION_is_resumable(session)); /* no ticket was given */
    stranger_leave(&s, STRANGER_SAYS_BYE);
    atomic_store(&x->t->revoked, x->row->wish.serial);
    s = stranger_dial(x->t);
    s.ssl = SSL_new(ctx);
    SSL_set_fd(s.ssl, s.fd);
    (void)SSL_set_session(s.ssl, session);
    (void)SSL_connect(s.ssl);
    assert_case(x->row->says, !SSL_session_reused(s.ssl));
    must_end(x, &s);
    atomic_store(&x->t->revoked, 0);
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static const row rows[] = {
    { "a shared key in the place of a certificate", with_a_shared_key_in_place_of_a_certificate,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "data before the handshake, with a key of its own making", with_data_before_the_handshake,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "revoked, with the session of better days", with_the_session_of_better_days, "is revoked", "north",
      GATEWAY(.serial = 42) },
};

const misuse misuse_of_keys = { rows, sizeof rows / sizeof *rows };
