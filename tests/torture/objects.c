/* tests/torture/objects.c
 *
 * What our code asks of nng and of OpenSSL by the piece, a connection's session, say, and what they refuse when memory is
 * short: counted as an allocation of ours, and failing like one. What the libraries allocate underneath is not. */
#include "tests/torture/allocations.h"

#include <nng/nng.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#define CALLER __builtin_return_address(0)

/* A function that returns an object, or NULL. */
#define OBJECT(type, name, parameters, arguments)                          \
    type *__real_##name parameters;                                        \
    type *__wrap_##name parameters;                                        \
    type *__wrap_##name parameters                                         \
    {                                                                      \
        return torture_must_fail(CALLER) ? NULL : __real_##name arguments; \
    }

/* A function of nng's that returns a number, and the object through its first argument. */
#define NNG_OBJECT(name, parameters, arguments)                                  \
    int __real_##name parameters;                                                \
    int __wrap_##name parameters;                                                \
    int __wrap_##name parameters                                                 \
    {                                                                            \
        return torture_must_fail(CALLER) ? NNG_ENOMEM : __real_##name arguments; \
    }

OBJECT(BIO, BIO_new, (const BIO_METHOD *method), (method))
OBJECT(BIO, BIO_new_mem_buf, (const void *bytes, int n), (bytes, n))
OBJECT(EVP_MD_CTX, EVP_MD_CTX_new, (void), ())
OBJECT(EVP_PKEY_CTX, EVP_PKEY_CTX_new_from_pkey, (OSSL_LIB_CTX * library, EVP_PKEY *key, const char *properties),
       (library, key, properties))
OBJECT(SSL, SSL_new, (SSL_CTX * context), (context))
OBJECT(SSL_CTX, SSL_CTX_new, (const SSL_METHOD *method), (method))
OBJECT(X509, X509_new, (void), ())
OBJECT(X509_REQ, X509_REQ_new, (void), ())
OBJECT(X509_STORE, X509_STORE_new, (void), ())
OBJECT(X509_STORE_CTX, X509_STORE_CTX_new, (void), ())
NNG_OBJECT(nng_aio_alloc, (nng_aio * *ret, void (*done)(void *), void *context), (ret, done, context))
NNG_OBJECT(nng_stream_dialer_alloc, (nng_stream_dialer * *ret, const char *url), (ret, url))
NNG_OBJECT(nng_stream_listener_alloc, (nng_stream_listener * *ret, const char *url), (ret, url))
