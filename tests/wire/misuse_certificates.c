/* tests/wire/misuse_certificates.c: certificates that are of another authority, purpose, time or name, or damaged, or none. */
#include "tests/wire/misuse.h"

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

#define LONG_NAME                                                                                                  \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const row rows[] = {
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
};

const misuse misuse_of_certificates = { rows, sizeof rows / sizeof *rows };
