/* tests/fuzz/fuzz_request.c
 *
 * A certificate request from a stranger. With an odd first byte the rest is laid over a request that holds, from the
 * place that the second byte says, though not enough of it to be another request: whatever it changes, the request must not
 * hold any more. With 2 in an even one, what
 * can be read as a request is signed anew by a key that is put into it, so that the rest of it comes past the signature. */
#include "common/crypto/request.h"

#include "tests/fuzz/take.h"

#include <openssl/x509.h>

enum { PATCH_MAX = 64 };

static void sign_anew(const uint8_t *bytes, size_t n)
{
    X509_REQ *request = d2i_X509_REQ(NULL, &bytes, (long)n);
    wm_key   *key = NULL, *got = NULL;
    uint8_t  *der = NULL;
    int       n_der;

    if (request == NULL)
        return;
    must(wm_key_new(&key, NULL) == WM_OK);
    if (X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0 &&
        (n_der = i2d_X509_REQ(request, &der)) > 0) {
        /* Nothing but the key is used, so nothing else may matter. */
        must(wm_request_read(der, (size_t)n_der, &got, NULL) == WM_OK || n_der > WM_REQUEST_BYTES);
        wm_key_free(got);
    }
    OPENSSL_free(der);
    wm_key_free(key);
    X509_REQ_free(request);
}

static void read_it(const uint8_t *bytes, size_t n, bool must_fail)
{
    wm_key  *key = NULL;
    wm_error err;

    if (wm_request_read(bytes, n, &key, &err) != WM_OK)
        return;
    if (must_fail || wm_key_check(key, &err) != WM_OK)
        abort();
    wm_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *request;
    size_t   n_request, at, n_patch;
    bool     changed;
    wm_key  *key;
    wm_error err;

    if (n < 2 || bytes[0] % 2 == 0) {
        if (n > 0)
            read_it(bytes + 1, n - 1, false);
        if (n > 0 && (bytes[0] & 2) != 0)
            sign_anew(bytes + 1, n - 1);
        return 0;
    }
    if (wm_key_new(&key, &err) != WM_OK || wm_request_make(key, &request, &n_request, &err) != WM_OK)
        abort();
    at = bytes[1] % n_request;
    n_patch = n - 2 < n_request - at ? n - 2 : n_request - at;
    if (n_patch > PATCH_MAX)
        n_patch = PATCH_MAX;
    changed = memcmp(request + at, bytes + 2, n_patch) != 0;
    memcpy(request + at, bytes + 2, n_patch);
    read_it(request, n_request, changed);
    free(request);
    wm_key_free(key);
    return 0;
}
