/* common/crypto/base64url.h
 *
 * Base 64 with the URL and filename safe alphabet (RFC 4648, section 5), without padding. The decoder is
 * strict: one text for each sequence of bytes, so that a token has one form only. */
#ifndef WM_COMMON_CRYPTO_BASE64URL_H
#define WM_COMMON_CRYPTO_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for n bytes, without a zero. */
static inline size_t wm_base64url_size(size_t n)
{
    return n / 3 * 4 + (n % 3 > 0 ? n % 3 + 1 : 0);
}

/* text[wm_base64url_size(n) + 1] <- the characters and a zero. */
void wm_base64url_encode(const uint8_t *bytes, size_t n, char *text);

/* bytes[room] <- what the n characters say, *ret: how many. false: a foreign character, a length that cannot
 * be, bits set that belong to no byte, or no room; `bytes` may then be half filled and *ret is untouched. */
bool wm_base64url_decode(const char *text, size_t n, uint8_t *bytes, size_t room, size_t *ret);

#endif
