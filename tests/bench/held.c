/* tests/bench/held.c
 *
 * How many gateways one aggregator holds at once: the real wardmote-server, and as many TLS connections as WM_CLIENTS
 * says, each of which asks for work in a long poll, is answered, and asks again, for WM_SECONDS. They are simulated in
 * this process, by plain sockets with OpenSSL on them, with one gateway's certificate. Every one must stay connected and
 * be answered in time, every time. Tells as well what a connection at rest takes of the server's memory. */
#include "tests/bench/crowd.h"
#include "tests/descriptors.h"
#include "tests/figures.h"

#include "common/crypto/identity.h"
#include "common/wire/envelope.h"
#include "common/wire/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DIALLERS = 4,
    ADDRESSES = 16, /* that the clients come from */
    ROUTE = 4,
    POLL_MS = 25 * 1000,
    LATE_MS = 10 * 1000, /* an answer may be so much later than a poll */
    ANSWER_MAX = 1024,
    FILES = 64 << 10, /* asked for; the server wants two for each client, and some */
};

typedef struct gateway {
    int     fd;
    SSL    *ssl;
    int64_t asked_ms;
    int     answers;
    uint8_t in[8 + ROUTE + ANSWER_MAX];
    size_t  have;
} gateway;

typedef struct crowd_of_gateways {
    office      o;
    wm_identity identity;
    SSL_CTX    *ctx;
    uint8_t     question[256]; /* framed */
    size_t      n_question;
    gateway    *all; /* [n] */
    int         n;
    atomic_int  next, failed;
    int         poll, lost;
    int64_t     longest_ms;
} crowd_of_gateways;

static int number(const char *name, int usual)
{
    const char *text = getenv(name);

    return text != NULL ? atoi(text) : usual;
}

/* ---- one gateway ---- */

static void write_question(crowd_of_gateways *c)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Ask      ask = WM__ASK__INIT;
    size_t       n;

    ask.wait_ms = POLL_MS;
    envelope.body_case = WM__ENVELOPE__BODY_ASK;
    envelope.ask = &ask;
    n = wm_envelope_size(&envelope);
    assert_true(8 + ROUTE + n <= sizeof c->question);
    wm_frame_head_write(WM_FRAME_TCP, ROUTE + n, c->question);
    memcpy(c->question + 8, (const uint8_t[]){ 0x80, 0, 0, 1 }, ROUTE);
    wm_envelope_pack(&envelope, c->question + 8 + ROUTE);
    c->n_question = 8 + ROUTE + n;
}

static bool ask(crowd_of_gateways *c, gateway *g)
{
    g->asked_ms = office_now_ms();
    g->have = 0;
    return SSL_write(g->ssl, c->question, (int)c->n_question) == (int)c->n_question;
}

static bool open_tcp(const crowd_of_gateways *c, gateway *g, int k)
{
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)k % ADDRESSES) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)c->o.ports[OFFICE_CONTROL]),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval     patience = { .tv_sec = 30 };
    int                on = 1;

    if ((g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return false;
    setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)bind(g->fd, (struct sockaddr *)&from, sizeof from);
    return connect(g->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

/* TCP, TLS, hello and the first question. */
static bool open_gateway(crowd_of_gateways *c, gateway *g, int k)
{
    uint8_t hello[WM_FRAME_HELLO];

    if (!open_tcp(c, g, k) || (g->ssl = SSL_new(c->ctx)) == NULL)
        return false;
    SSL_set_fd(g->ssl, g->fd);
    ERR_clear_error();
    return SSL_connect(g->ssl) == 1 && SSL_write(g->ssl, wm_frame_hello_ask, WM_FRAME_HELLO) == WM_FRAME_HELLO &&
           SSL_read(g->ssl, hello, WM_FRAME_HELLO) == WM_FRAME_HELLO && ask(c, g) &&
           fcntl(g->fd, F_SETFL, O_NONBLOCK) == 0;
}

static void *dial_some(void *self)
{
    crowd_of_gateways *c = self;

    for (int k; (k = atomic_fetch_add(&c->next, 1)) < c->n;) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &c->all[k] };

        if (!open_gateway(c, &c->all[k], k) || epoll_ctl(c->poll, EPOLL_CTL_ADD, c->all[k].fd, &event) != 0)
            atomic_fetch_add(&c->failed, 1);
    }
    return NULL;
}

/* What has come of an answer; false: the connection is over. */
static bool hear(crowd_of_gateways *c, gateway *g)
{
    uint64_t n;
    int64_t  took;
    int      got;

    ERR_clear_error();
    while ((got = SSL_read(g->ssl, g->in + g->have, (int)(sizeof g->in - g->have))) > 0) {
        g->have += (size_t)got;
        if (g->have < 8 || !wm_frame_head_read(WM_FRAME_TCP, g->in, &n) || g->have < 8 + n)
            continue;
        took = office_now_ms() - g->asked_ms;
        c->longest_ms = took > c->longest_ms ? took : c->longest_ms;
        g->answers++;
        if (!ask(c, g))
            return false;
    }
    return SSL_get_error(g->ssl, got) == SSL_ERROR_WANT_READ;
}

/* ---- all of them ---- */

static double server_kib(const crowd_of_gateways *c)
{
    return 1024 * process_mib(c->o.server, "smaps_rollup", "Pss:");
}

static void open_office(crowd_of_gateways *c)
{
    char     folder[4300], more[200];
    wm_error err;

    snprintf(more, sizeof more, "connections: {most: %d, per_gateway: %d}\n", c->n + 100, c->n + 100);
    office_open(&c->o, &(office_wish){ .n_gateways = 2, .more = more });
    office_server_start(&c->o, NULL);
    office_enrol(&c->o, 0);
    office_gateway_folder(&c->o, 0, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &c->identity, &err), &err);
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    assert_int_equal(SSL_CTX_use_certificate(c->ctx, wm_chain_at(c->identity.chain, 0)), 1);
    for (size_t i = 1; i < wm_chain_size(c->identity.chain); i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(c->ctx, wm_chain_at(c->identity.chain, i)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, c->identity.key), 1);
    write_question(c);
}

/* Whatever comes within a moment is heard, and asked for again. */
static void hear_all(crowd_of_gateways *c)
{
    struct epoll_event events[256];
    int                n = epoll_wait(c->poll, events, 256, 100);

    for (int i = 0; i < n; i++)
        if (!hear(c, events[i].data.ptr)) {
            epoll_ctl(c->poll, EPOLL_CTL_DEL, ((gateway *)events[i].data.ptr)->fd, NULL);
            c->lost++;
        }
}

/* The first that have dialled are served while the last ones still dial. */
static void dial_all(crowd_of_gateways *c)
{
    pthread_t threads[DIALLERS];

    for (int i = 0; i < DIALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, dial_some, c), 0);
    while (atomic_load(&c->next) < c->n)
        hear_all(c);
    for (int i = 0; i < DIALLERS; i++)
        pthread_join(threads[i], NULL);
}

static void close_all(crowd_of_gateways *c)
{
    for (int k = 0; k < c->n; k++) {
        SSL_free(c->all[k].ssl);
        close(c->all[k].fd);
    }
    close(c->poll);
    free(c->all);
    SSL_CTX_free(c->ctx);
    wm_identity_release(&c->identity);
    office_close(&c->o);
}

static void everybody_is_held_and_answered(void **state)
{
    static crowd_of_gateways c;
    int                      seconds = number("WM_SECONDS", 60), starved = 0;
    double                   before, after, dialled_s;
    int64_t                  start;
    char                     phrase[100];

    (void)state;
    c.n = number("WM_CLIENTS", 2000);
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ .rlim_cur = FILES, .rlim_max = FILES });
    if (raise_descriptors() < (size_t)(c.n + c.n / 3 + 4000)) /* what the server gives to others */
        leave_out("as many descriptors are not allowed here: raise the hard limit (ulimit -Hn)");
    open_office(&c);
    c.all = calloc((size_t)c.n, sizeof *c.all);
    c.poll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(c.all != NULL && c.poll >= 0);

    before = server_kib(&c);
    start = office_now_ms();
    dial_all(&c);
    dialled_s = (double)(office_now_ms() - start) / 1000;
    after = server_kib(&c);
    start = office_now_ms();
    while (office_now_ms() - start < 1000 * (int64_t)seconds)
        hear_all(&c);
    for (int k = 0; k < c.n; k++)
        starved += c.all[k].answers < seconds / ((POLL_MS + LATE_MS) / 1000) ||
                   office_now_ms() - c.all[k].asked_ms > POLL_MS + LATE_MS;
    print_message(
        "# %d clients dialled in %.1f s, %d in vain; held for %d s, %d cut off, %d not answered in time; the "
        "longest answer after %.1f s; the server had %.1f MiB before and %.1f after\n",
        c.n, dialled_s, atomic_load(&c.failed), seconds, c.lost, starved, (double)c.longest_ms / 1000,
        before / 1024, after / 1024);
    snprintf(phrase, sizeof phrase, "TLS clients held at once for %d s, all answered", seconds);
    tell_load(&(load_figure){ .figure = phrase,
                              .unit = "clients",
                              .value = c.n - atomic_load(&c.failed) - c.lost - starved,
                              .must = 5000,
                              .aim = 10000,
                              .more_is_better = 1 });
    tell_load(&(load_figure){ .figure = "idle TLS client on the server, its question held",
                              .unit = "KiB",
                              .value = (after - before) / c.n,
                              .must = 64,
                              .aim = 48 });
    assert_int_equal(atomic_load(&c.failed) + c.lost + starved, 0);
    assert_true((after - before) / c.n < 64);
    assert_true(c.longest_ms < POLL_MS + LATE_MS);
    close_all(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(everybody_is_held_and_answered) };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
