/* common/wire/exchange.h
 *
 * One question and its answer, as envelopes: what the two programs say to each other through a caller and a
 * listener. A wm_exchange is the asking half behind a small table, so that the loops above it (transfer.h,
 * the gateway's session) are tested without sockets. */
#ifndef WM_COMMON_WIRE_EXCHANGE_H
#define WM_COMMON_WIRE_EXCHANGE_H

#include "common/wire/caller.h"
#include "common/wire/in_place.h"
#include "common/wire/listener.h"
#include "common/wire/ranges.h"

typedef struct wm_exchange wm_exchange;

struct wm_exchange {
    /* *answer is the caller's, to be given to wm_envelope_free; it is never a Fault. Fails as wm_caller_call
     * does, as wm_envelope_unpack does, or with the Fault's own status: then *come_back_ms is the server's
     * word, else 0. */
    wm_status (*ask)(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                     uint64_t *come_back_ms, wm_error *err);
    void   *state;
    size_t  limit; /* bytes of an answer */
    wm_pace pace;  /* as the last transfer over it has left it; zero: nothing is known of the link */
};

/* Over a caller, whose reply_max is the limit of answers as well. */
wm_exchange wm_exchange_over(wm_caller *caller, size_t limit);

/* The same without the table. */
wm_status wm_ask(wm_caller *caller, size_t limit, const Wm__Envelope *question, int timeout_ms,
                 Wm__Envelope **answer, uint64_t *come_back_ms, wm_error *err);

/* The answering half. Both give the request back; out of memory, it is dropped. */
void wm_request_answer(wm_request *request, const Wm__Envelope *answer);

/* A Range whose bytes are read from the source as they are sent; of those in `answer` only the length counts. */
void wm_request_answer_range(wm_request *request, const Wm__Envelope *answer, const wm_source *source);
void wm_request_fault(wm_request *request, wm_status status, const char *text, uint64_t come_back_ms);

/* The question in a request; the second as a view, which is good until the request is given back. On failure a Fault that
 * says so has been answered, and the request is given back. */
wm_status wm_request_question(wm_request *request, size_t limit, Wm__Envelope **ret, wm_error *err);
wm_status wm_request_view(wm_request *request, size_t limit, wm_view *ret, wm_error *err);

#endif
