/* tests/wire/stranger.c */
#include "tests/wire/stranger.h"

#include "common/wire/frame.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

SSL_CTX *stranger_context(const test_identity *identity, int newest)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    if (newest != 0) {
        assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(ctx, newest), 1);
    }
    if (identity != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, wm_chain_at(identity->chain, 0)), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, identity->key), 1);
    }
    return ctx;
}

static int connect_to(const struct sockaddr *at, socklen_t n)
{
    struct timeval patience = { .tv_sec = 10 };
    int            fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (at->sa_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, at, n), 0);
    return fd;
}

stranger stranger_dial(const town *t)
{
    struct sockaddr_in tcp = { .sin_family = AF_INET };
    struct sockaddr_un local = { .sun_family = AF_UNIX };

    if (t->folder[0] != '\0') {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", t->url + strlen("ipc://"));
        return (stranger){ .fd = connect_to((struct sockaddr *)&local, sizeof local) };
    }
    tcp.sin_port = htons((uint16_t)atoi(strrchr(t->url, ':') + 1));
    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (stranger){ .fd = connect_to((struct sockaddr *)&tcp, sizeof tcp) };
}

bool stranger_shake(stranger *s, SSL_CTX *ctx)
{
    s->ssl = SSL_new(ctx);
    assert_non_null(s->ssl);
    SSL_set_fd(s->ssl, s->fd);
    ERR_clear_error();
    return SSL_connect(s->ssl) == 1;
}

bool stranger_say(stranger *s, const void *bytes, size_t n)
{
    if (s->ssl != NULL)
        return SSL_write(s->ssl, bytes, (int)n) == (int)n;
    return send(s->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool stranger_hear(stranger *s, void *bytes, size_t n)
{
    for (size_t have = 0; have < n;) {
        int want = n - have < 1 << 20 ? (int)(n - have) : 1 << 20;
        int got = s->ssl != NULL ? SSL_read(s->ssl, (char *)bytes + have, want)
                                 : (int)recv(s->fd, (char *)bytes + have, (size_t)want, 0);

        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

bool stranger_greet(stranger *s)
{
    uint8_t hello[WM_FRAME_HELLO];

    return stranger_say(s, wm_frame_hello_ask, WM_FRAME_HELLO) && stranger_hear(s, hello, sizeof hello) &&
           memcmp(hello, wm_frame_hello_answer, sizeof hello) == 0;
}

bool stranger_ask(stranger *s, const void *bytes, size_t n)
{
    static const uint8_t route[4] = { 0x80, 0, 0, 1 };
    wm_frame_kind        kind = s->ssl != NULL ? WM_FRAME_TCP : WM_FRAME_LOCAL;
    uint8_t              message[WM_FRAME_HEAD_MAX + sizeof route + 1024];
    size_t               head = wm_frame_head_size(kind);

    assert_true(n <= 1024);
    wm_frame_head_write(kind, sizeof route + n, message);
    memcpy(message + head, route, sizeof route);
    memcpy(message + head + sizeof route, bytes, n);
    return stranger_say(s, message, head + sizeof route + n);
}

bool stranger_is_cut_off(stranger *s)
{
    uint8_t byte;
    ssize_t got;

    if (s->ssl != NULL)
        return SSL_read(s->ssl, &byte, 1) <= 0 && SSL_get_error(s->ssl, 0) != SSL_ERROR_WANT_READ;
    got = recv(s->fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

void stranger_leave(stranger *s, stranger_end end)
{
    struct linger at_once = { .l_onoff = 1 };

    if (end == STRANGER_RESETS)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (end == STRANGER_SAYS_BYE && s->ssl != NULL && SSL_is_init_finished(s->ssl))
        SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    close(s->fd);
    ERR_clear_error();
}
