/* tests/common/test_tries.c */
#include "tests/unit.h"

#include "common/tries.h"

static void a_source_has_its_burst_and_then_one_every_so_often(void **state)
{
    static wm_tries tries;

    (void)state;
    wm_tries_init(&tries, 3, 1000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wm_tries_wait(&tries, "a", 5000), 0);
        wm_tries_charge(&tries, "a", 5000);
    }
    assert_int_equal(wm_tries_wait(&tries, "a", 5000), 1000);
    assert_int_equal(wm_tries_wait(&tries, "a", 5400), 600);
    assert_int_equal(wm_tries_wait(&tries, "b", 5000), 0);
    assert_int_equal(wm_tries_wait(&tries, "a", 6000), 0);
    wm_tries_charge(&tries, "a", 6000);
    assert_int_equal(wm_tries_wait(&tries, "a", 6000), 1000);
    /* After a long rest there is the burst again, and no more than that. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wm_tries_wait(&tries, "a", 99999), 0);
        wm_tries_charge(&tries, "a", 99999);
    }
    assert_int_equal(wm_tries_wait(&tries, "a", 99999), 1000);
}

static void a_flood_of_sources_does_not_free_the_worst(void **state)
{
    static wm_tries tries;
    char            name[200];

    (void)state;
    wm_tries_init(&tries, 2, 1000);
    for (int i = 0; i < 50; i++)
        wm_tries_charge(&tries, "worst", 0);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "%d", i);
        wm_tries_charge(&tries, name, 0);
    }
    assert_int_equal(wm_tries_wait(&tries, "worst", 0), 49000);
    /* Names that are longer than their place are one source, not a stray write. */
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    wm_tries_charge(&tries, name, 0);
    wm_tries_charge(&tries, name, 0);
    assert_int_equal(wm_tries_wait(&tries, name, 0), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_has_its_burst_and_then_one_every_so_often),
        cmocka_unit_test(a_flood_of_sources_does_not_free_the_worst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
