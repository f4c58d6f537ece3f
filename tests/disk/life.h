/* tests/disk/life.h
 *
 * The life of an aggregator's store: a job that waits, a gateway with its certificate, a run with all its rounds over
 * clients whose training is a formula (tests/server/world/world.h), closed and opened again in the middle. On the way it notes
 * what the store has promised, and when: that is what every image of the disk is held against.
 * A check that fails ends the test with what images_case() said. */
#ifndef WM_TESTS_DISK_LIFE_H
#define WM_TESTS_DISK_LIFE_H

#include "server/store/audit.h"
#include "tests/disk/disk.h"
#include "tests/server/world/world.h"

enum { LIFE_LINES_MAX = 128 };

typedef struct life {
    world     w;   /* the job, the clients, the clock; its ledger and blobs are the store's while that is open */
    wm_blobs *own; /* the world's own blobs meanwhile */
    wm_ledger forward;    /* the store's, told to note its promises */
    wm_store *store;      /* NULL: closed */
    disk     *d;          /* NULL: nobody watches, and nothing is noted */
    unsigned  complaints; /* steps that failed, and were tried again */

    uint64_t  lines;                /* of the audit, of which the store has said that they are safe */
    size_t    safe[LIFE_LINES_MAX]; /* [line]: at which moment it said so */
    wm_digest hash[LIFE_LINES_MAX]; /* [line]: the chain up to there */
    wm_digest end;                  /* the last model of the run */
} life;

void life_init(life *l, uint64_t seed);
void life_release(life *l);

/* Lives it whole in `folder` and notes its promises; `d` watches the folder, or is NULL. What fails is tried again, as an
 * aggregator does; a disk that goes on failing is mended after a while. */
void life_live(life *l, const char *folder, disk *d);

/* Opens what is in the folder, which a life lived until `moment` has left, and looks: it opens; the audit is a beginning of
 * the life's, at least as long as was promised; what it tells of is there and hangs together. Then the run goes on, and
 * ends with the same model. */
void life_check(life *l, const char *folder, size_t moment);

/* What became of a folder that was damaged. */
typedef enum life_fate {
    LIFE_WENT_ON, /* to the same model, and its history holds */
    LIFE_SAID_SO, /* it does not open, and says what is damaged and what to do */
    LIFE_NAMED,   /* it goes on, and verify names what is damaged */
    LIFE_FATES,
} life_fate;

/* Opens it, goes on and verifies; fails the test if it comes to another end and nobody says why. *said gets the sentence. */
life_fate life_try(life *l, const char *folder, char said[WM_ERROR_TEXT]);

/* ---- its parts, for tests of faults ---- */

/* Opens the store in `folder`, and the run in it: begun, or gone on with. */
wm_status life_open(life *l, const char *folder, wm_error *err);
void      life_close(life *l); /* both; fine if they are not open */

/* Looks at the store that is open as life_check does, with at least so many lines. */
void life_look(life *l, uint64_t lines);

/* Turns until the run is over; false if it is not after so many. */
bool life_go_on(life *l, int turns);

#endif
