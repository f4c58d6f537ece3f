/* client/sources/stream.h
 *
 * The bytes of a file, unpacked if it is gzip. Stops at a limit, so that a small file that unpacks to a huge one (or a
 * device) cannot fill memory or run for ever. */
#ifndef WM_CLIENT_SOURCES_STREAM_H
#define WM_CLIENT_SOURCES_STREAM_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct wm_stream wm_stream;

/* At most `limit` unpacked bytes. WM_E_MISSING, WM_E_IO. */
wm_status wm_stream_open(const char *path, uint64_t limit, wm_stream **ret, wm_error *err);
void      wm_stream_close(wm_stream *stream);

/* Up to `most` bytes (below 2^30) into `to`; *n is less only at the end. WM_E_MALFORMED: damaged or cut-off gzip, or
 * more than the limit. */
wm_status wm_stream_read(wm_stream *stream, void *to, size_t most, size_t *n, wm_error *err);

/* No more bytes than this can come: a plain file has its size, and gzip packs to a 1,032nd at best. So a size in a
 * header can be doubted before memory is taken for it. */
uint64_t wm_stream_most(const wm_stream *stream);

#endif
