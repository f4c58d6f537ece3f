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
    bool        with_root;          /* the chain ends with the authority itself */
} test_wish;

typedef struct test_identity {
    wm_chain *chain;
    wm_key   *key;
} test_identity;

test_identity test_issue(const test_authority *authority, const test_wish *wish);
void          test_identity_release(test_identity *identity);

#endif
