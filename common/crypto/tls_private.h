/* common/crypto/tls_private.h
 *
 * What the sources tls.c and tls_session.c share: the inside of a wm_tls. */
#ifndef WM_COMMON_CRYPTO_TLS_PRIVATE_H
#define WM_COMMON_CRYPTO_TLS_PRIVATE_H

#include "common/crypto/tls_session.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct wm_tls {
    atomic_int      users; /* its maker, and each session */
    wm_tls_side     side;
    bool            anonymous;
    bool            has_pin;
    wm_digest       pin;
    char           *server_name; /* owned; NULL: the host that is dialled */
    wm_certificate *root;        /* a reference; NULL with a pin */
    wm_clock        clock;
    bool (*allow)(void *context, const wm_peer *peer, char *why, size_t n);
    void           *context;
    _Atomic int64_t now_ms; /* 0: ask the clock */
    pthread_mutex_t lock;
    SSL_CTX *ctx; /* guarded by lock; replaced whole, never edited: sessions keep the one that they began with */
};

/* The present context, with a reference that is the caller's. */
SSL_CTX *wm_tls_context(wm_tls *tls);

/* The time by which dates are judged; 0: it is not known, and they are not. */
int64_t wm_tls_now(const wm_tls *tls);

/* Judges the chain of the session behind `x`; installed in every context. 1 or 0, as OpenSSL wants it. */
int wm_tls_judge(X509_STORE_CTX *x, void *unused);

#endif
