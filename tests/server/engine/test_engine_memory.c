/* tests/server/engine/test_engine_memory.c
 *
 * The engine allocates when it is made and never after; each of these allocations fails in turn. The linker gives this
 * test the engine's calls of calloc. */
#include "tests/unit.h"

#include "server/round/engine.h"
#include "server/selection/selection.h"

#include <math.h>

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned left; /* calls until the one that fails; 0: none does. One test, one thread */

void *__wrap_calloc(size_t n, size_t size)
{
    return left > 0 && --left == 0 ? NULL : __real_calloc(n, size);
}

static void without_memory_there_is_no_engine_and_nothing_is_left_behind(void **state)
{
    static const char *const names[] = { "east", "north" };
    const wm_job             job = {
                    .rounds = 1,
                    .cohort = { .select = { .member = wm_selections.members[0] }, .over = 1, .quorum = 1, .deadline_ms = 1000 },
                    .evaluate = { .every = 1, .select = { .member = wm_selections.members[0] } },
    };
    const wm_engine_settings settings = { .job = &job, .names = names, .n_population = 2 };
    const wm_standing        first = { .best_loss = (double)NAN };
    wm_engine               *engine = NULL;
    wm_actions               actions;
    wm_error                 err;
    unsigned                 n = 0;
    wm_status                st;

    (void)state;
    do {
        left = ++n;
        st = wm_engine_new(&settings, &first, 0, 0, &actions, &engine, &err);
        assert_int_equal(st, left == 0 ? WM_E_NOMEM : WM_OK);
        assert_int_equal(engine != NULL, st == WM_OK);
    } while (st != WM_OK);
    left = 0;
    assert_int_equal(n, 5); /* the engine, its seats, its room, its substitutes */
    wm_engine_free(engine);
    wm_engine_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_there_is_no_engine_and_nothing_is_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
