/* server/store/store.c */
#include "server/store/store.h"

#include "common/crash.h"
#include "server/store/inside.h"
#include "server/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The pid in the file is for people; it is the flock that counts, and the kernel lets go of it when we die.
 */
static wm_status take_lock(wm_store *store, const char *path, wm_error *err)
{
    char    pid[24] = "";
    ssize_t n;

    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        n = read(store->lock_fd, pid, sizeof pid - 1);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return wm_fail(err, WM_E_REFUSED, "the store in %s is open in another process (%s%s); stop it first",
                       store->folder, *pid != '\0' ? "pid " : "pid unknown", pid);
    }
    snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, pid, strlen(pid), 0) < 0)
        return wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot write %s: %s", path, strerror(errno));
    return WM_OK;
}

wm_status wm_store_open(const wm_files *files, const char *folder, wm_clock clock, wm_store **ret, wm_error *err)
{
    wm_store *store = calloc(1, sizeof *store);
    char     *lock = wm_path_join(folder, "lock"), *db = wm_path_join(folder, "store.db"),
         *blobs = wm_path_join(folder, "blobs");
    wm_status st;

    if (store != NULL) {
        *store = (wm_store){ .files = files, .clock = clock, .folder = strdup(folder), .lock_fd = -1 };
        pthread_mutex_init(&store->lock, NULL);
        wm_ledger_init(&store->ledger, store);
    }
    if (store == NULL || store->folder == NULL || lock == NULL || db == NULL || blobs == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to open the store in %s", folder);
        goto out;
    }
    st = files->make_folder(files, folder, 0700, err);
    if (st == WM_OK)
        st = take_lock(store, lock, err);
    if (st == WM_OK)
        st = wm_db_make_private(db, err);
    if (st == WM_OK)
        st = wm_db_open(db, &store->db, err);
    if (st == WM_OK)
        st = wm_schema_apply(&store->db, wm_schema_steps, wm_schema_n_steps, err);
    if (st == WM_OK)
        st = wm_blobs_new(files, blobs, &store->blobs, err);
    if (st == WM_OK)
        st = wm_checkpoints_sweep(store, err);
    if (st == WM_OK) {
        wm_snapshots_sweep(store);
        *ret = store;
        store = NULL;
    }
out:
    wm_store_close(store);
    free(lock);
    free(db);
    free(blobs);
    return st;
}

void wm_store_close(wm_store *store)
{
    if (store == NULL)
        return;
    wm_db_close(&store->db);
    wm_blobs_free(store->blobs);
    if (store->lock_fd >= 0)
        close(store->lock_fd); /* last: now another may come */
    pthread_mutex_destroy(&store->lock);
    free(store->folder);
    free(store);
}

wm_blobs *wm_store_blobs(wm_store *store)
{
    return store->blobs;
}

wm_ledger *wm_store_ledger(wm_store *store)
{
    return &store->ledger;
}

wm_status wm_store_latest_ms(wm_store *store, int64_t *ret, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_db_number(&store->db, "SELECT coalesce(max(wall_ms), 0) FROM audit", ret, err);
    wm_store_unlock(store);
    return st;
}

/* ---- transactions ---- */

void wm_store_lock(wm_store *store)
{
    pthread_mutex_lock(&store->lock);
}

void wm_store_unlock(wm_store *store)
{
    pthread_mutex_unlock(&store->lock);
}

wm_status wm_store_begin(wm_store *store, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_db_run(&store->db, "BEGIN IMMEDIATE", err);
    if (st != WM_OK)
        wm_store_unlock(store);
    return st;
}

static void crash_point(const char *transition, const char *when)
{
    char name[64];

    snprintf(name, sizeof name, "store-%s-%s", transition, when);
    wm_crash_point(name);
}

wm_status wm_store_commit(wm_store *store, const char *transition, wm_status st, wm_error *err)
{
    crash_point(transition, "before");
    if (st == WM_OK)
        st = wm_db_run(&store->db, "COMMIT", err);
    if (st == WM_OK)
        crash_point(transition, "after");
    /* Some failures have rolled back by themselves. */
    else if (sqlite3_get_autocommit(store->db.handle) == 0)
        (void)wm_db_run(&store->db, "ROLLBACK", NULL);
    return st;
}

wm_status wm_store_end(wm_store *store, const char *transition, wm_status st, wm_error *err)
{
    st = wm_store_commit(store, transition, st, err);
    wm_store_unlock(store);
    return st;
}
