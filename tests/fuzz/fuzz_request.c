/* tests/fuzz/fuzz_request.c
 *
 * A certificate request from a stranger. With an odd first byte the rest is laid over a request that holds, from the
 * place that the second byte says: whatever it changes, the request must not hold any more. */
#include "common/crypto/request.h"

#include <stdlib.h>
#include <string.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *request;
    size_t   n_request, at, n_patch;
    bool     changed;
    wm_key  *key;
    wm_error err;

    if (n < 2 || bytes[0] % 2 == 0) {
        read_it(bytes, n, false);
        return 0;
    }
    if (wm_key_new(&key, &err) != WM_OK || wm_request_make(key, &request, &n_request, &err) != WM_OK)
        abort();
    at = bytes[1] % n_request;
    n_patch = n - 2 < n_request - at ? n - 2 : n_request - at;
    changed = memcmp(request + at, bytes + 2, n_patch) != 0;
    memcpy(request + at, bytes + 2, n_patch);
    read_it(request, n_request, changed);
    free(request);
    wm_key_free(key);
    return 0;
}
