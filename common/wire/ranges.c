/* common/wire/ranges.c */
#include "common/wire/ranges.h"

#include "common/wire/envelope.h"

#include <assert.h>
#include <string.h>

void wm_ranges_init(wm_ranges *ranges, uint64_t total)
{
    *ranges = (wm_ranges){ .total = total, .lacking = total };
    if (total > 0)
        ranges->gaps[ranges->n_gaps++] = (wm_gap){ .length = total };
}

/* gaps[i] without [from, to), as up to two gaps: how many, into parts[]. */
static size_t cut(const wm_gap *gap, uint64_t from, uint64_t to, wm_gap parts[2])
{
    uint64_t end = gap->offset + gap->length;
    size_t   n = 0;

    if (gap->offset < from)
        parts[n++] = (wm_gap){ .offset = gap->offset, .length = (from < end ? from : end) - gap->offset };
    if (end > to) {
        uint64_t start = gap->offset > to ? gap->offset : to;

        parts[n++] = (wm_gap){ .offset = start, .length = end - start };
    }
    return n;
}

/* A gap that the range does not touch is one part, itself. */
static bool touches(const wm_gap *gap, uint64_t from, uint64_t to)
{
    return gap->offset < to && from < gap->offset + gap->length;
}

wm_status wm_ranges_add(wm_ranges *ranges, uint64_t offset, uint64_t length, wm_range_kind *kind, wm_error *err)
{
    uint64_t  to = offset + length, lacking = 0, fresh;
    wm_gap    parts[2];
    wm_ranges after = { .total = ranges->total };

    if (length == 0 || offset > ranges->total || length > ranges->total - offset)
        return wm_fail(err, WM_E_RANGE, "bytes %llu to %llu are not a range of a blob of %llu bytes",
                       (unsigned long long)offset, (unsigned long long)to, (unsigned long long)ranges->total);
    for (size_t i = 0; i < ranges->n_gaps; i++) {
        size_t n = 1;

        parts[0] = ranges->gaps[i];
        if (touches(&ranges->gaps[i], offset, to))
            n = cut(&ranges->gaps[i], offset, to, parts);
        if (n > WM_GAPS_MAX - after.n_gaps)
            return wm_fail(err, WM_E_FULL, "more than %d gaps: send what fills the first ones", WM_GAPS_MAX);
        for (size_t k = 0; k < n; k++) {
            after.gaps[after.n_gaps++] = parts[k];
            lacking += parts[k].length;
        }
    }
    after.lacking = lacking;
    fresh = ranges->lacking - lacking;
    if (kind != NULL)
        *kind = fresh == length ? WM_RANGE_FRESH : fresh > 0 ? WM_RANGE_OVERLAPS : WM_RANGE_REPEATED;
    *ranges = after;
    return WM_OK;
}

bool wm_ranges_next(const wm_ranges *ranges, uint64_t most, wm_gap *ret)
{
    assert(most > 0);
    if (ranges->n_gaps == 0)
        return false;
    *ret = ranges->gaps[0];
    if (ret->length > most)
        ret->length = most;
    return true;
}

/* ---- how large a range should be ---- */

static uint64_t clamp(uint64_t bytes)
{
    bytes -= bytes % WM_RANGE_BYTES_MIN;
    if (bytes < WM_RANGE_BYTES_MIN)
        return WM_RANGE_BYTES_MIN;
    return bytes < WM_RANGE_BYTES_MAX ? bytes : WM_RANGE_BYTES_MAX;
}

void wm_pace_init(wm_pace *pace)
{
    *pace = (wm_pace){ .bytes = WM_RANGE_BYTES_MIN };
}

int wm_pace_patience_ms(const wm_pace *pace, uint64_t bytes)
{
    double expected_ms;

    if (pace->saw_ms == 0)
        return WM_PATIENCE_MS_MOST;
    expected_ms = (double)pace->saw_ms * (double)bytes / (double)pace->saw;
    if (4 * expected_ms > WM_PATIENCE_MS_MOST)
        return WM_PATIENCE_MS_MOST;
    return 4 * expected_ms > WM_PATIENCE_MS_LEAST ? (int)(4 * expected_ms) : WM_PATIENCE_MS_LEAST;
}

void wm_pace_begin(wm_pace *pace, uint64_t bytes)
{
    uint64_t most = clamp(bytes / 4);

    if (pace->bytes == 0)
        wm_pace_init(pace);
    if (pace->bytes > most)
        pace->bytes = most;
    pace->saw_ms = 0;
}

void wm_pace_saw(wm_pace *pace, uint64_t bytes, int64_t ms)
{
    uint64_t spent = ms > 0 ? (uint64_t)ms : 1;

    assert(bytes > 0 && bytes <= WM_RANGE_BYTES_MAX);
    pace->saw = bytes;
    pace->saw_ms = (int64_t)spent;
    pace->bytes = clamp(bytes * (WM_RANGE_MS_MAX / 2) / spent);
}

void wm_pace_failed(wm_pace *pace)
{
    pace->bytes = clamp(pace->bytes / 2);
    pace->saw_ms = 0; /* what was seen of the link holds no more */
}
