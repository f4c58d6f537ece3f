/* server/round/engine.h
 *
 * The round engine: a deterministic state machine. An event and a time go in, actions come out. It opens nothing, reads
 * no clock, rolls no dice but those keyed by seed, round and attempt, and knows neither parameters nor sockets: one
 * engine runs production, simulation, and tests under a virtual clock.
 *
 *     STATISTICS (if the job needs them) -> TRAIN 1 -> EVALUATE 1 -> TRAIN 2 -> ... -> FINAL -> CLOSED
 *
 * A phase draws a cohort, offers its task to those who ask, takes answers, and closes: at its goal, or when nobody is
 * left to wait for, or at its deadline, if the quorum is met. If at the deadline it is not met, another attempt opens:
 * the cohort becomes the union of the draws so far, and what was accepted stays accepted, since training depends on
 * seed, round and name alone. A client gives one answer an attempt: a decline or a refusal is one.
 *
 * Who is away is not waited for once the quorum is met, and for training another is drawn in its place at once. It has
 * its own place still when it comes back. Away is what somebody is known to be, not what is supposed of him: an engine
 * that was just rebuilt takes everybody for present. But whoever was drawn stays drawn: a substitute may have trained
 * already, so that is durable before it is asked.
 *
 * Moving on is durable, and durable things fail (a full disk). So the engine asks for one durable action at a time and
 * stays where it is until the driver says DONE; meanwhile clients are told to wait. wm_engine_next() is where the run
 * will stand, and is what the ledger must hold before DONE is said. An engine is rebuilt from that standing: the same
 * cohort, the time that was left; what was accepted inside the phase is asked for again. A substitution alone closes
 * nothing, and while it waits for the disk the phase goes on without it.
 *
 * Owned by one thread at a time; allocates only in wm_engine_new. */
#ifndef WM_SERVER_ROUND_ENGINE_H
#define WM_SERVER_ROUND_ENGINE_H

#include "server/ledger.h"
#include "server/round/cohort.h"

typedef struct wm_engine wm_engine;

typedef struct wm_engine_settings {
    const wm_job          *job;
    const char *const     *names; /* [n_population], sorted */
    size_t                 n_population;
    uint64_t               seed;
    int64_t                grace_ms;    /* least time that an open phase has left when the engine is rebuilt */
    bool                   statistics;  /* the run begins with a statistics round */
    const wm_substitution *substitutes; /* [n_substitutes], of the training round that is open; not kept */
    size_t                 n_substitutes;
    bool patient; /* no deadline passes; when all have answered below the quorum, the attempt is over */
} wm_engine_settings;

typedef enum wm_event_kind {
    WM_EVENT_TICK,   /* time has passed */
    WM_EVENT_ASK,    /* `client` asks for work */
    WM_EVENT_UPDATE, /* `client` has handed in a whole, checked update for (phase, round): digest, weight, loss */
    WM_EVENT_REPORT, /* `client` has handed in a checked evaluation: weight is its examples, loss their mean loss */
    WM_EVENT_REFUSE, /* what `client` handed in for (phase, round) does not hold; phase NONE: for whatever is open */
    WM_EVENT_DECLINE, /* `client` will not do (phase, round) */
    WM_EVENT_AWAY,    /* `client` is not there, until the next event of it */
    WM_EVENT_STOP,    /* by the operator */
    WM_EVENT_DONE,    /* the pending durable action was performed, and `standing` is in the ledger */
    WM_EVENT_FAIL,    /* the pending durable action can never be performed */
} wm_event_kind;

typedef struct wm_event {
    wm_event_kind      kind;
    uint32_t           client; /* index in the population */
    wm_phase           phase;
    uint32_t           round;
    wm_digest          digest;
    uint64_t           weight;
    double             loss;
    const char        *reason;   /* REFUSE, DECLINE, STOP, FAIL */
    const wm_standing *standing; /* DONE */
} wm_event;

typedef enum wm_action_kind {
    WM_ACTION_NONE,

    /* what the client is told */
    WM_ACTION_OFFER,  /* the open phase's task */
    WM_ACTION_WAIT,   /* come back in come_back_ms */
    WM_ACTION_OVER,   /* the run is over */
    WM_ACTION_FOLD,   /* accepted: fold the update, keep the report */
    WM_ACTION_AGAIN,  /* accepted before, counted once */
    WM_ACTION_LATE,   /* that round is over */
    WM_ACTION_REFUSE, /* `text` says why */

    /* durable; one at a time, until DONE or FAIL */
    WM_ACTION_OPEN,       /* ledger: open */
    WM_ACTION_SUBSTITUTE, /* ledger: substitute, wm_engine_substitutes() */
    WM_ACTION_SCALE,      /* the statistics are complete: scaling from the sums; ledger: scaled */
    WM_ACTION_COMMIT,     /* the round is complete: the next model; ledger: commit */
    WM_ACTION_EVALUATED,  /* the evaluation is complete; ledger: evaluated */
    WM_ACTION_CLOSE,      /* ledger: close */
} wm_action_kind;

typedef struct wm_action {
    wm_action_kind kind;
    int64_t        come_back_ms;
    char           text[WM_REASON_TEXT];
} wm_action;

enum { WM_ACTIONS_MAX = 2 };

/* To be performed in this order. */
typedef struct wm_actions {
    size_t    n;
    wm_action items[WM_ACTIONS_MAX];
} wm_actions;

/* Takes the run up where `standing` says; *actions is what is to be done first. All in settings is borrowed. mono_ms
 * and wall_ms as in common/clock.h. WM_E_NOMEM. */
wm_status wm_engine_new(const wm_engine_settings *settings, const wm_standing *standing, int64_t mono_ms,
                        int64_t wall_ms, wm_actions *actions, wm_engine **ret, wm_error *err);
void      wm_engine_free(wm_engine *engine);

/* event->client is below n_population. DONE and FAIL only while something is pending. */
void wm_engine_handle(wm_engine *engine, const wm_event *event, int64_t mono_ms, wm_actions *ret);

/* The durable action that waits for DONE, or WM_ACTION_NONE. */
wm_action_kind wm_engine_pending(const wm_engine *engine);

/* Nothing that is handed in for the open phase counts any more: it has what it aims for, or ends on the disk. */
bool wm_engine_is_closing(const wm_engine *engine);

/* Of WM_ACTION_SUBSTITUTE: [*n], whom to draw and in whose place. */
const wm_substitution *wm_engine_substitutes(const wm_engine *engine, size_t *n);

/* Where the run will stand after it. The driver fills in opened_wall_ms and the digests. */
const wm_standing *wm_engine_next(const wm_engine *engine);

/* Where it stands. */
const wm_standing *wm_engine_standing(const wm_engine *engine);

/* The open phase: its cohort with the answers, and what it aims for. */
const wm_cohort *wm_engine_cohort(const wm_engine *engine);

typedef struct wm_engine_counts {
    size_t   goal, need;    /* answers that close the phase; answers without which it does not close */
    uint32_t refused, late; /* since the phase was first opened by this engine, over its attempts */
} wm_engine_counts;
void wm_engine_counts_get(const wm_engine *engine, wm_engine_counts *ret);

int64_t wm_engine_left_ms(const wm_engine *engine,
                          int64_t          mono_ms); /* of the deadline; INT64_MAX if there is none */
int64_t wm_engine_open_ms(const wm_engine *engine, int64_t mono_ms); /* since this attempt opened */

/* < 0: (phase, round) is over; 0: it is open; > 0: it is not open yet, or will never be. */
int wm_engine_order(const wm_engine *engine, wm_phase phase, uint32_t round);

#endif
