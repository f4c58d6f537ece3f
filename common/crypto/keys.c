/* common/crypto/keys.c */
#include "common/crypto/keys.h"

#include "common/crypto/openssl.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A P-256 key as PKCS #8 PEM has 241 characters; this leaves room for the certificates of an identity file.
 */
enum { KEY_FILE_MAX = 32 * 1024 };

wm_status wm_key_new(wm_key **ret, wm_error *err)
{
    wm_key *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    if (key == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "cannot make a P-256 key");
    *ret = key;
    return WM_OK;
}

void wm_key_free(wm_key *key)
{
    EVP_PKEY_free(key); /* clears the private number */
}

wm_status wm_key_encode(const wm_key *key, char **ret, size_t *n, wm_error *err)
{
    wm_status st = WM_OK;
    BIO      *bio = BIO_new(BIO_s_secmem()); /* its buffer is cleared whenever it grows and at the end */
    char     *chars, *copy;
    long      size;

    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        (size = BIO_get_mem_data(bio, &chars)) <= 0) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "cannot write a private key as PEM");
        goto out;
    }
    copy = malloc((size_t)size + 1);
    if (copy == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for a private key");
        goto out;
    }
    memcpy(copy, chars, (size_t)size);
    copy[size] = '\0';
    *ret = copy;
    *n = (size_t)size;
out:
    BIO_free(bio);
    return st;
}

/* Without it OpenSSL would ask a person at the terminal; -1 is a failure, 0 would be an empty passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

wm_status wm_key_check(wm_key *key, wm_error *err)
{
    char          group[64] = "";
    size_t        length = 0;
    int           explicit_curve = 0;
    wm_status     st = WM_OK;
    EVP_PKEY_CTX *check = NULL;

    /* A curve that is spelled out could be any curve (CVE-2020-0601); only the name will do. */
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, &length) != 1 ||
        strcmp(group, SN_X9_62_prime256v1) != 0 ||
        (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_curve) == 1 &&
         explicit_curve != 0))
        return wm_openssl_fail(err, WM_E_INVALID, "the key is not of the named curve P-256");
    check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (check == NULL)
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory to check a key");
    else if (EVP_PKEY_public_check(check) != 1)
        st = wm_openssl_fail(err, WM_E_INVALID, "the public key is not a point of P-256");
    EVP_PKEY_CTX_free(check);
    return st;
}

wm_status wm_key_decode(const void *pem, size_t n, wm_key **ret, wm_error *err)
{
    wm_status st;
    BIO      *bio;
    wm_key   *key;

    if (n > KEY_FILE_MAX)
        return wm_fail(err, WM_E_RANGE, "a private key of %zu bytes, at most %d are read", n, KEY_FILE_MAX);
    bio = BIO_new_mem_buf(pem, (int)n);
    if (bio == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "no memory to read a private key");
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return wm_openssl_fail(err, WM_E_MALFORMED, "no unencrypted private key in PEM form");
    st = wm_key_check(key, err);
    if (st != WM_OK) {
        EVP_PKEY_free(key);
        return st;
    }
    *ret = key;
    return WM_OK;
}

wm_status wm_key_save(const wm_key *key, const wm_files *files, const char *path, wm_error *err)
{
    char     *pem;
    size_t    n;
    wm_status st = wm_key_encode(key, &pem, &n, err);

    if (st != WM_OK)
        return st;
    st = files->replace(files, path, pem, n, 0600, err);
    wm_secret_free(pem, n);
    return st;
}

wm_status wm_key_load(const wm_files *files, const char *path, wm_key **ret, wm_error *err)
{
    uint8_t  *pem;
    size_t    n;
    wm_status st = files->read(files, path, KEY_FILE_MAX, &pem, &n, err);

    if (st != WM_OK)
        return st;
    st = wm_key_decode(pem, n, ret, err);
    if (st == WM_E_MALFORMED)
        wm_error_prefix(err, "%s is damaged, put it back from a backup", path);
    else if (st != WM_OK)
        wm_error_prefix(err, "%s", path);
    wm_secret_free(pem, n);
    return st;
}

wm_status wm_key_digest(const wm_key *key, wm_digest *ret, wm_error *err)
{
    unsigned char *der = NULL;
    int            n = i2d_PUBKEY(key, &der);

    if (n <= 0)
        return wm_openssl_fail(err, WM_E_NOMEM, "cannot encode a public key");
    *ret = wm_sha256_of(der, (size_t)n);
    OPENSSL_free(der);
    return WM_OK;
}

wm_status wm_key_sign(wm_key *key, const char *context, const void *bytes, size_t n, wm_signature *ret,
                      wm_error *err)
{
    wm_status   st = WM_OK;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t      size = sizeof ret->bytes;

    if (md == NULL || EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSignUpdate(md, context, strlen(context)) != 1 || EVP_DigestSignUpdate(md, bytes, n) != 1 ||
        EVP_DigestSignFinal(md, ret->bytes, &size) != 1)
        st = wm_openssl_fail(err, WM_E_NOMEM, "cannot sign");
    else
        ret->size = size;
    EVP_MD_CTX_free(md);
    return st;
}

wm_status wm_key_verify(wm_key *key, const char *context, const void *bytes, size_t n, const void *signature,
                        size_t n_signature, wm_error *err)
{
    wm_status   st = WM_OK;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (md == NULL || EVP_DigestVerifyInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
        EVP_DigestVerifyUpdate(md, context, strlen(context)) != 1 || EVP_DigestVerifyUpdate(md, bytes, n) != 1)
        st = wm_openssl_fail(err, WM_E_NOMEM, "cannot check a signature");
    else if (EVP_DigestVerifyFinal(md, signature, n_signature) != 1)
        st = wm_openssl_fail(err, WM_E_UNTRUSTED, "the signature was not made by this key over these bytes");
    EVP_MD_CTX_free(md);
    return st;
}

wm_status wm_secret_draw(void *bytes, size_t n, wm_error *err)
{
    assert(n <= 1024);
    if (RAND_priv_bytes(bytes, (int)n) != 1)
        return wm_openssl_fail(err, WM_E_IO, "the system gives no random bytes");
    return WM_OK;
}

void wm_secret_wipe(void *bytes, size_t n)
{
    OPENSSL_cleanse(bytes, n);
}

void wm_secret_free(void *bytes, size_t n)
{
    if (bytes != NULL)
        OPENSSL_cleanse(bytes, n);
    free(bytes);
}
