/* common/crypto/keys.h
 *
 * Private keys: elliptic curve P-256 (FIPS 186-4), one kind for every purpose, so that a gateway's smallest
 * board signs in under a millisecond and nothing has to be chosen. A file holds PKCS #8 as PEM with mode
 * 0600. A private key's memory is wiped when it is freed, and so is every buffer that it passed through.
 *
 * A wm_key is OpenSSL's EVP_PKEY under a name of ours, so that our headers need not include OpenSSL's;
 * OpenSSL wants it without const where it counts references. */
#ifndef WM_COMMON_CRYPTO_KEYS_H
#define WM_COMMON_CRYPTO_KEYS_H

#include "common/crypto/digest.h"
#include "common/files.h"
#include "common/status.h"

typedef struct evp_pkey_st wm_key;

/* A fresh pair from OpenSSL's generator. *ret: the caller's, to wm_key_free. */
wm_status wm_key_new(wm_key **ret, wm_error *err);
void      wm_key_free(wm_key *key);

/* Private, as PEM in memory of *n characters and a zero; to be given to wm_secret_free. */
wm_status wm_key_encode(const wm_key *key, char **ret, size_t *n, wm_error *err);

/* The first private key among the PEM text. WM_E_MALFORMED: there is none, or it is encrypted; WM_E_INVALID:
 * it is not of P-256. */
wm_status wm_key_decode(const void *pem, size_t n, wm_key **ret, wm_error *err);

/* To and from a file, mode 0600. Statuses of wm_files and of the above. */
wm_status wm_key_save(const wm_key *key, const wm_files *files, const char *path, wm_error *err);
wm_status wm_key_load(const wm_files *files, const char *path, wm_key **ret, wm_error *err);

/* Of the public half as SubjectPublicKeyInfo: what names a key everywhere. */
wm_status wm_key_digest(const wm_key *key, wm_digest *ret, wm_error *err);

/* WM_E_INVALID unless the key is of P-256 by name, with a point on the curve: for keys that come from
 * outside. */
wm_status wm_key_check(wm_key *key, wm_error *err);

enum { WM_SIGNATURE_MAX = 80 };
typedef struct wm_signature {
    uint8_t bytes[WM_SIGNATURE_MAX]; /* DER */
    size_t  size;
} wm_signature;

/* ECDSA over SHA-256(context and then bytes[n]). The context says what is signed, so that a signature made
 * for one thing never holds for another. */
wm_status wm_key_sign(wm_key *key, const char *context, const void *bytes, size_t n, wm_signature *ret,
                      wm_error *err);

/* WM_E_UNTRUSTED if it does not hold; `signature` may be any bytes. */
wm_status wm_key_verify(wm_key *key, const char *context, const void *bytes, size_t n, const void *signature,
                        size_t n_signature, wm_error *err);

/* n bytes from OpenSSL's private generator. WM_E_IO: the system has no randomness to give. */
wm_status wm_secret_draw(void *bytes, size_t n, wm_error *err);

/* Overwrites, whatever the optimiser thinks of it; the second also frees (NULL is fine). */
void wm_secret_wipe(void *bytes, size_t n);
void wm_secret_free(void *bytes, size_t n);

#endif
