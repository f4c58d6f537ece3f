/* tests/server/store/test_store_crash.c
 *
 * kill -9 around every transaction. */
#include "tests/dying.h"
#include "tests/server/store/fixture.h"

static void a_death_at_any_crash_point_leaves_all_or_nothing(void **state)
{
#ifdef WM_CRASH_POINTS
    fixture *f = *state;
    wm_error err;

    for (size_t i = 0; i < N_TRANSITIONS; i++) {
        for (int after = 0; after < 2; after++) {
            char *before, *now, wish[64];
            pid_t child;

            before = everything(f->store);
            wm_store_close(f->store); /* the lock is the child's turn */
            f->store = NULL;
            f->now.wall_ms += 1000;
            snprintf(wish, sizeof wish, "store-%s-%s", transitions[i].name, after ? "after" : "before");
            child = fork_to_die_at(wish);
            if (child == 0) {
                if (try_open(f, NULL) == WM_OK)
                    (void)transitions[i].deed(f->store, NULL);
                _exit(0);
            }
            assert_case(wish, was_killed(child));
            assert_ok(try_open(f, &err), &err);
            now = everything(f->store);
            assert_case(wish, (strcmp(before, now) != 0) == (after != 0));
            free(before);
            free(now);
        }
    }
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

static void a_death_in_the_first_opening_leaves_a_store_that_opens(void **state)
{
#ifdef WM_CRASH_POINTS
    static const char *const points[] = { "store-schema-before", "store-schema-after" };
    fixture                 *f = *state;
    wm_error                 err;

    for (size_t i = 0; i < 2; i++) {
        pid_t child;

        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_folder_remove(f->folder, &err), &err);
        child = fork_to_die_at(points[i]);
        if (child == 0) {
            (void)try_open(f, NULL);
            _exit(0);
        }
        assert_case(points[i], was_killed(child));
        assert_ok(try_open(f, &err), &err);
        assert_ok(do_queue(f->store, &err), &err);
    }
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_death_at_any_crash_point_leaves_all_or_nothing),
        CASE(a_death_in_the_first_opening_leaves_a_store_that_opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
