/* server/issuer/office.h
 *
 * A data office on disk, as `wardmote-server init` makes it and as the aggregator finds it:
 *
 *     DIR/root.key             0600   signs issuing authorities, once in ten years: move it away
 *     DIR/root.pem             0644   what gateways trust
 *     DIR/issuer/              0700   the issuing process's, and its user's where it has one
 *         issuing.key          0600
 *         issuing.pem root.pem 0644
 *         issuer.db lock       0600   issuer.sock while it runs
 *     DIR/server.key           0600   the aggregator's
 *     DIR/server.pem           0644   its certificate, the issuing authority's, and the root's: an enrolling gateway
 *                                     knows only the root's digest, so the root is sent along
 *
 * A key is on disk before its certificate is made, so `init` that was interrupted is simply run again. */
#ifndef WM_SERVER_ISSUER_OFFICE_H
#define WM_SERVER_ISSUER_OFFICE_H

#include "server/issuer/issuer_client.h"

typedef struct wm_office_settings {
    const char        *folder;
    const wm_files    *files;
    wm_clock           clock;
    wm_log            *log;
    const char *const *names; /* host names and addresses of the server; localhost, 127.0.0.1 and ::1 are added */
    size_t             n_names;
    const char        *user; /* of the issuing process; NULL: WM_ISSUER_USER. Taken only by root, if there is one */
} wm_office_settings;

typedef struct wm_office {
    wm_digest root;          /* SHA-256 of its DER: what a token pins */
    bool      made;          /* something was made that was not there */
    bool      root_key_here; /* and should be moved away */
} wm_office;

/* Makes what is missing and overwrites nothing but server.pem, and that only when the names have grown or it is past its
 * half-life. WM_E_INVALID: a name is not fit; WM_E_EXISTS: an issuer is running there; WM_E_MISSING: the issuing
 * authority is to be made, and the root key is not there. */
wm_status wm_office_init(const wm_office_settings *settings, wm_office *ret, wm_error *err);

/* Asks for a certificate for DIR/server.key and writes DIR/server.pem; *changed: it is another one than before, and the
 * aggregator has to load it. To be called at start and once a day. */
wm_status wm_office_renew_server(const char *folder, const wm_files *files, const wm_asker *issuer, bool *changed,
                                 wm_error *err);

#endif
