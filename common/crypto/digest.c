/* common/crypto/digest.c */
#define OPENSSL_SUPPRESS_DEPRECATED /* the low-level calls: no allocation, so hashing cannot fail */
#include "common/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(wm_sha256), "wm_sha256 has room for OpenSSL's state");

void wm_sha256_init(wm_sha256 *sha)
{
    SHA256_Init((SHA256_CTX *)sha);
}

void wm_sha256_add(wm_sha256 *sha, const void *bytes, size_t n)
{
    SHA256_Update((SHA256_CTX *)sha, bytes, n);
}

void wm_sha256_take(wm_sha256 *sha, wm_digest *ret)
{
    SHA256_Final(ret->bytes, (SHA256_CTX *)sha);
}

wm_digest wm_sha256_of(const void *bytes, size_t n)
{
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    wm_sha256_add(&sha, bytes, n);
    wm_sha256_take(&sha, &digest);
    return digest;
}

bool wm_digest_equal(const wm_digest *a, const wm_digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, WM_DIGEST_SIZE) == 0;
}

bool wm_digest_is_zero(const wm_digest *d)
{
    static const wm_digest zero;

    return memcmp(d, &zero, sizeof zero) == 0;
}

const char *wm_digest_text(const wm_digest *d, char text[WM_DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";

    for (int i = 0; i < WM_DIGEST_SIZE; i++) {
        text[2 * i] = hex[d->bytes[i] >> 4];
        text[2 * i + 1] = hex[d->bytes[i] & 15];
    }
    text[WM_DIGEST_TEXT - 1] = '\0';
    return text;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool wm_digest_parse(const char *text, wm_digest *ret)
{
    wm_digest digest;

    if (strlen(text) != WM_DIGEST_TEXT - 1)
        return false;
    for (int i = 0; i < WM_DIGEST_SIZE; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret = digest;
    return true;
}
