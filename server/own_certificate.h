/* server/own_certificate.h
 *
 * The aggregator's own certificate, DIR/server.pem for DIR/server.key, and the two ends of TLS that show it. The issuer
 * gives another one past half-life; the connections to come have it, the others go on with what they began with.
 *
 * _tls and _enrolment_tls are for any thread; _renew is for one at a time, and may wait for the issuer. */
#ifndef WM_SERVER_OWN_CERTIFICATE_H
#define WM_SERVER_OWN_CERTIFICATE_H

#include "common/config/family.h"
#include "common/crypto/tls.h"
#include "server/issuer/issuer_client.h"

typedef struct wm_own_certificate wm_own_certificate;

typedef struct wm_own_certificate_settings {
    const char     *folder; /* the office */
    const wm_files *files;
    const wm_words *names; /* that it must carry */
    wm_asker        issuer;
    wm_clock        clock;
    bool (*allow)(void *context, const wm_peer *peer, char *why, size_t n); /* as wm_tls_settings has it */
    void *context;
} wm_own_certificate_settings;

/* Renews it if that is due, and loads it. All that `settings` points to is borrowed. WM_E_INVALID: it does not carry one
 * of the names. */
wm_status wm_own_certificate_open(const wm_own_certificate_settings *settings, wm_own_certificate **ret,
                                  wm_error *err);
void      wm_own_certificate_free(wm_own_certificate *own); /* NULL is fine */

wm_tls *wm_own_certificate_tls(const wm_own_certificate *own);           /* mutual: control and bulk; borrowed */
wm_tls *wm_own_certificate_enrolment_tls(const wm_own_certificate *own); /* asks for no certificate; borrowed */

/* *changed: it was due, and the connections to come have another one. On failure the old one stays. */
wm_status wm_own_certificate_renew(wm_own_certificate *own, bool *changed, wm_error *err);

#endif
