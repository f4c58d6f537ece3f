/* tests/server/store/fixture.h
 *
 * A store in a folder of its own, a made-up run, and every transition that a store goes through, in the order in which a
 * run does. */
#ifndef WM_TESTS_SERVER_STORE_FIXTURE_H
#define WM_TESTS_SERVER_STORE_FIXTURE_H

#include "tests/unit.h"

#include "common/text.h"
#include "server/store/audit.h"
#include "server/store/gateways.h"
#include "server/store/runs.h"

extern const uint8_t RUN[WM_RUN_ID_SIZE], OTHER[WM_RUN_ID_SIZE];

typedef struct fixture {
    char            folder[4096];
    wm_manual_clock now;
    wm_store       *store;
} fixture;

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);

char     *inside(const fixture *f, const char *name); /* a path in the folder, to free() */
wm_status try_open(fixture *f, wm_error *err);
void      reopen(fixture *f);

/* ---- a made-up run ---- */

wm_run_record run_record(const uint8_t *id, int64_t keep);
wm_digest     put(wm_store *store, const char *text); /* a blob */
wm_digest     blob_of(wm_store *store, const char *what, unsigned round);
wm_standing   standing_at(wm_store *store, wm_phase phase, uint32_t round);

/* Round 1 and on: east accepted, north refused, west silent. */
wm_round_record round_record(wm_store *store, uint32_t round, wm_contribution contributions[3]);

/* ---- the transitions of a run, one after the other ---- */

typedef struct transition {
    const char *name; /* as in the crash points */
    wm_status (*deed)(wm_store *store, wm_error *err);
    unsigned audited; /* lines */
} transition;

enum { N_TRANSITIONS = 13 };

extern const transition transitions[]; /* [N_TRANSITIONS] */

/* The first `upto`, a second apart. */
void perform(fixture *f, size_t upto);

wm_status do_queue(wm_store *store, wm_error *err);
wm_status do_start(wm_store *store, wm_error *err);
wm_status do_commit(wm_store *store, wm_error *err);
wm_status do_open(wm_store *store, wm_error *err);
wm_status do_close(wm_store *store, wm_error *err);
wm_status do_certificate(wm_store *store, wm_error *err);
wm_status do_revoke(wm_store *store, wm_error *err);
wm_status do_unqueue(wm_store *store, wm_error *err);
wm_status commit_of(wm_store *store, const uint8_t *run, uint32_t round, wm_error *err);

/* ---- looking and damaging ---- */

/* Everything that the store would answer, as a text; to free(). */
char *everything(wm_store *store);
void  say_job(void *context, const wm_queued_job *job); /* one waiting job, into the wm_text */

/* Statements on the store's file, behind its back. */
void run_sql(const fixture *f, const char *sql);

#endif
