/* server/issuer/strand.h
 *
 * Messages on a stream socket between two processes of ours that were born together: length and number, four bytes
 * each, big endian, then the bytes. An answer has the number of its question, so that one which comes after its asker
 * has given up is told from the next. (Strangers' sockets are common/wire's; this one nobody else can reach.) */
#ifndef WM_SERVER_ISSUER_STRAND_H
#define WM_SERVER_ISSUER_STRAND_H

#include "common/clock.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One end, borrowed. */
typedef struct wm_strand {
    int      fd;
    int      stop_fd; /* readable: give up with WM_E_CLOSED; -1: none */
    wm_clock clock;
} wm_strand;

#define WM_STRAND_NO_DEADLINE INT64_MAX

/* `until_ms`: on the monotonic clock. WM_E_CLOSED: the other end is gone, or told to stop; WM_E_TIMEOUT: part of it may
 * have been sent, so the strand is of no use any more; WM_E_IO. */
wm_status wm_strand_send(const wm_strand *strand, uint32_t number, const void *bytes, size_t n, int64_t until_ms,
                         wm_error *err);

/* *ret: n bytes, the caller's to wm_secret_free. WM_E_CLOSED as above; WM_E_RANGE: more than `limit` are announced;
 * WM_E_TIMEOUT: the strand is of use only if nothing had come yet, and then *begun is false. */
wm_status wm_strand_receive(const wm_strand *strand, size_t limit, int64_t until_ms, uint32_t *number,
                            uint8_t **ret, size_t *n, bool *begun, wm_error *err);

#endif
