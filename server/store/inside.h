/* server/store/inside.h
 *
 * What the files of server/store share: the store's own struct, its transactions, and the pieces of rows that
 * several of them read and write. Nobody else includes this. */
#ifndef WM_SERVER_STORE_INSIDE_H
#define WM_SERVER_STORE_INSIDE_H

#include "common/text.h"
#include "server/store/audit.h"
#include "server/store/database.h"
#include "server/store/runs.h"
#include "server/store/store.h"

#include <pthread.h>

struct wm_store {
    const wm_files *files; /* borrowed */
    wm_clock        clock;
    char           *folder;
    int             lock_fd;
    wm_blobs       *blobs;
    wm_ledger       ledger;
    pthread_mutex_t lock; /* guards all below */
    wm_db           db;
    unsigned        pins; /* backups under way: while there is one, no blob is removed */
};

/* A transaction: takes the lock and begins; ends with COMMIT if `st` is WM_OK and ROLLBACK otherwise, and
 * lets the lock go. Crash points "store-<transition>-before" and "-after" are around the COMMIT. wm_store_end
 * must follow exactly when wm_store_begin returned WM_OK. */
wm_status wm_store_begin(wm_store *store, wm_error *err);
wm_status wm_store_end(wm_store *store, const char *transition, wm_status st, wm_error *err);

/* The two halves, for a caller with work to do after the COMMIT under the same lock. */
wm_status wm_store_commit(wm_store *store, const char *transition, wm_status st, wm_error *err);
void      wm_store_unlock(wm_store *store);
void      wm_store_lock(wm_store *store);

/* Adds a line to the chain, inside a transaction; run NULL: it belongs to none. */
__attribute__((format(printf, 5, 6))) wm_status wm_audit_add(wm_store *store, const uint8_t *run, const char *what,
                                                             wm_error *err, const char *fmt, ...);

wm_status wm_audit_add_text(wm_store *store, const uint8_t *run, const char *what, const wm_text *detail,
                            wm_error *err);

/* The chain: what line->hash must be behind a line with the hash `before`. */
wm_digest wm_audit_link(const wm_digest *before, const wm_audit_line *line);

wm_status wm_audit_head_read(wm_db *db, wm_audit_head *ret, wm_error *err);

/* Calls `each` with every line, in order, until one fails. */
wm_status wm_audit_walk(wm_db *db, wm_status (*each)(void *context, const wm_audit_line *line, wm_error *err),
                        void *context, wm_error *err);

/* All of wm_store_audit_verify, on a database that need not be a store's. */
wm_status wm_audit_check(wm_db *db, wm_audit_head *ret, wm_error *err);

/* The texts that the audit keeps of a job that waits, a run's start, a phase that opens, the scaling (round 0 has the
 * clients), a committed round, its evaluation, the end: made again from the rows they must be the same. */
void wm_audit_queue_text(const wm_queued_job *job, wm_text *text);
void wm_audit_open_text(const wm_standing *standing, wm_text *text);
void wm_audit_substitute_text(uint32_t round, const wm_substitution *drawn, wm_text *text);
void wm_audit_close_text(const wm_standing *standing, wm_text *text);
void wm_audit_start_text(const wm_run_record *run, const wm_digest *model, wm_text *text);
void wm_audit_scaled_text(const wm_digest *scaling, const wm_round_record *round, wm_text *text);
void wm_audit_round_text(const wm_round_record *round, wm_text *text);
void wm_audit_evaluated_text(const wm_round_record *round, wm_text *text);

/* ---- rows ---- */

#define WM_STANDING_COLUMNS \
    "phase, round, attempt, opened_ms, model, server_state, scaling, without_gain, best_loss, outcome, why"
#define WM_STANDING_PLACES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

void wm_bind_standing(wm_query *q, const wm_standing *standing);
void wm_column_standing(wm_query *q, wm_standing *ret);

#define WM_RESULT_COLUMNS "examples, loss, m0, m1, m2, m3, m4, m5, m6, m7"

void wm_column_result(wm_query *q, wm_result *ret);

/* Calls `each` with the rounds from `first` to `last` of a run, in order. */
wm_status wm_rounds_read(wm_db *db, const uint8_t *run, uint32_t first, uint32_t last,
                         void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err);

/* ret->contributions and n_contributions <- the rows of ret->round, to be free()d; round 0 is the statistics round. */
wm_status wm_contributions_read(wm_db *db, const uint8_t *run, wm_round_record *ret, wm_error *err);

/* ret[*n] <- who was drawn into that round in the place of another, by client; `room` is the run's population.
 * WM_E_DAMAGED: more, or clients that are not below it. */
wm_status wm_substitutes_read(wm_db *db, const uint8_t *run, uint32_t round, wm_substitution *ret, size_t room,
                              size_t *n, wm_error *err);

/* A run's record, to be given to wm_store_run_record_free, and where it stands. WM_E_MISSING. */
wm_status wm_run_record_read(wm_db *db, const uint8_t *run, wm_run_record **ret, wm_error *err);
wm_status wm_standing_read(wm_db *db, const uint8_t *run, wm_standing *ret, wm_error *err);

/* Every waiting job, the next one first. */
wm_status wm_queue_read(wm_db *db, void (*each)(void *context, const wm_queued_job *job), void *context,
                        wm_error *err);

/* The ledger's reading half. */
wm_status wm_ledger_load(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err);
wm_status wm_ledger_substitutes(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret,
                                size_t room, size_t *n, wm_error *err);
wm_status wm_ledger_rounds(wm_ledger *self, const uint8_t                                  *run,
                           void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err);
void      wm_ledger_init(wm_ledger *ledger, wm_store *store);

/* ---- checkpoints ---- */

/* In the transaction of a commit: `round` holds on to its blobs, and what falls out of the newest `keep` (0:
 * nothing) is let go; the digests let go are added to *dropped, to be handed to wm_checkpoints_remove after
 * the COMMIT. */
typedef struct wm_digests {
    wm_digest *items;
    size_t     count, room;
} wm_digests;
wm_status wm_checkpoints_turn(wm_store *store, const uint8_t *run, const wm_round_record *round,
                              wm_digests *dropped, wm_error *err);

/* Removes those that nothing names any more; a failure is left to the sweep at the next opening. */
void wm_checkpoints_remove(wm_store *store, const wm_digests *dropped);

/* While pinned, no blob is removed. */
void wm_store_pin(wm_store *store, bool on);

/* The database as it is now, into a new file; under the lock. */
wm_status wm_store_copy_pages(wm_store *store, const char *to, wm_error *err);

/* Removes the snapshots that nobody reads any more; a failure is left to the next opening. */
void wm_snapshots_sweep(wm_store *store);

/* Removes every blob that nothing names. */
wm_status wm_checkpoints_sweep(wm_store *store, wm_error *err);

/* Calls `each` with every digest that the database names, until one fails. */
wm_status wm_checkpoints_named(wm_db *db, wm_status (*each)(void *context, const wm_digest *name, wm_error *err),
                               void *context, wm_error *err);

#endif
