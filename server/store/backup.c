/* server/store/backup.c
 *
 * SQLite's own backup makes the copy of the database, at one moment; the blobs it names follow while the
 * store goes on committing, and are not removed meanwhile. The database gets its name last. */
#include "server/store/inside.h"

#include "common/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

wm_status wm_store_copy_pages(wm_store *store, const char *to, wm_error *err)
{
    wm_db           copy = { .path = (char *)to }; /* for sentences; closed by hand */
    sqlite3_backup *backup;
    wm_status       st = wm_db_make_private(to, err);

    if (st != WM_OK)
        return st;
    if (sqlite3_open(to, &copy.handle) != SQLITE_OK ||
        (backup = sqlite3_backup_init(copy.handle, "main", store->db.handle, "main")) == NULL) {
        st = wm_db_fail(&copy, "make the backup", err);
        goto out;
    }
    (void)sqlite3_backup_step(backup, -1); /* its failure is told again by finish */
    if (sqlite3_backup_finish(backup) != SQLITE_OK)
        st = wm_db_fail(&copy, "write the backup", err);
out:
    sqlite3_close(copy.handle);
    return st;
}

typedef struct blob_copy {
    wm_blobs *from, *to;
} blob_copy;

static wm_status copy_blob(void *context, const wm_digest *name, wm_error *err)
{
    blob_copy *copy = context;
    uint8_t   *bytes;
    size_t     n;
    wm_status  st = wm_blobs_get(copy->from, name, SIZE_MAX - 1, &bytes, &n, err);

    if (st != WM_OK)
        return st;
    st = wm_blobs_put(copy->to, bytes, n, NULL, err);
    free(bytes);
    return st;
}

static wm_status check_blob(void *context, const wm_digest *name, wm_error *err)
{
    blob_copy *copy = context;
    uint8_t   *bytes;
    size_t     n;
    wm_status  st = wm_blobs_get(copy->to, name, SIZE_MAX - 1, &bytes, &n, err);

    if (st == WM_OK)
        free(bytes);
    return st;
}

/* The copy as a restore will see it: opened (which checks every page), the chain walked, the blobs copied and
 * read again. */
static wm_status copy_blobs(wm_store *store, const char *db_path, const char *blobs_path, wm_error *err)
{
    wm_db     db = { 0 };
    blob_copy copy = { .from = store->blobs };
    wm_status st = wm_db_open(db_path, &db, err);

    if (st != WM_OK)
        return st;
    st = wm_audit_check(&db, NULL, err);
    if (st == WM_OK)
        st = wm_blobs_new(store->files, blobs_path, &copy.to, err);
    if (st == WM_OK)
        st = wm_checkpoints_named(&db, copy_blob, &copy, err);
    if (st == WM_OK)
        st = wm_checkpoints_named(&db, check_blob, &copy, err);
    wm_blobs_free(copy.to);
    wm_db_close(&db);
    return st;
}

static wm_status give_name(const char *folder, const char *from, const char *to, wm_error *err)
{
    int       fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    wm_status st = WM_OK;

    wm_crash_point("store-backup-before");
    if (fd < 0 || rename(from, to) != 0 || fsync(fd) != 0)
        st = wm_fail(err, WM_E_IO, "cannot finish the backup %s: %s", to, strerror(errno));
    if (fd >= 0)
        close(fd);
    wm_crash_point("store-backup-after");
    return st;
}

void wm_store_pin(wm_store *store, bool on)
{
    wm_store_lock(store);
    store->pins += on ? 1u : -1u;
    wm_store_unlock(store);
}

wm_status wm_store_backup(wm_store *store, const char *folder, wm_error *err)
{
    char *part = wm_path_join(folder, "store.db.part"), *part_log = wm_path_join(folder, "store.db.part-wal"),
         *db = wm_path_join(folder, "store.db"), *blobs = wm_path_join(folder, "blobs");
    wm_status st;

    wm_store_pin(store, true);
    if (part == NULL || part_log == NULL || db == NULL || blobs == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to back up to %s", folder);
        goto out;
    }
    if (store->files->exists(store->files, db)) {
        st = wm_fail(err, WM_E_EXISTS, "%s holds a store already; name a new folder", folder);
        goto out;
    }
    st = store->files->make_folder(store->files, folder, 0700, err);
    /* Of a backup that was cut off. The log goes first: it would be replayed into a new file of that name. */
    if (st == WM_OK)
        st = store->files->remove(store->files, part_log, err);
    if (st == WM_OK)
        st = store->files->remove(store->files, part, err);
    if (st != WM_OK)
        goto out;
    wm_store_lock(store);
    st = wm_store_copy_pages(store, part, err);
    wm_store_unlock(store);
    if (st == WM_OK)
        st = copy_blobs(store, part, blobs, err);
    if (st == WM_OK)
        st = give_name(folder, part, db, err);
out:
    wm_store_pin(store, false);
    free(part);
    free(part_log);
    free(db);
    free(blobs);
    return st;
}
