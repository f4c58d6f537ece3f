/* client/conversation.h
 *
 * What a gateway says to its aggregator, and does upon the answers: checks in, asks for work, fetches what the work
 * needs, hands it to the desk, keeps a finished update on disk until a committed model contains it, and hands it in as
 * often as it takes. One turn is one exchange; everything durable is in `pending`, so a turn may fail anywhere and the
 * next one goes on. */
#ifndef WM_CLIENT_CONVERSATION_H
#define WM_CLIENT_CONVERSATION_H

#include "client/audit_heads.h"
#include "client/hand_in.h"
#include "client/offer.h"
#include "client/server_time.h"

typedef struct wm_conversation wm_conversation;

typedef struct wm_conversation_settings {
    wm_lines        lines;
    wm_desk        *desk;
    wm_pending     *pending;
    wm_server_time *time;
    wm_audit_heads *heads; /* NULL: nobody writes them down */
    wm_log         *log;
    int64_t         beat_ms;    /* while the desk is busy, the server hears from us at least this often */
    int64_t         memory_max; /* bytes that a model may have to be fetched at all; 0: no limit of its own */
    int64_t         redo_ms;    /* work that took less is held in memory alone, and done again after a crash */
    /* The certificate is past its half-life, says the server. */
    void (*renew)(void *context);
    void *context;
} wm_conversation_settings;

/* All that `settings` points to is borrowed. */
wm_status wm_conversation_new(const wm_conversation_settings *settings, wm_conversation **ret, wm_error *err);
void      wm_conversation_free(wm_conversation *conversation);

/* One turn; the server may hold a question that has no answer yet for poll_ms, at most 25,000. *wait_ms: how long to
 * wait before the next turn, 0 for not at all; whatever the server answers, turns that nothing comes of are not taken
 * one right after the other, and the same task again and again is taken on ever more seldom. A failure is one of the link (or of the disk): the caller backs off and
 * tries again; *wait_ms is then what the server asked for, 0 if it named no time. */
wm_status wm_conversation_turn(wm_conversation *conversation, int64_t poll_ms, int64_t *wait_ms, wm_error *err);

/* Of a turn that failed: whether the server had answered since the failure before. */
bool wm_conversation_reached(const wm_conversation *conversation);

/* When the bulk exchange was last used, on the monotonic clock; -1 for never. For closing what rests. */
int64_t wm_conversation_bulk_ms(const wm_conversation *conversation);

#endif
