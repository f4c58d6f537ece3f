/* common/crypto/request.c */
#include "common/crypto/request.h"

#include "common/crypto/openssl.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

wm_status wm_request_make(wm_key *key, uint8_t **ret, size_t *n, wm_error *err)
{
    wm_status      st = WM_OK;
    X509_REQ      *request = X509_REQ_new();
    unsigned char *der = NULL;
    uint8_t       *copy;
    int            size = 0;

    if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(request, key) != 1 || X509_REQ_sign(request, key, EVP_sha256()) <= 0 ||
        (size = i2d_X509_REQ(request, &der)) <= 0) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "cannot make a certificate request");
        goto out;
    }
    copy = malloc((size_t)size);
    if (copy == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for a certificate request");
        goto out;
    }
    memcpy(copy, der, (size_t)size);
    *ret = copy;
    *n = (size_t)size;
out:
    OPENSSL_free(der);
    X509_REQ_free(request);
    return st;
}

wm_status wm_request_read(const void *bytes, size_t n, wm_key **ret, wm_error *err)
{
    const unsigned char *at = bytes;
    X509_REQ            *request;
    wm_key              *key;
    wm_status            st;

    if (n > WM_REQUEST_BYTES)
        return wm_fail(err, WM_E_RANGE, "a certificate request of %zu bytes, at most %d are read", n,
                       WM_REQUEST_BYTES);
    request = n > 0 ? d2i_X509_REQ(NULL, &at, (long)n) : NULL;
    if (request == NULL || at != (const unsigned char *)bytes + n) {
        st = wm_openssl_fail(err, WM_E_MALFORMED, "these %zu bytes are not one certificate request", n);
        goto out;
    }
    key = X509_REQ_get0_pubkey(request);
    if (key == NULL) {
        st = wm_openssl_fail(err, WM_E_MALFORMED, "the certificate request has no key that can be read");
        goto out;
    }
    st = wm_key_check(key, err);
    if (st != WM_OK)
        goto out;
    if (X509_REQ_verify(request, key) != 1) {
        st = wm_openssl_fail(err, WM_E_UNTRUSTED, "the certificate request is not signed by its own key");
        goto out;
    }
    EVP_PKEY_up_ref(key);
    *ret = key;
out:
    X509_REQ_free(request);
    return st;
}
