/* tests/fuzz/fuzz_token.c
 *
 * A token's text from a stranger. What is accepted has exactly one text: encoding it again must give the same. With an
 * odd first byte the rest is what stands inside a token, under a right checksum, which no fuzzer would find. */
#include "common/crypto/base64url.h"
#include "common/crypto/token.h"

#include <stdlib.h>
#include <string.h>

static void decode(const char *text, size_t n)
{
    wm_token token;
    char     again[WM_TOKEN_TEXT];
    wm_error err;

    if (wm_token_decode(text, n, &token, &err) != WM_OK)
        return;
    while (n > 0 && strchr(" \t\r\n", *text) != NULL)
        text++, n--;
    if (wm_token_encode(&token, again, &err) != WM_OK || strncmp(text, again, strlen(again)) != 0)
        abort();
}

static void decode_wrapped(const uint8_t *inside, size_t n)
{
    uint8_t   bytes[1200 + 8];
    char      text[2048] = "wardmote1.";
    wm_sha256 sha;
    wm_digest digest;

    if (n > 1200)
        return;
    wm_sha256_init(&sha);
    wm_sha256_add(&sha, text, 10);
    wm_sha256_add(&sha, inside, n);
    wm_sha256_take(&sha, &digest);
    memcpy(bytes, inside, n);
    memcpy(bytes + n, digest.bytes, 8);
    wm_base64url_encode(bytes, n + 8, text + 10);
    decode(text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n > 0 && bytes[0] % 2 == 1)
        decode_wrapped(bytes + 1, n - 1);
    else
        decode((const char *)bytes, n);
    return 0;
}
