/* tests/fuzz/fuzz_ranges.c
 *
 * Ranges of a blob as they come in, against the slow and obvious account of them: a flag for each byte. Each range is
 * three bytes, offset, length and a flag for the far ends of what 64 bits can say. */
#include "common/wire/envelope.h"
#include "common/wire/ranges.h"

#include "tests/fuzz/take.h"

enum { TOTAL_MAX = 256 };

static size_t count_gaps(const bool here[TOTAL_MAX], size_t total)
{
    size_t n = 0;

    for (size_t i = 0; i < total; i++)
        if (!here[i] && (i == 0 || here[i - 1]))
            n++;
    return n;
}

static void compare(const wm_ranges *ranges, const bool here[TOTAL_MAX], size_t total)
{
    size_t at = 0, lacking = 0;

    must(ranges->n_gaps == count_gaps(here, total) && ranges->n_gaps <= WM_GAPS_MAX);
    for (size_t g = 0; g < ranges->n_gaps; g++) {
        const wm_gap *gap = &ranges->gaps[g];

        must(gap->length > 0 && gap->offset >= at && gap->offset + gap->length <= total);
        for (; at < gap->offset; at++)
            must(here[at]);
        for (; at < gap->offset + gap->length; at++, lacking++)
            must(!here[at]);
    }
    for (; at < total; at++)
        must(here[at]);
    must(ranges->lacking == lacking && wm_ranges_complete(ranges) == (lacking == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker     from = { bytes, n };
    size_t    total = take_number(&from, 1) + 1;
    bool      here[TOTAL_MAX] = { false };
    wm_ranges ranges, was;
    wm_gap    next;
    wm_pace   pace;
    wm_error  err;

    wm_ranges_init(&ranges, total);
    wm_pace_init(&pace);
    while (from.n > 0) {
        uint64_t      offset = take_number(&from, 1), length = take_number(&from, 1), far = take_number(&from, 1);
        bool          holds;
        size_t        fresh = 0;
        wm_range_kind kind = WM_RANGE_FRESH;
        wm_status     st;

        if ((far & 7) == 7)
            offset = UINT64_MAX - offset;
        if ((far & 56) == 56)
            length = UINT64_MAX - length;
        was = ranges;
        holds = length > 0 && offset <= total && length <= total - offset;
        st = wm_ranges_add(&ranges, offset, length, &kind, &err);
        must(st == WM_OK ? holds : st == WM_E_RANGE ? !holds : st == WM_E_FULL);
        if (st == WM_OK) {
            for (size_t i = offset; i < offset + length; i++) {
                fresh += !here[i];
                here[i] = true;
            }
            must(kind == (fresh == length ? WM_RANGE_FRESH : fresh > 0 ? WM_RANGE_OVERLAPS : WM_RANGE_REPEATED));
        } else {
            must(ranges.n_gaps == was.n_gaps && ranges.lacking == was.lacking);
        }
        compare(&ranges, here, total);
        if (wm_ranges_next(&ranges, far + 1, &next))
            must(next.offset == ranges.gaps[0].offset && next.length > 0 && next.length <= far + 1);
        else
            must(wm_ranges_complete(&ranges));
        if (far % 3 == 0)
            wm_pace_failed(&pace);
        else
            wm_pace_saw(&pace, 1 + length % WM_RANGE_BYTES_MAX, (int64_t)(offset % 100000));
        must(pace.bytes >= WM_RANGE_BYTES_MIN && pace.bytes <= WM_RANGE_BYTES_MAX);
    }
    return 0;
}
