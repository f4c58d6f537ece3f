/* tests/wire/misuse.h: what the tests of misused TLS share. */
#ifndef WM_TESTS_WIRE_MISUSE_H
#define WM_TESTS_WIRE_MISUSE_H

#include "tests/wire/stranger.h"

enum { PATIENCE_MS = 20000 };

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
    bool        gone;     /* maybe before the listener could ask from where it came */
};

void add_chain(SSL_CTX *ctx, const test_identity *identity);

/* Old versions and weak keys are a matter of the other side: this one would do all of it. */
SSL_CTX *reckless(const test_identity *identity, int version);

/* The certificate of one with the key of another: OpenSSL refuses to load that, unless the key claims to be the one. */
EVP_PKEY *posing_key(EVP_PKEY *public_half, EVP_PKEY *private_half);

/* The server ends it. */
void must_end(scene *x, stranger *s);

/* A handshake with that context, until the server ends it. */
void shake(scene *x, SSL_CTX *ctx);

/* The same with that certificate, which it releases; of the row's version. */
void show(scene *x, test_identity identity);

#define GATEWAY(...)                                             \
    {                                                            \
        .names = "DNS:north", .usage = "clientAuth", __VA_ARGS__ \
    }

/* The ways, one file each. */
typedef struct misuse {
    const row *rows;
    size_t     n;
} misuse;

extern const misuse misuse_of_handshakes; /* old versions, what is no TLS at all, handshakes that are never done */
extern const misuse misuse_of_certificates; /* foreign ones, of another purpose, time or name, and none */
extern const misuse misuse_of_keys;         /* that were agreed on before: tickets, PSK, early data */
extern const misuse misuse_of_connections;  /* by one who was let in */

#endif
