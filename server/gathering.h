/* server/gathering.h
 *
 * The bytes of one update while they come in, range by range, in memory or in a file without a name. They are hashed as
 * they come, while they are still in the processor's cache; so when the last one is there, so is their SHA-256, unless
 * they came out of order.
 *
 * Thread-safe between _init and _release; a slow disk holds up nobody else's update. */
#ifndef WM_SERVER_GATHERING_H
#define WM_SERVER_GATHERING_H

#include "common/crypto/digest.h"
#include "common/status.h"
#include "common/wire/ranges.h"

#include <pthread.h>

typedef struct wm_gathering {
    size_t          size;
    uint8_t        *memory; /* [size], the owner's; or NULL if it is in a file */
    int             fd;     /* -1 if it is in memory */
    pthread_mutex_t lock;   /* guards what follows */
    wm_ranges       have;
    wm_sha256       sha; /* of the first `hashed` bytes, which do not change any more */
    uint64_t        hashed;
} wm_gathering;

/* memory[size] is borrowed until the release; NULL: a file in that folder. Quick. WM_E_IO. */
wm_status wm_gathering_init(wm_gathering *g, size_t size, uint8_t *memory, const char *folder, wm_error *err);

/* Takes the blocks of the file, so that a full disk is said before a gateway has sent the half of it. Slow on a disk that
 * has to write them. WM_E_IO. */
wm_status wm_gathering_reserve(wm_gathering *g, wm_error *err);
void      wm_gathering_release(wm_gathering *g);

/* One range; what has come already may come again. *whole: this was the last one that was missing. WM_E_RANGE: outside
 * the update; WM_E_FULL: more holes than are kept track of, fill those first; WM_E_IO, for a full disk too. */
wm_status wm_gathering_put(wm_gathering *g, uint64_t offset, const uint8_t *bytes, size_t n, bool *whole,
                           wm_error *err);

/* The first gaps, at most `most`; 0: it is whole. */
size_t wm_gathering_gaps(wm_gathering *g, wm_gap *gaps, size_t most);
bool   wm_gathering_is_whole(wm_gathering *g);

/* All bytes of a whole one, and their SHA-256: where they lie, or read from the file into room[size], which may be NULL
 * for one in memory. WM_E_IO. */
wm_status wm_gathering_read(wm_gathering *g, uint8_t *room, const uint8_t **ret, wm_digest *digest, wm_error *err);

#endif
