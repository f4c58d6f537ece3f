/* tests/wire/test_misuse.c
 *
 * TLS used as it must not be: by whoever dials the aggregator (the first table), and by whoever poses as the aggregator
 * (the second). Each row is one way. It must end in the connection refused, one line for the log that names why, the
 * refusal counted, and everybody else served as before: a gateway that was connected all the while, and one that comes
 * anew. What is done with messages, once TLS holds, is elsewhere (tests/e2e/test_trespass.c), and so is revocation
 * (tests/e2e/test_revocation.c) but for the one state that takes a large answer. */
#include "tests/wire/stranger.h"

#include "tests/figures.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/tls1.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELLO_MS = 400, IDLE_MS = 600, PAUSE_US = 55000, PATIENCE_MS = 20000 };

typedef struct row row;

/* What all rows of the first table share. */
typedef struct scene {
    town           *t;
    test_authority *namesake; /* another authority of the same name */
    test_authority *foreign;  /* and one of another name */
    const row      *row;
} scene;

struct row {
    const char *says;
    void (*intrude)(scene *x); /* returns when the server has cut it off */
    const char *why;           /* in the log; one of several with bars between */
    const char *name;          /* there, too; NULL: none */
    test_wish   wish;          /* of the certificate; without `usage`: for the rows that show it as a gateway's */
    const char *bytes;         /* in the place of TLS */
    size_t      n;
    int         version;
    bool        verified; /* it was let in first, so that the refusal is on its name */
};

/* ---- strangers ---- */

static void must_end(scene *x, stranger *s)
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

static void add_chain(SSL_CTX *ctx, const test_identity *identity)
{
    for (size_t i = 1; i < wm_chain_size(identity->chain); i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, wm_chain_at(identity->chain, i)), 1);
}

/* Old versions and weak keys are a matter of the other side: this one would do all of it. */
static SSL_CTX *reckless(const test_identity *identity, int version)
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

/* A handshake with that context, until the server ends it. */
static void shake(scene *x, SSL_CTX *ctx)
{
    stranger s = stranger_dial(x->t);

    (void)stranger_shake(&s, ctx); /* in TLS 1.3 a client hears of its refusal after its own handshake */
    must_end(x, &s);
    SSL_CTX_free(ctx);
}

static void show(scene *x, test_identity identity)
{
    shake(x, reckless(&identity, x->row->version));
    test_identity_release(&identity);
}

/* ---- versions, and what is no TLS ---- */

static void in_an_old_version(scene *x)
{
    show(x, test_issue(x->t->authority, &x->row->wish));
}

static void falling_back(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, TLS1_2_VERSION);

    SSL_CTX_set_mode(ctx, SSL_MODE_SEND_FALLBACK_SCSV);
    shake(x, ctx);
}

static void saying_bytes(scene *x)
{
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, x->row->bytes, x->row->n));
    must_end(x, &s);
}

/* The ClientHello of a proper client. */
static size_t client_hello(uint8_t *bytes, size_t room)
{
    SSL_CTX *ctx = reckless(NULL, TLS1_3_VERSION);
    SSL     *ssl = SSL_new(ctx);
    BIO     *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    int      n;

    SSL_set_bio(ssl, in, out);
    assert_int_not_equal(SSL_connect(ssl), 1);
    n = BIO_read(out, bytes, (int)room);
    assert_true(n > 100);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return (size_t)n;
}

static void in_records_of_one_byte(scene *x)
{
    uint8_t  hello[2048], record[6] = { 0x16, 3, 1, 0, 1, 0 };
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    for (size_t i = 5; i < n; i++) { /* behind the head of its own record; the last byte is left out */
        record[5] = hello[i];
        if (i + 1 < n && !stranger_say(&s, record, sizeof record))
            break;
    }
    must_end(x, &s);
}

static void half_a_hello(scene *x)
{
    uint8_t  hello[2048];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n / 2));
    must_end(x, &s);
}

static void a_hello_and_silence(scene *x)
{
    uint8_t  hello[2048];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n));
    must_end(x, &s);
}

static void silence(scene *x)
{
    stranger s = stranger_dial(x->t);

    must_end(x, &s);
}

static void silence_after_the_handshake(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, 0);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_shake(&s, ctx));
    must_end(x, &s);
    SSL_CTX_free(ctx);
}

static void leaving_after_the_hello(scene *x)
{
    uint8_t  hello[2048], answer[5];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n) && stranger_hear(&s, answer, sizeof answer));
    stranger_leave(&s, STRANGER_RESETS);
}

static void leaving_at_once(scene *x)
{
    stranger s = stranger_dial(x->t);

    stranger_leave(&s, STRANGER_RESETS);
}

static void with_ciphers_that_nobody_has(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, TLS1_3_VERSION);

    assert_int_equal(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_CCM_8_SHA256"), 1);
    shake(x, ctx);
}

/* ---- certificates ---- */

static void without_one(scene *x)
{
    shake(x, reckless(NULL, 0));
}

static void with_ours(scene *x)
{
    show(x, test_issue(x->t->authority, &x->row->wish));
}

static void with_the_namesake_s(scene *x)
{
    show(x, test_issue(x->namesake, &x->row->wish));
}

static void with_a_foreign_one(scene *x)
{
    show(x, test_issue(x->foreign, &x->row->wish));
}

/* The true root at the end of a false chain. */
static void with_a_foreign_one_and_our_root(scene *x)
{
    test_identity identity = test_issue(x->namesake, &x->row->wish);
    X509         *links[2] = { wm_chain_at(identity.chain, 0), test_authority_root(x->t->authority) };
    wm_chain     *chain;
    wm_error      err;

    assert_ok(wm_chain_of(links, 2, &chain, &err), &err);
    wm_chain_free(identity.chain);
    identity.chain = chain;
    show(x, identity);
}

static void with_its_own_signature(scene *x)
{
    test_authority *self = test_authority_new("north");

    show(x, test_issue(self, &x->row->wish));
    test_authority_free(self);
}

static void revoked(scene *x)
{
    atomic_store(&x->t->revoked, x->row->wish.serial);
    with_ours(x);
    atomic_store(&x->t->revoked, 0);
}

/* A gateway signs another one: its own certificate is in the chain, and leads to the root. */
static void signed_by_a_gateway(scene *x)
{
    show(x, test_issue_by(&x->t->north, &x->row->wish));
}

/* An issuing authority makes another one, which it must not. */
static void below_an_authority_too_many(scene *x)
{
    test_identity issuing = test_issue(x->t->authority, &(test_wish){ .common_name = "issuing",
                                                                      .constraints = "critical,CA:TRUE,pathlen:0",
                                                                      .key_usage = "critical,keyCertSign",
                                                                      .serial = 900 });
    test_identity second = test_issue_by(&issuing, &(test_wish){ .common_name = "second",
                                                                 .constraints = "critical,CA:TRUE",
                                                                 .key_usage = "critical,keyCertSign",
                                                                 .serial = 901 });

    show(x, test_issue_by(&second, &x->row->wish));
    test_identity_release(&second);
    test_identity_release(&issuing);
}

static void below_an_authority_that_has_expired(scene *x)
{
    test_identity issuing = test_issue(x->t->authority, &(test_wish){ .common_name = "issuing",
                                                                      .constraints = "critical,CA:TRUE,pathlen:0",
                                                                      .key_usage = "critical,keyCertSign",
                                                                      .serial = 902,
                                                                      .from_days = -3,
                                                                      .to_days = -2 });

    show(x, test_issue_by(&issuing, &x->row->wish));
    test_identity_release(&issuing);
}

/* The certificate of one with the key of another: OpenSSL refuses to load that, unless the key claims to be the one. */
static EVP_PKEY *posing_key(EVP_PKEY *public_half, EVP_PKEY *private_half)
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

static void with_another_s_certificate(scene *x)
{
    test_identity victim = test_issue(x->t->authority, &x->row->wish);
    EVP_PKEY     *key = posing_key(victim.key, x->t->north.key);

    EVP_PKEY_free(victim.key);
    victim.key = key;
    show(x, victim);
}

/* More certificates than fit into the 16 KiB that are read of a chain. */
static void with_a_chain_without_end(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, 0);

    for (int i = 0; i < 60; i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, test_authority_root(x->t->authority)), 1);
    shake(x, ctx);
}

/* ---- keys that were agreed on before: tickets, PSK, early data ---- */

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

/* ---- let in, and then ---- */

static void a_gateway_s(scene *x, stranger *s, test_identity *identity, SSL_CTX **ctx)
{
    *identity = test_issue(x->t->authority, &x->row->wish);
    *ctx = reckless(identity, TLS1_3_VERSION);
    *s = stranger_dial(x->t);
    assert_case(x->row->says, stranger_shake(s, *ctx) && stranger_greet(s));
}

/* Each costs the server a key; none is a message, so the deadline of the connection holds. */
static void new_keys_without_end(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;
    int           n = 0;

    a_gateway_s(x, &s, &identity, &ctx);
    assert_true(stranger_say(&s, "\0\0\0\0\0\0\0\x64", 8)); /* the head of a message, which is waited for */
    while (SSL_key_update(s.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(s.ssl) == 1 && n < 1000000)
        n++;
    assert_case(x->row->says, n < 1000000);
    stranger_leave(&s, STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void expiring_while_it_is_connected(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;
    uint8_t       answer[17];

    a_gateway_s(x, &s, &identity, &ctx);
    assert_case(x->row->says, stranger_ask(&s, "hello", 5) && stranger_hear(&s, answer, sizeof answer));
    for (int i = 0; i < 200; i++) { /* busy to the last, so that it is not for its idleness */
        if (!stranger_ask(&s, "hello", 5) || !stranger_hear(&s, answer, sizeof answer))
            break;
        usleep(50000);
    }
    must_end(x, &s);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void garbage_among_the_records(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;

    a_gateway_s(x, &s, &identity, &ctx);
    assert_int_equal(send(s.fd, "\x17\x03\x03\x00\x20garbage that was never encrypted..", 37, MSG_NOSIGNAL), 37);
    must_end(x, &s);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

#define GATEWAY(...)                                             \
    {                                                            \
        .names = "DNS:north", .usage = "clientAuth", __VA_ARGS__ \
    }
#define RAW(text) .bytes = text, .n = sizeof text - 1
#define LONG_NAME                                                                                                  \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const row rows[] = {
    { "TLS 1.0 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_VERSION },
    { "TLS 1.1 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_1_VERSION },
    { "TLS 1.2 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_2_VERSION },
    { "a fall back to TLS 1.2", falling_back, "TLS" },
    { "a hello of SSL 2", saying_bytes, "TLS",
      RAW("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00"
          "\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc0\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
          "\x0c\x0d\x0e\x0f") },
    { "a hello of SSL 3", saying_bytes, "TLS",
      RAW("\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"
          "01234567890123456789"
          "012345678901"
          "\x00\x00\x02\x00\x2f\x01\x00") },
    { "DTLS", saying_bytes, "TLS",
      RAW("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
          "0123456789012345") },
    { "HTTP", saying_bytes, "HTTP", RAW("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
    { "nng without TLS", saying_bytes, "TLS", RAW("\0SP\0\0\x30\0\0") },
    { "a heartbeat before the handshake", saying_bytes, "TLS", RAW("\x18\x03\x03\x00\x03\x01\x40\x00") },
    { "data before the handshake, in the clear", saying_bytes, "TLS", RAW("\x17\x03\x03\x00\x05hello") },
    { "a record of an unknown kind", saying_bytes, "TLS", RAW("\x99\x03\x03\x00\x05hello") },
    { "a record of 64 KiB", saying_bytes, "TLS", RAW("\x16\x03\x01\xff\xff\x01\x00\xff\xff") },
    { "a hello of 16 MiB", saying_bytes, "TLS", RAW("\x16\x03\x01\x00\x04\x01\xff\xff\xff") },
    { "a Finished in the place of a hello", saying_bytes, "TLS",
      RAW("\x16\x03\x01\x00\x08\x14\x00\x00\x04"
          "1234") },
    { "an alert in the place of a hello", saying_bytes, "TLS", RAW("\x15\x03\x01\x00\x02\x02\x28") },
    { "empty records", saying_bytes, "did not finish the handshakes|TLS",
      RAW("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00") },
    { "a hello in records of one byte, and never its end", in_records_of_one_byte,
      "did not finish the handshakes|TLS" },
    { "half a hello", half_a_hello, "did not finish the handshakes" },
    { "a hello, and silence", a_hello_and_silence, "did not finish the handshakes" },
    { "silence from the first", silence, "did not finish the handshakes" },
    { "silence after TLS", silence_after_the_handshake, "did not finish the handshakes", "north" },
    { "leaving after the hello", leaving_after_the_hello, "left before the handshakes were over" },
    { "leaving at once", leaving_at_once, "left before the handshakes were over" },
    { "ciphers that the server has not", with_ciphers_that_nobody_has, "TLS failed" },

    { "no certificate", without_one, "did not return a certificate|showed no certificate" },
    { "a certificate that signs itself", with_its_own_signature, "does not lead to the root", "north",
      GATEWAY(.serial = 11) },
    { "a foreign authority's", with_a_foreign_one, "does not lead to the root", "north", GATEWAY(.serial = 12) },
    { "a foreign authority's, of our authority's name", with_the_namesake_s, "does not lead to the root", "north",
      GATEWAY(.serial = 13) },
    { "that, with our root behind it", with_a_foreign_one_and_our_root, "does not lead to the root", "north",
      GATEWAY(.serial = 14) },
    { "an expired one", with_ours, "has expired", "north", GATEWAY(.serial = 15, .from_days = -3, .to_days = -2) },
    { "one from tomorrow", with_ours, "is not valid before", "north",
      GATEWAY(.serial = 16, .from_days = 1, .to_days = 2) },
    { "a revoked one", revoked, "is revoked", "north", GATEWAY(.serial = 17) },
    { "a server's",
      with_ours,
      "is not a gateway's",
      "localhost",
      { .names = "DNS:localhost", .usage = "serverAuth", .serial = 18 } },
    { "one for no use in particular",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .serial = 19 } },
    { "one for any use",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "anyExtendedKeyUsage", .serial = 20 } },
    { "one for signing code",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "codeSigning", .serial = 21 } },
    { "one for gateways and servers alike",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "clientAuth,serverAuth", .serial = 22 } },
    { "an authority's own", with_ours, "is not a gateway's", "north",
      GATEWAY(.serial = 23, .constraints = "critical,CA:TRUE",
              .key_usage = "critical,keyCertSign,digitalSignature") },
    { "one whose key may not sign", with_ours, "may not sign", "north",
      GATEWAY(.serial = 24, .key_usage = "critical,keyAgreement") },
    { "one that a gateway has signed",
      signed_by_a_gateway,
      "does not lead to the root",
      "south",
      { .names = "DNS:south", .usage = "clientAuth", .serial = 25 } },
    { "one below an authority too many", below_an_authority_too_many, "does not lead to the root", "north",
      GATEWAY(.serial = 26) },
    { "one below an authority that has expired", below_an_authority_that_has_expired, "has expired", "north",
      GATEWAY(.serial = 27) },
    { "another gateway's, with a key of its own",
      with_another_s_certificate,
      "TLS failed",
      "south",
      { .names = "DNS:south", .usage = "clientAuth", .serial = 28 } },
    { "a chain of sixty", with_a_chain_without_end, "TLS failed" },
    { "a name only where nobody looks",
      with_ours,
      "not exactly one fit name",
      NULL,
      { .common_name = "north", .usage = "clientAuth", .serial = 29 } },
    { "two names",
      with_ours,
      "not exactly one fit name",
      "north",
      { .names = "DNS:north,DNS:south", .usage = "clientAuth", .serial = 30 } },
    { "a name and an address",
      with_ours,
      "not exactly one fit name",
      "north",
      { .names = "DNS:north,IP:127.0.0.1", .usage = "clientAuth", .serial = 31 } },
    { "the name of another office's gateway",
      with_ours,
      "not exactly one fit name",
      "north.other-city.example",
      { .names = "DNS:north.other-city.example", .usage = "clientAuth", .serial = 32 } },
    { "a wildcard",
      with_ours,
      "not exactly one fit name",
      "*",
      { .names = "DNS:*", .usage = "clientAuth", .serial = 33 } },
    { "an empty name",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = "", .n_raw_name = 0, .usage = "clientAuth", .serial = 34 } },
    { "a name of three hundred letters",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = LONG_NAME, .n_raw_name = sizeof LONG_NAME - 1, .usage = "clientAuth", .serial = 35 } },
    { "a name with a zero in it",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = "north\0.evil", .n_raw_name = 11, .usage = "clientAuth", .serial = 36 } },
    { "an RSA key of 1024 bits", with_ours, "does not lead to the root|TLS failed", "north",
      GATEWAY(.serial = 37, .key = "RSA:1024") },
    { "a curve that TLS 1.3 has not", with_ours, "TLS failed|did not return a certificate|showed no certificate",
      NULL, GATEWAY(.serial = 38, .key = "secp256k1") },
    { "a signature by SHA-1", with_ours, "does not lead to the root|TLS failed", "north",
      GATEWAY(.serial = 39, .digest = "SHA1") },
    { "a critical extension that nobody knows", with_ours, "does not lead to the root", "north",
      GATEWAY(.serial = 40, .odd_extension = true) },
    { "a serial below zero", with_ours, "damaged serial, date or name", NULL,
      GATEWAY(.serial = 41, .odd_serial = true) },

    { "a shared key in the place of a certificate", with_a_shared_key_in_place_of_a_certificate,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "data before the handshake, with a key of its own making", with_data_before_the_handshake,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "revoked, with the session of better days", with_the_session_of_better_days, "is revoked", "north",
      GATEWAY(.serial = 42) },
    { "new keys without end", new_keys_without_end, "did not send its request", "north", GATEWAY(.serial = 43),
      .verified = true },
    { "expiring while it is connected", expiring_while_it_is_connected, "expired while it was connected", "north",
      GATEWAY(.serial = 44, .for_seconds = 2), .verified = true },
    { "garbage among the records", garbage_among_the_records, "TLS|closed", "north", GATEWAY(.serial = 45),
      .verified = true },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/* ---- the first table ---- */

static bool one_of(const char *text, const char *options)
{
    for (const char *at = options; *at != '\0';) {
        size_t n = strcspn(at, "|");
        char   option[100];

        snprintf(option, sizeof option, "%.*s", (int)n, at);
        if (strstr(text, option) != NULL)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static uint64_t count_refused(town *t)
{
    wm_listener_counts counts;

    wm_listener_counts_get(t->listener, &counts);
    return counts.refused;
}

/* The row's one line for the log, and its count. */
static void expect_refusal(scene *x, uint64_t before)
{
    const row    *r = x->row;
    town         *t = x->t;
    town_refusal *said = &t->refusals[0];

    town_wait_refusal(t, "");
    pthread_mutex_lock(&t->lock);
    if (!one_of(said->why, r->why) || strcmp(said->name, r->name != NULL ? r->name : "") != 0)
        print_error("%s: it was said of \"%s\": %s\n", r->says, said->name, said->why);
    assert_case(r->says, one_of(said->why, r->why));
    assert_case(r->says, strcmp(said->name, r->name != NULL ? r->name : "") == 0);
    assert_case(r->says, said->verified == r->verified &&
                             (strncmp(said->remote, "127.0.0.1:", 10) == 0 || r->intrude == leaving_at_once));
    assert_case(r->says, t->n_refusals == 1);
    t->n_refusals = 0;
    pthread_mutex_unlock(&t->lock);
    assert_case(r->says, count_refused(t) == before + 1);
}

static void whoever_dials_wrongly_is_refused_named_and_counted(void **state)
{
    wm_listener_settings set = town_settings();
    wm_caller           *bystander, *newcomer;
    town                 t;
    scene                x = { .t = &t };
    wm_error             err;

    (void)state;
    set.hello_ms = HELLO_MS;
    set.message_ms = IDLE_MS;
    town_open(&t, &set);
    x.namesake = test_authority_new("city");
    x.foreign = test_authority_new("another city");
    bystander = town_caller(&t, t.north_tls);
    assert_ok(town_echo(bystander, "hello", 5, &err), &err);
    for (size_t i = 0; i < N_ROWS; i++) {
        uint64_t before = count_refused(&t);

        x.row = &rows[i];
        rows[i].intrude(&x);
        expect_refusal(&x, before);
        assert_case(rows[i].says, town_echo(bystander, "hello", 5, &err) == WM_OK);
        newcomer = town_caller(&t, t.north_tls);
        assert_case(rows[i].says, town_echo(newcomer, "hello", 5, &err) == WM_OK);
        wm_caller_free(newcomer);
        usleep(PAUSE_US); /* at most 20 refusals a second are told: not to be the limit of this table */
    }
    wm_caller_free(bystander);
    test_authority_free(x.namesake);
    test_authority_free(x.foreign);
    town_close(&t);
    tell_fault(&(fault_figure){ .fault = "TLS misused by a client, each in another way",
                                .tries = N_ROWS,
                                .survived = N_ROWS,
                                .seconds = -1 });
}

/* ---- revoked in the middle of a download ---- */

enum { DOWNLOADS = 24, DOWNLOAD_BYTES = 4 << 20 };

static bool is_thief(void *context, const wm_peer *peer)
{
    (void)context;
    return strcmp(peer->name, "thief") == 0;
}

/* Until the connection is over, of which TCP still has some of the answer. */
static bool drains(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char          bytes[65536];
    ssize_t       n = 1;

    while (n > 0) {
        if (poll(&wait, 1, PATIENCE_MS) != 1)
            return false;
        n = recv(fd, bytes, sizeof bytes, 0);
    }
    return true;
}

static int64_t now_ms(void)
{
    wm_clock clock = wm_clock_system();

    return wm_mono_ms(&clock);
}

static void a_download_that_nobody_takes_ends_with_its_gateway_s_revocation(void **state)
{
    wm_listener_settings set = town_settings();
    int64_t              longest = 0;
    town                 t;

    (void)state;
    town_open(&t, &set);
    atomic_store(&t.answer_bytes, (size_t)DOWNLOAD_BYTES);
    for (long i = 0; i < DOWNLOADS; i++) {
        test_identity thief =
            test_issue(t.authority, &(test_wish){ .names = "DNS:thief", .usage = "clientAuth", .serial = 700 + i });
        SSL_CTX *ctx = reckless(&thief, 0);
        stranger s = stranger_dial(&t);
        uint8_t  first[100];
        int64_t  from;

        assert_true(stranger_shake(&s, ctx) && stranger_greet(&s) && stranger_ask(&s, "all", 3) &&
                    stranger_hear(&s, first, sizeof first));
        from = now_ms();
        atomic_store(&t.revoked, 700 + i);
        assert_int_equal(wm_listener_close_where(t.listener, is_thief, NULL), 1);
        assert_true(drains(s.fd));
        longest = now_ms() - from > longest ? now_ms() - from : longest;
        stranger_leave(&s, STRANGER_CLOSES);
        SSL_CTX_free(ctx);
        test_identity_release(&thief);
    }
    town_close(&t);
    assert_true(longest < 1000);
    tell_fault(&(fault_figure){ .fault = "gateway revoked in the middle of a download that it does not take",
                                .tries = DOWNLOADS,
                                .survived = DOWNLOADS,
                                .seconds = (double)longest / 1000 });
}

/* ---- the second table: servers ---- */

typedef struct villain villain;

typedef struct deceit {
    const char *says;
    void (*answer)(villain *v, int fd); /* of a server that is none of ours; NULL: TLS with the certificate below */
    test_wish   wish;
    bool        foreign;
    int         version;
    const char *dialled; /* the name that is expected; NULL: the address */
    wm_status   want;
    const char *why;
} deceit;

struct villain {
    town           *t;
    test_authority *foreign;
    const deceit   *how;
    int             fd; /* listens */
    int             port;
    pthread_t       thread;
    atomic_bool     over;
};

static void with_tls(villain *v, int fd)
{
    const deceit *how = v->how;
    test_identity identity = test_issue(how->foreign ? v->foreign : v->t->authority, &how->wish);
    SSL_CTX      *ctx = SSL_CTX_new(TLS_server_method());
    SSL          *ssl;
    char          byte;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, how->version != 0 ? how->version : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ctx, how->version != 0 ? how->version : TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity.key), 1);
    add_chain(ctx, &identity);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        (void)SSL_read(ssl, &byte, 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void by_a_gateway_s_signature(villain *v, int fd)
{
    test_identity identity = test_issue_by(&v->t->north, &v->how->wish);
    SSL_CTX      *ctx = SSL_CTX_new(TLS_server_method());
    SSL          *ssl;

    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity.key), 1);
    add_chain(ctx, &identity);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    (void)SSL_accept(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void with_the_true_one_s_certificate(villain *v, int fd)
{
    EVP_PKEY *key = posing_key(v->t->server.key, v->t->north.key);
    SSL_CTX  *ctx = SSL_CTX_new(TLS_server_method());
    SSL      *ssl;

    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(v->t->server.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    (void)SSL_accept(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* The other end is read to its hello first, so that nothing of ours is lost in a reset. */
static void say(int fd, const char *bytes, size_t n)
{
    char hello[2048];

    (void)recv(fd, hello, sizeof hello, 0);
    (void)send(fd, bytes, n, MSG_NOSIGNAL);
}

static void in_http(villain *v, int fd)
{
    (void)v;
    say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void in_nng(villain *v, int fd)
{
    (void)v;
    say(fd, "\0SP\0\0\x31\0\0", 8);
}

static void in_garbage(villain *v, int fd)
{
    (void)v;
    say(fd, "\x16\x03\x03\x00\x06\x02\x00\x00\x02\xff\xff", 11);
}

static void with_an_alert_that_nobody_signed(villain *v, int fd)
{
    (void)v;
    say(fd, "\x15\x03\x03\x00\x02\x02\x2c", 7); /* fatal, certificate_revoked */
}

static void hanging_up(villain *v, int fd)
{
    (void)v;
    say(fd, "", 0);
}

static void in_silence(villain *v, int fd)
{
    char byte;

    (void)v;
    while (recv(fd, &byte, 1, 0) > 0) /* until the client has had enough */
        ;
}

#define SERVER(...)                                                 \
    {                                                               \
        .names = "IP:127.0.0.1", .usage = "serverAuth", __VA_ARGS__ \
    }

static const deceit deceits[] = {
    { "a gateway posing as the server",
      with_tls,
      { .names = "DNS:north,IP:127.0.0.1", .usage = "clientAuth", .serial = 50 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "one for gateways and servers alike",
      with_tls,
      { .names = "IP:127.0.0.1", .usage = "serverAuth,clientAuth", .serial = 51 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "one for no use in particular",
      with_tls,
      { .names = "IP:127.0.0.1", .serial = 52 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "an authority's own", with_tls,
      SERVER(.serial = 53, .constraints = "critical,CA:TRUE", .key_usage = "critical,keyCertSign,digitalSignature"),
      .want = WM_E_UNTRUSTED, .why = "is not a server's" },
    { "a foreign authority's, of our authority's name", with_tls, SERVER(.serial = 54), .foreign = true,
      .want = WM_E_UNTRUSTED, .why = "does not lead to the root" },
    { "one that a gateway has signed", by_a_gateway_s_signature, SERVER(.serial = 55), .want = WM_E_UNTRUSTED,
      .why = "does not lead to the root" },
    { "the true one's, with another key", with_the_true_one_s_certificate, .want = WM_E_UNTRUSTED,
      .why = "TLS failed" },
    { "an expired one", with_tls, SERVER(.serial = 56, .from_days = -3, .to_days = -2), .want = WM_E_UNTRUSTED,
      .why = "has expired" },
    { "one from tomorrow", with_tls, SERVER(.serial = 57, .from_days = 1, .to_days = 2), .want = WM_E_UNTRUSTED,
      .why = "is not valid before" },
    { "one for another host",
      with_tls,
      { .names = "DNS:elsewhere.example", .usage = "serverAuth", .serial = 58 },
      .want = WM_E_UNTRUSTED,
      .why = "not for \"127.0.0.1\"" },
    { "one for another address",
      with_tls,
      { .names = "IP:127.0.0.2", .usage = "serverAuth", .serial = 59 },
      .want = WM_E_UNTRUSTED,
      .why = "not for \"127.0.0.1\"" },
    { "a wildcard",
      with_tls,
      { .names = "DNS:*.example", .usage = "serverAuth", .serial = 60 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "not for" },
    { "the name only where nobody looks",
      with_tls,
      { .common_name = "office.example", .usage = "serverAuth", .serial = 61 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "not for" },
    { "a name with a zero in it",
      with_tls,
      { .raw_name = "office.example\0.evil", .n_raw_name = 20, .usage = "serverAuth", .serial = 62 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "damaged" },
    { "a signature by SHA-1", with_tls, SERVER(.serial = 63, .digest = "SHA1"), .want = WM_E_UNTRUSTED,
      .why = "does not lead to the root" },
    { "TLS 1.2, as if nothing newer were there", with_tls, SERVER(.serial = 64), .version = TLS1_2_VERSION,
      .want = WM_E_REFUSED, .why = "does not speak TLS 1.3" },
    { "TLS 1.0", with_tls, SERVER(.serial = 65), .version = TLS1_VERSION, .want = WM_E_REFUSED, .why = "TLS" },
    { "HTTP", in_http, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "nng without TLS", in_nng, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "garbage", in_garbage, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "\"you are revoked\", said by nobody in particular", with_an_alert_that_nobody_signed, .want = WM_E_REFUSED,
      .why = "revoked" },
    { "hanging up", hanging_up, .want = WM_E_CLOSED, .why = "closed" },
    { "silence", in_silence, .want = WM_E_TIMEOUT, .why = "in time" },
};
enum { N_DECEITS = sizeof deceits / sizeof *deceits };

static void *villain_main(void *self)
{
    villain *v = self;

    while (!atomic_load(&v->over)) {
        int fd = accept(v->fd, NULL, NULL);

        if (fd < 0)
            break;
        if (!atomic_load(&v->over))
            v->how->answer(v, fd);
        close(fd);
    }
    return NULL;
}

static void villain_start(villain *v)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          n = sizeof at;

    atomic_store(&v->over, false);
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(v->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(v->fd, 8), 0);
    assert_int_equal(getsockname(v->fd, (struct sockaddr *)&at, &n), 0);
    v->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&v->thread, NULL, villain_main, v), 0);
}

static void villain_stop(villain *v)
{
    atomic_store(&v->over, true);
    shutdown(v->fd, SHUT_RDWR); /* wakes accept */
    pthread_join(v->thread, NULL);
    close(v->fd);
}

static void a_client_believes_none_but_its_server(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    villain              v = { .t = &t };

    (void)state;
    town_open(&t, &set);
    v.foreign = test_authority_new("city");
    for (size_t i = 0; i < N_DECEITS; i++) {
        const deceit      *how = &deceits[i];
        char               url[64];
        const char        *urls[] = { url };
        uint8_t           *reply = NULL;
        size_t             n;
        wm_tls            *tls = NULL;
        wm_caller         *caller;
        wm_error           err = { .text = "" };
        wm_caller_settings calling = { .urls = urls, .n_urls = 1, .reply_max = 1000, .dial_ms = 3000 };
        wm_status          st;

        v.how = how;
        villain_start(&v);
        snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%d", v.port);
        assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT,
                                                 .chain = t.north.chain,
                                                 .key = t.north.key,
                                                 .root = test_authority_root(t.authority),
                                                 .clock = wm_clock_system(),
                                                 .server_name = how->dialled },
                             &tls, &err),
                  &err);
        calling.tls = tls;
        assert_ok(wm_caller_new(&calling, &caller, &err), &err);
        st = wm_caller_call(caller, "a secret", 8, how->want == WM_E_TIMEOUT ? 500 : 10000, &reply, &n, &err);
        if (st != how->want || strstr(err.text, how->why) == NULL)
            print_error("%s: %s: %s\n", how->says, wm_status_name(st), err.text);
        assert_case(how->says, st == how->want && strstr(err.text, how->why) != NULL && reply == NULL);
        wm_caller_free(caller);
        wm_tls_free(tls);
        villain_stop(&v);
    }
    test_authority_free(v.foreign);
    town_close(&t);
    tell_fault(&(fault_figure){ .fault = "TLS misused by somebody posing as the aggregator, each in another way",
                                .tries = N_DECEITS,
                                .survived = N_DECEITS,
                                .seconds = -1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_dials_wrongly_is_refused_named_and_counted),
        cmocka_unit_test(a_download_that_nobody_takes_ends_with_its_gateway_s_revocation),
        cmocka_unit_test(a_client_believes_none_but_its_server),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
