/* common/crypto/authority.h
 *
 * The office's own certificate authority, in two steps (RFC 5280 profile):
 *     root      signs the issuing authority, once; its key can then be moved away
 *     issuing   signs gateways (clientAuth, one DNS name) and servers (serverAuth, names and addresses)
 * The root may have one authority under it, the issuing authority none. Serials are 128 random bits. A
 * certificate is valid from a little before it was made, since the clocks of an office differ, and never
 * beyond its authority. */
#ifndef WM_COMMON_CRYPTO_AUTHORITY_H
#define WM_COMMON_CRYPTO_AUTHORITY_H

#include "common/crypto/certificate.h"

enum { WM_SERVER_NAMES_MAX = 32 };

#define WM_BACKDATED_MS (5 * 60 * 1000ll)
#define WM_DAY_MS       (24 * 60 * 60 * 1000ll)

/* Borrowed halves: the key that signs and the certificate that goes with it. */
typedef struct wm_authority {
    wm_key         *key;
    wm_certificate *certificate;
} wm_authority;

/* Self-signed, valid for 20 years. */
wm_status wm_authority_make_root(wm_key *key, int64_t wall_ms, wm_certificate **ret, wm_error *err);

/* Signed by the root, valid for 10 years; only the public half of `key` is used. */
wm_status wm_authority_make_issuing(const wm_authority *root, wm_key *key, int64_t wall_ms, wm_certificate **ret,
                                    wm_error *err);

typedef struct wm_certificate_order {
    wm_key    *key; /* whose public half is certified */
    wm_purpose purpose;
    const char *const
           *names; /* one gateway's name, or 1 to WM_SERVER_NAMES_MAX of a server's names and addresses */
    size_t  n_names;
    int64_t wall_ms, life_ms; /* from now, and for how long */
} wm_certificate_order;

/* WM_E_INVALID: a name is not fit; WM_E_UNTRUSTED: the authority itself is not valid now. */
wm_status wm_authority_issue(const wm_authority *issuing, const wm_certificate_order *order, wm_certificate **ret,
                             wm_error *err);

#endif
