/* common/crypto/token.c */
#include "common/crypto/token.h"

#include "common/crypto/base64url.h"

#include <assert.h>
#include <string.h>

#define PREFIX "wardmote1."

enum {
    PREFIX_SIZE = sizeof PREFIX - 1,
    CHECKSUM_SIZE = 8,
    BYTES_MAX = 1 + WM_TOKEN_ADDRESSES * WM_ADDRESS_TEXT + WM_DIGEST_SIZE + WM_TOKEN_ID_SIZE + WM_NAME_TEXT +
                WM_TOKEN_SECRET_SIZE + CHECKSUM_SIZE
};

_Static_assert(PREFIX_SIZE + (BYTES_MAX + 2) / 3 * 4 + 1 <= WM_TOKEN_TEXT, "every token has room");

bool wm_address_split(const char *address, char host[WM_HOST_TEXT], uint16_t *port)
{
    const char *colon = strrchr(address, ':');
    const char *first = address, *end = colon;
    char        name[WM_HOST_TEXT];
    uint32_t    number = 0;
    size_t      n;

    if (colon == NULL || strlen(colon + 1) < 1 || strlen(colon + 1) > 5)
        return false;
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return false;
        number = number * 10 + (uint32_t)(*c - '0');
    }
    if (*first == '[' && colon > first + 1 && colon[-1] == ']') {
        first++;
        end--;
    }
    n = (size_t)(end - first);
    if (number < 1 || number > 65535 || n == 0 || n >= sizeof name)
        return false;
    memcpy(name, first, n);
    name[n] = '\0';
    /* An IPv6 address stands in brackets, and nothing else does. */
    if (!wm_server_name_ok(name) || (strchr(name, ':') != NULL) != (first != address))
        return false;
    memcpy(host, name, n + 1);
    *port = (uint16_t)number;
    return true;
}

static wm_status check_contents(const wm_token *token, wm_error *err)
{
    char     host[WM_HOST_TEXT];
    uint16_t port;

    if (token->n_addresses < 1 || token->n_addresses > WM_TOKEN_ADDRESSES)
        return wm_fail(err, WM_E_INVALID, "a token names 1 to %d addresses, not %zu", WM_TOKEN_ADDRESSES,
                       token->n_addresses);
    for (size_t i = 0; i < token->n_addresses; i++)
        if (strlen(token->addresses[i]) > 255 || !wm_address_split(token->addresses[i], host, &port))
            return wm_fail(err, WM_E_INVALID, "\"%.80s\" is not an address for a token: give host:port",
                           token->addresses[i]);
    return wm_gateway_name_check(token->name, err);
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t n)
{
    memcpy(to, bytes, n);
    return to + n;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t n = strlen(text);

    assert(n <= 255);
    *to = (uint8_t)n;
    return put(to + 1, text, n);
}

/* Over the prefix too, so that a token of another version is not taken for a mistyped one of ours. */
static wm_digest checksum_of(const uint8_t *bytes, size_t n)
{
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    wm_sha256_add(&sha, PREFIX, PREFIX_SIZE);
    wm_sha256_add(&sha, bytes, n);
    wm_sha256_take(&sha, &digest);
    wm_secret_wipe(&sha, sizeof sha);
    return digest;
}

wm_status wm_token_encode(const wm_token *token, char *text, wm_error *err)
{
    uint8_t   bytes[BYTES_MAX], *to = bytes;
    wm_digest checksum;
    wm_status st = check_contents(token, err);

    if (st != WM_OK)
        return st;
    *to++ = (uint8_t)token->n_addresses;
    for (size_t i = 0; i < token->n_addresses; i++)
        to = put_text(to, token->addresses[i]);
    to = put(to, token->root.bytes, WM_DIGEST_SIZE);
    to = put(to, token->id, WM_TOKEN_ID_SIZE);
    to = put_text(to, token->name);
    to = put(to, token->secret, WM_TOKEN_SECRET_SIZE);
    checksum = checksum_of(bytes, (size_t)(to - bytes));
    to = put(to, checksum.bytes, CHECKSUM_SIZE);
    memcpy(text, PREFIX, PREFIX_SIZE);
    wm_base64url_encode(bytes, (size_t)(to - bytes), text + PREFIX_SIZE);
    wm_secret_wipe(bytes, sizeof bytes);
    return WM_OK;
}

/* What is left of the bytes. Each take_ is false when they end too early. */
typedef struct reader {
    const uint8_t *at;
    size_t         left;
} reader;

static bool take(reader *from, void *to, size_t n)
{
    if (from->left < n)
        return false;
    memcpy(to, from->at, n);
    from->at += n;
    from->left -= n;
    return true;
}

static bool take_text(reader *from, char *to, size_t room)
{
    uint8_t n;

    if (!take(from, &n, 1) || n >= room || !take(from, to, n) || memchr(to, 0, n) != NULL)
        return false;
    to[n] = '\0';
    return true;
}

static bool take_token(reader *from, wm_token *token)
{
    uint8_t count;

    if (!take(from, &count, 1) || count < 1 || count > WM_TOKEN_ADDRESSES)
        return false;
    token->n_addresses = count;
    for (size_t i = 0; i < count; i++)
        if (!take_text(from, token->addresses[i], sizeof token->addresses[i]))
            return false;
    return take(from, token->root.bytes, WM_DIGEST_SIZE) && take(from, token->id, WM_TOKEN_ID_SIZE) &&
           take_text(from, token->name, sizeof token->name) && take(from, token->secret, WM_TOKEN_SECRET_SIZE) &&
           from->left == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static wm_status decode_trimmed(const char *text, size_t n, wm_token *token, wm_error *err)
{
    uint8_t   bytes[BYTES_MAX];
    size_t    size;
    wm_digest checksum;
    wm_status st;

    if (!wm_base64url_decode(text, n, bytes, sizeof bytes, &size) || size < CHECKSUM_SIZE) {
        st = wm_fail(err, WM_E_MALFORMED,
                     "the token is cut short or has a character that does not belong there: "
                     "copy all of it again");
        goto out;
    }
    size -= CHECKSUM_SIZE;
    checksum = checksum_of(bytes, size);
    if (memcmp(checksum.bytes, bytes + size, CHECKSUM_SIZE) != 0)
        st = wm_fail(err, WM_E_MALFORMED, "the token is cut short or mistyped: copy all of it again");
    else if (!take_token(&(reader){ bytes, size }, token))
        st = wm_fail(err, WM_E_MALFORMED, "the token holds something else than a token should");
    else
        st = check_contents(token, err);
out:
    wm_secret_wipe(bytes, sizeof bytes);
    return st;
}

wm_status wm_token_decode(const char *text, size_t n, wm_token *ret, wm_error *err)
{
    wm_token  token = { .n_addresses = 0 };
    wm_status st;

    while (n > 0 && is_space(text[0]))
        text++, n--;
    while (n > 0 && is_space(text[n - 1]))
        n--;
    if (n < PREFIX_SIZE || memcmp(text, PREFIX, PREFIX_SIZE) != 0)
        return wm_fail(err, WM_E_MALFORMED, "this is no token: one begins with \"%s\"", PREFIX);
    if (n >= WM_TOKEN_TEXT)
        return wm_fail(err, WM_E_MALFORMED, "a token has at most %d characters, this has %zu", WM_TOKEN_TEXT - 1,
                       n);
    st = decode_trimmed(text + PREFIX_SIZE, n - PREFIX_SIZE, &token, err);
    if (st == WM_OK)
        *ret = token;
    wm_token_wipe(&token);
    return st;
}

void wm_token_wipe(wm_token *token)
{
    wm_secret_wipe(token, sizeof *token);
}
