/* tests/common/test_arena.c */
#include "tests/unit.h"

#include "common/arena.h"

static void a_fixed_arena_is_full_when_it_is_full(void **state)
{
    wm_arena *arena;
    wm_error  err;

    (void)state;
    assert_ok(wm_arena_new(256, &arena, &err), &err);
    assert_non_null(wm_arena_alloc(arena, 100)); /* costs 128 */
    assert_non_null(wm_arena_alloc(arena, 128));
    assert_null(wm_arena_alloc(arena, 1));
    wm_arena_free(arena);
}

static void what_it_gives_is_zero_and_aligned(void **state)
{
    wm_arena      *arena;
    wm_error       err;
    wm_arena_mark  mark;
    unsigned char *bytes;

    (void)state;
    assert_ok(wm_arena_new_growing(0, &arena, &err), &err);
    mark = wm_arena_save(arena);
    assert_non_null(bytes = wm_arena_alloc(arena, 1000));
    memset(bytes, 0xff, 1000);
    wm_arena_rewind(arena, mark);
    for (int i = 0; i < 100; i++) {
        assert_non_null(bytes = wm_arena_alloc(arena, 1000));
        assert_int_equal((uintptr_t)bytes % WM_ARENA_ALIGN, 0);
        for (int b = 0; b < 1000; b++)
            assert_int_equal(bytes[b], 0);
    }
    wm_arena_free(arena);
}

static void rewinding_gives_everything_back(void **state)
{
    wm_arena     *arena;
    wm_error      err;
    wm_arena_mark mark;
    size_t        before;

    (void)state;
    assert_ok(wm_arena_new_growing(0, &arena, &err), &err);
    assert_non_null(wm_arena_alloc(arena, 10));
    before = wm_arena_used(arena);
    mark = wm_arena_save(arena);
    for (int i = 0; i < 10; i++)
        assert_non_null(wm_arena_alloc(arena, 100000));
    wm_arena_rewind(arena, mark);
    assert_int_equal(wm_arena_used(arena), before);
    wm_arena_free(arena);
}

static void what_rests_is_zero_and_may_be_written_again(void **state)
{
    static const size_t sizes[] = { 100, 3 << 20 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        wm_arena      *arena;
        wm_error       err;
        unsigned char *bytes, *behind = malloc(64);

        assert_ok(wm_arena_new(sizes[i], &arena, &err), &err);
        assert_non_null(bytes = wm_arena_alloc(arena, sizes[i]));
        assert_non_null(behind);
        memset(behind, 7, 64);
        memset(bytes, 0xff, sizes[i]);
        wm_arena_rest(arena);
        assert_true(wm_arena_used(arena) >= sizes[i]);
        for (size_t b = 0; b < sizes[i]; b++)
            assert_int_equal(bytes[b], 0);
        memset(bytes, 0x55, sizes[i]);
        for (size_t b = 0; b < sizes[i]; b += 99)
            assert_int_equal(bytes[b], 0x55);
        for (size_t b = 0; b < 64; b++)
            assert_int_equal(behind[b], 7);
        free(behind);
        wm_arena_free(arena);
    }
}

static void a_growing_arena_keeps_to_its_limit(void **state)
{
    wm_arena *arena;
    wm_error  err;

    (void)state;
    assert_ok(wm_arena_new_growing(200000, &arena, &err), &err);
    assert_non_null(wm_arena_alloc(arena, 150000));
    assert_null(wm_arena_alloc(arena, 150000));
    assert_null(wm_arena_alloc(arena, SIZE_MAX));
    assert_null(wm_arena_floats(arena, SIZE_MAX / 2));
    wm_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixed_arena_is_full_when_it_is_full),
        cmocka_unit_test(what_it_gives_is_zero_and_aligned),
        cmocka_unit_test(rewinding_gives_everything_back),
        cmocka_unit_test(what_rests_is_zero_and_may_be_written_again),
        cmocka_unit_test(a_growing_arena_keeps_to_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
