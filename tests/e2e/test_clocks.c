/* tests/e2e/test_clocks.c
 *
 * Clocks that are wrong by ten years, ahead and behind, from the start or by a step in the middle of a run: at the
 * aggregator (and its issuer), and at the gateways. Rounds go on, gateways come back and others join; nothing that is
 * written outlives the mistake. A server that is started with a clock behind its last commit says so and ends. */
#include "tests/e2e/office.h"

#include "tests/figures.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define YEARS_10 (3652ll * 86400)

enum { ROUNDS = 100000, MORE_ROUNDS = 3 };

typedef struct scene {
    office   office;
    char     file[4300];
    int64_t *shift; /* of the process that is started with it */
} scene;

/* What is started between the two has the shifted clock. */
static void wrong_clock(const scene *x, bool on)
{
    const char *sanitizer = getenv("ASAN_OPTIONS");
    char        path[4300], options[600];

    if (!on) {
        unsetenv("LD_PRELOAD");
        return;
    }
    snprintf(path, sizeof path, "%s/tests/e2e/libshifted_clock.so", getenv("WM_BUILD"));
    if (sanitizer == NULL || strstr(sanitizer, "verify_asan_link_order") == NULL) {
        snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", sanitizer != NULL ? sanitizer : "",
                 sanitizer != NULL ? ":" : "");
        setenv("ASAN_OPTIONS", options, 1);
    }
    setenv("WM_CLOCK_SHIFT", x->file, 1);
    setenv("LD_PRELOAD", path, 1);
}

static int open_scene(void **state, bool server, bool gateways)
{
    scene  *x = calloc(1, sizeof *x);
    office *o = &x->office;
    int     fd;

    *state = x;
    office_open(o, &(office_wish){ .rounds = ROUNDS });
    snprintf(x->file, sizeof x->file, "%s/shift", o->folder);
    fd = open(x->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, sizeof *x->shift) == 0);
    x->shift = mmap(NULL, sizeof *x->shift, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(x->shift != MAP_FAILED);
    close(fd);
    wrong_clock(x, server);
    office_server_start(o, NULL);
    wrong_clock(x, false);
    office_enrol_all(o);
    wrong_clock(x, gateways);
    office_gateways_start(o);
    wrong_clock(x, false);
    office_job_start(o);
    office_wait_rounds(o, 1);
    return 0;
}

static int at_the_server(void **state)
{
    return open_scene(state, true, false);
}

static int at_the_gateways(void **state)
{
    return open_scene(state, false, true);
}

static int teardown(void **state)
{
    scene *x = *state;

    munmap(x->shift, sizeof *x->shift);
    office_close(&x->office);
    free(x);
    return 0;
}

static const struct {
    const char *says;
    int64_t     shift;
} steps[] = {
    { "ten years ahead", YEARS_10 },   { "right again", 0 },
    { "ten years behind", -YEARS_10 }, { "from there ten years ahead", YEARS_10 },
    { "a day ahead", 86400 },          { "an hour behind", -3600 },
    { "half a minute ahead", 30 },     { "right again", 0 },
};
enum { N_STEPS = sizeof steps / sizeof *steps };

static void a_server_whose_clock_is_set_goes_on(void **state)
{
    scene  *x = *state;
    office *o = &x->office;
    double  longest = 0;

    for (size_t i = 0; i < N_STEPS; i++) {
        double seconds;

        *x->shift = steps[i].shift;
        seconds = office_wait_more_rounds(o, MORE_ROUNDS);
        longest = seconds > longest ? seconds : longest;
        /* A gateway that comes anew is let in, too: its certificate is judged by the time that has passed. */
        office_gateway_stop(o, 0);
        office_gateway_start(o, 0, NULL);
        seconds = office_wait_more_rounds(o, MORE_ROUNDS);
        longest = seconds > longest ? seconds : longest;
    }
    office_wait_text(o, o->server_log, "the machine's clock was set, and is not believed");
    office_wait_text(o, o->server_log, "the machine's clock agrees again");
    office_server_stop(o);
    office_server_start(o, NULL); /* with the right time: no commit is of a time to come */
    (void)office_wait_more_rounds(o, MORE_ROUNDS);
    tell_fault(&(fault_figure){ .fault = "clock of the aggregator set, by up to ten years, in the middle of a run",
                                .tries = N_STEPS,
                                .survived = N_STEPS,
                                .seconds = longest });
}

static void one_joins_while_the_clock_is_ahead(void **state)
{
    scene  *x = *state;
    office *o = &x->office;
    char    folder[4300], *token;

    *x->shift = YEARS_10;
    office_wait_text(o, o->server_log, "the machine's clock was set, and is not believed");
    office_do(o, NULL, WARDMOTE_SERVER, "token", o->dir, "newcomer", NULL);
    token = strdup(wm_text_chars(&o->output));
    snprintf(folder, sizeof folder, "%s/newcomer", o->folder);
    office_do(o, token, WARDMOTE_CLIENT, "enroll", folder, "--token", "-", NULL);
    free(token);
    (void)office_wait_more_rounds(o, MORE_ROUNDS);
}

static void a_server_that_is_started_with_a_clock_behind_says_so(void **state)
{
    scene  *x = *state;
    office *o = &x->office;

    office_server_stop(o);
    *x->shift = -YEARS_10;
    wrong_clock(x, true);
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "run", o->dir, NULL), 1);
    wrong_clock(x, false);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "set the clock, and start again"));
    *x->shift = 0;
    office_server_start(o, NULL);
    (void)office_wait_more_rounds(o, MORE_ROUNDS);
}

static void gateways_with_wrong_and_jumping_clocks_take_part(void **state)
{
    scene  *x = *state;
    office *o = &x->office;
    double  longest = 0;

    for (size_t i = 0; i < N_STEPS; i++) {
        double seconds;

        *x->shift = steps[i].shift;
        seconds = office_wait_more_rounds(o, MORE_ROUNDS);
        longest = seconds > longest ? seconds : longest;
        office_gateway_stop(o, i % o->n_gateways); /* and from the start */
        wrong_clock(x, true);
        office_gateway_start(o, i % o->n_gateways, NULL);
        wrong_clock(x, false);
        seconds = office_wait_more_rounds(o, MORE_ROUNDS);
        longest = seconds > longest ? seconds : longest;
    }
    tell_fault(&(fault_figure){ .fault = "clocks of the gateways wrong by up to ten years, and jumping",
                                .tries = N_STEPS,
                                .survived = N_STEPS,
                                .seconds = longest });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_whose_clock_is_set_goes_on, at_the_server, teardown),
        cmocka_unit_test_setup_teardown(one_joins_while_the_clock_is_ahead, at_the_server, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_is_started_with_a_clock_behind_says_so, at_the_server,
                                        teardown),
        cmocka_unit_test_setup_teardown(gateways_with_wrong_and_jumping_clocks_take_part, at_the_gateways,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
