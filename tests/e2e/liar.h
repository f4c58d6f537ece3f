/* tests/e2e/liar.h
 *
 * A gateway that has enrolled with a real token, speaks the protocol as it should, and lies: the test itself, with the
 * identity of a gateway of the office whose process does not run. What it hands in is the test's to twist. Fails the test
 * where the server gives no answer, or one of another kind. */
#ifndef WM_TESTS_E2E_LIAR_H
#define WM_TESTS_E2E_LIAR_H

#include "tests/e2e/office.h"

#include "common/crypto/identity.h"
#include "common/task.h"
#include "common/update.h"
#include "common/wire/exchange.h"
#include "common/wire/transfer.h"

/* Offsets in an update's head (common/update.h), and where its values begin: WM_UPDATE_HEADER. */
enum { LIAR_AT_PARTS = 12, LIAR_AT_ROUND = 20, LIAR_AT_RUN = 24, LIAR_AT_MODEL = 40, LIAR_AT_WEIGHT = 72 };

typedef struct liar {
    office     *o;
    size_t      gateway;
    wm_identity identity;
    wm_tls     *tls;
    wm_caller  *control, *bulk;
    wm_exchange bulk_line;
} liar;

/* As gateway k, which has enrolled. */
void liar_open(liar *l, office *o, size_t k);
void liar_close(liar *l);

/* One more connection of its own, the caller's to free. */
wm_caller *liar_dial(liar *l, int port, size_t reply_max);

/* The answer, to wm_envelope_free. */
Wm__Envelope *liar_ask(liar *l, Wm__Envelope *question, Wm__Envelope__BodyCase want);

/* Says that it is there. */
void liar_check_in(liar *l);

/* Asks for work, which the server may hold for a while; the answer is a Work. */
Wm__Envelope *liar_poll(liar *l);

/* Asks until there is a task of that phase; others are declined. */
Wm__Envelope *liar_await(liar *l, wm_phase phase);

void liar_decline(liar *l, const Wm__Work *work, const char *reason);

/* Says that it goes, so that nobody waits for it. */
void liar_sign_off(liar *l);

/* An update that nothing is wrong with: no change, of one example, sealed; to wm_update_release. */
wm_update liar_update(const Wm__Work *work);

/* Announces so many bytes of that digest, sends of bytes[n] what is asked for; the server's last word. */
wm_receipt liar_announce(liar *l, const Wm__Work *work, const wm_digest *digest, uint64_t size,
                         const uint8_t *bytes, size_t n);

/* The same without a lie. */
wm_receipt liar_submit(liar *l, const Wm__Work *work, const wm_update *update);

#endif
