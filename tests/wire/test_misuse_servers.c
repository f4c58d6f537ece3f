/* tests/wire/test_misuse_servers.c
 *
 * Whoever poses as the aggregator. Each row is one way, of TLS or of none; a gateway must call it by what it is, and tell it
 * nothing. */
#include "tests/wire/misuse.h"

#include "tests/figures.h"

#include <arpa/inet.h>
#include <openssl/tls1.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct villain villain;

typedef struct deceit {
    const char *says;
    void (*answer)(villain *v, int fd); /* of a server that is none of ours; NULL: TLS with the certificate below */
    test_wish   wish;
    bool        foreign;
    int         version;
    const char *dialled; /* the name that is expected; NULL: the address */
    wm_status   want;
    const char *why;
} deceit;

struct villain {
    town           *t;
    test_authority *foreign;
    const deceit   *how;
    int             fd; /* listens */
    int             port;
    pthread_t       thread;
    atomic_bool     over;
};

static void with_tls(villain *v, int fd)
{
    const deceit *how = v->how;
    test_identity identity = test_issue(how->foreign ? v->foreign : v->t->authority, &how->wish);
    SSL_CTX      *ctx = SSL_CTX_new(TLS_server_method());
    SSL          *ssl;
    char          byte;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, how->version != 0 ? how->version : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ctx, how->version != 0 ? how->version : TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity.key), 1);
    add_chain(ctx, &identity);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        (void)SSL_read(ssl, &byte, 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void by_a_gateway_s_signature(villain *v, int fd)
{
    test_identity identity = test_issue_by(&v->t->north, &v->how->wish);
    SSL_CTX      *ctx = SSL_CTX_new(TLS_server_method());
    SSL          *ssl;

    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity.key), 1);
    add_chain(ctx, &identity);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    (void)SSL_accept(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void with_the_true_one_s_certificate(villain *v, int fd)
{
    EVP_PKEY *key = posing_key(v->t->server.key, v->t->north.key);
    SSL_CTX  *ctx = SSL_CTX_new(TLS_server_method());
    SSL      *ssl;

    assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(v->t->server.chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    (void)SSL_accept(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* The other end is read to its hello first, so that nothing of ours is lost in a reset. */
static void say(int fd, const char *bytes, size_t n)
{
    char hello[2048];

    (void)recv(fd, hello, sizeof hello, 0);
    (void)send(fd, bytes, n, MSG_NOSIGNAL);
}

static void in_http(villain *v, int fd)
{
    (void)v;
    say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void in_nng(villain *v, int fd)
{
    (void)v;
    say(fd, "\0SP\0\0\x31\0\0", 8);
}

static void in_garbage(villain *v, int fd)
{
    (void)v;
    say(fd, "\x16\x03\x03\x00\x06\x02\x00\x00\x02\xff\xff", 11);
}

static void with_an_alert_that_nobody_signed(villain *v, int fd)
{
    (void)v;
    say(fd, "\x15\x03\x03\x00\x02\x02\x2c", 7); /* fatal, certificate_revoked */
}

static void hanging_up(villain *v, int fd)
{
    (void)v;
    say(fd, "", 0);
}

static void in_silence(villain *v, int fd)
{
    char byte;

    (void)v;
    while (recv(fd, &byte, 1, 0) > 0) /* until the client has had enough */
        ;
}

#define SERVER(...)                                                 \
    {                                                               \
        .names = "IP:127.0.0.1", .usage = "serverAuth", __VA_ARGS__ \
    }

static const deceit deceits[] = {
    { "a gateway posing as the server",
      with_tls,
      { .names = "DNS:north,IP:127.0.0.1", .usage = "clientAuth", .serial = 50 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "one for gateways and servers alike",
      with_tls,
      { .names = "IP:127.0.0.1", .usage = "serverAuth,clientAuth", .serial = 51 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "one for no use in particular",
      with_tls,
      { .names = "IP:127.0.0.1", .serial = 52 },
      .want = WM_E_UNTRUSTED,
      .why = "is not a server's" },
    { "an authority's own", with_tls,
      SERVER(.serial = 53, .constraints = "critical,CA:TRUE", .key_usage = "critical,keyCertSign,digitalSignature"),
      .want = WM_E_UNTRUSTED, .why = "is not a server's" },
    { "a foreign authority's, of our authority's name", with_tls, SERVER(.serial = 54), .foreign = true,
      .want = WM_E_UNTRUSTED, .why = "does not lead to the root" },
    { "one that a gateway has signed", by_a_gateway_s_signature, SERVER(.serial = 55), .want = WM_E_UNTRUSTED,
      .why = "does not lead to the root" },
    { "the true one's, with another key", with_the_true_one_s_certificate, .want = WM_E_UNTRUSTED,
      .why = "TLS failed" },
    { "an expired one", with_tls, SERVER(.serial = 56, .from_days = -3, .to_days = -2), .want = WM_E_UNTRUSTED,
      .why = "has expired" },
    { "one from tomorrow", with_tls, SERVER(.serial = 57, .from_days = 1, .to_days = 2), .want = WM_E_UNTRUSTED,
      .why = "is not valid before" },
    { "one for another host",
      with_tls,
      { .names = "DNS:elsewhere.example", .usage = "serverAuth", .serial = 58 },
      .want = WM_E_UNTRUSTED,
      .why = "not for \"127.0.0.1\"" },
    { "one for another address",
      with_tls,
      { .names = "IP:127.0.0.2", .usage = "serverAuth", .serial = 59 },
      .want = WM_E_UNTRUSTED,
      .why = "not for \"127.0.0.1\"" },
    { "a wildcard",
      with_tls,
      { .names = "DNS:*.example", .usage = "serverAuth", .serial = 60 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "not for" },
    { "the name only where nobody looks",
      with_tls,
      { .common_name = "office.example", .usage = "serverAuth", .serial = 61 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "not for" },
    { "a name with a zero in it",
      with_tls,
      { .raw_name = "office.example\0.evil", .n_raw_name = 20, .usage = "serverAuth", .serial = 62 },
      .dialled = "office.example",
      .want = WM_E_UNTRUSTED,
      .why = "damaged" },
    { "a signature by SHA-1", with_tls, SERVER(.serial = 63, .digest = "SHA1"), .want = WM_E_UNTRUSTED,
      .why = "does not lead to the root" },
    { "TLS 1.2, as if nothing newer were there", with_tls, SERVER(.serial = 64), .version = TLS1_2_VERSION,
      .want = WM_E_REFUSED, .why = "does not speak TLS 1.3" },
    { "TLS 1.0", with_tls, SERVER(.serial = 65), .version = TLS1_VERSION, .want = WM_E_REFUSED, .why = "TLS" },
    { "HTTP", in_http, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "nng without TLS", in_nng, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "garbage", in_garbage, .want = WM_E_UNTRUSTED, .why = "TLS" },
    { "\"you are revoked\", said by nobody in particular", with_an_alert_that_nobody_signed, .want = WM_E_REFUSED,
      .why = "revoked" },
    { "hanging up", hanging_up, .want = WM_E_CLOSED, .why = "closed" },
    { "silence", in_silence, .want = WM_E_TIMEOUT, .why = "in time" },
};
enum { N_DECEITS = sizeof deceits / sizeof *deceits };

static void *villain_main(void *self)
{
    villain *v = self;

    while (!atomic_load(&v->over)) {
        int fd = accept(v->fd, NULL, NULL);

        if (fd < 0)
            break;
        if (!atomic_load(&v->over))
            v->how->answer(v, fd);
        close(fd);
    }
    return NULL;
}

static void villain_start(villain *v)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          n = sizeof at;

    atomic_store(&v->over, false);
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(v->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(v->fd, 8), 0);
    assert_int_equal(getsockname(v->fd, (struct sockaddr *)&at, &n), 0);
    v->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&v->thread, NULL, villain_main, v), 0);
}

static void villain_stop(villain *v)
{
    atomic_store(&v->over, true);
    shutdown(v->fd, SHUT_RDWR); /* wakes accept */
    pthread_join(v->thread, NULL);
    close(v->fd);
}

static void a_client_believes_none_but_its_server(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    villain              v = { .t = &t };

    (void)state;
    town_open(&t, &set);
    v.foreign = test_authority_new("city");
    for (size_t i = 0; i < N_DECEITS; i++) {
        const deceit      *how = &deceits[i];
        char               url[64];
        const char        *urls[] = { url };
        uint8_t           *reply = NULL;
        size_t             n;
        wm_tls            *tls = NULL;
        wm_caller         *caller;
        wm_error           err = { .text = "" };
        wm_caller_settings calling = { .urls = urls, .n_urls = 1, .reply_max = 1000, .dial_ms = 3000 };
        wm_status          st;

        v.how = how;
        villain_start(&v);
        snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%d", v.port);
        assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT,
                                                 .chain = t.north.chain,
                                                 .key = t.north.key,
                                                 .root = test_authority_root(t.authority),
                                                 .clock = wm_clock_system(),
                                                 .server_name = how->dialled },
                             &tls, &err),
                  &err);
        calling.tls = tls;
        assert_ok(wm_caller_new(&calling, &caller, &err), &err);
        st = wm_caller_call(caller, "a secret", 8, how->want == WM_E_TIMEOUT ? 500 : 10000, &reply, &n, &err);
        if (st != how->want || strstr(err.text, how->why) == NULL)
            print_error("%s: %s: %s\n", how->says, wm_status_name(st), err.text);
        assert_case(how->says, st == how->want && strstr(err.text, how->why) != NULL && reply == NULL);
        wm_caller_free(caller);
        wm_tls_free(tls);
        villain_stop(&v);
    }
    test_authority_free(v.foreign);
    town_close(&t);
    tell_fault(&(fault_figure){ .fault = "TLS misused by somebody posing as the aggregator, each in another way",
                                .tries = N_DECEITS,
                                .survived = N_DECEITS,
                                .seconds = -1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_believes_none_but_its_server),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
