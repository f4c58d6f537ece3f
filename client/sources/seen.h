/* client/sources/seen.h
 *
 * Which rows were there before, cell for cell, whatever file they stood in: for sets that hold the same row many times.
 * Remembers 128 bits of a row's SHA-256, so memory is 16 bytes a row, and no two rows that differ are taken for one. */
#ifndef WM_CLIENT_SOURCES_SEEN_H
#define WM_CLIENT_SOURCES_SEEN_H

#include "client/sources/csv_reader.h"

typedef struct wm_seen {
    uint64_t (*rows)[2]; /* open addressing; {0, 0}: an empty place */
    size_t places, n;    /* places: a power of two, less than 3/4 full */
} wm_seen;

/* *ret: was it there? It is from now on. WM_E_NOMEM. A seen of zeros is an empty one. */
wm_status wm_seen_add(wm_seen *seen, const wm_csv_cell *cells, size_t n, bool *ret, wm_error *err);
void      wm_seen_release(wm_seen *seen);

#endif
