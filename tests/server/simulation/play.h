/* tests/server/simulation/play.h
 *
 * A run from a seed, in a world where everything goes wrong: the real engine and the real driver over a ledger, a disk and
 * a clock in memory (tests/server/world/world.h), honest clients that die at each step of their own, a network that loses,
 * repeats, delays and reorders, strangers in a client's name, an operator, and a process that dies at its crash points.
 * All dice are one generator's, so that a seed is the same play wherever it is played. */
#ifndef WM_TESTS_SERVER_SIMULATION_PLAY_H
#define WM_TESTS_SERVER_SIMULATION_PLAY_H

#include "tests/server/world/world.h"

enum { PLAY_LETTERS_MOST = 16 };

/* The steps at which a client dies: those of client/pending.c, client/hand_in.c and client/trainer.c. */
typedef enum play_step {
    PLAY_TRAINING,
    PLAY_KEEP_BEFORE,
    PLAY_KEEP_AFTER,
    PLAY_UPLOAD_BEFORE,
    PLAY_UPLOAD_AFTER,
    PLAY_LET_GO_BEFORE,
    PLAY_LET_GO_AFTER,
    PLAY_STEPS
} play_step;

extern const char *const play_step_names[PLAY_STEPS];

typedef struct play_client {
    /* on its disk, which survives its deaths */
    uint8_t      *bytes; /* of its update; NULL if it holds none */
    size_t        n;
    wm_update_key key;

    /* in its memory, which does not */
    bool          working;
    wm_task       task;
    int64_t       done_ms; /* of the play's own clock: when its work is done */
    uint8_t      *trained; /* the update that the work makes; NULL for an evaluation */
    size_t        n_trained;

    uint8_t *old; /* an update that it let go of, for somebody to send again */
    size_t   n_old;
    bool     gone; /* hears and says nothing until it comes back */
    bool     lost; /* never comes back */
} play_client;

/* A message on its way to the server. */
typedef struct play_letter {
    enum { LETTER_UPDATE, LETTER_REPORT, LETTER_DECLINE } kind;
    size_t        client;
    uint8_t      *bytes; /* of an update, owned */
    size_t        n;
    wm_phase      phase; /* of a report, whose figures follow from this and the client, or a decline */
    uint32_t      round;
} play_letter;

/* How often what happened, to see that everything did. */
typedef struct play_tally {
    unsigned outcomes[WM_OUTCOME_FAILED + 1], rounds, certain;
    unsigned turns[WM_PHASE_CLOSED + 1][WM_PHASE_CLOSED + 1], attempts[WM_PHASE_CLOSED + 1];
    unsigned endings[WM_PHASE_CLOSED + 1][WM_OUTCOME_FAILED + 1];
    unsigned client_deaths[PLAY_STEPS], server_deaths[32];
    unsigned verdicts[3][WM_VERDICT_LATE + 1], fates[WM_FATE_OVER + 1]; /* verdicts by kind of letter */
    unsigned lost_letters, repeated_letters, late_letters, clock_jumps, refused_stops, aways, substitutes;
} play_tally;

/* Crash points of the driver, in the order of play_tally.server_deaths. */
extern const char *const play_points[];
extern const size_t      play_n_points;

typedef struct play {
    world       w;
    wm_rng      rng;
    int64_t     now_ms; /* the world's time, whatever the server's clocks say */
    play_client clients[WORLD_CLIENTS_MAX];
    play_letter letters[PLAY_LETTERS_MOST];
    size_t      n_letters;
    double      share;    /* of a uniform selection */
    bool        certain;  /* nobody can be left out: the last model is known beforehand */
    bool        wild;     /* faults still happen */
    bool        stopped;  /* by the operator */
    uint32_t    owed;     /* a round whose commit had begun when the operator stopped the run; 0: none */
    bool        any_lost; /* a client that never comes back */
    play_tally *tally;
} play;

bool     play_chance(play *p, unsigned percent);
uint64_t play_between(play *p, uint64_t least, uint64_t most);

/* ---- play.c: the server's process ---- */

/* Opens it again, as often as it dies at that. */
void play_revive(play *p);

/* Must follow every call: true if the process died inside it, so that nobody heard its answer; it is back then. */
bool play_died(play *p);

/* Time passes for everybody. */
void play_pass(play *p, int64_t ms);

/* Does a committed model contain an update of client k for that round, so says the ledger? */
bool play_is_contained(const play *p, size_t k, uint32_t round);

/* ---- clients.c: honest clients, and what lies between them and the server ---- */

void play_client_acts(play *p, size_t k);

/* One of the letters under way arrives; not always the oldest. */
void play_deliver(play *p);

void play_clients_release(play *p);

/* ---- faults.c ---- */

/* One thing that happens in a world where faults do. */
void play_step_wild(play *p);

#endif
