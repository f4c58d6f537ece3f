/* tests/wire/test_ranges.c */
#include "tests/unit.h"

#include "common/rng.h"
#include "common/wire/envelope.h"
#include "common/wire/ranges.h"

typedef struct step {
    uint64_t      offset, length;
    wm_status     status;
    wm_range_kind kind;
    uint64_t      lacking; /* afterwards */
    size_t        gaps;
} step;

static const struct {
    const char *says;
    uint64_t    total;
    step        steps[4];
    size_t      n_steps;
} rows[] = {
    { "from front to back",
      10,
      { { 0, 4, WM_OK, WM_RANGE_FRESH, 6, 1 }, { 4, 6, WM_OK, WM_RANGE_FRESH, 0, 0 } },
      2 },
    { "from back to front",
      10,
      { { 6, 4, WM_OK, WM_RANGE_FRESH, 6, 1 }, { 0, 6, WM_OK, WM_RANGE_FRESH, 0, 0 } },
      2 },
    { "a hole in the middle tears the gap in two",
      10,
      { { 3, 4, WM_OK, WM_RANGE_FRESH, 6, 2 }, { 0, 10, WM_OK, WM_RANGE_OVERLAPS, 0, 0 } },
      2 },
    { "what comes twice counts once",
      10,
      { { 2, 3, WM_OK, WM_RANGE_FRESH, 7, 2 },
        { 2, 3, WM_OK, WM_RANGE_REPEATED, 7, 2 },
        { 3, 1, WM_OK, WM_RANGE_REPEATED, 7, 2 } },
      3 },
    { "an overlap on each side",
      10,
      { { 4, 2, WM_OK, WM_RANGE_FRESH, 8, 2 },
        { 3, 2, WM_OK, WM_RANGE_OVERLAPS, 7, 2 },
        { 5, 2, WM_OK, WM_RANGE_OVERLAPS, 6, 2 } },
      3 },
    { "no bytes are no range", 10, { { 3, 0, WM_E_RANGE, 0, 10, 1 } }, 1 },
    { "one byte beyond the end", 10, { { 5, 6, WM_E_RANGE, 0, 10, 1 } }, 1 },
    { "beyond the end from the start", 10, { { 11, 1, WM_E_RANGE, 0, 10, 1 } }, 1 },
    { "an end that wraps around", 10, { { 5, UINT64_MAX, WM_E_RANGE, 0, 10, 1 } }, 1 },
    { "an empty blob lacks nothing and takes nothing", 0, { { 0, 1, WM_E_RANGE, 0, 0, 0 } }, 1 },
};

static void ranges_fill_gaps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_ranges ranges;

        wm_ranges_init(&ranges, rows[i].total);
        for (size_t k = 0; k < rows[i].n_steps; k++) {
            const step   *s = &rows[i].steps[k];
            wm_range_kind kind = WM_RANGE_FRESH;
            wm_error      err;

            assert_case(rows[i].says, wm_ranges_add(&ranges, s->offset, s->length, &kind, &err) == s->status);
            assert_case(rows[i].says, s->status != WM_OK || kind == s->kind);
            assert_case(rows[i].says, ranges.lacking == s->lacking && ranges.n_gaps == s->gaps);
            assert_case(rows[i].says, wm_ranges_complete(&ranges) == (s->lacking == 0));
        }
    }
}

static void too_many_gaps_are_refused_and_nothing_is_lost(void **state)
{
    wm_ranges ranges;
    wm_error  err;
    uint64_t  lacking;

    (void)state;
    wm_ranges_init(&ranges, 1000);
    for (uint64_t i = 1; i < WM_GAPS_MAX; i++)
        assert_ok(wm_ranges_add(&ranges, 2 * i, 1, NULL, &err), &err);
    assert_int_equal(ranges.n_gaps, WM_GAPS_MAX);
    lacking = ranges.lacking;
    assert_int_equal(wm_ranges_add(&ranges, 500, 1, NULL, &err), WM_E_FULL);
    assert_int_equal(ranges.lacking, lacking);
    assert_ok(wm_ranges_add(&ranges, 0, 4, NULL, &err), &err); /* closes a gap: then there is room */
    assert_ok(wm_ranges_add(&ranges, 500, 1, NULL, &err), &err);
    assert_ok(wm_ranges_add(&ranges, 0, 1000, NULL, &err), &err);
    assert_true(wm_ranges_complete(&ranges));
}

/* Against the slow, obvious version: a flag for each byte. */
static void any_order_agrees_with_a_flag_for_each_byte(void **state)
{
    enum { TOTAL = 200 };
    wm_rng rng;

    (void)state;
    wm_rng_init(&rng, 7);
    for (int run = 0; run < 300; run++) {
        bool      here[TOTAL] = { false };
        wm_ranges ranges;

        wm_ranges_init(&ranges, TOTAL);
        for (int k = 0; k < 60; k++) {
            uint64_t offset = wm_rng_below(&rng, TOTAL), length = 1 + wm_rng_below(&rng, TOTAL - offset);
            uint64_t lacking = 0, starts = 0;

            length = length > 20 ? 1 + length % 20 : length;
            if (wm_ranges_add(&ranges, offset, length, NULL, NULL) == WM_E_FULL)
                continue;
            for (uint64_t b = offset; b < offset + length; b++)
                here[b] = true;
            for (int b = 0; b < TOTAL; b++) {
                lacking += !here[b];
                starts += !here[b] && (b == 0 || here[b - 1]);
            }
            assert_int_equal(ranges.lacking, lacking);
            assert_int_equal(ranges.n_gaps, starts);
            for (size_t g = 0; g < ranges.n_gaps; g++)
                for (uint64_t b = 0; b < ranges.gaps[g].length; b++)
                    assert_false(here[ranges.gaps[g].offset + b]);
        }
    }
}

static void the_next_range_is_the_beginning_of_the_first_gap(void **state)
{
    wm_ranges ranges;
    wm_gap    next;
    wm_error  err;

    (void)state;
    wm_ranges_init(&ranges, 100);
    assert_ok(wm_ranges_add(&ranges, 0, 10, NULL, &err), &err);
    assert_true(wm_ranges_next(&ranges, 30, &next));
    assert_int_equal(next.offset, 10);
    assert_int_equal(next.length, 30);
    assert_ok(wm_ranges_add(&ranges, 10, 85, NULL, &err), &err);
    assert_true(wm_ranges_next(&ranges, 30, &next));
    assert_int_equal(next.offset, 95);
    assert_int_equal(next.length, 5);
    assert_ok(wm_ranges_add(&ranges, 95, 5, NULL, &err), &err);
    assert_false(wm_ranges_next(&ranges, 30, &next));
}

/* 5 s at the rate seen, in steps of 16 KiB: 2000 bytes a second are 10 kB, 20 kB/s are 100 kB = 6 steps. */
static const struct {
    const char *says;
    uint64_t    bytes;
    int64_t     ms;
    uint64_t    want;
} paces[] = {
    { "a modem keeps to the smallest", 16 << 10, 8192, 16 << 10 },
    { "20 kB a second", 16384, 819, 98304 },
    { "a cable takes the largest", 16 << 10, 10, 1 << 20 },
    { "a range that took no time", 16 << 10, 0, 1 << 20 },
    { "a link that has got slow", 256 << 10, 20000, 64 << 10 },
    { "a clock that went back counts as no time", 16 << 10, -5, 1 << 20 },
};

static void ranges_are_sized_to_the_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        wm_pace pace;

        wm_pace_init(&pace);
        assert_int_equal(pace.bytes, WM_RANGE_BYTES_MIN);
        wm_pace_saw(&pace, paces[i].bytes, paces[i].ms);
        assert_case(paces[i].says, pace.bytes == paces[i].want);
        for (int k = 0; k < 10; k++)
            wm_pace_failed(&pace);
        assert_int_equal(pace.bytes, WM_RANGE_BYTES_MIN);
    }
}

/* ---- when a link counts as broken ---- */

static const struct {
    const char *says;
    uint64_t    saw;
    int64_t     ms; /* 0: nothing was seen */
    uint64_t    next;
    int         want;
} waits[] = {
    { "the first range has all the time that there is", 0, 0, WM_RANGE_BYTES_MIN, 20000 },
    { "on a quick link a range that hangs is given up soon", WM_RANGE_BYTES_MAX, 20, WM_RANGE_BYTES_MAX, 8000 },
    { "on a slow one it has four times what it should take", 16 << 10, 2000, 24 << 10, 12000 },
    { "and never more than the first", 16 << 10, 9000, 32 << 10, 20000 },
};

static void a_range_that_hangs_is_given_up_by_what_the_link_has_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        wm_pace pace;

        wm_pace_init(&pace);
        if (waits[i].ms > 0)
            wm_pace_saw(&pace, waits[i].saw, waits[i].ms);
        assert_case(waits[i].says, wm_pace_patience_ms(&pace, waits[i].next) == waits[i].want);
        wm_pace_failed(&pace);
        assert_case(waits[i].says, wm_pace_patience_ms(&pace, waits[i].next) == WM_PATIENCE_MS_MOST);
    }
}

static void the_first_range_of_a_transfer_is_a_quarter_of_it_at_most(void **state)
{
    static const struct {
        const char *says;
        uint64_t    seen, transfer, want; /* the pace that an earlier transfer has left; 0: there was none */
    } cases[] = {
        { "nothing is known yet", 0, 100 << 20, 16 << 10 },
        { "a quick link, and much to move", 1 << 20, 100 << 20, 1 << 20 },
        { "a quick link, and little to move", 256 << 10, 400 << 10, 96 << 10 },
        { "a quick link, and next to nothing", 256 << 10, 10, 16 << 10 },
        { "a slow link stays slow", 32 << 10, 100 << 20, 32 << 10 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_pace pace = { .bytes = cases[i].seen };

        wm_pace_begin(&pace, cases[i].transfer);
        assert_case(cases[i].says, pace.bytes == cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_fill_gaps),
        cmocka_unit_test(too_many_gaps_are_refused_and_nothing_is_lost),
        cmocka_unit_test(any_order_agrees_with_a_flag_for_each_byte),
        cmocka_unit_test(the_next_range_is_the_beginning_of_the_first_gap),
        cmocka_unit_test(ranges_are_sized_to_the_link),
        cmocka_unit_test(a_range_that_hangs_is_given_up_by_what_the_link_has_shown),
        cmocka_unit_test(the_first_range_of_a_transfer_is_a_quarter_of_it_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
