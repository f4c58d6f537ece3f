/* client/hand_in.h
 *
 * What a gateway hands in: the update on its disk, by ranges, and what is not durable, an evaluation or a refusal. One
 * exchange each, that may be repeated safely. */
#ifndef WM_CLIENT_HAND_IN_H
#define WM_CLIENT_HAND_IN_H

#include "client/desk.h"
#include "client/pending.h"
#include "common/wire/transfer.h"

/* The two lines to the aggregator; borrowed. */
typedef struct wm_lines {
    wm_exchange *control; /* carries the long poll */
    wm_exchange *bulk;    /* carries ranges of blobs */
    wm_clock     clock;
} wm_lines;

/* A server's "come back in", as a wait: whatever it says, it is asked again after ten minutes at the latest. */
int64_t wm_come_back(uint64_t come_back_ms);

/* One question on the control line, whose answer must be of the kind `want`; it is given back by wm_envelope_free. The
 * server may hold the question for hold_ms. On failure *wait_ms is the server's word, 0 if it gave none. */
wm_status wm_line_ask(const wm_lines *lines, const Wm__Envelope *request, Wm__Envelope__BodyCase want, int64_t hold_ms,
                      Wm__Envelope **answer, int64_t *wait_ms, wm_error *err);

/* A key that borrows run and model. */
Wm__Key wm_key_message(const uint8_t *run, wm_phase phase, uint32_t round, const wm_digest *model);

/* Offers the update and sends what the server lacks of it; *ret is the server's last word. */
wm_status wm_hand_in(const wm_lines *lines, const wm_held *held, wm_receipt *ret, int64_t *wait_ms, wm_error *err);

/* An evaluation, or a refusal with its reason. A refused evaluation is said in the log and done with. */
wm_status wm_hand_in_outcome(const wm_lines *lines, const wm_outcome_of_work *outcome, wm_log *log, int64_t *wait_ms,
                             wm_error *err);

#endif
