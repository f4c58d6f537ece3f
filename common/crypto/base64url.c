/* common/crypto/base64url.c */
#include "common/crypto/base64url.h"

void wm_base64url_encode(const uint8_t *bytes, size_t n, char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t          bits = 0;
    unsigned          held = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *text++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *text++ = alphabet[bits << (6 - held) & 63];
    *text = '\0';
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool wm_base64url_decode(const char *text, size_t n, uint8_t *bytes, size_t room, size_t *ret)
{
    size_t   have = 0;
    uint32_t bits = 0;
    unsigned held = 0;

    if (n % 4 == 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xfff; /* at most 6 bits are held, and 6 are new */
        held += 6;
        if (held >= 8) {
            if (have == room)
                return false;
            held -= 8;
            bytes[have++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return false;
    *ret = have;
    return true;
}
