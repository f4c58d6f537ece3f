/* common/crypto/chain.h
 *
 * Whether a chain of certificates holds: signatures up to a root that the caller trusts, purpose, name,
 * dates. OpenSSL builds and checks the path, strictly (X509_V_FLAG_X509_STRICT); what it is lenient about we
 * check ourselves: a certificate without extended key usage serves no purpose of ours, and one for both
 * serves neither. Dates are compared here, as milliseconds, since OpenSSL would take them as time_t, which
 * ends in 2038 on the 32-bit gateways. Revocation is not looked at: it is a deny-list of serials, and whoever
 * keeps it asks it.
 *
 * Used by the TLS layer's verify hook, by the enrolling client on what it is given, and by the issuer. */
#ifndef WM_COMMON_CRYPTO_CHAIN_H
#define WM_COMMON_CRYPTO_CHAIN_H

#include "common/crypto/certificate.h"

typedef struct wm_chain_rule {
    wm_certificate *root; /* the one anchor of trust */
    wm_purpose      purpose;
    const char     *name; /* a gateway's name, a server's name or address; NULL: any that is fit for the purpose */
    int64_t         wall_ms; /* every certificate of the path must be valid then */
    bool            ignore_dates;
} wm_chain_rule;

/* chain[0] is the certificate in question; the others are only used to build the path. *facts, if not NULL,
 * is filled also when it fails, as far as it could be read, so that a log can say whose certificate it was.
 * WM_E_UNTRUSTED: it does not hold, and the sentence says why; WM_E_MALFORMED: it cannot be read. */
wm_status wm_chain_check(const wm_chain *chain, const wm_chain_rule *rule, wm_certificate_facts *facts,
                         wm_error *err);

/* *ret: that certificate of the chain, borrowed, whose DER has this digest and which signs itself.
 * WM_E_UNTRUSTED if there is none: the chain does not come from the office that is expected. */
wm_status wm_chain_find_root(const wm_chain *chain, const wm_digest *digest, wm_certificate **ret, wm_error *err);

#endif
