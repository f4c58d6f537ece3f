/* tests/wire/test_revoked_download.c: the one state of a revoked gateway that takes a large answer: it does not take it. */
#include "tests/wire/misuse.h"

#include "tests/figures.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

enum { DOWNLOADS = 24, DOWNLOAD_BYTES = 4 << 20 };

static bool is_thief(void *context, const wm_peer *peer)
{
    (void)context;
    return strcmp(peer->name, "thief") == 0;
}

/* Until the connection is over, of which TCP still has some of the answer. */
static bool drains(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char          bytes[65536];
    ssize_t       n = 1;

    while (n > 0) {
        if (poll(&wait, 1, PATIENCE_MS) != 1)
            return false;
        n = recv(fd, bytes, sizeof bytes, 0);
    }
    return true;
}

static int64_t now_ms(void)
{
    wm_clock clock = wm_clock_system();

    return wm_mono_ms(&clock);
}

static void a_download_that_nobody_takes_ends_with_its_gateway_s_revocation(void **state)
{
    wm_listener_settings set = town_settings();
    int64_t              longest = 0;
    town                 t;

    (void)state;
    town_open(&t, &set);
    atomic_store(&t.answer_bytes, (size_t)DOWNLOAD_BYTES);
    for (long i = 0; i < DOWNLOADS; i++) {
        test_identity thief =
            test_issue(t.authority, &(test_wish){ .names = "DNS:thief", .usage = "clientAuth", .serial = 700 + i });
        SSL_CTX *ctx = reckless(&thief, 0);
        stranger s = stranger_dial(&t);
        uint8_t  first[100];
        int64_t  from;

        assert_true(stranger_shake(&s, ctx) && stranger_greet(&s) && stranger_ask(&s, "all", 3) &&
                    stranger_hear(&s, first, sizeof first));
        from = now_ms();
        atomic_store(&t.revoked, 700 + i);
        assert_int_equal(wm_listener_close_where(t.listener, is_thief, NULL), 1);
        assert_true(drains(s.fd));
        longest = now_ms() - from > longest ? now_ms() - from : longest;
        stranger_leave(&s, STRANGER_CLOSES);
        SSL_CTX_free(ctx);
        test_identity_release(&thief);
    }
    town_close(&t);
    assert_true(longest < 1000);
    tell_fault(&(fault_figure){ .fault = "gateway revoked in the middle of a download that it does not take",
                                .tries = DOWNLOADS,
                                .survived = DOWNLOADS,
                                .seconds = (double)longest / 1000 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_download_that_nobody_takes_ends_with_its_gateway_s_revocation),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
