/* server/round/state.h
 *
 * What the engine is between two events, and the parts of it: for server/round/ alone. `pending` is the only way to move:
 * whoever wants the run to go on aims, and the state changes when DONE comes back. */
#ifndef WM_SERVER_ROUND_STATE_H
#define WM_SERVER_ROUND_STATE_H

#include "server/round/engine.h"

struct wm_engine {
    wm_engine_settings settings;
    wm_standing        standing;
    wm_action_kind     pending;
    wm_standing        next; /* after `pending` */
    bool               stopping;
    char               stop_why[sizeof((wm_standing *)0)->why];
    wm_cohort          cohort;
    wm_substitution   *substitutes; /* [n_population], of WM_ACTION_SUBSTITUTE */
    size_t             n_substitutes;
    wm_engine_counts   counts;
    int64_t            opened_ms, deadline_ms; /* mono; deadline INT64_MAX: none */
};

/* ---- aims.c ---- */

/* Text of names and numbers: cut off where it is too long, which loses nothing that a program needs. */
void wm_engine_say(char *to, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The first phase of a new run. */
void wm_engine_aim_first(wm_engine *engine);
void wm_engine_aim_close(wm_engine *engine, wm_outcome outcome, const char *why);

/* The open phase has had its time: it closes if the quorum is met, else another attempt, or the end. */
void wm_engine_deadline_passed(wm_engine *engine);

/* Somebody has answered or left: is the open phase over? */
void wm_engine_settle(wm_engine *engine);

/* Somebody has left or come back, or training is open: the places of those who are away should go to others. */
void wm_engine_replace(wm_engine *engine);

/* ---- engine.c ---- */

/* How long the standing's phase may be open. */
int64_t wm_engine_phase_deadline_ms(const wm_engine *engine);

/* The standing's phase, or another attempt of it, is open from now_ms: a cohort, and left_ms for it. */
void wm_engine_open_phase(wm_engine *engine, bool another_attempt, int64_t now_ms, int64_t left_ms);

/* ---- events.c ---- */

/* If something durable has become necessary since `before`, it is the last action. */
void wm_engine_act_pending(const wm_engine *engine, wm_action_kind before, wm_actions *actions);

#endif
