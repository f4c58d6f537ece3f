/* tests/server/verify/history.h
 *
 * An office on the disk with a history that holds: a run of six rounds over five clients, three of whom are drawn each
 * time (and in the second a fourth, in the place of one who went away), of which the newest three are kept; the
 * certificates of all five, one of them revoked; a job that waits; and the run's own folder. For tests that damage it. */
#ifndef WM_TESTS_SERVER_VERIFY_HISTORY_H
#define WM_TESTS_SERVER_VERIFY_HISTORY_H

#include "tests/unit.h"

#include "server/store/verify.h"
#include "tests/server/world/world.h"

enum { HISTORY_ROUNDS = 6, HISTORY_KEEP = 3, HISTORY_CLIENTS = 5, HISTORY_LEFT_IN = 2 };

typedef struct history {
    char      folder[4096];
    wm_digest model;    /* the last one */
    uint64_t  lines;    /* of the audit */
    uint8_t  *database; /* store.db as it was written */
    size_t    n_database;
    char      run[WM_RUN_TEXT];

    /* What the last verification said. */
    wm_verify_result result;
    wm_text          said;  /* every finding, one a line, behind its area */
    wm_finding       first; /* violation; its text is in `said` */
    char             client[64];
} history;

void history_make(history *h);
void history_release(history *h);

/* A path in it, to free(). */
char *history_path(const history *h, const char *name);

/* store.db as it was. */
void history_restore(history *h);

/* Statements on store.db, in one transaction. */
void history_sql(history *h, const char *sql);

/* The audit made anew from the rows, with a chain that holds: what somebody would do who has the disk and the program. */
void history_forge(history *h);

/* wm_verify, which must be possible: its findings are in h. */
void history_verify(history *h);
void history_verify_heads(history *h, const char *path); /* with what a gateway has written down */

/* ---- for tests over one, each of which has an office of its own ---- */

#define CASE(name) cmocka_unit_test_setup_teardown(name, history_set_up, history_tear_down)
int  history_set_up(void **state);
int  history_tear_down(void **state);
void assert_said(const history *h, const char *says, const char *sentence); /* by the last verification */
void assert_holds(const history *h, const char *says);

#endif
