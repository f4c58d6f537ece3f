/* tests/wire/certificates.h
 *
 * Throw-away authorities and certificates, made with OpenSSL alone, so that a test can have every wrong one.
 * P-256. A call that fails ends the test program. */
#ifndef WM_TESTS_WIRE_CERTIFICATES_H
#define WM_TESTS_WIRE_CERTIFICATES_H

#include "common/crypto/tls.h"

typedef struct test_authority test_authority;

test_authority *test_authority_new(const char *name);
void            test_authority_free(test_authority *authority);
wm_certificate *test_authority_root(const test_authority *authority); /* belongs to it */

/* What to put into a certificate. */
typedef struct test_wish {
    const char *names; /* as in OpenSSL's configuration: "DNS:north", "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const char *usage; /* "clientAuth", "serverAuth", "codeSigning"; NULL: none is written */
    long        serial;
    int         from_days, to_days; /* of validity, from today on; both 0: yesterday to tomorrow */
    int         for_seconds;        /* not 0: it ends so many seconds from now, whatever the days */
    bool        with_root;          /* the chain ends with the authority itself */

    /* What is seldom wished for; zero is the usual. */
    const char *common_name; /* of the subject ("test") */
    const char *key;         /* "RSA:1024", or the name of a curve ("P-256") */
    const char *constraints; /* of an authority: "critical,CA:TRUE,pathlen:0" ("critical,CA:FALSE") */
    const char *key_usage;   /* ("critical,digitalSignature") */
    const char *digest;      /* of the signature ("SHA256") */
    const void *raw_name;    /* the bytes of one DNS name more, whatever they are */
    size_t      n_raw_name;
    bool        odd_extension; /* a critical one that nobody knows */
    bool        odd_serial;    /* minus `serial` */
} test_wish;

typedef struct test_identity {
    wm_chain *chain;
    wm_key   *key;
} test_identity;

/* Signed by another identity in the place of an authority, whose chain follows: what a gateway must not do. */
test_identity test_issue_by(const test_identity *issuer, const test_wish *wish);

test_identity test_issue(const test_authority *authority, const test_wish *wish);
void          test_identity_release(test_identity *identity);

#endif
