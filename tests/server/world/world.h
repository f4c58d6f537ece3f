/* tests/server/world/world.h
 *
 * What a run needs around it, in memory, so that it survives the "death" of the run and can be looked at from outside:
 * a ledger that checks every transition, a disk that can be full, a clock that is told to move, and clients whose
 * training is a formula of seed, round, name and parameters. */
#ifndef WM_TESTS_SERVER_WORLD_WORLD_H
#define WM_TESTS_SERVER_WORLD_WORLD_H

#include "common/arena.h"
#include "common/blobs.h"
#include "common/rng.h"
#include "server/run.h"

#include <stdbool.h>

enum { WORLD_CLIENTS_MAX = 12, WORLD_ROUNDS_MAX = 64, WORLD_BLOBS_MAX = 512, WORLD_SUBSTITUTES_MAX = 256 };

typedef struct world {
    wm_job          job; /* a copy of a parsed one, to be changed before world_open */
    wm_job         *parsed;
    bool            patient;
    bool            flat;    /* the statistics have no spread: the run cannot go on */
    bool            plateau; /* the loss does not get better */
    wm_model       *model;
    wm_run_record   record;
    char           *names[WORLD_CLIENTS_MAX];
    wm_manual_clock time;
    uint64_t        seed;

    /* the disk */
    wm_files  files;
    wm_blobs *blobs;
    bool      full;       /* nothing can be written */
    bool      unreadable; /* nor read */
    struct {
        char    *path;
        uint8_t *bytes;
        size_t   n;
    } disk[WORLD_BLOBS_MAX];
    size_t n_disk;

    /* the ledger */
    wm_ledger       ledger;
    bool            started;
    wm_standing     standing;
    wm_round_record rounds[WORLD_ROUNDS_MAX]; /* own their contributions */
    struct {
        uint32_t        round;
        wm_substitution drawn;
    } drawn_later[WORLD_SUBSTITUTES_MAX]; /* in the places of others */
    size_t    n_drawn_later;
    bool      in_scaling[WORLD_CLIENTS_MAX]; /* whose statistics the ledger says are in it */
    size_t    n_rounds;
    bool      has_final;
    wm_result final_together;
    unsigned  transactions;

    /* which way the run went, for who asks whether every way was gone: from phase to phase; within a phase the next
     * attempt; by outcome from where it ended */
    unsigned turns[WM_PHASE_CLOSED + 1][WM_PHASE_CLOSED + 1];
    unsigned attempts[WM_PHASE_CLOSED + 1];
    wm_phase ended_in;
    unsigned away_told;   /* how often somebody was said to be away: others may be drawn in his place */
    unsigned substitutes; /* who were, in committed rounds */

    /* death */
    int         die_in; /* crash points until the process dies; 0: it does not */
    bool        died;
    const char *died_at; /* the name of the last one */

    /* what the observer heard */
    unsigned rounds_told, closed_told, changed_told;
    uint32_t last_round_told;

    wm_run *run;
} world;

/* n clients of the job in `text` (YAML); `seed` is the run's. */
void world_init(world *w, const char *text, size_t n, uint64_t seed);
void world_release(world *w);

/* Opens the run; false if it died on the way (then w->run is NULL). */
wm_status world_open(world *w, wm_error *err);

/* The process is gone; the disk and the ledger stay. */
void world_kill(world *w);

/* An update of client k for the task that is open, as bytes from malloc. */
uint8_t *world_update(world *w, size_t k, const wm_task *task, size_t *n);

/* The same from outside: what client k hands in for `round`, from params. */
uint8_t *world_update_from(world *w, size_t k, wm_task_kind kind, uint32_t round, const wm_digest *model,
                           const float *params, size_t *n);

/* Client k's evaluation of `phase` and `round`; returns which contenders are present. */
unsigned world_report(world *w, size_t k, wm_phase phase, uint32_t round, wm_evaluation results[WM_CONTENDERS]);

/* Each client asks and answers its task at once, in order of name; then a tick. */
void world_turn(world *w);

/* Turns until the run is over. */
void world_play(world *w);

/* The parameters that a blob holds; the caller's to free. */
float *world_params(world *w, const wm_digest *name);

/* Looks at the whole history from outside: every round's model from the model before and the stored sums, bit for bit;
 * the sums from the clients' updates, made once more; the cohort, drawn once more; the quorum; the end. */
void world_check_history(world *w);

/* Where a check fails: prints the seed and fails the test. */
extern uint64_t world_seed_in_work;

#endif
