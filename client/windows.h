/* client/windows.h
 *
 * Which rows of a grid are examples, and in which part. An example is the row that is its "now": its windows end
 * there, its targets lie ahead of it.
 *
 * It is one if, within its series, every value that its inputs take is a reading or was filled, every target is a
 * reading (never filled), and the targets' columns have a value now, so that persistence is judged on the same
 * examples. A value that was interpolated counts as unknown until the reading after it has come: otherwise the future
 * would show through the newest steps of a window.
 *
 * To be predicted, an example's targets need not be known: then all are of the test part.
 *
 * Parts by time: the examples' shares in order of time give two moments; an example belongs to a part only if
 * everything that it looks at and predicts lies between them, so that nothing of a later part is seen in training. A
 * split by files divides so, if it is asked to, what is in no file for test or validation.
 *
 * Where the job has a column that tells anomalies, no example trains that looks at one. */
#ifndef WM_CLIENT_WINDOWS_H
#define WM_CLIENT_WINDOWS_H

#include "client/examples.h"
#include "client/grid.h"

/* Rows (or images) that are examples, by part, in increasing order. */
typedef struct wm_laid {
    uint32_t *at[WM_PARTS]; /* owned */
    size_t    counts[WM_PARTS];
    size_t    dropped; /* readings that were no example because of a gap */
} wm_laid;

/* file_parts[file]: the part of each file, WM_TRAIN if its rows divide by time, looked at for a split by files. `owner`: whose, for a split by owners and
 * for the random one. WM_E_INVALID: a random split of examples that overlap; WM_E_NOMEM. */
wm_status wm_windows_lay(const wm_grid *grid, const uint8_t *file_parts, const char *owner, wm_laid *ret,
                         wm_error *err);

/* The same for images, all of them. */
wm_status wm_images_lay(const wm_layout *layout, const wm_images *images, const uint8_t *file_parts,
                        const char *owner, wm_laid *ret, wm_error *err);

void wm_laid_release(wm_laid *laid);

/* The part of each file for a split by files; else all WM_TRAIN. *ret is the caller's to free(). */
wm_status wm_file_parts(const wm_job *job, char *const *names, size_t n, uint8_t **ret, wm_error *err);

#endif
