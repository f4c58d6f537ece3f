/* client/link.h
 *
 * A gateway's line to its aggregator: one connection for control, which carries the long poll, and one for bulk, which
 * is dialled for a transfer and closed after ten seconds of rest. Several servers: when one does not answer the next is
 * tried. After any failure both connections are closed; the next call dials again.
 *
 * An interface, so that a conversation can be tested without a network. Used by one thread; interrupt by any. */
#ifndef WM_CLIENT_LINK_H
#define WM_CLIENT_LINK_H

#include "common/crypto/digest.h"
#include "common/status.h"
#include "wardmote.pb-c.h"

typedef struct wm_link wm_link;

struct wm_link {
    /* One request and its answer on the control connection, dialling if need be. The
     * answer is given back by wm_link_free_answer. A Fault is a failure: WM_E_REFUSED or what its code says, with its
     * text, and *come_back_ms (not NULL) if it names a time. */
    wm_status (*ask)(wm_link *self, const Wm__Envelope *request, int64_t timeout_ms, Wm__Envelope **answer,
                     int64_t *come_back_ms, wm_error *err);

    /* The blob of that name and of n bytes, by ranges, from where the last try was cut; checked against its name. *ret: the
     * caller's to free(). */
    wm_status (*fetch)(wm_link *self, const wm_digest *digest, uint64_t n, uint8_t **ret, wm_error *err);

    /* Sends the gaps of bytes[n] that the receipt names, and so on until the server has it whole or says no: *receipt
     * is then the last word, given back by wm_link_free_answer. */
    wm_status (*put)(wm_link *self, const wm_digest *digest, const uint8_t *bytes, size_t n,
                     const Wm__Receipt *first, Wm__Envelope **receipt, wm_error *err);

    /* Counts connections: a number that changes when the control connection is a new one. */
    uint64_t (*connection)(const wm_link *self);

    void (*interrupt)(wm_link *self); /* ends a call at work, and every one to come, with WM_E_CLOSED */
    void (*free)(wm_link *self);
};

void wm_link_free_answer(Wm__Envelope *answer);

#endif
