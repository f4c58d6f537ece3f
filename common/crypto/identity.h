/* common/crypto/identity.h
 *
 * What a gateway is to the others: its private key, the chain of its certificate, and the root that it
 * trusts. They live in one file, FOLDER/identity.pem (key, certificate, issuing authority, root; mode 0600),
 * so that a renewal replaces all of them in one rename and a power cut leaves the old or the new, never a key
 * without its certificate.
 *
 * The key that is to come has its own file, FOLDER/next.key, written before anybody is asked to certify it:
 * whatever happens to the answer, the same key can ask again and gets the same certificate. */
#ifndef WM_COMMON_CRYPTO_IDENTITY_H
#define WM_COMMON_CRYPTO_IDENTITY_H

#include "common/crypto/chain.h"

typedef struct wm_identity {
    wm_key              *key;
    wm_chain            *chain; /* the certificate and the issuing authority's; what is sent in a handshake */
    wm_certificate      *root;
    wm_certificate_facts facts; /* of the certificate */
} wm_identity;

void wm_identity_release(wm_identity *identity);

/* WM_E_MISSING: not enrolled. WM_E_DAMAGED: the parts do not go together; validity dates are not looked at. */
wm_status wm_identity_load(const wm_files *files, const char *folder, wm_identity *ret, wm_error *err);

/* Durable when it returns; then next.key is removed. */
wm_status wm_identity_save(const wm_identity *identity, const wm_files *files, const char *folder, wm_error *err);

/* The key for the next certificate: that of next.key, or a fresh one written there. `now` is the identity in
 * use, or NULL; a next.key left over from the renewal that made it is not taken again. */
wm_status wm_identity_next_key(const wm_identity *now, const wm_files *files, const char *folder, wm_key **ret,
                               wm_error *err);

/* WM_OK if key, chain and root go together as a gateway's, dates left aside; fills identity->facts. */
wm_status wm_identity_check(wm_identity *identity, wm_error *err);

/* Whether it is time to renew: half of the certificate's life is over. */
bool wm_renewal_due(const wm_certificate_facts *facts, int64_t wall_ms);

#endif
