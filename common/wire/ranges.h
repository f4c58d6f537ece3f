/* common/wire/ranges.h
 *
 * Which bytes of a blob are still lacking while it comes in by ranges, in any order, some twice. Kept as
 * gaps, sorted and apart from each other, at most WM_GAPS_MAX of them: a range that would tear more holes is
 * refused, and nothing is lost by that, since it can be sent again later. Plain memory, no release. */
#ifndef WM_COMMON_WIRE_RANGES_H
#define WM_COMMON_WIRE_RANGES_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WM_GAPS_MAX = 64 };

typedef struct wm_gap {
    uint64_t offset, length;
} wm_gap;

typedef struct wm_ranges {
    uint64_t total;   /* bytes of the blob */
    uint64_t lacking; /* of them, not here yet */
    size_t   n_gaps;
    wm_gap   gaps[WM_GAPS_MAX];
} wm_ranges;

void wm_ranges_init(wm_ranges *ranges, uint64_t total); /* all of it is lacking */

static inline bool wm_ranges_complete(const wm_ranges *ranges)
{
    return ranges->lacking == 0;
}

/* What a range was to what is here already. */
typedef enum wm_range_kind {
    WM_RANGE_FRESH,    /* all of it was lacking */
    WM_RANGE_OVERLAPS, /* some of it was */
    WM_RANGE_REPEATED, /* none of it was: the answer to it got lost, say */
} wm_range_kind;

/* bytes [offset, offset + length) are here. *kind may be NULL. WM_E_RANGE: not within the blob, or empty;
 * WM_E_FULL: too many gaps. Unchanged after an error. */
wm_status wm_ranges_add(wm_ranges *ranges, uint64_t offset, uint64_t length, wm_range_kind *kind, wm_error *err);

/* The next range to ask for or to send, of at most `most` bytes: the beginning of the first gap. false:
 * complete. */
bool wm_ranges_next(const wm_ranges *ranges, uint64_t most, wm_gap *ret);

/* ---- how large a range should be ---- */

/* Sized to the link, so that one takes about half of WM_RANGE_MS_MAX at the rate seen: on a link that cuts
 * out it is little that is lost, on a quick one it is few round trips. Begins with the smallest. */
enum { WM_RANGE_MS_MAX = 10 * 1000 };

typedef struct wm_pace {
    uint64_t bytes;  /* of the next range */
    uint64_t saw;    /* bytes of the last one that went through, */
    int64_t  saw_ms; /* and how long it took; 0: none did */
} wm_pace;

/* So long the next range of `bytes` may take before the link counts as broken. A link may well get four times slower, and
 * lose a packet thrice; before anything was seen of it, it gets all the time that a range may have. */
enum { WM_PATIENCE_MS_LEAST = 8 * 1000, WM_PATIENCE_MS_MOST = 2 * WM_RANGE_MS_MAX };

int wm_pace_patience_ms(const wm_pace *pace, uint64_t bytes);

void wm_pace_init(wm_pace *pace);

/* A transfer of so many bytes begins, with what an earlier one has seen (or a zeroed pace). The link may be another by
 * now: the first range is a quarter of it at most, and has all the time that a range may have. */
void wm_pace_begin(wm_pace *pace, uint64_t bytes);
void wm_pace_saw(wm_pace *pace, uint64_t bytes, int64_t ms); /* a range went through */
void wm_pace_failed(wm_pace *pace);                          /* a range did not */

#endif
