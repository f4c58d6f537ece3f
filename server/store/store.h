/* server/store/store.h
 *
 * The aggregator's memory: a folder with store.db (SQLite), blobs/ (models, sums, scalings, by their SHA-256)
 * and a lock, so that one process at a time has it open. What is told to it through its ledger, and through
 * runs.h, gateways.h and audit.h beside this file, is one transaction each: durable when the call returns
 * WM_OK, and not there at all when it does not. Each adds its line to the audit chain in the same
 * transaction.
 *
 * Thread-safe: one lock inside, around the one connection. A callback must not call the store again. After
 * WM_E_IO from a write it is not known whether the disk kept it; close the store and open it again to see.
 *
 * A blob is put by the thread that then makes the call which names it. Blobs that nothing names any more are
 * removed when the store is opened; checkpoints beyond a job's `keep`, with the commit that pushes them out.
 * A round that is kept holds its model before and after, its sums and its server state, so it can be computed
 * again; what an open run stands on is always kept, and so is the last model of a closed one. */
#ifndef WM_SERVER_STORE_STORE_H
#define WM_SERVER_STORE_STORE_H

#include "common/blobs.h"
#include "common/clock.h"
#include "server/ledger.h"

typedef struct wm_store wm_store;

/* The folder is made if it is not there. `files` is borrowed. WM_E_REFUSED: another process has it open, or a
 * newer program wrote it; WM_E_DAMAGED: what is there is not sound. */
wm_status wm_store_open(const wm_files *files, const char *folder, wm_clock clock, wm_store **ret, wm_error *err);
void      wm_store_close(wm_store *store); /* NULL is fine */

wm_blobs  *wm_store_blobs(wm_store *store);
wm_ledger *wm_store_ledger(wm_store *store); /* the ledger of server/ledger.h; lives as long as the store */

/* The latest wall time at which anything was committed; 0 for a new store. A server whose clock is behind it
 * must not start: certificates and deadlines would be judged by a time that never was. */
wm_status wm_store_latest_ms(wm_store *store, int64_t *ret, wm_error *err);

/* A consistent copy in `folder` (made; must not hold a store), while the store goes on: the database, then
 * each blob that it names. The copy is opened and checked, audit chain and blobs included, before it gets its
 * name, so a folder with a store.db is a whole backup. To restore, put the folder in the place of the store.
 */
wm_status wm_store_backup(wm_store *store, const char *folder, wm_error *err);

/* The store as it is at this moment, in a folder of its own inside the store's, for wm_verify; *ret is its path, to be
 * free()d, and whoever asked removes it. */
wm_status wm_store_snapshot(wm_store *store, char **ret, wm_error *err);

#endif
