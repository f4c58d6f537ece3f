/* server/run.h
 *
 * One run of one job, from the first offer to the last evaluation: hands the round engine its events and performs the
 * actions that it answers with, in order: fold, commit, tell the ledger, write the run folder. Both fleets drive it,
 * and it cannot tell which it has.
 *
 * Thread-safe: one lock inside, held while an event is worked off. Nothing here waits for a client. */
#ifndef WM_SERVER_RUN_H
#define WM_SERVER_RUN_H

#include "common/blobs.h"
#include "common/clock.h"
#include "common/log.h"
#include "models/evaluation.h"
#include "models/model.h"
#include "server/ledger.h"

_Static_assert((int)WM_RESULT_METRICS == (int)WM_MEASURES_MAX, "every figure of a job is kept");

typedef struct wm_run wm_run;

/* Hears of a run's progress, in order and outside the run's lock, so that it may call the run; on the thread of one of
 * the run's callers. Any may be NULL. */
typedef struct wm_run_observer {
    /* There may be work for somebody who had none, or somebody's wait is over. */
    void (*changed)(void *context);
    /* A round was committed (and evaluated, if it is to be). The record is valid during the call. */
    void (*round_done)(void *context, const wm_round_record *round);
    /* The run is over; `final` is NULL if nobody reported. Not heard of a run that was over when it was opened. */
    void (*closed)(void *context, const wm_standing *standing, const wm_final_record *final);
    void *context;
} wm_run_observer;

typedef struct wm_run_settings {
    const wm_job        *job;
    const wm_model      *model;
    const wm_run_record *record; /* id and population; for a new run it is written to the ledger */
    wm_ledger           *ledger;
    wm_blobs            *blobs;
    wm_clock             clock;
    wm_log              *log; /* NULL for none */
    wm_run_observer      observer;
    int64_t              grace_ms; /* least time that an open phase has left after a restart (30 s) */
    bool                 patient;  /* no deadline passes: a simulation waits for its own workers */
    bool                 lean;     /* the model lies on the disk alone, but while a round is committed */

    /* For tests: called at every crash point; true kills the driver there: it touches nothing any more, as a process
     * that is gone, and can only be freed. NULL otherwise. */
    bool (*die)(void *context, const char *point);
    void *die_context;
} wm_run_settings;

/* Starts the run, or goes on with it where the ledger says it stands. All that `settings` points to is borrowed. What
 * the disk refuses later is tried again by wm_run_tick, with growing pauses, and clients wait meanwhile.
 * WM_E_INVALID: fewer clients than cohort.minimum, or names that are not sorted.
 * WM_E_RANGE: the exact sum has no head-room for this cohort, cap and bound (the sentence has the figures).
 * WM_E_DAMAGED: the model that the ledger names is not in the blobs. */
wm_status wm_run_open(const wm_run_settings *settings, wm_run **ret, wm_error *err);
void      wm_run_free(wm_run *run);

typedef enum wm_answer {
    WM_ANSWER_TASK,    /* *task is set */
    WM_ANSWER_NOTHING, /* come back in *come_back_ms, or when `changed` is heard */
    WM_ANSWER_OVER,    /* the run is over, or this client is not in it */
} wm_answer;

/* Work for that client, the same again until it has handed in. Unknown names get WM_ANSWER_OVER. */
wm_answer wm_run_ask(wm_run *run, const char *client, wm_task *task, int64_t *come_back_ms);

/* Where an update stands that a client holds. */
typedef enum wm_fate {
    WM_FATE_WANTED,    /* hand it in */
    WM_FATE_ACCEPTED,  /* folded, not yet committed: keep it */
    WM_FATE_COMMITTED, /* a committed model contains it: let it go */
    WM_FATE_OVER,      /* the round is over without it: let it go */
} wm_fate;

wm_fate wm_run_fate(wm_run *run, const char *client, const wm_update_key *key);

/* The newest committed round that has an update of that client; 0 if there is none. */
uint32_t wm_run_contained(wm_run *run, const char *client);

/* Takes `bytes` (from malloc) over in any case: checks, folds, and says what became of it; the sentence of a refusal
 * is in *err. A repeat of what was accepted is ACCEPTED again and counts once. */
wm_verdict wm_run_submit(wm_run *run, const char *client, uint8_t *bytes, size_t n_bytes, double loss,
                         wm_error *err);

/* The same of bytes that stay the caller's, with their SHA-256. */
wm_verdict wm_run_hand_in(wm_run *run, const char *client, const uint8_t *bytes, size_t n_bytes,
                          const wm_digest *digest, double loss, wm_error *err);

/* The size of an update of that kind, for a limit before the first byte is taken. */
size_t wm_run_update_size(wm_run *run, wm_task_kind kind);

/* An evaluation: results[contender] where bit `contender` of `present` is set. Checked: no more examples than the job's
 * weight cap, and figures that so many examples can have (models/evaluation.h). One of no examples at all is honest: the
 * client counts as one that has declined. */
wm_verdict wm_run_report(wm_run *run, const char *client, wm_phase phase, uint32_t round, unsigned present,
                         const wm_evaluation results[WM_CONTENDERS], wm_error *err);

/* The client will not, or cannot, do this task; named and counted, and the round goes on without it. */
void wm_run_decline(wm_run *run, const char *client, wm_phase phase, uint32_t round, const char *reason);

/* The client is not there: it has said that it goes, or nothing is heard of it. Whatever it says next, it is there again. */
void wm_run_away(wm_run *run, const char *client);

/* A submission that a fleet refused before it had the bytes (too long, wrong digest). */
void wm_run_refuse(wm_run *run, const char *client, const char *reason);

/* A client has finished an update for a round that is over (wm_run_fate said so): counted as late, once. */
void wm_run_late(wm_run *run, const char *client, const wm_update_key *key);

void wm_run_count_bytes(wm_run *run, uint64_t up, uint64_t down);

/* Lets deadlines pass. Returns the ms until it should be called again, -1 for "only after `changed`". */
int64_t wm_run_tick(wm_run *run);

/* By the operator: closes the run; a commit that was begun is finished first. WM_E_EXISTS: it is over already. Another
 * error: it could not be written yet, and is tried again. */
wm_status wm_run_stop(wm_run *run, const char *why, wm_error *err);

/* ret[n_params] <- the parameters named by `model`; false if that is no longer the model of the task at hand. Of a lean
 * run they are read from the disk. */
bool wm_run_params(wm_run *run, const wm_digest *model, float *ret);

/* For `status` and the progress line. */
typedef struct wm_run_progress {
    wm_standing standing;
    uint32_t    rounds; /* of the job */
    uint32_t    cohort, goal, accepted, refused, declined;
    uint32_t    need;                          /* answers without which the phase does not close */
    uint32_t    unanswered, outstanding;       /* who has not answered yet; of them, who is there */
    int64_t     left_ms;                       /* of the attempt's deadline */
    int64_t     open_ms;                       /* since the attempt was opened */
    int64_t     eta_ms;                        /* to the end of the run, from the rounds so far; -1 if unknown */
    double      train_loss, eval_loss, metric; /* the last ones; NaN before */
    char        metric_name[WM_MEASURE_NAME];
    char        trouble[WM_ERROR_TEXT]; /* what cannot be written, and is tried again; "" for none */
} wm_run_progress;

void wm_run_progress_get(wm_run *run, wm_run_progress *ret);

/* Names of the cohort who have not answered yet, comma-separated, at most `most` of them and "and N more". */
void wm_run_waiting_for(wm_run *run, size_t most, wm_text *ret);

#endif
