/* tests/common/test_rng.c */
#include "tests/unit.h"

#include "common/rng.h"

#include <math.h>

/* From the authors' C code (prng.di.unimi.it, xoshiro256starstar.c), state {1, 2, 3, 4}. */
static void xoshiro_gives_the_published_sequence(void **state)
{
    static const uint64_t want[] = {
        11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u, 607988272756665600u
    };
    wm_rng rng = { { 1, 2, 3, 4 } };

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(wm_rng_next(&rng), want[i]);
}

static void keys_that_differ_anywhere_give_other_streams(void **state)
{
    static const struct {
        uint64_t    seed, round;
        const char *purpose, *name;
    } keys[] = {
        { 1, 0, "cohort", "" },  { 2, 0, "cohort", "" },  { 1, 1, "cohort", "" }, { 1, 0, "batches", "" },
        { 1, 0, "cohort", "a" }, { 1, 0, "cohorta", "" }, /* the name's letters moved into the purpose */
    };
    uint64_t first[sizeof keys / sizeof *keys];

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        wm_rng rng, again;

        wm_rng_init_keyed(&rng, keys[i].seed, keys[i].purpose, keys[i].round, keys[i].name);
        wm_rng_init_keyed(&again, keys[i].seed, keys[i].purpose, keys[i].round, keys[i].name);
        first[i] = wm_rng_next(&rng);
        assert_int_equal(first[i], wm_rng_next(&again));
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(first[i], first[j]);
    }
}

static void below_is_uniform_and_stays_below(void **state)
{
    wm_rng   rng;
    unsigned counts[7] = { 0 };

    (void)state;
    wm_rng_init(&rng, 42);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = wm_rng_below(&rng, 7);

        assert_true(x < 7);
        counts[x]++;
    }
    for (int i = 0; i < 7; i++) /* 10,000 expected, deviation 93: five of them */
        assert_in_range(counts[i], 9540, 10460);
}

static void normal_has_mean_0_and_variance_1(void **state)
{
    wm_rng rng;
    double sum = 0, squares = 0;
    int    n = 100000;

    (void)state;
    wm_rng_init(&rng, 3);
    for (int i = 0; i < n; i++) {
        double x = wm_rng_normal(&rng);

        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / n) < 0.016); /* five standard errors */
    assert_true(fabs(squares / n - 1) < 0.023);
}

static void a_shuffle_is_a_permutation_and_repeats_by_seed(void **state)
{
    uint32_t a[100], b[100];
    unsigned seen[100] = { 0 };
    wm_rng   rng;

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        a[i] = b[i] = i;
    wm_rng_init(&rng, 9);
    wm_rng_shuffle(&rng, a, 100);
    wm_rng_init(&rng, 9);
    wm_rng_shuffle(&rng, b, 100);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 100; i++)
        seen[a[i]]++;
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xoshiro_gives_the_published_sequence),
        cmocka_unit_test(keys_that_differ_anywhere_give_other_streams),
        cmocka_unit_test(below_is_uniform_and_stays_below),
        cmocka_unit_test(normal_has_mean_0_and_variance_1),
        cmocka_unit_test(a_shuffle_is_a_permutation_and_repeats_by_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
