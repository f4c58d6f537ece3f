/* server/staging.h
 *
 * Where updates lie while they come in, range by range, until they are whole. The memory of a server must not grow with
 * its clients: a few places are given out at a time, and who has none is told to come back. A place is lost by who sends
 * nothing, and by who is slow while others wait; what has come of its update stays, as long as there is room, so that a
 * cut link costs one range. Updates lie in memory as far as they may, the others in files without a name.
 *
 * An upload is named by its client's certified name and the SHA-256 of its bytes. A client has one at a time: another
 * digest replaces it. Thread-safe; time is handed in. */
#ifndef WM_SERVER_STAGING_H
#define WM_SERVER_STAGING_H

#include "common/clock.h"
#include "common/update.h"
#include "common/wire/ranges.h"

typedef struct wm_staging_settings {
    size_t      places;
    size_t      memory;   /* bytes: an update above this is staged in a file */
    uint64_t    room;     /* bytes staged in all; one upload is let in whatever its size */
    int64_t     stall_ms; /* without a range for so long: the place is free */
    int64_t     turn_ms;  /* a place that others wait for is held at most so long */
    const char *folder;   /* for the files; borrowed */
    wm_clock    clock;

    /* A place has become free. Outside the lock, on any thread; may be NULL. */
    void (*freed)(void *context);
    void *context;
} wm_staging_settings;

typedef struct wm_staging wm_staging;

wm_status wm_staging_new(const wm_staging_settings *settings, wm_staging **ret, wm_error *err);
void      wm_staging_free(wm_staging *staging); /* nobody is inside */

typedef struct wm_upload {
    const char   *client;
    wm_digest     digest;
    size_t        size; /* what an update of this task has; above 0 */
    wm_update_key key;
    double        loss;
} wm_upload;

/* A place for this upload, if there is one; asking again keeps it. WM_E_FULL: not now. WM_E_NOMEM, WM_E_IO. */
wm_status wm_staging_claim(wm_staging *staging, const wm_upload *upload, wm_error *err);

/* Whose task an upload is for; false if there is no such upload, or it has lost its place. */
bool wm_staging_key(wm_staging *staging, const char *client, const wm_digest *digest, wm_update_key *ret);

/* One range; what has come already may come again. *whole: this was the last one that was missing, and the caller is to
 * take the update. WM_E_MISSING: no such upload has a place; WM_E_RANGE: outside the update; WM_E_FULL: more holes than
 * are kept track of, fill those first; WM_E_IO. */
wm_status wm_staging_put(wm_staging *staging, const char *client, const wm_digest *digest, uint64_t offset,
                         const void *bytes, size_t n, bool *whole, wm_error *err);

/* The first gaps of an upload, at most `most`; 0 if there is no such upload or it is whole. */
size_t wm_staging_gaps(wm_staging *staging, const char *client, const wm_digest *digest, wm_gap *gaps, size_t most);

/* An update that has come whole. */
typedef struct wm_staged_update {
    const uint8_t *bytes; /* [n_bytes], until wm_staging_done */
    size_t         n_bytes;
    double         loss;

    struct wm_staged *upload; /* staging's */
    bool              read_back;
} wm_staged_update;

/* Takes a whole update out; it keeps its place until wm_staging_done, so that what is checked and folded counts as what is
 * on its way. WM_E_MISSING: not there or not whole; WM_E_UNTRUSTED: the bytes do not have the SHA-256 that was announced;
 * WM_E_NOMEM, WM_E_IO: as if it had never come. Of updates in files one at a time: another _take waits for _done. */
wm_status wm_staging_take(wm_staging *staging, const char *client, const wm_digest *digest, wm_staged_update *ret,
                          wm_error *err);
void      wm_staging_done(wm_staging *staging, wm_staged_update *update);

/* Lets go of what that client has staged. */
void wm_staging_drop(wm_staging *staging, const char *client);

/* Lets go of every upload for which keep() is false; called under the lock. */
void wm_staging_sweep(wm_staging *staging,
                      bool (*keep)(void *context, const char *client, const wm_update_key *key), void *context);

/* Takes the places of those who have stalled. */
void wm_staging_tick(wm_staging *staging);

typedef struct wm_staging_counts {
    size_t   places; /* given out now */
    size_t   kept;   /* uploads without a place */
    uint64_t bytes;  /* staged, in memory and in files */
} wm_staging_counts;

void wm_staging_counts_get(wm_staging *staging, wm_staging_counts *ret);

#endif
