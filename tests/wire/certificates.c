/* tests/wire/certificates.c */
#include "tests/wire/certificates.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_authority {
    X509     *certificate;
    EVP_PKEY *key;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "certificates for tests: %s failed\n", what);
    abort();
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX      context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

/* A certificate with subject, dates and key, without extensions, not signed yet. */
static X509 *begin(const char *subject, long serial, int from_days, int to_days, EVP_PKEY *key, X509_NAME *issuer)
{
    X509 *certificate = X509_new();

    must(certificate != NULL && X509_set_version(certificate, 2) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(certificate), (long)from_days * 86400) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(certificate), (long)to_days * 86400) != NULL &&
             X509_set_pubkey(certificate, key) == 1 &&
             X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                        (const unsigned char *)subject, -1, -1, 0) == 1 &&
             X509_set_issuer_name(certificate, issuer != NULL ? issuer : X509_get_subject_name(certificate)) == 1,
         "a certificate");
    return certificate;
}

test_authority *test_authority_new(const char *name)
{
    test_authority *authority = calloc(1, sizeof *authority);

    must(authority != NULL && (authority->key = EVP_EC_gen("P-256")) != NULL, "a key");
    authority->certificate = begin(name, 1, -1, 1, authority->key, NULL);
    extend(authority->certificate, authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(authority->certificate, authority->certificate, NID_key_usage, "critical,keyCertSign");
    extend(authority->certificate, authority->certificate, NID_subject_key_identifier, "hash");
    must(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0, "a signature");
    return authority;
}

void test_authority_free(test_authority *authority)
{
    if (authority == NULL)
        return;
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    free(authority);
}

wm_certificate *test_authority_root(const test_authority *authority)
{
    return authority->certificate;
}

static EVP_PKEY *key_of(const char *kind)
{
    EVP_PKEY *key = kind == NULL                    ? EVP_EC_gen("P-256")
                    : strncmp(kind, "RSA:", 4) == 0 ? EVP_RSA_gen((unsigned)atoi(kind + 4))
                                                    : EVP_EC_gen(kind);

    must(key != NULL, "a key");
    return key;
}

/* The names of the wish and the one that OpenSSL's configuration could not say. */
static void add_names(X509 *certificate, X509 *issuer, const test_wish *wish)
{
    GENERAL_NAMES  *names;
    GENERAL_NAME   *name;
    ASN1_IA5STRING *text;

    if (wish->names != NULL)
        extend(certificate, issuer, NID_subject_alt_name, wish->names);
    if (wish->raw_name == NULL)
        return;
    names = sk_GENERAL_NAME_new_null();
    name = GENERAL_NAME_new();
    text = ASN1_IA5STRING_new();
    must(names != NULL && name != NULL && text != NULL &&
             ASN1_STRING_set(text, wish->raw_name, (int)wish->n_raw_name) == 1,
         "a name");
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    must(sk_GENERAL_NAME_push(names, name) > 0 &&
             X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1,
         "a name");
    GENERAL_NAMES_free(names);
}

static void add_odd_extension(X509 *certificate)
{
    ASN1_OBJECT       *object = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION    *extension;

    must(object != NULL && value != NULL && ASN1_OCTET_STRING_set(value, (const unsigned char *)"\5\0", 2) == 1,
         "an odd extension");
    extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, "an odd extension");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

/* A certificate for `key`, signed. */
static X509 *issue(X509 *issuer, EVP_PKEY *issuer_key, EVP_PKEY *key, const test_wish *wish)
{
    bool  dated = wish->from_days != 0 || wish->to_days != 0;
    X509 *leaf = begin(wish->common_name != NULL ? wish->common_name : "test",
                       wish->odd_serial ? -wish->serial : wish->serial, dated ? wish->from_days : -1,
                       dated ? wish->to_days : 1, key, X509_get_subject_name(issuer));

    if (wish->for_seconds != 0)
        must(X509_gmtime_adj(X509_getm_notAfter(leaf), wish->for_seconds) != NULL, "a date");
    extend(leaf, issuer, NID_basic_constraints,
           wish->constraints != NULL ? wish->constraints : "critical,CA:FALSE");
    extend(leaf, issuer, NID_key_usage, wish->key_usage != NULL ? wish->key_usage : "critical,digitalSignature");
    extend(leaf, issuer, NID_subject_key_identifier, "hash");
    extend(leaf, issuer, NID_authority_key_identifier, "keyid");
    add_names(leaf, issuer, wish);
    if (wish->usage != NULL)
        extend(leaf, issuer, NID_ext_key_usage, wish->usage);
    if (wish->odd_extension)
        add_odd_extension(leaf);
    must(X509_sign(leaf, issuer_key, EVP_get_digestbyname(wish->digest != NULL ? wish->digest : "SHA256")) > 0,
         "a signature");
    return leaf;
}

test_identity test_issue(const test_authority *authority, const test_wish *wish)
{
    test_identity identity = { .key = key_of(wish->key) };
    X509         *links[2] = { NULL, wish->with_root ? authority->certificate : NULL };
    wm_error      err;

    links[0] = issue(authority->certificate, authority->key, identity.key, wish);
    must(wm_chain_of(links, 2, &identity.chain, &err) == WM_OK, "a chain");
    X509_free(links[0]);
    return identity;
}

test_identity test_issue_by(const test_identity *issuer, const test_wish *wish)
{
    test_identity identity = { .key = key_of(wish->key) };
    size_t        n = wm_chain_size(issuer->chain);
    X509         *links[WM_CHAIN_MAX] = { issue(wm_chain_at(issuer->chain, 0), issuer->key, identity.key, wish) };
    wm_error      err;

    must(n < WM_CHAIN_MAX, "a chain that short");
    for (size_t i = 0; i < n; i++)
        links[i + 1] = wm_chain_at(issuer->chain, i);
    must(wm_chain_of(links, n + 1, &identity.chain, &err) == WM_OK, "a chain");
    X509_free(links[0]);
    return identity;
}

void test_identity_release(test_identity *identity)
{
    wm_chain_free(identity->chain);
    wm_key_free(identity->key);
}
