/* tests/wire/test_strangers.c
 *
 * Thousands who connect and then say nothing, or a byte a second, before the handshakes and after them: whoever has a
 * certificate gets in all the same, and is served as if they were not there. WM_STRANGERS says how many there are;
 * ordinarily 400 against a budget of 128, in the suite `slow` 5,000 against the usual one. With WM_SECONDS the rise of a
 * healthy client's waiting is measured for so long, before and beside them (suite `load`). */
#include "tests/descriptors.h"
#include "tests/figures.h"
#include "tests/wire/flood.h"

#include <time.h>
#include <unistd.h>

enum { GATEWAYS = 30, SOON_MS = 3000 };

static int number(const char *name, int usual)
{
    const char *text = getenv(name);

    return text != NULL ? atoi(text) : usual;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* A town with a crowd before its gate. */
static bool open_both(town *t, flood *f, int n, int again)
{
    wm_listener_settings set = town_settings();
    flood_plan           plan = {
                  .silent = n / 2, .trickling = n - n / 2 - 32, .asking = 32, .addresses = 6, .dials = 1000, .again = again
    };

    if (raise_descriptors() < (size_t)n + 100)
        return false;
    if (n < 1000)
        set.strangers_max = 128;
    town_found(t);
    flood_prepare(f, t, &plan);
    town_listen(t, &set);
    return true;
}

/* What the listener said of those that come from the gateway's own address. */
static void explain(town *t, const wm_error *err)
{
    print_message("# a gateway has to dial again: %s\n", err->text);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n_refusals; i++)
        if (strncmp(t->refusals[i].remote, "127.0.0.1:", 10) == 0)
            print_message("# refused: %s %s: %s\n", t->refusals[i].name, t->refusals[i].remote, t->refusals[i].why);
    pthread_mutex_unlock(&t->lock);
}

/* How long it takes to connect and to be answered, dialling again as a gateway does; ms. */
static double get_in(town *t)
{
    wm_caller *caller = town_caller(t, t->north_tls);
    double     start = now_ms(), took;
    wm_error   err;

    while (town_echo(caller, "let me in", 9, &err) != WM_OK && now_ms() - start < SOON_MS)
        explain(t, &err);
    took = now_ms() - start;
    wm_caller_free(caller);
    return took;
}

static void a_gateway_gets_in_quickly_however_many_strangers_there_are(void **state)
{
    int                n = number("WM_STRANGERS", 400);
    town               t;
    flood              f;
    fault_figure       figure = { .tries = GATEWAYS };
    wm_listener_counts counts;
    char               phrase[100];

    (void)state;
    if (!open_both(&t, &f, n, 500))
        leave_out("as many descriptors are not allowed here");
    flood_go(&f, &t);
    for (int i = 0; i < GATEWAYS; i++) {
        double took = get_in(&t);

        figure.survived += took < SOON_MS;
        figure.seconds = took > 1e3 * figure.seconds ? took / 1e3 : figure.seconds;
        usleep(20000);
    }
    wm_listener_counts_get(t.listener, &counts);
    assert_true(counts.connections <=
                (n < 1000 ? 128 : 1024) + 4 * FLOOD_NAMES_MAX + 200); /* some are being closed */
    assert_true(counts.accepted >= (uint64_t)n - 100);
    town_wait_refusal(&t, "too many like it");
    assert_int_equal(figure.survived, GATEWAYS);
    snprintf(phrase, sizeof phrase, "a gateway connects beside %d silent or trickling connections", n);
    figure.fault = phrase;
    tell_fault(&figure);
    flood_end(&f);
    town_wait_connections(&t, 0);
    town_close(&t);
}

/* ---- how a healthy client fares ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The 99th of a hundred round trips, ms, one every two milliseconds. */
static double p99(wm_caller *caller, double seconds)
{
    enum { MOST = 200000 };
    static double took[MOST];
    static char   question[64];
    double        end = now_ms() + 1e3 * seconds;
    size_t        n = 0;
    wm_error      err;

    while (now_ms() < end && n < MOST) {
        double start = now_ms();

        assert_ok(town_echo(caller, question, sizeof question, &err), &err);
        took[n++] = now_ms() - start;
        usleep(2000);
    }
    qsort(took, n, sizeof *took, ascending);
    return took[n * 99 / 100];
}

static void a_healthy_client_hardly_notices_them(void **state)
{
    int        n = number("WM_STRANGERS", 400), seconds = number("WM_SECONDS", 0);
    town       t;
    flood      f;
    wm_caller *caller;
    double     alone, beside;

    (void)state;
    if (seconds == 0)
        leave_out("measured with tests/load");
    if (!open_both(&t, &f, n, 100)) /* as many as their deadline cuts off */
        leave_out("as many descriptors are not allowed here");
    caller = town_caller(&t, t.north_tls);
    alone = p99(caller, seconds);
    flood_go(&f, &t);
    beside = p99(caller, seconds);
    print_message("# p99 of a round trip: %.3f ms alone, %.3f ms beside %d\n", alone, beside, n);
    tell_load(&(load_figure){ .figure = "p99 of a healthy client beside 5,000 silent connections, above alone",
                              .unit = "%",
                              .value = 100 * (beside / alone - 1),
                              .must = 10 });
    flood_end(&f);
    wm_caller_free(caller);
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_gets_in_quickly_however_many_strangers_there_are),
        cmocka_unit_test(a_healthy_client_hardly_notices_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
