/* tests/server/report/fixture.h
 *
 * A made-up run of twelve stations in a store of its own, and its folder.
 *
 * With WM_REPORT_KEEP=DIR the folders of the two large runs are left there, to be looked at in a browser. */
#ifndef WM_TESTS_SERVER_REPORT_FIXTURE_H
#define WM_TESTS_SERVER_REPORT_FIXTURE_H

#include "tests/unit.h"

#include "models/model.h"
#include "server/report/run_folder.h"
#include "server/store/runs.h"

enum { N_STATIONS = 12 };

extern const uint8_t RUN[WM_RUN_ID_SIZE];

typedef struct fixture {
    char            folder[4096], out[4096];
    wm_manual_clock now;
    wm_job         *job;
    wm_model       *model;
    float          *params;
    wm_store       *store;
    wm_run_record   record;
} fixture;

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);

/* The job's start in the ledger, and the run's folder. */
void           start(fixture *f);
wm_run_folder *open_folder(fixture *f, const char *path);
wm_run_folder *open_folder_on(const wm_files *files, fixture *f, const char *path);

/* contributions has room for everybody. */
wm_round_record round_of(fixture *f, uint32_t round, wm_contribution *contributions);
void            commit(fixture *f, const wm_round_record *round);

/* Rounds and the end, in ledger and folder. */
void do_rounds(fixture *f, wm_run_folder *folder, uint32_t first, uint32_t last);
void finish(fixture *f, wm_run_folder *folder, uint32_t rounds);

/* A file of the folder, whole; to free(). n may be NULL. */
char  *file_of(const char *folder, const char *name, size_t *n);
size_t count_char(const char *text, char c);

void keep(const fixture *f, const char *as); /* if somebody wants to look at it */

#endif
