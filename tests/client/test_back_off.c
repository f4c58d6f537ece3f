/* tests/client/test_back_off.c */
#include "tests/unit.h"

#include "client/back_off.h"

/* A history of failures, a letter each:
 *     u not reached   l reached, and the answer was lost   t the same by silence   r reached, and refused
 *     d a disk's of our own   v revoked   . everything went well */
static int64_t play(wm_back_off *b, const char *history)
{
    int64_t ms = 0;

    for (; *history != '\0'; history++) {
        switch (*history) {
        case 'u':
            ms = wm_back_off_failed(b, WM_E_IO, false);
            break;
        case 'l':
            ms = wm_back_off_failed(b, WM_E_CLOSED, true);
            break;
        case 't':
            ms = wm_back_off_failed(b, WM_E_TIMEOUT, true);
            break;
        case 'r':
            ms = wm_back_off_failed(b, WM_E_REFUSED, true);
            break;
        case 'd':
            ms = wm_back_off_failed(b, WM_E_FULL, true);
            break;
        case 'v':
            ms = wm_back_off_failed(b, WM_E_REVOKED, true);
            break;
        default:
            wm_back_off_reset(b);
        }
    }
    return ms;
}

static const struct {
    const char *says, *history;
    int64_t     most; /* of the last wait, which is at least the half of it */
} rows[] = {
    { "a first failure waits for half a second at most", "u", 500 },
    { "each one that does not reach it doubles that", "uuu", 2000 },
    { "up to half a minute", "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu", 30000 },
    { "a first lost answer is no worse", "l", 500 },
    { "lost answers grow as well", "ll", 1000 },
    { "but to two seconds and no further", "lllltlltlllll", 2000 },
    { "a link that falls silent is a lost answer", "t", 500 },
    { "a server that was reached is not the one that was not", "uuuuuuul", 500 },
    { "nor does it take up where that was, when it is gone again", "uuuuuuulu", 500 },
    { "one that dies again and again is waited for no longer", "luluuluuluulu", 500 },
    { "and when it is there, two seconds at most", "luluuluuluul", 2000 },
    { "one that answers and refuses is tried ever more seldom", "rrrrrrrr", 30000 },
    { "a disk of our own that is full is, too", "ddd", 2000 },
    { "once all went well it begins anew", "uuuullll.u", 500 },
    { "with lost answers, too", "uuuullll.l", 500 },
    { "one that revoked us is asked once an hour", "v", 3600 * 1000 },
};

static void the_wait_follows_from_what_has_failed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t least = INT64_MAX, most = 0;

        for (uint64_t seed = 0; seed < 200; seed++) {
            wm_back_off b = { 0 };
            int64_t     ms;

            wm_rng_init_keyed(&b.jitter, seed, "back-off", 0, "");
            ms = play(&b, rows[i].history);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        if (least < rows[i].most / 2 || most > rows[i].most)
            fail_msg("%s: %lld to %lld ms, and it should be %lld to %lld", rows[i].says, (long long)least,
                     (long long)most, (long long)rows[i].most / 2, (long long)rows[i].most);
        /* Two hundred of them are spread over it: no tenth of the second half is left out. */
        assert_case(rows[i].says, least < rows[i].most * 11 / 20 && most > rows[i].most * 19 / 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_follows_from_what_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
