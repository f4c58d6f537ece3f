/* tests/wire/test_aborts.c
 *
 * Downloads that are broken off half-way by a client with a valid certificate, over and over, in the places where
 * it hurts most: descriptors stay flat and the service up. (nng's own REP socket loses its reaper thread here
 * within the first few dozen, and a descriptor with every client after that.) WM_ABORTS says how many there are to
 * be; ordinarily 600, in the suite `slow` 10,000, in `faults` 100,000. Each is a whole handshake on both sides, 3 to 4 ms of
 * a processor, and so nothing but the processor is waited for: WM_SECONDS, by default 60, is when it stops on a machine
 * that has other things to do, and then says how many it were. */
#include "tests/figures.h"
#include "tests/wire/stranger.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER = 256 << 10, THREADS = 4, GROWTH_KIB_MAX = 8 << 10 };

typedef enum place {
    FIRST_RECORD,
    SOMEWHERE_INSIDE,
    SOON_AFTER_ASKING,
    FOUR_AT_ONCE,
    INSIDE_THE_QUESTION,
    PLACES
} place;

typedef struct gang {
    town      *t;
    SSL_CTX   *ctx;
    atomic_int left, done, spoilt; /* spoilt: did not get as far as to do harm */
    int64_t    until_ms;           /* none begins after that */
} gang;

static void spin(long microseconds)
{
    struct timespec t;
    long            until;

    clock_gettime(CLOCK_MONOTONIC, &t);
    until = t.tv_nsec / 1000 + t.tv_sec % 1000 * 1000000 + microseconds;
    do
        clock_gettime(CLOCK_MONOTONIC, &t);
    while (t.tv_nsec / 1000 + t.tv_sec % 1000 * 1000000 < until);
}

static bool play(stranger *s, place where, unsigned dice)
{
    static const uint8_t part_of_a_question[] = { 0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, 'x' };
    uint8_t              bytes[32 << 10];

    switch (where) {
    case FIRST_RECORD:
        return stranger_ask(s, "x", 1) && SSL_read(s->ssl, bytes, sizeof bytes) > 0;
    case SOMEWHERE_INSIDE:
        if (!stranger_ask(s, "x", 1))
            return false;
        for (unsigned left = 1 + dice % (ANSWER - 1); left > 0;) {
            unsigned n = left < sizeof bytes ? left : (unsigned)sizeof bytes;

            if (!stranger_hear(s, bytes, n))
                return false;
            left -= n;
        }
        return true;
    case SOON_AFTER_ASKING:
        if (!stranger_ask(s, "x", 1))
            return false;
        spin((long)(dice % 300));
        return true;
    case FOUR_AT_ONCE:
        for (int i = 0; i < 4; i++)
            if (!stranger_ask(s, "x", 1))
                return false;
        return dice % 2 == 0 || SSL_read(s->ssl, bytes, sizeof bytes) > 0;
    case INSIDE_THE_QUESTION:
        return stranger_say(s, part_of_a_question, 1 + dice % (sizeof part_of_a_question - 1));
    case PLACES:
        break;
    }
    return false;
}

static void *abort_many(void *self)
{
    gang    *g = self;
    wm_clock clock = wm_clock_system();
    unsigned seed = 7;

    for (int n; wm_mono_ms(&clock) < g->until_ms && (n = atomic_fetch_sub(&g->left, 1)) > 0;) {
        stranger s = stranger_dial(g->t);
        bool     good = stranger_shake(&s, g->ctx) && stranger_greet(&s);

        seed += (unsigned)n;
        if (!good || !play(&s, (place)(n % PLACES), (unsigned)rand_r(&seed)))
            atomic_fetch_add(&g->spoilt, 1);
        stranger_leave(&s, (stranger_end)(rand_r(&seed) % 3));
        atomic_fetch_add(&g->done, 1);
    }
    return NULL;
}

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? atoi(text) : otherwise;
}

static long resident_kib(void)
{
    char  line[128];
    long  kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = atol(line + 6);
    if (f != NULL)
        fclose(f);
    return kib;
}

/* `count` are broken off, by as many threads as there are; a client that behaves is served all the while. The longest that
 * it waited, in seconds. */
static double do_abort(gang *g, int count, wm_caller *caller)
{
    wm_clock  clock = wm_clock_system();
    pthread_t threads[THREADS];
    double    longest = 0;
    uint8_t  *reply;
    size_t    n;
    wm_error  err;

    atomic_store(&g->left, count);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, abort_many, g), 0);
    while (atomic_load(&g->left) > 0 && wm_mono_ms(&clock) < g->until_ms) {
        int64_t start = wm_mono_ms(&clock);
        double  took;

        assert_ok(wm_caller_call(caller, "x", 1, 10000, &reply, &n, &err), &err);
        free(reply);
        took = (double)(wm_mono_ms(&clock) - start) / 1000;
        longest = took > longest ? took : longest;
        usleep(20000);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return longest;
}

static void aborted_downloads_leave_descriptors_flat_and_the_service_up(void **state)
{
    wm_listener_settings set = town_settings();
    wm_clock             clock = wm_clock_system();
    int64_t              start = wm_mono_ms(&clock);
    int                  count = number("WM_ABORTS", 600), done, before, after;
    town                 t;
    gang                 g = { .t = &t, .until_ms = start + 1000 * number("WM_SECONDS", 60) };
    wm_caller           *caller;
    wm_listener_counts   counts;
    long                 kib;
    double               longest;
    char                 phrase[80];
    uint8_t             *reply;
    size_t               n;
    wm_error             err;

    (void)state;
    set.connections_max_per_identity = 64;
    town_open(&t, &set);
    g.ctx = stranger_context(&t.north, 0);
    atomic_store(&t.answer_bytes, ANSWER);
    caller = town_caller(&t, t.north_tls); /* one that behaves, all the while */
    assert_ok(wm_caller_call(caller, "x", 1, 10000, &reply, &n, &err), &err);
    free(reply);
    before = town_sockets();
    (void)do_abort(&g, count / 10, caller); /* after which the heap has the size that it takes */
    town_wait_connections(&t, 1);
    town_wait_sockets(before);
    kib = resident_kib();
    longest = do_abort(&g, count - count / 10, caller);
    done = atomic_load(&g.done);
    assert_true(done > count / 10);
    town_wait_connections(&t, 1);
    town_wait_sockets(before);
    after = town_sockets();
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.held_in + counts.held_out, 0);
    assert_true(counts.accepted >= (uint64_t)done);
    assert_true(atomic_load(&g.spoilt) <= done / 50);
    assert_ok(wm_caller_call(caller, "x", 1, 10000, &reply, &n, &err), &err);
    assert_int_equal(n, ANSWER);
    free(reply);
    print_message(
        "# %d of %d downloads broken off in %.1f s, %d of them too early; sockets %d before, %d after; resident KiB "
        "%ld after a tenth, %ld after all\n",
        done, count, (double)(wm_mono_ms(&clock) - start) / 1000, atomic_load(&g.spoilt), before, after, kib,
        resident_kib());
    snprintf(phrase, sizeof phrase, "%d downloads aborted half-way by a valid client", done);
    tell_fault(&(fault_figure){ .fault = phrase,
                                .tries = (uint64_t)done,
                                .survived = (uint64_t)(done - atomic_load(&g.spoilt)),
                                .seconds = longest });
#if !WM_SANITIZED
    assert_true(resident_kib() - kib < GROWTH_KIB_MAX);
#endif
    wm_caller_free(caller);
    SSL_CTX_free(g.ctx);
    town_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aborted_downloads_leave_descriptors_flat_and_the_service_up),
    };

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
