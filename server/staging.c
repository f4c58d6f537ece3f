/* server/staging.c
 *
 * A list of uploads under one lock. The bytes of an upload (gathering.h) are written outside of it; `users` keeps an
 * upload alive meanwhile.
 *
 * Memory is for the quick: an update that fits waits for those that lie there, and is gathered in a file only if none of
 * them was let in during the last second. A file costs the processor as much again as the network, and is what bears any
 * number of slow links. */
#include "server/staging.h"

#include "server/buffers.h"
#include "server/gathering.h"
#include "server/readback.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 64, QUICK_MS = 1000 };

typedef struct wm_staged staged;

struct wm_staged {
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
    wm_gathering  bytes;
};

struct wm_staging {
    wm_staging_settings settings;
    pthread_mutex_t     lock;  /* guards the list, and of its items all that is above their lock */
    staged             *first; /* the newest */
    size_t              n_placed, n_kept;
    uint64_t            bytes;
    wm_buffers          memory;
    bool                awaited; /* somebody was told to wait for memory */

    wm_readback readback; /* of updates in files, from wm_staging_take to _done; not under the lock */
};

wm_status wm_staging_new(const wm_staging_settings *settings, wm_staging **ret, wm_error *err)
{
    wm_staging *staging = calloc(1, sizeof *staging);

    if (staging == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the staging of updates");
    staging->settings = *settings;
    wm_buffers_init(&staging->memory, settings->memory);
    pthread_mutex_init(&staging->lock, NULL);
    wm_readback_init(&staging->readback);
    *ret = staging;
    return WM_OK;
}

static void staged_free(wm_staging *staging, staged *up)
{
    if (up->bytes.memory != NULL)
        wm_buffers_give_back(&staging->memory, up->bytes.memory, up->size);
    wm_gathering_release(&up->bytes);
    free(up);
}

void wm_staging_free(wm_staging *staging)
{
    if (staging == NULL)
        return;
    for (staged *up = staging->first, *next; up != NULL; up = next) {
        next = up->next;
        staged_free(staging, up);
    }
    wm_buffers_rest(&staging->memory);
    wm_readback_release(&staging->readback);
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
}

static void take_place(wm_staging *staging, staged *up)
{
    if (up->placed)
        return;
    up->placed = true;
    up->placed_ms = wm_mono_ms(&staging->settings.clock);
    staging->n_placed++;
    staging->n_kept--;
}

/* Off the list; its place and its bytes still count. */
static void unlist(wm_staging *staging, staged *up)
{
    staged **link = &staging->first;

    while (*link != up)
        link = &(*link)->next;
    *link = up->next;
}

/* One that is off the list counts no more. */
static void uncount(wm_staging *staging, staged *up)
{
    lose_place(staging, up);
    staging->n_kept--;
    staging->bytes -= up->size;
    up->gone = true;
}

/* Off the list; freed when nobody is inside any more. */
static void let_go(wm_staging *staging, staged *up)
{
    unlist(staging, up);
    uncount(staging, up);
    if (up->users == 0)
        staged_free(staging, up);
}

static void leave(wm_staging *staging, staged *up)
{
    up->users--;
    if (up->gone && up->users == 0)
        staged_free(staging, up);
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

/* Lets go of broken-off uploads until `more` bytes fit in the room. */
static bool make_room(wm_staging *staging, uint64_t more)
{
    while (staging->bytes > staging->settings.room || more > staging->settings.room - staging->bytes) {
        staged *oldest = oldest_kept(staging);

        if (oldest == NULL)
            return staging->bytes == 0; /* alone it may be larger */
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

/* One of those that lie in memory was let in a moment ago, so there will be memory soon. */
static bool memory_is_quick(const wm_staging *staging)
{
    int64_t now = wm_mono_ms(&staging->settings.clock);

    for (const staged *up = staging->first; up != NULL; up = up->next)
        if (up->placed && up->bytes.memory != NULL && now - up->placed_ms < QUICK_MS)
            return true;
    return false;
}

/* ---- a place ---- */

static wm_status staged_new(wm_staging *staging, const wm_upload *upload, staged **ret, wm_error *err)
{
    uint8_t  *memory = wm_buffers_take(&staging->memory, upload->size);
    staged   *up;
    wm_status st = WM_OK;

    staging->awaited = memory == NULL && upload->size <= staging->settings.memory && memory_is_quick(staging);
    if (staging->awaited)
        return wm_fail(err, WM_E_FULL, "the memory for updates is taken");
    if ((up = calloc(1, sizeof *up)) == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for an update");
        goto out;
    }
    snprintf(up->client, sizeof up->client, "%s", upload->client);
    up->digest = upload->digest;
    up->key = upload->key;
    up->size = upload->size;
    up->loss = upload->loss;
    if ((st = wm_gathering_init(&up->bytes, upload->size, memory, staging->settings.folder, err)) != WM_OK)
        goto out;
    memory = NULL;
    *ret = up;
    up = NULL;
out:
    if (memory != NULL)
        wm_buffers_give_back(&staging->memory, memory, upload->size);
    free(up);
    return st;
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

/* Without the lock, so that a slow disk does not hold up the others; the caller is one of its users. */
static wm_status reserve(wm_staging *staging, staged *up, wm_error *err)
{
    wm_status st = wm_gathering_reserve(&up->bytes, err);

    pthread_mutex_lock(&staging->lock);
    if (st != WM_OK && !up->gone) {
        unlist(staging, up);
        uncount(staging, up);
    }
    leave(staging, up);
    pthread_mutex_unlock(&staging->lock);
    return st;
}

wm_status wm_staging_claim(wm_staging *staging, const wm_upload *upload, wm_error *err)
{
    staged   *up;
    bool      is_new = false;
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
        is_new = st == WM_OK;
    }
    if (is_new) {
        up->next = staging->first;
        staging->first = up;
        staging->bytes += up->size;
        staging->n_kept++;
        up->users++;
    }
    if (st == WM_OK) {
        take_place(staging, up);
        up->heard_ms = wm_mono_ms(&staging->settings.clock);
    }
    pthread_mutex_unlock(&staging->lock);
    return is_new ? reserve(staging, up, err) : st;
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

static void stop_using(wm_staging *staging, staged *up)
{
    pthread_mutex_lock(&staging->lock);
    leave(staging, up);
    pthread_mutex_unlock(&staging->lock);
}

wm_status wm_staging_put(wm_staging *staging, const char *client, const wm_digest *digest, uint64_t offset,
                         const void *bytes, size_t n, bool *whole, wm_error *err)
{
    wm_status st;
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
    st = wm_gathering_put(&up->bytes, offset, bytes, n, whole, err);
    stop_using(staging, up);
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
    n = wm_gathering_gaps(&up->bytes, gaps, most);
    stop_using(staging, up);
    return n;
}

/* ---- the whole ---- */

static void tell_freed(wm_staging *staging)
{
    if (staging->settings.freed != NULL)
        staging->settings.freed(staging->settings.context);
}

static wm_status read_whole(wm_staging *staging, wm_staged_update *ret, wm_digest *found, wm_error *err)
{
    wm_gathering *bytes = &ret->upload->bytes;
    wm_status     st;

    if (bytes->memory != NULL)
        return wm_gathering_read(bytes, NULL, &ret->bytes, found, err);
    st = wm_readback_take(&staging->readback, bytes, &ret->bytes, found, err);
    ret->read_back = st == WM_OK;
    return st;
}

/* Under the lock: off the list, and used by us, if it is there whole; else NULL. */
static staged *take_off(wm_staging *staging, const char *client, const wm_digest *digest)
{
    staged *up = find(staging, client, digest);

    if (up == NULL || !wm_gathering_is_whole(&up->bytes))
        return NULL;
    up->users++;
    unlist(staging, up);
    return up;
}

wm_status wm_staging_take(wm_staging *staging, const char *client, const wm_digest *digest, wm_staged_update *ret,
                          wm_error *err)
{
    wm_staged_update update = { 0 };
    wm_digest        found;
    wm_status        st;

    pthread_mutex_lock(&staging->lock);
    update.upload = take_off(staging, client, digest);
    if (staging->first == NULL) /* nobody else is on the way, and what comes next may be a commit */
        wm_buffers_rest(&staging->memory);
    pthread_mutex_unlock(&staging->lock);
    if (update.upload == NULL)
        return wm_fail(err, WM_E_MISSING, "the update is not here whole");
    update.n_bytes = update.upload->size;
    update.loss = update.upload->loss;
    st = read_whole(staging, &update, &found, err);
    if (st == WM_OK && !wm_digest_equal(&found, digest))
        st = wm_fail(err, WM_E_UNTRUSTED, "the bytes do not have the SHA-256 that was announced");
    if (st != WM_OK) {
        wm_staging_done(staging, &update);
        return st;
    }
    *ret = update;
    return WM_OK;
}

void wm_staging_done(wm_staging *staging, wm_staged_update *update)
{
    if (update->read_back)
        wm_readback_done(&staging->readback);
    pthread_mutex_lock(&staging->lock);
    uncount(staging, update->upload);
    leave(staging, update->upload);
    pthread_mutex_unlock(&staging->lock);
    *update = (wm_staged_update){ 0 };
    tell_freed(staging);
}

/* The memory for reading back is given back when there is nothing to read. */
static void rest(wm_staging *staging)
{
    bool idle;

    pthread_mutex_lock(&staging->lock);
    idle = staging->bytes == 0;
    if (idle)
        wm_buffers_rest(&staging->memory);
    pthread_mutex_unlock(&staging->lock);
    if (idle)
        wm_readback_rest(&staging->readback);
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
    if (staging->awaited && !memory_is_quick(staging)) { /* a file will do then */
        staging->awaited = false;
        freed = true;
    }
    make_room(staging, 0);
    pthread_mutex_unlock(&staging->lock);
    rest(staging);
    if (freed)
        tell_freed(staging);
}

void wm_staging_counts_get(wm_staging *staging, wm_staging_counts *ret)
{
    pthread_mutex_lock(&staging->lock);
    *ret = (wm_staging_counts){ .places = staging->n_placed, .kept = staging->n_kept, .bytes = staging->bytes };
    pthread_mutex_unlock(&staging->lock);
}
