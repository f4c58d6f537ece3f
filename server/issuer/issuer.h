/* server/issuer/issuer.h
 *
 * Who may have which certificate: the rules of joining, renewing and revoking. The issuer is a process of its own,
 * under a user of its own where it is started as root, because it alone holds the issuing key: an aggregator that is
 * broken into can train nonsense, but it cannot make itself a gateway. So every request comes through a door, and the
 * aggregator's door does not open for everything:
 *
 *     TOKEN   operator only       a one-time token for a name that was not revoked
 *     ENROL   both                a token for a certificate, or the renewal of one that has expired
 *     RENEW   both                the same for one that has not; with a proof by the old key, since the
 *                                 aggregator's word is not enough
 *     SERVER  both                the aggregator's own certificate, for the names that the operator has set
 *     REVOKE  both                a name: its certificates, its tokens, its renewals
 *     LIST    both                certificates, for the deny-list and for people
 *
 * Every request may be repeated. Spending a token binds it to the request's key: the same key again gets the same
 * certificate, byte for byte, another key is refused; a renewal likewise. So when an answer is lost nothing is, and when
 * a thousand ask at once for one token, one wins. A stranger hears one sentence for all the ways in which a token can be
 * wrong; our log has each in its own.
 *
 * The store is durable before an answer leaves. Thread-safe: one lock, held while a request is worked off. */
#ifndef WM_SERVER_ISSUER_H
#define WM_SERVER_ISSUER_H

#include "common/clock.h"
#include "common/crypto/certificate.h"
#include "common/files.h"
#include "common/log.h"
#include "proto/wardmote.pb-c.h"

typedef struct wm_issuer wm_issuer;

/* Zeroes stand for the usual, which is in brackets. */
typedef struct wm_issuer_settings {
    const char     *folder; /* holds issuing.key, issuing.pem, root.pem, issuer.db, lock: see office.h */
    const wm_files *files;
    wm_clock        clock;
    wm_log         *log;             /* NULL for none */
    const char     *vfs;             /* SQLite's file system by name; NULL: the usual */
    int64_t         token_life_ms;   /* where the operator says nothing (15 min) */
    int64_t         gateway_life_ms; /* of a gateway's certificate (7 days) */
    int64_t         server_life_ms;  /* of the aggregator's (90 days) */
    int64_t         late_ms;         /* how long after its end a certificate may be renewed (30 days) */
    int64_t         tries;           /* failed enrolments that one source may make at once (20) */
    int64_t         try_every_ms;    /* and then one more each (3 s) */
} wm_issuer_settings;

/* WM_E_EXISTS: another process has the store; WM_E_MISSING: no office here (`init` makes one); WM_E_DAMAGED: key and
 * certificates do not go together; WM_E_INVALID: the clock is behind the newest deed. */
wm_status wm_issuer_open(const wm_issuer_settings *settings, wm_issuer **ret, wm_error *err);
void      wm_issuer_free(wm_issuer *issuer);

typedef enum wm_door { WM_DOOR_OPERATOR, WM_DOOR_AGGREGATOR } wm_door;

/* *ret: the answer, refusals included, to wm_issued_free. Fails only for want of memory. */
wm_status wm_issuer_handle(wm_issuer *issuer, wm_door door, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err);
void      wm_issued_free(Wm__Issued *issued); /* wipes what may be a token; NULL is fine */

enum { WM_ISSUER_MESSAGE = 16 * 1024 }; /* bytes of an envelope to or from the issuer, at most */

/* The same on packed envelopes. What does not decode, is too long or is no request to an issuer is answered with a
 * fault. *out: the caller's, to wm_secret_free. Fails only for want of memory. */
wm_status wm_issuer_handle_bytes(wm_issuer *issuer, wm_door door, const uint8_t *in, size_t n_in, uint8_t **out,
                                 size_t *n_out, wm_error *err);

/* Names and addresses that the server's certificate carries from now on, too. Not over any door: for `init`. */
wm_status wm_issuer_allow_names(wm_issuer *issuer, const char *const *names, size_t n, wm_error *err);

#endif
