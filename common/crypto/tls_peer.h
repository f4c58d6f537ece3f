/* common/crypto/tls_peer.h
 *
 * From a certificate to a wm_peer, and the checks of a leaf that OpenSSL's chain check leaves open. For the
 * TLS files of this folder alone. */
#ifndef WM_COMMON_CRYPTO_TLS_PEER_H
#define WM_COMMON_CRYPTO_TLS_PEER_H

#include "common/crypto/tls.h"

#include <openssl/x509.h>

/* All but the exporter; a name that cannot be read is "". false: a digest failed or the serial is too long.
 */
bool wm_peer_from(const X509 *certificate, bool gateway, wm_peer *ret);

/* The usage that the holder of this side must have, written out; an absent extension is not enough. */
bool wm_usage_ok(const X509 *certificate, wm_tls_side holder);

/* A clause for an operator: what X509_V_ERR `code` at that depth means. */
void wm_verify_sentence(int code, int depth, const X509 *certificate, char *why, size_t n);

#endif
