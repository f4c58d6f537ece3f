/* common/wire/transfer.h
 *
 * A blob over a link that breaks: by ranges sized to what the link gives, each side asking only for what it
 * lacks. Both objects outlive a connection: after a failure they are run again, over another one, and go on
 * where they were. */
#ifndef WM_COMMON_WIRE_TRANSFER_H
#define WM_COMMON_WIRE_TRANSFER_H

#include "common/clock.h"
#include "common/wire/exchange.h"
#include "common/wire/ranges.h"

/* ---- down: a gateway fetches a model, a job, a scaling ---- */

typedef struct wm_download wm_download;

/* The size is known beforehand and is a promise: memory is taken for it at once. WM_E_RANGE: 0 bytes or more
 * than `limit`; WM_E_NOMEM. */
wm_status wm_download_new(const wm_digest *digest, uint64_t size, uint64_t limit, wm_download **ret, wm_error *err);
void      wm_download_free(wm_download *download);

/* WM_OK: all bytes are here, and are what the digest says. WM_E_UNTRUSTED: they are not; all of them are
 * lacking again. Otherwise how asking failed; WM_E_MALFORMED if the answer was not the range that was asked
 * for. */
wm_status wm_download_run(wm_download *download, wm_exchange *exchange, const wm_clock *clock,
                          uint64_t *come_back_ms, wm_error *err);

uint64_t wm_download_lacking(const wm_download *download);

/* After WM_OK: the bytes, the caller's to free(). */
uint8_t *wm_download_take(wm_download *download, size_t *n);

/* ---- up: a gateway hands in its update ---- */

/* What the server's last Receipt said. */
typedef struct wm_receipt {
    Wm__Receipt__State state; /* never SEND */
    uint64_t           come_back_ms, server_time_ms;
    char               reason[200];
} wm_receipt;

/* Sends what lies in the gaps of `first`, the Receipt to a Submit, and of those that follow, until the server
 * has no more gaps or says otherwise. WM_OK: *ret is its last word. WM_E_MALFORMED: it asked for bytes that
 * do not exist, or for the same ones again and again. To go on after a failure: Submit again, and run with
 * that Receipt. */
wm_status wm_upload_run(const wm_digest *digest, const uint8_t *bytes, size_t n, const Wm__Receipt *first,
                        wm_exchange *exchange, const wm_clock *clock, wm_receipt *ret, wm_error *err);

/* ---- both, on the server ---- */

/* Answers a Fetch from a blob in memory. WM_E_RANGE (the caller answers with a Fault): not within the blob,
 * or longer than WM_RANGE_BYTES_MAX. *range points into `blob`. */
wm_status wm_range_of(const Wm__Fetch *fetch, const uint8_t *blob, size_t n, Wm__Range *range, wm_error *err);

/* The gaps as messages, for a Receipt: list[n] points to gaps[n], both of WM_GAPS_MAX; returns n. */
size_t wm_receipt_gaps(const wm_ranges *ranges, Wm__Gap gaps[WM_GAPS_MAX], Wm__Gap *list[WM_GAPS_MAX]);

#endif
