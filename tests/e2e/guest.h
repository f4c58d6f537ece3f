/* tests/e2e/guest.h
 *
 * A peer of an office's server that is a test: over a real socket, from whatever address of this machine, with whatever
 * certificate, and with messages that no gateway would send. */
#ifndef WM_TESTS_E2E_GUEST_H
#define WM_TESTS_E2E_GUEST_H

#include "tests/e2e/office.h"
#include "tests/wire/stranger.h"

#include "common/crypto/enrolment.h"
#include "common/wire/envelope.h"

/* A context for guests with this identity (NULL: none); it believes every server. To SSL_CTX_free. */
SSL_CTX *guest_context(const wm_identity *identity);

/* Dials 127.0.0.1:port from `source` ("127.0.1.7"; NULL: any) and greets. false: it was not let in, and the connection
 * is closed. stranger_leave ends it. */
bool guest_visit(stranger *s, int port, const char *source, SSL_CTX *ctx);

/* Sends an envelope; false: the connection is gone. */
bool guest_say(stranger *s, const Wm__Envelope *question);

/* The answer, to wm_envelope_free; NULL: the connection is gone. */
Wm__Envelope *guest_hear(stranger *s);

/* A token for that name. */
wm_token guest_token(office *o, const char *name);

/* An enrolment over the enrolment port; the answer is as guest_hear has it. */
Wm__Envelope *guest_enrol(office *o, const char *source, const wm_token *token, wm_key *key);

/* The identity of a new gateway of that name; to wm_identity_release. */
wm_identity guest_join(office *o, const char *name);

#endif
