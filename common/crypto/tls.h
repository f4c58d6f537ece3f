/* common/crypto/tls.h
 *
 * One end's view of TLS: its own certificate and key, whom it trusts, and what it asks of the other end.
 * TLS 1.3 and nothing older, no resumption (a resumed session would not look at the deny-list again), no
 * early data. The rules that hold on every connection:
 *
 *   - the chain leads to a root that was handed in, or to the one root whose SHA-256 was handed in (`pin`);
 *   - a server's certificate carries the usage serverAuth and the name or address that was dialled;
 *   - a gateway's certificate carries the usage clientAuth and exactly one DNS name, [a-z0-9-]{1,63};
 *   - validity dates are judged by the moment that was handed in, not by the machine's clock;
 *   - `allow` has the last word on the leaf, inside the handshake. Revocation is a deny-list of serials in
 * there.
 *
 * A wm_tls is shared by all connections made from it. Its certificate may be replaced while it is in use: the
 * next connection has the new one. Private keys are parsed at once and never kept as text; OpenSSL wipes them
 * when the last connection that uses them is gone. Thread-safe. */
#ifndef WM_COMMON_CRYPTO_TLS_H
#define WM_COMMON_CRYPTO_TLS_H

#include "common/crypto/digest.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WM_PEER_NAME = 256, WM_PEER_SERIAL_MAX = 20 };

/* Who is at the other end, as its verified certificate says. All but the exporter is zero where no
 * certificate was asked for. */
typedef struct wm_peer {
    char name[WM_PEER_NAME]; /* a gateway's name; of a server the first DNS name or address */
    uint8_t serial[WM_PEER_SERIAL_MAX];
    size_t n_serial;
    wm_digest certificate; /* SHA-256 of the certificate, DER */
    wm_digest key;         /* SHA-256 of its public key, DER (SubjectPublicKeyInfo) */
    int64_t not_after_ms;  /* wall clock */
    wm_digest
        exporter; /* RFC 9266 tls-exporter: the same at both ends of one connection; zero inside `allow` */
} wm_peer;

typedef enum wm_tls_side { WM_TLS_SERVER, WM_TLS_CLIENT } wm_tls_side;

typedef struct wm_tls_settings {
    wm_tls_side side;
    const char
        *chain; /* PEM, leaf first; NULL: a client that has no certificate yet. A server to which clients come
                   with nothing but a pin (enrolment) has its root at the chain's end, too */
    const char *key; /* PEM, not encrypted; NULL if chain is NULL */
    const char
        *roots; /* PEM of the roots that are trusted; NULL if there is a pin, or if no peer shows one */

    /* Client: trust the one self-signed certificate in the server's chain that has this SHA-256 (over its
     * DER). */
    const wm_digest *pin;

    bool anonymous;          /* server: the peer is not asked for a certificate (enrolment) */
    const char *server_name; /* client: the name or address that the server's certificate must carry; NULL:
                                the host of the URL that is dialled */
    int64_t now_ms;          /* as wm_tls_set_now */

    /* The last word on a leaf that has passed all other checks; NULL: no objection. false: *why is one
     * clause, such as "its certificate is revoked". Called on the network's threads: quick, thread-safe,
     * never back into TLS. */
    bool (*allow)(void *context, const wm_peer *peer, char *why, size_t n);
    void *context;
} wm_tls_settings;

typedef struct wm_tls wm_tls;

/* Everything in `settings` is read and not kept, but `context`. WM_E_MALFORMED: PEM that does not parse, or
 * an encrypted key; WM_E_UNTRUSTED: a key that is not the certificate's; WM_E_INVALID: settings that do not
 * go together. */
wm_status wm_tls_new(const wm_tls_settings *settings, wm_tls **ret, wm_error *err);
void wm_tls_free(wm_tls *tls); /* connections may go on; `allow` may be called until they have ended */

/* Another certificate for the connections to come. On failure the old one stays. */
wm_status wm_tls_set_own(wm_tls *tls, const char *chain, const char *key, wm_error *err);

/* The moment by which validity dates are judged from the next handshake on: a wall clock's milliseconds;
 * WM_TLS_CLOCK: the machine's clock at that time; WM_TLS_NO_DATES: not at all, for a gateway whose clock
 * nobody has set yet. */
enum { WM_TLS_CLOCK = 0, WM_TLS_NO_DATES = -1 };
void wm_tls_set_now(wm_tls *tls, int64_t now_ms);

/* Asks `allow` again: of a peer that was let in before the deny-list grew. */
bool wm_tls_allows(const wm_tls *tls, const wm_peer *peer, char *why, size_t n);

bool wm_tls_is_anonymous(const wm_tls *tls);

/* Whether `name` may be a gateway's: [a-z0-9-]{1,63}. */
bool wm_gateway_name_ok(const char *name);

#endif
