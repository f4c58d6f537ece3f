/* common/blobs.h
 *
 * Things named by the SHA-256 of their bytes: models, sums, jobs, scalings. A folder with a file each; written,
 * synced and renamed before anything refers to it, checked against its name whenever it is read whole. Thread-safe,
 * since a file never changes. The one that was read in ranges last stays open: thousands of gateways fetch the same
 * model. */
#ifndef WM_COMMON_BLOBS_H
#define WM_COMMON_BLOBS_H

#include "common/crypto/digest.h"
#include "common/files.h"

typedef struct wm_blobs wm_blobs;

/* The folder is made if it is not there. `files` is borrowed. */
wm_status wm_blobs_new(const wm_files *files, const char *folder, wm_blobs **ret, wm_error *err);
void      wm_blobs_free(wm_blobs *blobs);

/* Durable when it returns; quick if it is there already. *name may be NULL. */
wm_status wm_blobs_put(wm_blobs *blobs, const void *bytes, size_t n, wm_digest *name, wm_error *err);

bool wm_blobs_has(wm_blobs *blobs, const wm_digest *name);

/* *ret: the bytes, the caller's to free(). WM_E_MISSING; WM_E_RANGE above `limit`; WM_E_DAMAGED if they are not what
 * the name says. */
wm_status wm_blobs_get(wm_blobs *blobs, const wm_digest *name, size_t limit, uint8_t **ret, size_t *n,
                       wm_error *err);

/* bytes[n] <- from `offset` on, unchecked: whoever puts the ranges together checks the whole. *got is less than n at the
 * end; *total: bytes of the whole. WM_E_MISSING. */
wm_status wm_blobs_get_range(wm_blobs *blobs, const wm_digest *name, uint64_t offset, void *bytes, size_t n, size_t *got,
                             uint64_t *total, wm_error *err);

wm_status wm_blobs_remove(wm_blobs *blobs, const wm_digest *name, wm_error *err);

/* Removes every blob for which keep() is false. */
wm_status wm_blobs_sweep(wm_blobs *blobs, bool (*keep)(void *context, const wm_digest *name), void *context,
                         wm_error *err);

#endif
