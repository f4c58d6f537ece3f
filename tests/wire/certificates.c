/* tests/wire/certificates.c */
#include "tests/wire/certificates.h"

#include <openssl/ec.h>
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

test_identity test_issue(const test_authority *authority, const test_wish *wish)
{
    bool          dated = wish->from_days != 0 || wish->to_days != 0;
    test_identity identity = { .key = EVP_EC_gen("P-256") };
    X509         *links[2] = { NULL, wish->with_root ? authority->certificate : NULL };
    wm_error      err;

    must(identity.key != NULL, "a key");
    links[0] = begin("test", wish->serial, dated ? wish->from_days : -1, dated ? wish->to_days : 1, identity.key,
                     X509_get_subject_name(authority->certificate));
    extend(links[0], authority->certificate, NID_basic_constraints, "critical,CA:FALSE");
    extend(links[0], authority->certificate, NID_key_usage, "critical,digitalSignature");
    extend(links[0], authority->certificate, NID_authority_key_identifier, "keyid");
    if (wish->names != NULL)
        extend(links[0], authority->certificate, NID_subject_alt_name, wish->names);
    if (wish->usage != NULL)
        extend(links[0], authority->certificate, NID_ext_key_usage, wish->usage);
    must(X509_sign(links[0], authority->key, EVP_sha256()) > 0, "a signature");
    must(wm_chain_of(links, 2, &identity.chain, &err) == WM_OK, "a chain");
    X509_free(links[0]);
    return identity;
}

void test_identity_release(test_identity *identity)
{
    wm_chain_free(identity->chain);
    wm_key_free(identity->key);
}
