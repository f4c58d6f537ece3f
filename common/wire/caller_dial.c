/* common/wire/caller_dial.c
 *
 * How a connection comes about: one address after the other, TCP, TLS, hello. */
#include "common/wire/calling.h"

#include <stdlib.h>
#include <string.h>

/* "tls+tcp://host:port": what the certificate must carry. */
static char *host_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *end;

    host = host != NULL ? host + 3 : url;
    end = *host == '[' ? strchr(++host, ']') : strrchr(host, ':');
    return strndup(host, end != NULL ? (size_t)(end - host) : strlen(host));
}

static wm_status prepare_dialer(wm_caller *c, const char *url, wm_error *err)
{
    int rv;

    if ((rv = nng_stream_dialer_alloc(&c->dialer, wm_nng_url(url))) != 0)
        return wm_fail(err, rv == NNG_ENOMEM ? WM_E_NOMEM : WM_E_INVALID, "%s cannot be dialled: %s", url,
                       nng_strerror(rv));
    if (c->tls == NULL)
        return WM_OK;
    if ((rv = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_KEEPALIVE, true)) == 0)
        rv = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_NODELAY, true);
    return rv == 0 ? WM_OK : wm_fail(err, WM_E_IO, "%s cannot be dialled: %s", url, nng_strerror(rv));
}

void wm_caller_dialled(void *self)
{
    wm_caller *c = self;

    pthread_mutex_lock(&c->lock);
    c->dials = false;
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static bool dials(const wm_caller *c)
{
    return c->dials;
}

static wm_status reach(wm_caller *c, int64_t deadline, nng_stream **ret, wm_error *err)
{
    wm_status st;
    int       rv;

    pthread_mutex_lock(&c->lock);
    c->dials = true;
    nng_stream_dialer_dial(c->dialer, c->dialling);
    st = wm_caller_wait(c, dials, deadline, err);
    if (c->dials)
        nng_aio_cancel(c->dialling);
    while (c->dials)
        pthread_cond_wait(&c->cond, &c->lock);
    if ((rv = nng_aio_result(c->dialling)) == 0)
        *ret = nng_aio_get_output(c->dialling, 0);
    pthread_mutex_unlock(&c->lock);
    if (st != WM_OK && rv == 0) { /* it came too late */
        nng_stream_close(*ret);
        nng_stream_free(*ret);
    }
    if (st == WM_OK && rv != 0)
        return wm_fail(err, rv == NNG_ETIMEDOUT ? WM_E_TIMEOUT : WM_E_IO, "%s: %s", c->urls[c->at],
                       wm_nng_error(rv));
    return st;
}

static wm_status connect_channel(wm_caller *c, int64_t deadline, wm_error *err)
{
    nng_stream *stream = NULL;
    char       *host;
    wm_status   st = reach(c, deadline, &stream, err);

    if (st != WM_OK)
        return st;
    if ((host = host_of(c->urls[c->at])) == NULL) {
        nng_stream_close(stream);
        nng_stream_free(stream);
        return wm_fail(err, WM_E_NOMEM, "no memory to dial %s", c->urls[c->at]);
    }
    st = wm_caller_open(c, stream, host, err);
    free(host);
    if (st != WM_OK)
        wm_error_prefix(err, "%s", c->urls[c->at]);
    return st;
}

static wm_status shake_hands(wm_caller *c, int64_t deadline, wm_error *err)
{
    uint8_t   hello[WM_FRAME_HELLO];
    bool      known = true;
    wm_status st = wm_caller_talk(c, wm_frame_hello_ask, WM_FRAME_HELLO, hello, sizeof hello, deadline, err);

    if (st != WM_OK)
        return st;
    if (memcmp(hello, wm_frame_hello_answer, sizeof hello) != 0)
        return wm_fail(err, WM_E_MALFORMED, "%s: whoever answers there is not a REP socket of nng's",
                       c->urls[c->at]);
    pthread_mutex_lock(&c->lock);
    if (c->tls != NULL)
        known = wm_tls_session_peer(c->channel.session, &c->peer);
    pthread_mutex_unlock(&c->lock);
    if (!known)
        return wm_fail(err, WM_E_UNTRUSTED, "%s: the server's identity cannot be read", c->urls[c->at]);
    return WM_OK;
}

static wm_status dial_one(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_status st;

    if ((st = prepare_dialer(c, c->urls[c->at], err)) != WM_OK ||
        (st = connect_channel(c, deadline, err)) != WM_OK || (st = shake_hands(c, deadline, err)) != WM_OK) {
        wm_caller_hang_up(c);
        return st;
    }
    c->answered = c->at;
    c->connected = true;
    return WM_OK;
}

bool wm_caller_is_interrupted(wm_caller *c)
{
    bool interrupted;

    pthread_mutex_lock(&c->lock);
    interrupted = c->interrupted;
    pthread_mutex_unlock(&c->lock);
    return interrupted;
}

wm_status wm_caller_dial(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_status st = WM_E_IO;

    for (size_t tries = 0; tries < c->n_urls; tries++) {
        int64_t now = wm_caller_now_ms();

        if (wm_caller_is_interrupted(c))
            return wm_fail(err, WM_E_CLOSED, "interrupted");
        if (tries > 0 && now >= deadline)
            break;
        st = dial_one(c, deadline < now + c->dial_ms ? deadline : now + c->dial_ms, err);
        if (st == WM_OK)
            break;
        c->at = (c->at + 1) % c->n_urls;
    }
    return st;
}

void wm_caller_hang_up(wm_caller *c)
{
    wm_caller_shut(c);
    nng_stream_dialer_free(c->dialer);
    c->dialer = NULL;
    c->connected = false;
}
