/* common/crypto/enrolment.h
 *
 * A gateway's side of joining and of renewing, without any transport: what to send, and what must hold before an
 * answer is kept. (What must hold before the secret is told is the TLS layer's, by the token's pin.)
 *
 *     enrol   connect to the token's address with the token's pin; send wm_enrol_message with the key of
 *             wm_identity_next_key; wm_identity_accept the answer; wm_identity_save
 *     renew   past half-life, over the mutual connection: wm_renew_message, then as above
 *     late    the certificate has expired, at most 30 days ago: wm_enrol_late_message to the enrolment listener
 *
 * Messages are whole in memory of their own; each has its free, which wipes the secret. */
#ifndef WM_COMMON_CRYPTO_ENROLMENT_H
#define WM_COMMON_CRYPTO_ENROLMENT_H

#include "common/crypto/identity.h"
#include "common/crypto/token.h"
#include "proto/wardmote.pb-c.h"

/* What a renewal's proof is signed under: SHA-256(this and then the request). */
#define WM_RENEWAL_CONTEXT "wardmote renewal"

wm_status wm_enrol_message(const wm_token *token, wm_key *key, Wm__Enrol **ret, wm_error *err);
wm_status wm_enrol_late_message(const wm_identity *old, wm_key *next, Wm__Enrol **ret, wm_error *err);
void      wm_enrol_message_free(Wm__Enrol *message);

wm_status wm_renew_message(const wm_identity *old, wm_key *next, Wm__Renew **ret, wm_error *err);
void      wm_renew_message_free(Wm__Renew *message);

/* Takes `key` on success. *ret <- the identity that the answer makes: its chain leads to the root with digest
 * `root`, is for this key and this name, and is valid at the server's time if the answer says one.
 * WM_E_UNTRUSTED otherwise. */
wm_status wm_identity_accept(const Wm__Certificate *answer, wm_key *key, const char *name, const wm_digest *root,
                             wm_identity *ret, wm_error *err);

#endif
