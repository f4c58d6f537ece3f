/* server/waiting.h
 *
 * Whom a run waits for, and since when, as lines of the log: never a silent wait. One when a wait has become one, then at
 * growing intervals; and at once when an attempt can come to nothing any more, or the whole run. */
#ifndef WM_SERVER_WAITING_H
#define WM_SERVER_WAITING_H

#include "server/roster.h"
#include "server/run.h"

enum { WM_WAITING_NAMES = 8, WM_WAITING_NOTE = 240 };

/* Of the wait that was last spoken of; zeroed at first. */
typedef struct wm_waiting {
    wm_phase phase;
    uint32_t round, attempt;
    int64_t  next_ms; /* of open_ms: when it is spoken of again */
    bool     noted;   /* that it can come to nothing */
} wm_waiting;

/* Says what is due. Often: a few times a second. */
void wm_waiting_say(wm_waiting *waiting, wm_run *run, const wm_run_record *record, const wm_roster *roster,
                    wm_log *log);

/* What stands against what is waited for: too many were revoked, or have answered with no, or are away. "" if nothing
 * does. */
void wm_waiting_note(const wm_run_progress *now, const wm_run_record *record, const wm_roster *roster,
                     char note[WM_WAITING_NOTE]);

#endif
