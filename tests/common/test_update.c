/* tests/common/test_update.c
 *
 * Everything that a stranger may hand in instead of an update: refused by name, before anything is folded. */
#include "tests/unit.h"

#include "common/update.h"

#include <math.h>

enum { N = 5 };

static const wm_update_spec spec = {
    .n_parts = 3,
    .parts = {
        { .name = "delta", .kind = WM_PART_F32, .n = N, .bound = 16, .shift_min = 24 },
        { .name = "count", .kind = WM_PART_I64, .n = 2, .bound = 1000, .weight = WM_WEIGHT_ONE },
        { .name = "train_loss", .kind = WM_PART_F32, .n = 1, .bound = 1024, .shift_min = 8 },
    },
    .weight_cap = 1 << 20,
};

static wm_update_key the_key(void)
{
    wm_update_key key = { .run = "sixteen bytes id", .kind = WM_TASK_TRAIN, .round = 7 };

    key.model = wm_sha256_of("model of round 7", 16);
    return key;
}

static wm_update a_good_one(void)
{
    wm_update_key key = the_key();
    wm_update     update;
    wm_error      err;

    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    for (int i = 0; i < N; i++)
        ((float *)update.values[0])[i] = (float)i - 2;
    ((int64_t *)update.values[1])[0] = 1000;
    ((int64_t *)update.values[1])[1] = -1000;
    *(float *)update.values[2] = 0.5f;
    update.weight = 60;
    wm_update_seal(&update, &spec);
    return update;
}

static void what_was_sealed_opens_the_same(void **state)
{
    wm_update     sent = a_good_one(), got;
    wm_update_key key = the_key(), seen;
    wm_error      err;

    (void)state;
    assert_int_equal(sent.n_bytes, WM_UPDATE_HEADER + 2 * 8 + N * 4 + 4);
    assert_true(wm_update_peek(sent.bytes, sent.n_bytes, &seen));
    assert_int_equal(seen.round, 7);
    assert_ok(wm_update_open(&spec, &key, sent.bytes, sent.n_bytes, &got, &err), &err);
    assert_int_equal(got.weight, 60);
    assert_true(((float *)got.values[0])[4] == 2);
    assert_int_equal(((int64_t *)got.values[1])[1], -1000);
    assert_true(*(float *)got.values[2] == 0.5f);
    wm_update_release(&got);
}

static const float floats_of_interest[] = { NAN, -INFINITY, INFINITY, 16.000002f, -17, 3e38f };

/* One fault a row: what is changed in a good update, and what is said of it. */
static const struct {
    const char *says;
    wm_status   want;
    const char *text;
    enum { A_DELTA, THE_LOSS, A_COUNT, WEIGHT, KIND, ROUND, RUN, MODEL, MAGIC, VERSION, PARTS, LENGTH } what;
    int64_t number; /* or an index of floats_of_interest */
} faults[] = {
    { "a value that is not a number", WM_E_NONFINITE, "delta[3] is not a number", A_DELTA, 0 },
    { "minus infinity", WM_E_NONFINITE, "delta[3] is infinite", A_DELTA, 1 },
    { "infinity", WM_E_NONFINITE, "delta[3] is infinite", A_DELTA, 2 },
    { "the float after the bound", WM_E_RANGE, "delta[3] is 16, beyond the bound of 16", A_DELTA, 3 },
    { "below minus the bound", WM_E_RANGE, "delta[3] is -17, beyond the bound of 16", A_DELTA, 4 },
    { "a wild value", WM_E_RANGE, "delta[3]", A_DELTA, 5 },
    { "a loss that is not a number", WM_E_NONFINITE, "train_loss[0] is not a number", THE_LOSS, 0 },
    { "a wild loss", WM_E_RANGE, "train_loss[0]", THE_LOSS, 5 },
    { "a count beyond its bound", WM_E_RANGE, "count[1] is 1001", A_COUNT, 1001 },
    { "the smallest count there is", WM_E_RANGE, "count[1]", A_COUNT, INT64_MIN },
    { "no examples", WM_E_RANGE, "a weight of 0 examples", WEIGHT, 0 },
    { "-100 examples", WM_E_RANGE, "a weight of 18446744073709551516 examples", WEIGHT, -100 },
    { "2^62 examples", WM_E_RANGE, "a weight of 4611686018427387904 examples", WEIGHT, (int64_t)1 << 62 },
    { "one example above the cap", WM_E_RANGE, "a weight of 1048577 examples, between 1 and 1048576", WEIGHT,
      (1 << 20) + 1 },
    { "another kind of task", WM_E_REFUSED, "kind of task 1", KIND, 1 },
    { "no kind of task at all", WM_E_REFUSED, "kind of task 77", KIND, 77 },
    { "the round before", WM_E_REFUSED, "of round 6, not of round 7", ROUND, 6 },
    { "another run", WM_E_REFUSED, "another run's", RUN, 0 },
    { "another round's model", WM_E_REFUSED, "another round's model", MODEL, 0 },
    { "another magic", WM_E_MALFORMED, "does not begin with WMUPDATE", MAGIC, 0 },
    { "a later form", WM_E_MALFORMED, "form 2", VERSION, 2 },
    { "one part too many", WM_E_SHAPE, "4 parts, the strategy has 3", PARTS, 4 },
    { "one part too few", WM_E_SHAPE, "2 parts, the strategy has 3", PARTS, 2 },
    { "one value too many", WM_E_SHAPE, "124 bytes, this model's have exactly 120", LENGTH, 124 },
    { "one byte too few", WM_E_SHAPE, "119 bytes", LENGTH, 119 },
    { "a vector of one value, which would broadcast", WM_E_SHAPE, "104 bytes", LENGTH, 104 },
    { "the header alone", WM_E_SHAPE, "80 bytes", LENGTH, 80 },
    { "half a header", WM_E_MALFORMED, "40 bytes, fewer than the 80", LENGTH, 40 },
    { "nothing", WM_E_MALFORMED, "0 bytes", LENGTH, 0 },
};

static void put(uint8_t *to, int64_t number, size_t n)
{
    memcpy(to, &number, n); /* little-endian */
}

static void every_fault_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        wm_update     update = a_good_one(), got = { 0 };
        wm_update_key key = the_key();
        wm_error      err = { 0 };
        size_t        n = update.n_bytes;
        int64_t       number = faults[k].number;

        switch (faults[k].what) {
        case A_DELTA:
            ((float *)update.values[0])[3] = floats_of_interest[number];
            break;
        case THE_LOSS:
            *(float *)update.values[2] = floats_of_interest[number];
            break;
        case A_COUNT:
            ((int64_t *)update.values[1])[1] = number;
            break;
        case WEIGHT:
            put(update.bytes + 72, number, 8);
            break;
        case KIND:
            put(update.bytes + 16, number, 4);
            break;
        case ROUND:
            put(update.bytes + 20, number, 4);
            break;
        case RUN:
            update.bytes[24] ^= 1;
            break;
        case MODEL:
            update.bytes[71] ^= 1;
            break;
        case MAGIC:
            update.bytes[0] ^= 1;
            break;
        case VERSION:
            put(update.bytes + 8, number, 4);
            break;
        case PARTS:
            put(update.bytes + 12, number, 4);
            break;
        case LENGTH:
            n = (size_t)number;
            update.bytes = realloc(update.bytes, n + 1);
            assert_non_null(update.bytes);
            break;
        }
        assert_case(faults[k].says, wm_update_open(&spec, &key, update.bytes, n, &got, &err) == faults[k].want);
        assert_case(faults[k].says, strstr(err.text, faults[k].text) != NULL);
        assert_case(faults[k].says, got.bytes == NULL); /* what is refused stays the caller's */
        free(update.bytes);
    }
}

static void no_header_byte_may_change_unseen(void **state)
{
    wm_update     update = a_good_one(), got;
    wm_update_key key = the_key();
    wm_error      err;

    (void)state;
    for (size_t i = 0; i < WM_UPDATE_HEADER; i++)
        for (int bit = 0; bit < 8; bit++) {
            wm_status st;

            update.bytes[i] ^= (uint8_t)(1 << bit);
            st = wm_update_open(&spec, &key, update.bytes, update.n_bytes, &got, &err);
            if (i < 72)
                assert_int_not_equal(st, WM_OK);
            else if (st == WM_OK) /* another weight is another statement, within the cap */
                assert_true(got.weight != 60 && got.weight >= 1 && got.weight <= spec.weight_cap);
            update.bytes[i] ^= (uint8_t)(1 << bit);
        }
    wm_update_release(&update);
}

static void every_truncation_is_refused(void **state)
{
    wm_update     update = a_good_one(), got;
    wm_update_key key = the_key();

    (void)state;
    for (size_t n = 0; n < update.n_bytes; n++) {
        uint8_t *cut = malloc(n + 1); /* a block of its own, so that a sanitizer sees every read past it */

        assert_non_null(cut);
        cut = realloc(cut, n > 0 ? n : 1);
        memcpy(cut, update.bytes, n);
        assert_int_not_equal(wm_update_open(&spec, &key, cut, n, &got, NULL), WM_OK);
        free(cut);
    }
    wm_update_release(&update);
}

static void a_size_that_does_not_fit_is_not_a_size(void **state)
{
    wm_update_spec huge = {
        .n_parts = 2, .parts = { { .kind = WM_PART_F32, .n = SIZE_MAX / 4 }, { .kind = WM_PART_F32, .n = 100 } }
    };
    wm_update_key key = the_key();
    wm_update     update;
    size_t        size;

    (void)state;
    assert_false(wm_update_size(&huge, &size));
    assert_int_equal(wm_update_new(&huge, &key, &update, NULL), WM_E_NOMEM);
    huge.parts[0].n = SIZE_MAX / 2;
    assert_false(wm_update_size(&huge, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens_the_same),         cmocka_unit_test(every_fault_is_refused_by_name),
        cmocka_unit_test(no_header_byte_may_change_unseen),       cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_size_that_does_not_fit_is_not_a_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
