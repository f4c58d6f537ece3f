/* common/crypto/tls.h
 *
 * One end's view of TLS: its own certificate and key, whom it trusts, and what it asks of the other end. TLS 1.3
 * and nothing older, no resumption (a resumed session would not look at the deny-list again), no early data.
 * Whether a peer's chain holds is chain.h's business, and nobody else's; here it is asked on every connection:
 *
 *   - a server's certificate must be a server's and carry the name or address that was dialled;
 *   - a gateway's certificate must be a gateway's, with exactly one fit name;
 *   - validity dates are judged by the moment that was handed in, not by whatever the machine believes;
 *   - `allow` has the last word on the leaf, inside the handshake. Revocation is a deny-list of serials in there.
 *
 * A wm_tls is shared by all connections made from it. Its certificate may be replaced while it is in use: the next
 * connection has the new one. OpenSSL wipes a private key when the last connection that uses it is gone.
 * Thread-safe. */
#ifndef WM_COMMON_CRYPTO_TLS_H
#define WM_COMMON_CRYPTO_TLS_H

#include "common/clock.h"
#include "common/crypto/certificate.h"

/* Who is at the other end, as its verified certificate says. All but the exporter is zero where no certificate was
 * asked for. */
typedef struct wm_peer {
    char      name[WM_HOST_TEXT]; /* a gateway's name; of a server the first DNS name */
    wm_serial serial;
    wm_digest certificate; /* of its DER */
    wm_digest key;         /* as wm_key_digest */
    int64_t   not_after_ms;
    wm_digest exporter; /* RFC 9266 tls-exporter: the same at both ends of one connection; zero inside `allow` */
} wm_peer;

typedef enum wm_tls_side { WM_TLS_SERVER, WM_TLS_CLIENT } wm_tls_side;

typedef struct wm_tls_settings {
    wm_tls_side side;
    wm_chain   *chain;    /* what we show, our own certificate first; NULL: a client that has none yet. An enrolment
                              listener shows the root, too: its clients have nothing but a digest of it */
    wm_key     *key;      /* of chain[0]; NULL if chain is NULL */
    wm_certificate *root; /* the one anchor of trust; NULL if there is a pin, or if the peer shows nothing */

    /* Client: trust the self-signed certificate in the server's chain that has this digest. */
    const wm_digest *pin;

    bool        anonymous;   /* server: the peer is not asked for a certificate (enrolment) */
    const char *server_name; /* client: what the server's certificate must carry; NULL: the host that is dialled */
    wm_clock    clock; /* its wall_ms judges validity dates; zeroed: the time is not known, they are ignored */

    /* The last word on a leaf that has passed all other checks; NULL: no objection. false: *why is one sentence,
     * such as "its certificate is revoked". Called on the network's threads: quick, thread-safe, never back into
     * TLS. */
    bool (*allow)(void *context, const wm_peer *peer, char *why, size_t n);
    void *context;
} wm_tls_settings;

typedef struct wm_tls wm_tls;

/* Takes references where it keeps something; the caller's own stay the caller's. `clock` and `context` must outlive
 * all connections. WM_E_INVALID: settings that do not go together; WM_E_UNTRUSTED: a key that is not the
 * certificate's. */
wm_status wm_tls_new(const wm_tls_settings *settings, wm_tls **ret, wm_error *err);
void      wm_tls_free(wm_tls *tls); /* connections may go on, and ask `allow`, until listener or caller is freed */

/* Another certificate for the connections to come. On failure the old one stays. */
wm_status wm_tls_set_own(wm_tls *tls, wm_chain *chain, wm_key *key, wm_error *err);

/* From the next handshake on validity dates are judged by this moment, whatever the clock says: for a gateway, the
 * latest that it has heard of from its server. 0: by the clock again. */
void wm_tls_set_now(wm_tls *tls, int64_t wall_ms);

/* For how much longer the peer's certificate holds, by the time that this end judges by; INT64_MAX if it judges no
 * dates, or the peer showed none. */
int64_t wm_tls_left_ms(const wm_tls *tls, const wm_peer *peer);

/* Asks `allow` again: of a peer that was let in before the deny-list grew. */
bool wm_tls_allows(const wm_tls *tls, const wm_peer *peer, char *why, size_t n);

bool wm_tls_is_anonymous(const wm_tls *tls);

#endif
