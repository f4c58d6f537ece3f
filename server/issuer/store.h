/* server/issuer/store.h
 *
 * What the issuer must not forget: tokens, certificates, names that were revoked, the server's own names. SQLite in a
 * file that only the issuing process opens (WAL, synchronous=FULL, one connection). Each deed is one transaction:
 * when it returns WM_OK it survives `kill -9` and a power cut, when it fails nothing of it happened. A deed that must
 * happen once is guarded inside its transaction, not by a look before it.
 *
 * Not locked: the issuer's lock is held around every call. */
#ifndef WM_SERVER_ISSUER_STORE_H
#define WM_SERVER_ISSUER_STORE_H

#include "common/crypto/token.h"

typedef struct wm_issuer_store wm_issuer_store;

/* Opens or makes the file, mode 0600. `vfs`: SQLite's file system by name, NULL for the usual. WM_E_DAMAGED: not a store
 * of ours; WM_E_IO, WM_E_FULL. */
wm_status wm_issuer_store_open(const char *path, const char *vfs, wm_issuer_store **ret, wm_error *err);
void      wm_issuer_store_close(wm_issuer_store *store);

/* ---- tokens ---- */

typedef struct wm_token_record {
    uint8_t   id[WM_TOKEN_ID_SIZE];
    char      name[WM_NAME_TEXT];
    wm_digest secret; /* SHA-256; the secret itself is not kept */
    int64_t   made_ms, ends_ms;
    bool      spent;
    wm_digest spent_key; /* of the key that it is bound to, once spent */
    wm_serial serial;    /* of the certificate that it was spent for */
} wm_token_record;

/* Forgets unspent tokens that ended `forget_before_ms` or earlier. */
wm_status wm_issuer_store_add_token(wm_issuer_store *store, const wm_token_record *token, int64_t forget_before_ms,
                                    wm_error *err);

/* WM_E_MISSING: there is none. */
wm_status wm_issuer_store_token(wm_issuer_store *store, const uint8_t id[WM_TOKEN_ID_SIZE], wm_token_record *ret,
                                wm_error *err);

/* ---- certificates ---- */

typedef struct wm_certificate_record {
    wm_serial  serial;
    char       name[WM_HOST_TEXT];
    wm_purpose purpose;
    wm_digest  key;
    int64_t    issued_ms, not_before_ms, not_after_ms;
    bool       revoked;
    wm_serial  next;  /* of the certificate that renewed it; size 0: none */
    char      *chain; /* PEM as it was handed out, owned; NULL once nobody can ask for it again */
} wm_certificate_record;

void wm_certificate_record_release(wm_certificate_record *record);

/* WM_E_MISSING: there is none. *ret: to wm_certificate_record_release. */
wm_status wm_issuer_store_certificate(wm_issuer_store *store, const wm_serial *serial, wm_certificate_record *ret,
                                      wm_error *err);

/* The newest server certificate for this key. WM_E_MISSING: there is none. */
wm_status wm_issuer_store_server_certificate(wm_issuer_store *store, const wm_digest *key,
                                             wm_certificate_record *ret, wm_error *err);

/* The token is spent for this key, and the certificate issued. WM_E_EXISTS: it was spent already. */
wm_status wm_issuer_store_spend(wm_issuer_store *store, const wm_token_record *token,
                                const wm_certificate_record *certificate, wm_error *err);

/* `old` is renewed by `certificate`. WM_E_EXISTS: it was renewed already. Chains of certificates that ended
 * `forget_before_ms` or earlier are dropped. */
wm_status wm_issuer_store_renew(wm_issuer_store *store, const wm_serial *old,
                                const wm_certificate_record *certificate, int64_t forget_before_ms, wm_error *err);

wm_status wm_issuer_store_add_server(wm_issuer_store *store, const wm_certificate_record *certificate,
                                     wm_error *err);

/* Calls `each` with up to `most` certificates whose serial comes after `after` (size 0: from the first), in order of
 * serial, those that ended before `from_ms` left out; `name` NULL: all names. Records come without chain. */
wm_status wm_issuer_store_list(wm_issuer_store *store, const wm_serial *after, const char *name, int64_t from_ms,
                               size_t most, void (*each)(void *context, const wm_certificate_record *record),
                               void *context, wm_error *err);

/* The moment of the newest deed, 0 if there was none: the clock must not be before it. */
wm_status wm_issuer_store_latest(wm_issuer_store *store, int64_t *ret, wm_error *err);

/* ---- names ---- */

/* All of the name's certificates are revoked, its unspent tokens gone, the name barred. Again is fine. */
wm_status wm_issuer_store_revoke(wm_issuer_store *store, const char *name, int64_t wall_ms, wm_error *err);
wm_status wm_issuer_store_is_revoked(wm_issuer_store *store, const char *name, bool *ret, wm_error *err);

/* Adds to the names that the server's certificate carries. */
wm_status wm_issuer_store_allow_names(wm_issuer_store *store, const char *const *names, size_t n, wm_error *err);

/* names[WM_SERVER_NAMES_MAX] <- those, in the order in which they were added. WM_E_RANGE: there are more. */
wm_status wm_issuer_store_names(wm_issuer_store *store, char (*names)[WM_HOST_TEXT], size_t *n, wm_error *err);

#endif
