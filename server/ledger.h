/* server/ledger.h
 *
 * What a run must not lose, as the round engine's driver sees it. Each call is one durable transaction: when it
 * returns WM_OK the fact survives `kill -9` and a power cut; when it fails nothing of it happened. Large things
 * (parameters, sums) are blobs, written before the call that names them. server/store implements it on SQLite; tests
 * hand in one in memory that survives the death of its user. Calls come from one thread at a time. */
#ifndef WM_SERVER_LEDGER_H
#define WM_SERVER_LEDGER_H

#include "server/records.h"

/* Where a run stands, durably. A cohort is not kept: it follows from seed, round, attempt and population, and from the
 * substitutions in its round. */
typedef struct wm_standing {
    wm_phase   phase;
    uint32_t   round;
    uint32_t   attempt;        /* of the phase that is open */
    int64_t    opened_wall_ms; /* of that attempt: what is left of its deadline is counted from here; of a run that is
                                * over: when it ended */
    wm_digest  model;          /* the parameters now */
    wm_digest  server_state;   /* zero if there is none */
    wm_digest  scaling;        /* zero if the job needs none, or before the statistics round */
    uint32_t   evaluations_without_gain;
    double     best_loss;      /* NaN before the first evaluation */
    wm_outcome outcome;
    char       why[200];
} wm_standing;

typedef struct wm_ledger wm_ledger;

struct wm_ledger {
    /* A run begins; `first` is the initial model. */
    wm_status (*start)(wm_ledger *self, const wm_run_record *run, const wm_standing *first, wm_error *err);

    /* A phase or another attempt of it is open. */
    wm_status (*open)(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err);

    /* n clients were drawn into the round that is open, in the places of others. */
    wm_status (*substitute)(wm_ledger *self, const uint8_t *run, uint32_t round, const wm_substitution *drawn,
                            size_t n, wm_error *err);

    /* The statistics round is over: `standing` names the scaling, and `sums` the exact sums that it was made from. */
    wm_status (*scaled)(wm_ledger *self, const uint8_t *run, const wm_standing *standing, const wm_digest *sums,
                        const wm_contribution *contributions, size_t n, wm_error *err);

    /* A round is committed: new model, exact sums, each update's client, digest and weight, an audit line. */
    wm_status (*commit)(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                        const wm_round_record *round, wm_error *err);

    /* The evaluation of round->round is closed. */
    wm_status (*evaluated)(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                           const wm_round_record *round, wm_error *err);

    /* The run is over. `final` is NULL if there was no last evaluation. */
    wm_status (*close)(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                       const wm_final_record *final, wm_error *err);

    /* *ret <- where the run stands. WM_E_MISSING: never started. */
    wm_status (*load)(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err);

    /* ret[*n] <- who was drawn into that round in the place of another, by client. WM_E_DAMAGED: more than `room`, or
     * clients that are not below it. */
    wm_status (*substitutes)(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret, size_t room,
                             size_t *n, wm_error *err);

    /* Calls `each` with every committed round, in order; the record is the ledger's, valid during the call. */
    wm_status (*rounds)(wm_ledger *self, const uint8_t *run,
                        void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err);

    void *state;
};

#endif
