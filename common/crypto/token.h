/* common/crypto/token.h
 *
 * The one-time token by which a gateway joins: everything that the installer has to carry, in one line of
 * text.
 *
 *     wardmote1.<base64url of: count and addresses, root digest, token id, name, secret, checksum>
 *
 * The addresses say where the enrolment listener is, the digest which root its chain must lead to, before the
 * secret is told to it. The checksum, the first 8 bytes of SHA-256 over all before it, is no protection: it
 * recognises a paste that was cut short or a character that was mistyped, and says so. Who holds the text can
 * enrol once, under that name: it is given on standard input or in a file, never on a command line, and is
 * wiped after use. */
#ifndef WM_COMMON_CRYPTO_TOKEN_H
#define WM_COMMON_CRYPTO_TOKEN_H

#include "common/crypto/certificate.h"

enum {
    WM_TOKEN_ADDRESSES = 4, /* at most */
    WM_TOKEN_ID_SIZE = 16,
    WM_TOKEN_SECRET_SIZE = 16, /* 128 bits */
    WM_ADDRESS_TEXT = 262,     /* [host]:65535 and a zero */
    WM_TOKEN_TEXT = 1600       /* the longest text and a zero */
};

typedef struct wm_token {
    char      addresses[WM_TOKEN_ADDRESSES][WM_ADDRESS_TEXT]; /* host:port, [address]:port for IPv6 */
    size_t    n_addresses;                                    /* 1 to WM_TOKEN_ADDRESSES */
    wm_digest root;
    uint8_t   id[WM_TOKEN_ID_SIZE];
    char      name[WM_NAME_TEXT];
    uint8_t   secret[WM_TOKEN_SECRET_SIZE];
} wm_token;

/* WM_E_INVALID: an address or the name is not fit. text[WM_TOKEN_TEXT]. */
wm_status wm_token_encode(const wm_token *token, char *text, wm_error *err);

/* text[n]; white space before and after it does not matter. WM_E_MALFORMED: not a token, cut short or
 * mistyped; WM_E_INVALID: whole, but of another version, or with an address or a name that is not fit. */
wm_status wm_token_decode(const char *text, size_t n, wm_token *ret, wm_error *err);

void wm_token_wipe(wm_token *token);

/* "host:port" or "[address]:port" in two. false: it is not that, the host is not fit or the port not 1 to
 * 65535. */
bool wm_address_split(const char *address, char host[WM_HOST_TEXT], uint16_t *port);

#endif
