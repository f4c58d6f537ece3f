/* server/report/history.h
 *
 * A run so far, as its folder shows it: the figures of every round and the tallies of every client, added up from the
 * rounds' records as they come. Told twice of the same round (committed, then evaluated) it counts it once. */
#ifndef WM_SERVER_REPORT_HISTORY_H
#define WM_SERVER_REPORT_HISTORY_H

#include "server/records.h"

/* Up to so many clients, who did what in which round is kept and drawn; with more only the counts. */
enum { WM_HISTORY_STRIP_CLIENTS = 64, WM_HISTORY_REFUSALS_MAX = 200 };

enum { WM_NOT_SELECTED = 0xff }; /* instead of a wm_verdict */

typedef struct wm_history_round {
    uint32_t  round, attempts, selected, accepted, refused, late;
    uint32_t  verdicts[WM_VERDICT_LATE + 1]; /* how many of each */
    double    seconds, train_loss;
    uint64_t  bytes_up, bytes_down;
    bool      evaluated; /* and somebody took part in it: there are figures */
    wm_result evaluation;
} wm_history_round;

typedef struct wm_tally {
    uint32_t selected, verdicts[WM_VERDICT_LATE + 1];
    uint64_t examples;                     /* of its last accepted update */
    char     last_refusal[WM_REASON_TEXT]; /* or its word when it declined */
} wm_tally;

/* One reason of one client. */
typedef struct wm_refusal {
    uint32_t   client;
    wm_verdict verdict; /* refused or declined */
    char       reason[WM_REASON_TEXT];
    uint32_t   count, first_round, last_round;
} wm_refusal;

typedef struct wm_history {
    size_t            n_clients;
    wm_history_round *rounds; /* in order; [n_rounds] */
    size_t            n_rounds, room;
    uint8_t          *verdicts; /* [n_rounds][n_clients] if there is a strip, else only the last round's */
    wm_tally         *tallies;  /* [n_clients] */
    wm_refusal       *refusals; /* [n_refusals], in order of their first */
    size_t            n_refusals, refusals_room;
    uint64_t          refusals_beyond; /* that found no room among them */
} wm_history;

wm_status wm_history_init(wm_history *history, size_t n_clients, wm_error *err);
void      wm_history_release(wm_history *history);

/* *again (may be NULL): the round was the last one told already, and is changed. WM_E_NOMEM. */
wm_status wm_history_add(wm_history *history, const wm_round_record *round, bool *again, wm_error *err);

static inline bool wm_history_has_strip(const wm_history *history)
{
    return history->n_clients <= WM_HISTORY_STRIP_CLIENTS;
}

/* The verdicts of rounds[i], [n_clients]; only if there is a strip. */
static inline const uint8_t *wm_history_verdicts(const wm_history *history, size_t i)
{
    return history->verdicts + i * history->n_clients;
}

#endif
