/* tests/server/test_selection.c: every member of the family keeps its promises; then each one's own. */
#include "tests/unit.h"

#include "server/selection/selection.h"

static const double tenth = 0.1;

/* Options that fit each member; uniform has one double, its share. */
static const void *options_of(const wm_member *member)
{
    return member->options_size > 0 ? &tenth : NULL;
}

static void every_member_draws_different_clients_and_the_same_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < wm_selections.n_members; i++) {
        const wm_selection_ops *ops = (const wm_selection_ops *)(const void *)wm_selections.members[i];
        const void             *options = options_of(&ops->member);

        for (size_t n = 1; n < 60; n += 7) {
            size_t   goal = ops->goal(options, n);
            uint32_t first[60], again[60];

            assert_case(ops->member.name, goal >= 1 && goal <= n);
            for (size_t draw = goal; draw <= n; draw++) {
                bool   seen[60] = { false };
                wm_rng rng;

                wm_rng_init_keyed(&rng, 5, "cohort", draw, "0");
                ops->draw(options, &rng, n, draw, first);
                wm_rng_init_keyed(&rng, 5, "cohort", draw, "0");
                ops->draw(options, &rng, n, draw, again);
                assert_memory_equal(first, again, draw * sizeof *first);
                for (size_t k = 0; k < draw; k++) {
                    assert_case(ops->member.name, first[k] < n && !seen[first[k]]);
                    seen[first[k]] = true;
                }
            }
        }
    }
}

static void uniform_aims_for_its_share(void **state)
{
    const wm_selection_ops *uniform = wm_selection_of(&(wm_choice){ .member = wm_selections.members[1] });

    (void)state;
    assert_string_equal(uniform->member.name, "uniform");
    assert_int_equal(uniform->goal(&tenth, 100), 10); /* the paper's C = 0.1 of 100 */
    assert_int_equal(uniform->goal(&tenth, 3), 1);
    assert_int_equal(uniform->goal(&(double){ 1.0 }, 12), 12);
}

/* 2,000 draws of 3 out of 10: each client 600 times, deviation 20.5; five of them. */
static void uniform_draws_everybody_alike(void **state)
{
    const wm_selection_ops *uniform = wm_selection_of(&(wm_choice){ .member = wm_selections.members[1] });
    unsigned                times[10] = { 0 };

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t drawn[10];
        wm_rng   rng;

        wm_rng_init_keyed(&rng, 1, "cohort", round, "0");
        uniform->draw(&tenth, &rng, 10, 3, drawn);
        for (int k = 0; k < 3; k++)
            times[drawn[k]]++;
    }
    for (int k = 0; k < 10; k++)
        assert_in_range(times[k], 497, 703);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_draws_different_clients_and_the_same_again),
        cmocka_unit_test(uniform_aims_for_its_share),
        cmocka_unit_test(uniform_draws_everybody_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
