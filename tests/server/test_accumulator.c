/* tests/server/test_accumulator.c */
#include "tests/unit.h"

#include "common/rng.h"
#include "server/accumulator.h"
#include "server/fold.h"

#include <math.h>

static wm_job a_job(void)
{
    return (wm_job){
        .cohort = { .weight_cap = 1 << 20, .bound = 16 },
        .strategy = { .member = wm_strategies.members[0] }, /* fedavg */
    };
}

static wm_update an_update(const wm_update_spec *spec, wm_rng *rng, uint64_t weight)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = 1 };
    wm_update     update;

    assert_ok(wm_update_new(spec, &key, &update, NULL), NULL);
    for (size_t p = 0; p < spec->parts[0].n; p++)
        ((float *)update.values[0])[p] = (float)(wm_rng_normal(rng) * exp(-10 * wm_rng_unit(rng)));
    *(float *)update.values[1] = (float)wm_rng_unit(rng);
    update.weight = weight;
    return update;
}

/* Worked by hand: 62 - log2(clients) - log2(cap) - log2(bound). */
static const struct {
    const char    *says;
    size_t         clients;
    uint64_t       cap;
    double         bound;
    wm_part_kind   kind;
    wm_weight_rule rule;
    int            least, want; /* want -1: refused */
} shifts[] = {
    { "the defaults with 100 clients keep 31 bits", 100, 1 << 20, 16, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, 31 },
    { "16,384 clients keep the least of 24", 16384, 1 << 20, 16, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, 24 },
    { "one client more is refused", 16385, 1 << 20, 16, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, -1 },
    { "or a bound a little larger", 16384, 1 << 20, 16.01, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, -1 },
    { "or a cap of one more", 16384, (1 << 20) + 1, 16, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, -1 },
    { "a part that counts once has no need of the cap", 16384, 1 << 20, 16, WM_PART_F32, WM_WEIGHT_ONE, 24, 44 },
    { "a loss may keep fewer bits", 16384, 1 << 20, 1024, WM_PART_F32, WM_WEIGHT_EXAMPLES, 8, 18 },
    { "a bound below one gains bits", 1, 1, 0.25, WM_PART_F32, WM_WEIGHT_EXAMPLES, 24, 64 },
    { "integers are not shifted", 16384, 1 << 24, 0x1p48, WM_PART_I64, WM_WEIGHT_ONE, 0, 0 },
    { "integers without head-room are refused", 16385, 1 << 24, 0x1p48, WM_PART_I64, WM_WEIGHT_ONE, 0, -1 },
    { "no bound at all is refused", 4, 1, 0, WM_PART_F32, WM_WEIGHT_ONE, 24, -1 },
    { "an infinite bound is refused", 4, 1, INFINITY, WM_PART_F32, WM_WEIGHT_ONE, 24, -1 },
};

static void the_shift_is_what_is_left_of_62_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        wm_part_spec part = { .name = "delta",
                              .kind = shifts[i].kind,
                              .n = 1,
                              .bound = shifts[i].bound,
                              .weight = shifts[i].rule,
                              .shift_min = shifts[i].least };
        int          shift = -1;
        wm_error     err;
        wm_status    st = wm_part_shift(&part, shifts[i].cap, shifts[i].clients, &shift, &err);

        assert_case(shifts[i].says, (st == WM_OK) == (shifts[i].want >= 0));
        assert_case(shifts[i].says, shift == shifts[i].want);
        if (st != WM_OK)
            assert_case(shifts[i].says, strstr(err.text, "delta") != NULL);
    }
}

/* Two clients, weights 1 and 3, shift 62 - 1 - 20 - 4 = 37: 0.5 and -1.5 give (0.5 - 4.5) * 2^37 = -2^39,
 * mean -1. */
static void a_sum_worked_by_hand(void **state)
{
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_accumulator *acc;
    wm_update_key   key = { 0 };
    const double   *means[WM_PARTS_MAX];

    (void)state;
    wm_strategy_spec(&job, 1, &spec);
    assert_ok(wm_accumulator_new(&spec, 2, &acc, NULL), NULL);
    for (int k = 0; k < 2; k++) {
        wm_update update;

        assert_ok(wm_update_new(&spec, &key, &update, NULL), NULL);
        *(float *)update.values[0] = k == 0 ? 0.5f : -1.5f;
        *(float *)update.values[1] = k == 0 ? 4 : 2;
        update.weight = k == 0 ? 1 : 3;
        wm_accumulator_add(acc, &update);
        wm_update_release(&update);
    }
    assert_int_equal(wm_accumulator_updates(acc), 2);
    assert_int_equal(wm_accumulator_weight(acc), 4);
    assert_int_equal(wm_accumulator_sums(acc, 0)[0], -((int64_t)1 << 39));
    assert_int_equal(wm_accumulator_sums(acc, 1)[0], (int64_t)10 << 31); /* bound 1024: six bits fewer */
    wm_accumulator_means(acc, means);
    assert_true(means[0][0] == -1.0 && means[1][0] == 2.5);
    wm_accumulator_reset(acc);
    assert_int_equal(wm_accumulator_sums(acc, 0)[0], 0);
    assert_int_equal(wm_accumulator_weight(acc), 0);
    wm_accumulator_free(acc);
}

static void at_the_bounds_nothing_overflows(void **state)
{
    enum { CLIENTS = 4 };
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_accumulator *acc;
    wm_update_key   key = { 0 };
    wm_update       update;
    const double   *means[WM_PARTS_MAX];

    (void)state;
    wm_strategy_spec(&job, 1, &spec);
    assert_ok(wm_accumulator_new(&spec, CLIENTS, &acc, NULL), NULL);
    assert_ok(wm_update_new(&spec, &key, &update, NULL), NULL);
    *(float *)update.values[0] = -16;
    *(float *)update.values[1] = 1024;
    update.weight = 1 << 20;
    for (int k = 0; k < CLIENTS; k++)
        wm_accumulator_add(acc, &update);
    assert_int_equal(wm_accumulator_sums(acc, 0)[0], -((int64_t)1 << 62));
    assert_int_equal(wm_accumulator_sums(acc, 1)[0], (int64_t)1 << 62);
    wm_accumulator_means(acc, means);
    assert_true(means[0][0] == -16 && means[1][0] == 1024);
    wm_update_release(&update);
    wm_accumulator_free(acc);
}

static void any_order_and_any_tree_give_the_same_bits(void **state)
{
    enum { CLIENTS = 6, N = 1001, ORDERS = 50 };
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_update       updates[CLIENTS];
    wm_accumulator *acc;
    wm_digest       first = { 0 };
    wm_rng          rng;

    (void)state;
    wm_rng_init(&rng, 11);
    wm_strategy_spec(&job, N, &spec);
    assert_ok(wm_accumulator_new(&spec, CLIENTS, &acc, NULL), NULL);
    for (int k = 0; k < CLIENTS; k++)
        updates[k] = an_update(&spec, &rng, 1 + wm_rng_below(&rng, 1 << 20));
    for (int order = 0; order < ORDERS; order++) {
        uint32_t       who[CLIENTS] = { 0, 1, 2, 3, 4, 5 };
        const uint8_t *bytes;
        size_t         n;
        wm_digest      digest;

        wm_rng_shuffle(&rng, who, CLIENTS);
        wm_accumulator_reset(acc);
        for (int k = 0; k < CLIENTS; k++)
            wm_accumulator_add(acc, &updates[who[k]]);
        bytes = wm_accumulator_bytes(acc, &n);
        digest = wm_sha256_of(bytes, n);
        if (order == 0)
            first = digest;
        assert_true(wm_digest_equal(&first, &digest));
    }
    for (int k = 0; k < CLIENTS; k++)
        wm_update_release(&updates[k]);
    wm_accumulator_free(acc);
}

/* Halves to even, negative ones too, every remainder of the wide loop, and shifts on both sides of the quick
 * range. */
static void the_quick_fold_is_the_plain_one(void **state)
{
    enum { N = 77 };
    float  x[N];
    wm_rng rng;

    (void)state;
    wm_rng_init(&rng, 3);
    for (int shift = 0; shift <= 56; shift++)
        for (size_t n = 0; n <= N; n += 1 + n / 9) {
            int64_t  quick[N] = { 0 }, plain[N] = { 0 };
            uint64_t weight = shift <= 37 ? 1 + wm_rng_below(&rng, 1 << 20) : 1;

            for (size_t i = 0; i < N; i++)
                x[i] = i % 3 == 0   ? (float)ldexp((double)wm_rng_below(&rng, 64) - 31.5, -shift)
                       : i % 3 == 1 ? (float)(wm_rng_normal(&rng))
                                    : (float)(16 - 32 * wm_rng_unit(&rng));
            for (int twice = 0; twice < 2; twice++) {
                wm_fold(quick, x, n, shift, shift + 6, weight);
                wm_fold_plain(plain, x, n, shift, weight);
            }
            assert_memory_equal(quick, plain, sizeof quick);
        }
}

static void the_next_model_follows_from_the_last_and_the_stored_sums(void **state)
{
    enum { CLIENTS = 5, N = 333 };
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_accumulator *acc;
    wm_rng          rng;
    float           before[N], after[N], again[N];
    const uint8_t  *bytes;
    uint8_t        *stored;
    size_t          n;
    const double   *means[WM_PARTS_MAX];
    const int64_t  *sums[WM_PARTS_MAX];
    wm_sums_facts   facts;
    wm_error        err;

    (void)state;
    wm_rng_init(&rng, 8);
    wm_strategy_spec(&job, N, &spec);
    assert_ok(wm_accumulator_new(&spec, CLIENTS, &acc, NULL), NULL);
    for (int k = 0; k < CLIENTS; k++) {
        wm_update update = an_update(&spec, &rng, 1 + (uint64_t)k);

        wm_accumulator_add(acc, &update);
        wm_update_release(&update);
    }
    for (int p = 0; p < N; p++)
        before[p] = after[p] = again[p] = (float)wm_rng_normal(&rng);
    bytes = wm_accumulator_bytes(acc, &n);
    stored = malloc(n);
    assert_non_null(stored);
    memcpy(stored, bytes, n);
    assert_ok(wm_sums_open(&spec, stored, n, sums, &facts, &err), &err);
    assert_int_equal(facts.updates, CLIENTS);
    assert_int_equal(facts.weight, 1 + 2 + 3 + 4 + 5);
    for (size_t i = 0; i < spec.n_parts; i++)
        assert_memory_equal(sums[i], wm_accumulator_sums(acc, i), spec.parts[i].n * sizeof(int64_t));
    wm_accumulator_means(acc, means);
    wm_strategy_of(&job)->server_apply(NULL, &spec, means, after, N, NULL);
    assert_memory_not_equal(before, after, sizeof before);

    for (size_t i = 0; i < 80; i++) { /* every byte of the headers is looked at */
        stored[i] ^= 0x80;
        if (i < 16 || i >= 32) {
            assert_int_equal(wm_sums_apply(&job, N, stored, n, again, NULL, NULL, &err), WM_E_DAMAGED);
            assert_int_equal(wm_sums_open(&spec, stored, n, sums, &facts, &err), WM_E_DAMAGED);
        }
        stored[i] ^= 0x80;
    }
    assert_int_equal(wm_sums_apply(&job, N, stored, n - 1, again, NULL, NULL, &err), WM_E_DAMAGED);
    assert_int_equal(wm_sums_apply(&job, N - 1, stored, n, again, NULL, NULL, &err), WM_E_DAMAGED);
    assert_memory_equal(before, again, sizeof before);
    assert_ok(wm_sums_apply(&job, N, stored, n, again, NULL, NULL, &err), &err);
    assert_memory_equal(after, again, sizeof after);
    free(stored);
    wm_accumulator_free(acc);
}

static void a_job_without_head_room_is_refused(void **state)
{
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_accumulator *acc = NULL;
    wm_error        err;

    (void)state;
    job.cohort.bound = 1e6;
    wm_strategy_spec(&job, 10, &spec);
    assert_int_equal(wm_accumulator_new(&spec, 100, &acc, &err), WM_E_RANGE);
    assert_null(acc);
    assert_non_null(strstr(err.text, "keeps 15 bits, and 24 are needed: 100 clients"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shift_is_what_is_left_of_62_bits),
        cmocka_unit_test(a_sum_worked_by_hand),
        cmocka_unit_test(at_the_bounds_nothing_overflows),
        cmocka_unit_test(any_order_and_any_tree_give_the_same_bits),
        cmocka_unit_test(the_quick_fold_is_the_plain_one),
        cmocka_unit_test(the_next_model_follows_from_the_last_and_the_stored_sums),
        cmocka_unit_test(a_job_without_head_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
