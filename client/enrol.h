/* client/enrol.h
 *
 * How a gateway joins an office, and stays a member: enrolment by a one-time token, renewal of its certificate past
 * half-life over the mutual connection, and renewal of one that has expired (it lay in a cupboard) over the enrolment
 * listener. The private key is made here and never leaves. What is kept is replaced in one rename; a power cut leaves
 * the old identity or the new one. */
#ifndef WM_CLIENT_ENROL_H
#define WM_CLIENT_ENROL_H

#include "client/config.h"
#include "common/clock.h"
#include "common/crypto/enrolment.h"
#include "common/crypto/tls.h"
#include "common/wire/caller.h"

/* text[n]: the token. Tries its addresses in turn; checks pin, chain, usage and name before the secret is told; writes
 * identity.pem and, if there is none yet, client.yaml into `folder`. *name <- the gateway's name. WM_E_EXISTS: the
 * folder is enrolled already. */
wm_status wm_enrol(const wm_files *files, const char *folder, const char *text, size_t n, char name[WM_NAME_TEXT],
                   wm_error *err);

/* A fresh certificate for a fresh key over `control`, an open line to the aggregator; *identity is replaced, on the disk
 * first. On failure the old one stays, and *come_back_ms is the server's word on when to try again, 0 if it had none. */
wm_status wm_renew(const wm_files *files, const char *folder, wm_caller *control, wm_identity *identity,
                   uint64_t *come_back_ms, wm_error *err);

/* The same for an identity that has expired, over the enrolment listener of one of the servers. */
wm_status wm_renew_late(const wm_files *files, const char *folder, const wm_client_config *config,
                        wm_identity *identity, wm_error *err);

/* A gateway's end of TLS; *ret is the caller's to wm_tls_free. Dates are ignored until wm_tls_set_now names a time. */
wm_status wm_identity_tls(const wm_identity *identity, wm_tls **ret, wm_error *err);

/* The addresses of one of the listeners of every server: "tls+tcp://host:port". */
wm_status wm_client_urls(const wm_client_config *config, int64_t port, char ***ret, size_t *n, wm_error *err);

#endif
