/* common/blobs.c */
#include "common/blobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A blob that is open for its ranges. */
typedef struct reading {
    wm_digest name;
    intptr_t  file;
    size_t    users; /* threads that read, and wm_blobs.last */
} reading;

struct wm_blobs {
    const wm_files *files;
    char           *folder;

    /* Held while files come and go, so that a put that finds its blob there does not return before the put
     * beside it has synced the name, and a sweep does not take what a put is writing. Reading needs no lock.
     */
    pthread_mutex_t lock;

    /* The last put failed, maybe after it gave the file its name: that a file is there does not say that it is durable.
     * One put that is done whole syncs all names. */
    bool unsure;

    /* Guards `last`, and the users of every reading; held for no system call. */
    pthread_mutex_t last_lock;
    reading        *last; /* NULL: none yet */
};

/* ---- life ---- */

wm_status wm_blobs_new(const wm_files *files, const char *folder, wm_blobs **ret, wm_error *err)
{
    wm_blobs *blobs = calloc(1, sizeof *blobs);
    wm_status st;

    if (blobs == NULL || (blobs->folder = strdup(folder)) == NULL) {
        free(blobs);
        return wm_fail(err, WM_E_NOMEM, "no memory for the blobs in %s", folder);
    }
    st = files->make_folder(files, folder, 0700, err);
    if (st != WM_OK) {
        free(blobs->folder);
        free(blobs);
        return st;
    }
    blobs->files = files;
    pthread_mutex_init(&blobs->lock, NULL);
    pthread_mutex_init(&blobs->last_lock, NULL);
    *ret = blobs;
    return WM_OK;
}

void wm_blobs_free(wm_blobs *blobs)
{
    if (blobs == NULL)
        return;
    if (blobs->last != NULL)
        blobs->files->close(blobs->files, blobs->last->file);
    free(blobs->last);
    pthread_mutex_destroy(&blobs->last_lock);
    pthread_mutex_destroy(&blobs->lock);
    free(blobs->folder);
    free(blobs);
}

/* ---- whole ---- */

/* folder/digest, allocated; NULL if out of memory. */
static char *path_of(const wm_blobs *blobs, const wm_digest *name)
{
    char text[WM_DIGEST_TEXT];

    return wm_path_join(blobs->folder, wm_digest_text(name, text));
}

wm_status wm_blobs_put(wm_blobs *blobs, const void *bytes, size_t n, wm_digest *name, wm_error *err)
{
    wm_digest digest = wm_sha256_of(bytes, n);
    char     *path = path_of(blobs, &digest);
    wm_status st = WM_OK;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to store %zu bytes in %s", n, blobs->folder);
    pthread_mutex_lock(&blobs->lock);
    if (blobs->unsure || !blobs->files->exists(blobs->files, path)) {
        st = blobs->files->replace(blobs->files, path, bytes, n, 0600, err);
        blobs->unsure = st != WM_OK;
    }
    pthread_mutex_unlock(&blobs->lock);
    if (st == WM_OK && name != NULL)
        *name = digest;
    free(path);
    return st;
}

bool wm_blobs_has(wm_blobs *blobs, const wm_digest *name)
{
    char *path = path_of(blobs, name);
    bool  has = path != NULL && blobs->files->exists(blobs->files, path);

    free(path);
    return has;
}

wm_status wm_blobs_get(wm_blobs *blobs, const wm_digest *name, size_t limit, uint8_t **ret, size_t *n,
                       wm_error *err)
{
    char     *path = path_of(blobs, name);
    uint8_t  *bytes = NULL;
    size_t    size = 0;
    wm_digest is;
    wm_status st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to read from %s", blobs->folder);
    st = blobs->files->read(blobs->files, path, limit, &bytes, &size, err);
    if (st != WM_OK)
        goto out;
    is = wm_sha256_of(bytes, size);
    if (!wm_digest_equal(&is, name)) {
        st = wm_fail(err, WM_E_DAMAGED,
                     "%s is damaged: its %zu bytes are not those that its name promises; put it back from a backup",
                     path, size);
        goto out;
    }
    *ret = bytes;
    *n = size;
    bytes = NULL;
out:
    free(bytes);
    free(path);
    return st;
}

/* ---- in ranges ---- */

static void done_with(wm_blobs *blobs, reading *r)
{
    pthread_mutex_lock(&blobs->last_lock);
    if (--r->users > 0)
        r = NULL;
    pthread_mutex_unlock(&blobs->last_lock);
    if (r == NULL)
        return;
    blobs->files->close(blobs->files, r->file);
    free(r);
}

/* The open one, if it is of that name; *ret goes back by done_with. */
static bool is_open(wm_blobs *blobs, const wm_digest *name, reading **ret)
{
    bool is;

    pthread_mutex_lock(&blobs->last_lock);
    is = blobs->last != NULL && wm_digest_equal(&blobs->last->name, name);
    if (is) {
        *ret = blobs->last;
        blobs->last->users++;
    }
    pthread_mutex_unlock(&blobs->last_lock);
    return is;
}

/* Opens it, in the place of the last one. */
static wm_status open_anew(wm_blobs *blobs, const wm_digest *name, reading **ret, wm_error *err)
{
    char     *path = path_of(blobs, name);
    reading  *r = calloc(1, sizeof *r), *before;
    wm_status st = path != NULL && r != NULL ? blobs->files->open(blobs->files, path, &r->file, err)
                                             : wm_fail(err, WM_E_NOMEM, "no memory to read from %s", blobs->folder);

    free(path);
    if (st != WM_OK) {
        free(r);
        return st;
    }
    r->name = *name;
    r->users = 2; /* blobs->last, and who asked */
    pthread_mutex_lock(&blobs->last_lock);
    before = blobs->last;
    blobs->last = r;
    pthread_mutex_unlock(&blobs->last_lock);
    if (before != NULL)
        done_with(blobs, before);
    *ret = r;
    return WM_OK;
}

/* Lets go of the last one, if it is `r`. */
static void forget(wm_blobs *blobs, reading *r)
{
    bool is;

    pthread_mutex_lock(&blobs->last_lock);
    is = blobs->last == r;
    if (is)
        blobs->last = NULL;
    pthread_mutex_unlock(&blobs->last_lock);
    if (is)
        done_with(blobs, r);
}

wm_status wm_blobs_get_range(wm_blobs *blobs, const wm_digest *name, uint64_t offset, void *bytes, size_t n,
                             size_t *got, uint64_t *total, wm_error *err)
{
    reading  *r;
    bool      was_open = is_open(blobs, name, &r);
    wm_status st = was_open ? WM_OK : open_anew(blobs, name, &r, err);

    if (st != WM_OK)
        return st;
    st = blobs->files->read_at(blobs->files, r->file, offset, bytes, n, got, total, err);
    if (st != WM_OK)
        forget(blobs, r);
    done_with(blobs, r);
    if (st == WM_E_MISSING && was_open) /* put back from a backup, it may be another file by now */
        return wm_blobs_get_range(blobs, name, offset, bytes, n, got, total, err);
    if (st != WM_OK) {
        char text[WM_DIGEST_TEXT];

        wm_error_prefix(err, "%s/%s", blobs->folder, wm_digest_text(name, text));
    }
    return st;
}

/* ---- removal ---- */

wm_status wm_blobs_remove(wm_blobs *blobs, const wm_digest *name, wm_error *err)
{
    char     *path = path_of(blobs, name);
    wm_status st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to remove from %s", blobs->folder);
    pthread_mutex_lock(&blobs->lock);
    st = blobs->files->remove(blobs->files, path, err);
    pthread_mutex_unlock(&blobs->lock);
    free(path);
    return st;
}

/* What a power cut left of a replace(): a digest, and ".new-" behind it. */
static bool is_leftover(const char *name)
{
    char      text[WM_DIGEST_TEXT];
    wm_digest digest;

    if (strlen(name) < WM_DIGEST_TEXT || strncmp(name + WM_DIGEST_TEXT - 1, ".new-", 5) != 0)
        return false;
    memcpy(text, name, WM_DIGEST_TEXT - 1);
    text[WM_DIGEST_TEXT - 1] = '\0';
    return wm_digest_parse(text, &digest);
}

wm_status wm_blobs_sweep(wm_blobs *blobs, bool (*keep)(void *context, const wm_digest *name), void *context,
                         wm_error *err)
{
    char    **names = NULL;
    size_t    n = 0;
    wm_status st;

    pthread_mutex_lock(&blobs->lock);
    st = wm_folder_names(blobs->folder, &names, &n, err);
    for (size_t i = 0; st == WM_OK && i < n; i++) {
        wm_digest digest;
        bool      is_blob = wm_digest_parse(names[i], &digest);
        char     *path;

        if (is_blob ? keep(context, &digest) : !is_leftover(names[i]))
            continue;
        path = wm_path_join(blobs->folder, names[i]);
        st = path != NULL ? blobs->files->remove(blobs->files, path, err)
                          : wm_fail(err, WM_E_NOMEM, "no memory to sweep %s", blobs->folder);
        free(path);
    }
    pthread_mutex_unlock(&blobs->lock);
    wm_names_free(names, n);
    return st;
}
