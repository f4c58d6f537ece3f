/* tests/common/test_grow.c */
#include "tests/unit.h"

#include "common/grow.h"

static void what_is_in_it_stays_and_it_seldom_moves(void **state)
{
    uint64_t *items = NULL;
    size_t    room = 0, n_grown = 0;

    (void)state;
    for (size_t n = 0; n < 10000; n++) {
        size_t    before = room;
        uint64_t *grown = wm_grow(items, n, &room, sizeof *grown);

        assert_non_null(grown);
        items = grown;
        assert_true(room > n);
        n_grown += room != before;
        items[n] = n * 7;
    }
    for (size_t n = 0; n < 10000; n++)
        assert_int_equal(items[n], n * 7);
    assert_true(n_grown <= 11);
    free(items);
}

static void more_than_any_memory_is_refused_and_changes_nothing(void **state)
{
    char   one;
    size_t rooms[] = { SIZE_MAX / 2 + 1, SIZE_MAX / 16 + 1 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t room = rooms[i];

        assert_null(wm_grow(&one, room, &room, 8));
        assert_int_equal(room, rooms[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_stays_and_it_seldom_moves),
        cmocka_unit_test(more_than_any_memory_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
