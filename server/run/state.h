/* server/run/state.h
 *
 * What a run keeps between two events, and the parts of the driver that work on it: for server/run.c and server/run/
 * alone. Everything here is guarded by the run's lock, but for what is set in wm_run_open and never after. */
#ifndef WM_SERVER_RUN_STATE_H
#define WM_SERVER_RUN_STATE_H

#include "common/strategies/strategy.h"
#include "server/accumulator.h"
#include "server/round/engine.h"
#include "server/run.h"

#include <pthread.h>

/* Something that the observer is to hear, with a copy of its own of what it is about. */
typedef struct wm_news {
    struct wm_news *next;
    bool            closed; /* the run is; else a round is done */
    wm_round_record round;  /* owns its contributions */
} wm_news;

/* A commit on its way to the disk. A step that failed is tried again; those before it stay done. */
typedef struct wm_commit {
    bool      begun; /* the record is made */
    bool      sums_stored, applied, params_stored, state_stored;
    float    *params, *state; /* the next ones, owned; NULL before `applied` */
    wm_digest model, server_state;
} wm_commit;

/* The last committed update of a client. */
typedef struct wm_contained {
    uint32_t  round; /* 0: none */
    wm_digest digest;
} wm_contained;

/* What is kept of one client's report until the evaluation closes. */
typedef struct wm_kept_result {
    double    loss_sum, count;
    wm_result figures;
} wm_kept_result;

struct wm_run {
    /* Set once. */
    wm_run_settings        settings;
    wm_measures            measures;
    const wm_strategy_ops *strategy;
    wm_update_spec         train_spec, statistics_spec;
    size_t                 train_size, statistics_size; /* bytes of an update */
    size_t                 loss_part;                   /* of train_spec; n_parts if it has none */
    size_t                 n_population, n_params, n_state;
    size_t                 n_trained; /* of n_params: those that updates are of, the last ones */
    bool                   statistics; /* the run has a statistics round */

    pthread_mutex_t lock;
    bool            dead; /* a test has killed the driver: nothing is touched any more */
    wm_engine      *engine;

    float          *params;                       /* [n_params], those of the standing's model; NULL if lean */
    float          *state;                        /* [n_state], the strategy's; NULL if it has none */
    wm_accumulator *train_sums, *statistics_sums; /* statistics_sums NULL if there is no such round */

    wm_kept_result (*results)[WM_CONTENDERS]; /* [n_population], of the evaluation that is open */
    double   *inexact;                        /* [n_population][WM_CONTENDERS][measures.inexact]: its sums of these */
    double   *exact;                          /* [WM_CONTENDERS][measures.n_sums]: whole numbers, of all clients */
    unsigned *present;                        /* [n_population], a bit per contender; 0: nothing reported */

    wm_contained *contained; /* [n_population] */
    bool     *in_scaling;    /* [n_population]: the stored scaling has its statistics, as far as this process saw */
    uint32_t *late;          /* [n_population]: the newest round for which it was counted as late; 0: none */
    uint64_t  trained;       /* committed updates of the run */
    wm_commit commit;
    wm_round_record  record;        /* of the last round, committed or being committed; see contributions */
    wm_contribution *contributions; /* [n_population], the record's */
    wm_final_record *final;         /* once the run is closed; NULL if nobody reported */

    int64_t  round_opened_ms, round_opened_wall_ms;
    uint32_t round_opened; /* the round that these are of */
    uint64_t bytes_up, bytes_down;
    double   seconds;    /* of the rounds that this process has seen to their end */
    uint32_t seconds_of; /* how many those are */
    double   train_loss, eval_loss, metric;

    int64_t  retry_at_ms, retry_ms; /* mono; a durable action that failed is tried again then */
    wm_error failure;               /* why it failed */

    bool     changed, delivering; /* news are handed out by one thread at a time, in order */
    wm_news *news, **news_end;
    wm_news  end_news; /* that the run is over: whoever waits for it must hear it, so it wants no memory */
};

/* ---- run.c: what the calls have in common ---- */

/* *ret <- the index in the population; false if that is nobody of this run. */
bool wm_run_find_client(const wm_run *run, const char *name, uint32_t *ret);

/* Under the lock: an event to the engine. *ret: what the client is told. Whatever has become durable is still to do. */
wm_action_kind wm_run_tell(wm_run *run, const wm_event *event, wm_action *ret);

/* Lets go of the lock, and tells the observer. */
void wm_run_leave(wm_run *run);

void wm_run_log_refusal(const wm_run *run, const char *client, const char *reason);

/* What the engine told the client, as a verdict; a refusal is logged. */
wm_verdict wm_run_verdict(const wm_run *run, const char *client, const wm_action *told, wm_error *err);
wm_verdict wm_run_unknown_client(const char *client, wm_error *err);
wm_verdict wm_run_unheard(wm_error *err); /* a test has killed the driver: there is no answer */

/* ---- beginning.c ---- */

/* A new run: initial parameters, ledger. Or the standing of one that goes on, its parameters, its past. */
wm_status wm_run_begin(wm_run *run, wm_standing *ret, wm_error *err);

/* *ret[n] <- the blob of that name, to free(). A damaged one is as bad as a missing one: WM_E_DAMAGED. */
wm_status wm_run_get_floats(wm_run *run, const char *what, const wm_digest *name, size_t n, float **ret,
                            wm_error *err);

/* ---- rebuilding.c ---- */

/* The parameters and the strategy's state (NULL if it has none) that `standing` names, whose files do not hold, as
 * `damage` says: computed again from an earlier model, and the files written anew. Both to free(). WM_E_DAMAGED: what
 * that takes does not hold either. */
wm_status wm_run_rebuild(wm_run *run, const wm_standing *standing, const wm_error *damage, float **params,
                         float **state, wm_error *err);

/* ---- actions.c ---- */

/* A crash point; true if the driver is dead from here on. */
bool      wm_run_dies(wm_run *run, const char *point);
wm_status wm_run_died(wm_error *err);

wm_status wm_run_put_floats(wm_run *run, const float *values, size_t n, wm_digest *name, wm_error *err);

/* The cohort, and whoever else was heard of, as the record has it: [n_population] in order of client. */
size_t wm_run_collect(const wm_run *run, wm_contribution *contributions);

/* Performs the engine's durable actions until there is none, or one fails and waits for its retry. */
void wm_run_advance(wm_run *run);

/* ---- commit.c ---- */

/* The open round is over: *standing gets its digests. WM_E_NONFINITE: it can never be committed. */
wm_status wm_run_commit(wm_run *run, wm_standing *standing, wm_error *err);

/* Seconds and bytes of the round so far. */
void wm_run_measure(wm_run *run);

/* Nothing more is to come of the round. */
void wm_run_end_round(wm_run *run);

void wm_commit_release(wm_commit *commit);

/* ---- results.c ---- */

/* WM_E_RANGE, WM_E_NONFINITE: what a client reports cannot be. */
wm_status wm_results_check(const wm_run *run, unsigned present, const wm_evaluation *results, wm_error *err);
void      wm_results_keep(wm_run *run, uint32_t client, unsigned present, const wm_evaluation *results);
void      wm_results_clear(wm_run *run);

/* One contender's figures over all who reported, in order of name. */
wm_result wm_results_together(const wm_run *run, wm_contender contender);

/* *ret <- the final record, or NULL if nobody reported. WM_E_NOMEM. */
wm_status wm_results_final(const wm_run *run, wm_final_record **ret, wm_error *err);
void      wm_final_record_free(wm_final_record *final);

/* ---- news.c ---- */

void wm_news_round(wm_run *run, const wm_round_record *round);
void wm_news_closed(wm_run *run);

/* Tells the observer what is new; without the lock. */
void wm_news_deliver(wm_run *run);
void wm_news_release(wm_run *run);

#endif
