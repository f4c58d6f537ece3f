/* client/patience.h
 *
 * Whether a task that is offered is to be taken on now. One that was here already, or comes upon one of the same run that
 * was declined, has to wait, twice as long each time, up to a minute: readings are not loaded in a circle because a server
 * forgets what it was told. Time is handed in. */
#ifndef WM_CLIENT_PATIENCE_H
#define WM_CLIENT_PATIENCE_H

#include "common/task.h"
#include "common/update.h"

typedef struct wm_patience {
    wm_task  last; /* the task that was taken on last, or declined in its stead */
    uint8_t  run[WM_RUN_ID_SIZE];
    bool     declined; /* it came to nothing by our own word: */
    wm_error why;
    unsigned again;       /* how often in a row it was one that had to wait */
    int64_t  again_at_ms; /* on the monotonic clock: not before; -1: nobody has asked again */
} wm_patience;            /* all zero: nothing was offered yet */

typedef enum wm_patience_word {
    WM_PATIENCE_NOW,
    WM_PATIENCE_LATER, /* in *wait_ms */
    WM_PATIENCE_DECLINED, /* another task of a run whose last one was declined, before it is time to try again: declined
                           * for the same reason (`why`) at once, without a look at the readings */
} wm_patience_word;

wm_patience_word wm_patience_with(wm_patience *patience, const wm_task *task, const uint8_t *run, int64_t now_ms,
                                  int64_t *wait_ms);

/* It is taken on. From the offer on, so that one which ends in a refusal counts too. */
void wm_patience_taken(wm_patience *patience, const wm_task *task, const uint8_t *run);

/* The last one was declined, for that reason. */
void wm_patience_declined(wm_patience *patience, const wm_error *why);

#endif
