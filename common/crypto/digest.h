/* common/crypto/digest.h
 *
 * SHA-256 (FIPS 180-4) by OpenSSL's one-shot and streaming calls, and its text form. Blobs, checkpoints, models and
 * audit lines are named by it. */
#ifndef WM_COMMON_CRYPTO_DIGEST_H
#define WM_COMMON_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WM_DIGEST_SIZE = 32, WM_DIGEST_TEXT = 65 };

typedef struct wm_digest {
    uint8_t bytes[WM_DIGEST_SIZE];
} wm_digest;

/* A running hash; needs no release: the state is plain memory. One thread at a time. */
typedef struct wm_sha256 {
    uint64_t state[16]; /* a SHA256_CTX, opaque here */
} wm_sha256;

void wm_sha256_init(wm_sha256 *sha);
void wm_sha256_add(wm_sha256 *sha, const void *bytes, size_t n);
void wm_sha256_take(wm_sha256 *sha, wm_digest *ret);

wm_digest wm_sha256_of(const void *bytes, size_t n);

bool wm_digest_equal(const wm_digest *a, const wm_digest *b);
bool wm_digest_is_zero(const wm_digest *d); /* the digest that names nothing */

/* 64 lower-case hexadecimal digits and a zero. */
const char *wm_digest_text(const wm_digest *d, char text[WM_DIGEST_TEXT]);

/* false if `text` is not exactly 64 hexadecimal digits; *ret is then untouched. */
bool wm_digest_parse(const char *text, wm_digest *ret);

#endif
