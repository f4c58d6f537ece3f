/* common/crypto/request.h
 *
 * Certificate requests (PKCS #10, RFC 2986, DER). We make them with an empty subject and use nothing of one
 * but its key: who it is for is said by the token or by the old certificate. */
#ifndef WM_COMMON_CRYPTO_REQUEST_H
#define WM_COMMON_CRYPTO_REQUEST_H

#include "common/crypto/keys.h"

enum { WM_REQUEST_BYTES = 2048 }; /* at most; ours have about 220 */

/* *ret: the request's n bytes, signed with the key; the caller's to free(). */
wm_status wm_request_make(wm_key *key, uint8_t **ret, size_t *n, wm_error *err);

/* *ret: the public key, which has signed the request; the caller's to wm_key_free. WM_E_RANGE: too long;
 * WM_E_MALFORMED: not a request, or something after it; WM_E_INVALID: not a P-256 key; WM_E_UNTRUSTED: the
 * signature does not hold, so whoever sent it need not have the key. */
wm_status wm_request_read(const void *bytes, size_t n, wm_key **ret, wm_error *err);

#endif
