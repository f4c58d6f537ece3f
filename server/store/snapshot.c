/* server/store/snapshot.c
 *
 * A store as it is at one moment, to be looked at while it goes on: a copy of the database, and a second name for each
 * blob that it names, which costs no room and outlives the first. Snapshots are folders in verify/, each with a lock that
 * whoever reads it holds; one that nobody holds any more is removed when the store is opened. */
#include "server/store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Where a snapshot's blobs go, and come from. */
typedef struct linking {
    const char *from, *to;
} linking;

static wm_status link_blob(void *context, const wm_digest *name, wm_error *err)
{
    const linking *paths = context;
    char           text[WM_DIGEST_TEXT];
    char     *from = wm_path_join(paths->from, wm_digest_text(name, text)), *to = wm_path_join(paths->to, text);
    wm_status st = WM_OK;

    if (from == NULL || to == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    else if (link(from, to) != 0 && errno != ENOENT) /* one that is missing is for the verifier to miss */
        st = wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot make %s: %s", to, strerror(errno));
    free(from);
    free(to);
    return st;
}

static wm_status make_lock(const char *path, wm_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot make %s: %s", path, strerror(errno));
    close(fd);
    return WM_OK;
}

/* `folder` is made, and empty. */
static wm_status fill(wm_store *store, const char *folder, wm_error *err)
{
    char *from = wm_path_join(store->folder, "blobs"), *blobs = wm_path_join(folder, "blobs"),
         *db = wm_path_join(folder, "store.db"), *lock = wm_path_join(folder, "lock");
    wm_status st;

    if (from == NULL || blobs == NULL || db == NULL || lock == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    else
        st = make_lock(lock, err);
    if (st == WM_OK)
        st = store->files->make_folder(store->files, blobs, 0700, err);
    if (st == WM_OK) {
        wm_store_lock(store);
        st = wm_store_copy_pages(store, db, err);
        if (st == WM_OK)
            st = wm_checkpoints_named(&store->db, link_blob, &(linking){ from, blobs }, err);
        wm_store_unlock(store);
    }
    free(from);
    free(blobs);
    free(db);
    free(lock);
    return st;
}

wm_status wm_store_snapshot(wm_store *store, char **ret, wm_error *err)
{
    char *all = wm_path_join(store->folder, "verify"), *folder = all != NULL ? wm_path_join(all, "XXXXXX") : NULL;
    wm_status st;

    if (folder == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    else
        st = store->files->make_folder(store->files, all, 0700, err);
    if (st == WM_OK && mkdtemp(folder) == NULL)
        st = wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot make a folder in %s: %s", all,
                     strerror(errno));
    if (st == WM_OK) {
        st = fill(store, folder, err);
        if (st != WM_OK)
            (void)wm_folder_remove(folder, NULL);
    }
    if (st == WM_OK) {
        *ret = folder;
        folder = NULL;
    }
    free(folder);
    free(all);
    return st;
}

/* Is somebody reading it? */
static bool is_held(const char *folder)
{
    char *path = wm_path_join(folder, "lock");
    int   fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool  held = path == NULL || (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0);

    if (fd >= 0)
        close(fd);
    free(path);
    return held;
}

void wm_snapshots_sweep(wm_store *store)
{
    char  *all = wm_path_join(store->folder, "verify"), **names = NULL;
    size_t n = 0;

    if (all == NULL || wm_folder_names(all, &names, &n, NULL) != WM_OK) {
        free(all);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char *folder = wm_path_join(all, names[i]);

        if (folder != NULL && !is_held(folder))
            (void)wm_folder_remove(folder, NULL); /* the next opening tries again */
        free(folder);
    }
    wm_names_free(names, n);
    free(all);
}
