/* server/staging.c
 *
 * A list of uploads under one lock. The bytes of an upload are written outside of it, under the upload's own lock, so
 * that one slow disk does not hold up the others; `users` keeps an upload alive meanwhile. */
#include "server/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_ROOM = 64 };

typedef struct staged staged;

struct staged {
    staged       *next;
    char          client[NAME_ROOM];
    wm_digest     digest;
    wm_update_key key;
    size_t        size;
    double        loss;
    bool          placed; /* has one of the places */
    bool          gone;   /* off the list; freed by its last user */
    size_t        users;  /* threads that are inside it */
    int64_t       placed_ms, heard_ms;

    pthread_mutex_t lock;   /* guards what follows */
    uint8_t        *memory; /* [size], or NULL if it is in a file */
    int             fd;     /* -1 if it is in memory */
    wm_ranges       have;
};

struct wm_staging {
    wm_staging_settings settings;
    pthread_mutex_t     lock;  /* guards the list, and of its items all that is above their lock */
    staged             *first; /* the newest */
    size_t              n_placed, n_kept;
    uint64_t            bytes, kept_memory; /* kept_memory: of uploads without a place that lie in memory */
};

wm_status wm_staging_new(const wm_staging_settings *settings, wm_staging **ret, wm_error *err)
{
    wm_staging *staging = calloc(1, sizeof *staging);

    if (staging == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the staging of updates");
    staging->settings = *settings;
    pthread_mutex_init(&staging->lock, NULL);
    *ret = staging;
    return WM_OK;
}

static void staged_free(staged *up)
{
    if (up->fd >= 0)
        close(up->fd);
    free(up->memory);
    pthread_mutex_destroy(&up->lock);
    free(up);
}

void wm_staging_free(wm_staging *staging)
{
    if (staging == NULL)
        return;
    for (staged *up = staging->first, *next; up != NULL; up = next) {
        next = up->next;
        staged_free(up);
    }
    pthread_mutex_destroy(&staging->lock);
    free(staging);
}

/* ---- under the staging's lock ---- */

static staged *find(wm_staging *staging, const char *client, const wm_digest *digest)
{
    for (staged *up = staging->first; up != NULL; up = up->next)
        if (strcmp(up->client, client) == 0 && wm_digest_equal(&up->digest, digest))
            return up;
    return NULL;
}

static void lose_place(wm_staging *staging, staged *up)
{
    if (!up->placed)
        return;
    up->placed = false;
    staging->n_placed--;
    staging->n_kept++;
    if (up->memory != NULL)
        staging->kept_memory += up->size;
}

static void take_place(wm_staging *staging, staged *up)
{
    if (up->placed)
        return;
    up->placed = true;
    up->placed_ms = wm_mono_ms(&staging->settings.clock);
    staging->n_placed++;
    staging->n_kept--;
    if (up->memory != NULL)
        staging->kept_memory -= up->size;
}

/* Off the list; freed when nobody is inside any more. */
static void let_go(wm_staging *staging, staged *up)
{
    staged **link = &staging->first;

    while (*link != up)
        link = &(*link)->next;
    *link = up->next;
    lose_place(staging, up);
    staging->n_kept--;
    if (up->memory != NULL)
        staging->kept_memory -= up->size;
    staging->bytes -= up->size;
    up->gone = true;
    if (up->users == 0)
        staged_free(up);
}

static void leave(staged *up)
{
    up->users--;
    if (up->gone && up->users == 0)
        staged_free(up);
}

/* The upload without a place that was heard longest ago; NULL if all have places. */
static staged *oldest_kept(wm_staging *staging)
{
    staged *oldest = NULL;

    for (staged *up = staging->first; up != NULL; up = up->next)
        if (!up->placed)
            oldest = up;
    return oldest;
}

/* Lets go of broken-off uploads until those in memory fit beside the placed ones, and `more` bytes fit in the room. */
static bool make_room(wm_staging *staging, uint64_t more)
{
    uint64_t memory_max = (uint64_t)staging->settings.places * staging->settings.memory;
    staged  *oldest;

    while (staging->kept_memory > memory_max || staging->bytes > staging->settings.room ||
           more > staging->settings.room - staging->bytes) {
        oldest = oldest_kept(staging);
        if (oldest == NULL)
            return staging->kept_memory <= memory_max && staging->bytes == 0; /* alone it may be larger */
        let_go(staging, oldest);
    }
    return true;
}

/* Takes the place of one who has stalled, or, for somebody who waits, of one whose turn is over. */
static bool free_a_place(wm_staging *staging, bool somebody_waits)
{
    int64_t now = wm_mono_ms(&staging->settings.clock);
    bool    freed = false;

    for (staged *up = staging->first; up != NULL; up = up->next) {
        bool stalled = now - up->heard_ms >= staging->settings.stall_ms;
        bool over = somebody_waits && !freed && now - up->placed_ms >= staging->settings.turn_ms;

        if (up->placed && up->users == 0 && (stalled || over)) {
            lose_place(staging, up);
            freed = true;
        }
    }
    return freed;
}

/* ---- a place ---- */

static wm_status open_file(const char *folder, size_t size, int *ret, wm_error *err)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* a file system without O_TMPFILE */
        char path[4096];

        snprintf(path, sizeof path, "%s/.upload-XXXXXX", folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0)
        return wm_fail(err, WM_E_IO, "cannot make a file for an update in %s: %s", folder, strerror(errno));
    /* The blocks now: a full disk is said before a gateway has sent the half of it. */
    if ((errno = posix_fallocate(fd, 0, (off_t)size)) != 0) {
        wm_status st = wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO,
                               "no room for an update of %zu bytes in %s: %s", size, folder, strerror(errno));

        close(fd);
        return st;
    }
    *ret = fd;
    return WM_OK;
}

static wm_status staged_new(wm_staging *staging, const wm_upload *upload, staged **ret, wm_error *err)
{
    staged   *up = calloc(1, sizeof *up);
    wm_status st = WM_OK;

    if (up == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an update");
    up->fd = -1;
    pthread_mutex_init(&up->lock, NULL);
    snprintf(up->client, sizeof up->client, "%s", upload->client);
    up->digest = upload->digest;
    up->key = upload->key;
    up->size = upload->size;
    up->loss = upload->loss;
    wm_ranges_init(&up->have, upload->size);
    if (upload->size > staging->settings.memory)
        st = open_file(staging->settings.folder, upload->size, &up->fd, err);
    else if ((up->memory = malloc(upload->size)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for an update of %zu bytes", upload->size);
    if (st != WM_OK) {
        staged_free(up);
        return st;
    }
    *ret = up;
    return WM_OK;
}

/* Under the lock: the client's other uploads are of no use any more. */
static void drop_others(wm_staging *staging, const char *client, const wm_digest *but)
{
    for (staged *up = staging->first, *next; up != NULL; up = next) {
        next = up->next;
        if (strcmp(up->client, client) == 0 && (but == NULL || !wm_digest_equal(&up->digest, but)))
            let_go(staging, up);
    }
}

wm_status wm_staging_claim(wm_staging *staging, const wm_upload *upload, wm_error *err)
{
    staged   *up;
    wm_status st = WM_OK;

    pthread_mutex_lock(&staging->lock);
    drop_others(staging, upload->client, &upload->digest);
    up = find(staging, upload->client, &upload->digest);
    if (up != NULL &&
        up->size != upload->size) { /* announced anew, with another size: the old bytes are worthless */
        let_go(staging, up);
        up = NULL;
    }
    if ((up == NULL || !up->placed) && staging->n_placed >= staging->settings.places &&
        !free_a_place(staging, true)) {
        st = wm_fail(err, WM_E_FULL, "all %zu places for updates are taken", staging->settings.places);
    } else if (up == NULL && !make_room(staging, upload->size)) {
        st = wm_fail(err, WM_E_FULL, "the room for updates is taken");
    } else if (up == NULL) {
        st = staged_new(staging, upload, &up, err);
        if (st == WM_OK) {
            up->next = staging->first;
            staging->first = up;
            staging->bytes += up->size;
            staging->n_kept++;
            staging->kept_memory += up->memory != NULL ? up->size : 0;
        }
    }
    if (st == WM_OK) {
        take_place(staging, up);
        up->heard_ms = wm_mono_ms(&staging->settings.clock);
    }
    pthread_mutex_unlock(&staging->lock);
    return st;
}

bool wm_staging_key(wm_staging *staging, const char *client, const wm_digest *digest, wm_update_key *ret)
{
    staged *up;

    pthread_mutex_lock(&staging->lock);
    up = find(staging, client, digest);
    if (up != NULL && up->placed)
        *ret = up->key;
    else
        up = NULL;
    pthread_mutex_unlock(&staging->lock);
    return up != NULL;
}

/* ---- ranges ---- */

/* Under the upload's lock. */
static wm_status write_range(staged *up, uint64_t offset, const uint8_t *bytes, size_t n, wm_error *err)
{
    if (up->memory != NULL) {
        memcpy(up->memory + offset, bytes, n);
        return WM_OK;
    }
    while (n > 0) {
        ssize_t done = pwrite(up->fd, bytes, n, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return wm_fail(err, errno == ENOSPC ? WM_E_FULL : WM_E_IO, "cannot write an update to its file: %s",
                           strerror(errno));
        bytes += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return WM_OK;
}

wm_status wm_staging_put(wm_staging *staging, const char *client, const wm_digest *digest, uint64_t offset,
                         const void *bytes, size_t n, bool *whole, wm_error *err)
{
    wm_status st = WM_OK;
    bool      was_whole;
    staged   *up;

    pthread_mutex_lock(&staging->lock);
    up = find(staging, client, digest);
    if (up != NULL && up->placed) {
        up->users++;
        up->heard_ms = wm_mono_ms(&staging->settings.clock);
    } else {
        up = NULL;
    }
    pthread_mutex_unlock(&staging->lock);
    if (up == NULL)
        return wm_fail(err, WM_E_MISSING, "no place was given for this update, or it was lost: submit it again");

    pthread_mutex_lock(&up->lock);
    was_whole = wm_ranges_complete(&up->have);
    if (n == 0 || offset > up->size || n > up->size - offset)
        st = wm_fail(err, WM_E_RANGE, "a range of %zu bytes at %llu is not within an update of %zu", n,
                     (unsigned long long)offset, up->size);
    else if (!was_whole)
        st = write_range(up, offset, bytes, n, err);
    if (st == WM_OK && !was_whole)
        st = wm_ranges_add(&up->have, offset, n, NULL, err);
    *whole = st == WM_OK && !was_whole && wm_ranges_complete(&up->have);
    pthread_mutex_unlock(&up->lock);

    pthread_mutex_lock(&staging->lock);
    leave(up);
    pthread_mutex_unlock(&staging->lock);
    return st;
}

size_t wm_staging_gaps(wm_staging *staging, const char *client, const wm_digest *digest, wm_gap *gaps, size_t most)
{
    size_t  n = 0;
    staged *up;

    pthread_mutex_lock(&staging->lock);
    up = find(staging, client, digest);
    if (up != NULL)
        up->users++;
    pthread_mutex_unlock(&staging->lock);
    if (up == NULL)
        return 0;
    pthread_mutex_lock(&up->lock);
    n = up->have.n_gaps < most ? up->have.n_gaps : most;
    memcpy(gaps, up->have.gaps, n * sizeof *gaps);
    pthread_mutex_unlock(&up->lock);
    pthread_mutex_lock(&staging->lock);
    leave(up);
    pthread_mutex_unlock(&staging->lock);
    return n;
}

/* ---- the whole ---- */

/* *ret: all bytes, taken out of the upload. */
static wm_status read_whole(staged *up, uint8_t **ret, wm_error *err)
{
    uint8_t *bytes;

    if (up->memory != NULL) {
        *ret = up->memory;
        up->memory = NULL;
        return WM_OK;
    }
    bytes = malloc(up->size);
    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an update of %zu bytes", up->size);
    for (size_t at = 0; at < up->size;) {
        ssize_t done = pread(up->fd, bytes + at, up->size - at, (off_t)at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            free(bytes);
            return wm_fail(err, WM_E_IO, "cannot read an update from its file: %s",
                           done < 0 ? strerror(errno) : "it is cut short");
        }
        at += (size_t)done;
    }
    *ret = bytes;
    return WM_OK;
}

static void tell_freed(wm_staging *staging)
{
    if (staging->settings.freed != NULL)
        staging->settings.freed(staging->settings.context);
}

wm_status wm_staging_take(wm_staging *staging, const char *client, const wm_digest *digest, uint8_t **ret,
                          size_t *n, double *loss, wm_error *err)
{
    wm_status st = WM_OK;
    wm_digest found;
    uint8_t  *bytes = NULL;
    staged   *up;
    bool      whole;

    pthread_mutex_lock(&staging->lock);
    up = find(staging, client, digest);
    if (up != NULL) {
        pthread_mutex_lock(&up->lock); /* in this order only here; nobody who holds it waits for the staging's */
        whole = wm_ranges_complete(&up->have);
        pthread_mutex_unlock(&up->lock);
        if (whole) {
            up->users++;
            let_go(staging, up);
        } else {
            up = NULL;
        }
    }
    pthread_mutex_unlock(&staging->lock);
    if (up == NULL)
        return wm_fail(err, WM_E_MISSING, "the update is not here whole");

    pthread_mutex_lock(&up->lock);
    st = read_whole(up, &bytes, err);
    pthread_mutex_unlock(&up->lock);
    if (st == WM_OK) {
        found = wm_sha256_of(bytes, up->size);
        if (!wm_digest_equal(&found, digest)) {
            free(bytes);
            st = wm_fail(err, WM_E_UNTRUSTED, "the bytes do not have the SHA-256 that was announced");
        } else {
            *ret = bytes;
            *n = up->size;
            *loss = up->loss;
        }
    }
    pthread_mutex_lock(&staging->lock);
    leave(up);
    pthread_mutex_unlock(&staging->lock);
    tell_freed(staging);
    return st;
}

void wm_staging_drop(wm_staging *staging, const char *client)
{
    pthread_mutex_lock(&staging->lock);
    drop_others(staging, client, NULL);
    pthread_mutex_unlock(&staging->lock);
    tell_freed(staging);
}

void wm_staging_sweep(wm_staging *staging,
                      bool (*keep)(void *context, const char *client, const wm_update_key *key), void *context)
{
    bool freed = false;

    pthread_mutex_lock(&staging->lock);
    for (staged *up = staging->first, *next; up != NULL; up = next) {
        next = up->next;
        if (!keep(context, up->client, &up->key)) {
            let_go(staging, up);
            freed = true;
        }
    }
    pthread_mutex_unlock(&staging->lock);
    if (freed)
        tell_freed(staging);
}

void wm_staging_tick(wm_staging *staging)
{
    bool freed;

    pthread_mutex_lock(&staging->lock);
    freed = free_a_place(staging, false);
    make_room(staging, 0);
    pthread_mutex_unlock(&staging->lock);
    if (freed)
        tell_freed(staging);
}

void wm_staging_counts_get(wm_staging *staging, wm_staging_counts *ret)
{
    pthread_mutex_lock(&staging->lock);
    *ret = (wm_staging_counts){ .places = staging->n_placed, .kept = staging->n_kept, .bytes = staging->bytes };
    pthread_mutex_unlock(&staging->lock);
}
