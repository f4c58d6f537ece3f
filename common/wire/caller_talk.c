/* common/wire/caller_talk.c
 *
 * Bytes there and back. The calling thread begins, and goes on by itself as far as what is here already reaches: a short
 * answer costs one waking. Whatever comes later is taken by nng's threads, which wake the caller when it is whole. */
#include "common/wire/calling.h"

#include "common/cond.h"

#include <time.h>

int64_t wm_caller_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t); /* nng_clock follows the wall clock on Debian */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what is in flight ---- */

static void close_channel(wm_caller *c)
{
    if (!c->open || c->closing)
        return;
    c->closing = true;
    c->flying += wm_channel_close(&c->channel);
}

static void put_in_flight(wm_caller *c, bool (*receive_too)(wm_caller *c))
{
    bool put = false;

    if (c->closing)
        return;
    if (wm_channel_push(&c->channel)) {
        c->flying++;
        put = true;
    }
    if (receive_too != NULL && receive_too(c)) {
        c->flying++;
        put = true;
    }
    if (put && wm_channel_is_dead(&c->channel))
        close_channel(c); /* TCP died in between: nng would not tell */
}

static bool receive(wm_caller *c)
{
    return wm_channel_receive(&c->channel, c->in_left);
}

/* Says what can be said, hears what is here. When saying fails there may still be something to hear: why. */
static void go_on(wm_caller *c)
{
    wm_tls_step step = WM_TLS_DONE;
    size_t      n;

    while (step == WM_TLS_DONE && c->out_left > 0) {
        n = c->out_left;
        step = wm_channel_write(&c->channel, c->out, &n);
        c->out += step == WM_TLS_DONE ? n : 0;
        c->out_left -= step == WM_TLS_DONE ? n : 0;
    }
    if (step == WM_TLS_ENDED)
        c->out_left = 0;
    if (step != WM_TLS_FAILED)
        step = WM_TLS_DONE;
    while (step == WM_TLS_DONE && c->in_left > 0) {
        n = c->in_left;
        step = wm_channel_read(&c->channel, c->in, &n);
        c->in += step == WM_TLS_DONE ? n : 0;
        c->in_left -= step == WM_TLS_DONE ? n : 0;
    }
    put_in_flight(c, step == WM_TLS_AGAIN ? receive : NULL);
    if (step == WM_TLS_AGAIN && c->closing)
        step = WM_TLS_ENDED;
    if (step == WM_TLS_ENDED || step == WM_TLS_FAILED) {
        c->step = step;
        c->out_left = c->in_left = 0;
    }
}

static bool talks(const wm_caller *c)
{
    return c->out_left > 0 || c->in_left > 0;
}

/* Lock held, and let go. */
static void landed(wm_caller *c)
{
    c->flying--;
    if (talks(c))
        go_on(c);
    if (!talks(c))
        pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static void received(void *self)
{
    wm_caller *c = self;

    pthread_mutex_lock(&c->lock);
    wm_channel_received(&c->channel);
    landed(c);
}

static void sent(void *self)
{
    wm_caller *c = self;

    pthread_mutex_lock(&c->lock);
    wm_channel_sent(&c->channel);
    if (!c->closing && wm_channel_push(&c->channel)) /* TCP took a part */
        c->flying++;
    landed(c);
}

/* ---- what the calling thread does ---- */

wm_status wm_caller_open(wm_caller *c, nng_stream *stream, const char *server_name, wm_error *err)
{
    wm_status st;

    pthread_mutex_lock(&c->lock);
    c->closing = false;
    st = wm_channel_init(&c->channel, stream, c->tls, server_name, received, sent, c, err);
    c->open = st == WM_OK;
    pthread_mutex_unlock(&c->lock);
    if (st != WM_OK) {
        nng_stream_close(stream);
        nng_stream_free(stream);
    }
    return st;
}

void wm_caller_shut(wm_caller *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->open) {
        c->out_left = c->in_left = 0;
        close_channel(c);
        while (c->flying > 0)
            pthread_cond_wait(&c->cond, &c->lock);
        wm_channel_release(&c->channel);
        c->open = false;
    }
    pthread_mutex_unlock(&c->lock);
}

wm_status wm_caller_wait(wm_caller *c, bool (*pending)(const wm_caller *c), int64_t deadline, wm_error *err)
{
    bool late = false;

    while (pending(c) && !c->interrupted && !late)
        late = !wm_cond_wait_until(&c->cond, &c->lock, deadline);
    if (c->interrupted)
        return wm_fail(err, WM_E_CLOSED, "interrupted");
    if (pending(c))
        return wm_fail(err, WM_E_TIMEOUT, "%s: no answer in time", c->urls[c->at]);
    return WM_OK;
}

/* What to tell of a channel that has failed: what TLS knows, or what nng says. */
static wm_status explain(const wm_caller *c, wm_error *err)
{
    const wm_tls_failure *failure = c->channel.session != NULL ? wm_tls_session_failure(c->channel.session) : NULL;

    if (failure != NULL && failure->status != WM_OK)
        return wm_fail(err, failure->status, "%s: %s", c->urls[c->at], failure->why);
    if (wm_channel_is_starved(&c->channel))
        return wm_fail(err, WM_E_NOMEM, "%s: no memory for what was to be said", c->urls[c->at]);
    return wm_fail(err, WM_E_CLOSED, "%s: %s", c->urls[c->at],
                   wm_nng_error(c->channel.rv != 0 ? c->channel.rv : NNG_ECONNSHUT));
}

wm_status wm_caller_talk(wm_caller *c, const void *out, size_t n_out, void *in, size_t n_in, int64_t deadline,
                         wm_error *err)
{
    wm_status st;

    pthread_mutex_lock(&c->lock);
    c->out = out;
    c->out_left = n_out;
    c->in = in;
    c->in_left = n_in;
    c->step = WM_TLS_DONE;
    go_on(c);
    st = wm_caller_wait(c, talks, deadline, err);
    c->out_left = c->in_left = 0;
    if (st == WM_OK && c->step != WM_TLS_DONE)
        st = explain(c, err);
    if (st != WM_OK)
        close_channel(c);
    pthread_mutex_unlock(&c->lock);
    return st;
}
