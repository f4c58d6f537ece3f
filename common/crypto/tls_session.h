/* common/crypto/tls_session.h
 *
 * One TLS connection over any BIO, for the transport (common/wire/channel.c) and for tests.
 * Non-blocking: when the BIO has nothing to give or to take, the call says WM_TLS_AGAIN and is repeated
 * later.
 *
 * Remembers why it failed, in words for an operator's log. Used by one thread at a time. */
#ifndef WM_COMMON_CRYPTO_TLS_SESSION_H
#define WM_COMMON_CRYPTO_TLS_SESSION_H

#include "common/crypto/tls.h"

#include <openssl/bio.h>

typedef struct wm_tls_session wm_tls_session;

typedef enum wm_tls_step {
    WM_TLS_DONE,
    WM_TLS_AGAIN,  /* waits for the transport */
    WM_TLS_ENDED,  /* the other end said good-bye, or the transport is gone */
    WM_TLS_FAILED, /* wm_tls_session_failure says why */
} wm_tls_step;

/* Keeps `tls` alive while it lives. `server_name` as in the settings, which it gives way to; NULL for none.
 * Takes over `bio` on success. WM_E_NOMEM, WM_E_INVALID: a client without a name to expect. */
wm_status wm_tls_session_new(wm_tls *tls, const char *server_name, BIO *bio, wm_tls_session **ret, wm_error *err);
void      wm_tls_session_free(wm_tls_session *session);

wm_tls_step wm_tls_session_handshake(wm_tls_session *session);
wm_tls_step wm_tls_session_read(wm_tls_session *session, void *bytes, size_t *n);        /* *n: room, then bytes */
wm_tls_step wm_tls_session_write(wm_tls_session *session, const void *bytes, size_t *n); /* may take a part */
void        wm_tls_session_close(wm_tls_session *session);                               /* says good-bye */

/* False while the handshake is not over, or if the peer showed no certificate and one was wanted. */
bool wm_tls_session_peer(const wm_tls_session *session, wm_peer *ret);

enum { WM_TLS_WHY = 240 };

typedef struct wm_tls_failure {
    wm_status status; /* WM_OK: none. WM_E_UNTRUSTED: we would not have it; WM_E_REFUSED: it would not have us,
                         and of these WM_E_EXPIRED and WM_E_REVOKED if it is trusted and says so */
    char      name[WM_HOST_TEXT]; /* what its certificate says, verified or not; "" if it showed none */
    char      why[WM_TLS_WHY];    /* one sentence */
} wm_tls_failure;

const wm_tls_failure *wm_tls_session_failure(const wm_tls_session *session);

void        wm_tls_hold(wm_tls *tls); /* one more user, which lets go with wm_tls_free */
wm_tls_side wm_tls_side_of(const wm_tls *tls);

#endif
