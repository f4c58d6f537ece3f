/* common/wire/caller.c
 *
 * The rules at the head of serving.h, for one thread that waits. nng's threads carry a transfer on from piece
 * to piece (a record of 16 KiB each); the caller wakes when it is through, or when its deadline passes or it
 * is interrupted, and then closes the stream, which completes the piece in flight. A dial that has not
 * reached TCP yet is cancelled instead: there, and only there, nng honours it. */
#include "common/wire/caller.h"

#include "common/cond.h"

#include "common/wire/engine.h"
#include "common/wire/frame.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIAL_MS = 10 * 1000, ROUTE = 4, REUSED_ROOM_MAX = 512 << 10 };

struct wm_caller {
    char             **urls;       /* owned */
    size_t             n_urls, at; /* at: the one to dial next */
    size_t             answered;   /* the one that answered last */
    wm_tls            *tls;
    size_t             reply_max;
    int                dial_ms;
    wm_frame_kind      kind;
    uint32_t           next_id;
    uint8_t           *room; /* for requests; reused */
    size_t             n_room;
    wm_peer            peer;
    nng_aio           *aio;
    nng_stream_dialer *dialer; /* NULL: not connected */

    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t  cond;        /* on the monotonic clock */
    nng_stream     *stream;      /* NULL until dialled */
    bool            closing;     /* nothing is submitted to the stream any more */
    bool            busy;        /* a transfer or a dial is in flight; the aio is nng's */
    bool            interrupted; /* for good */
    bool            writing;     /* the transfer's direction */
    uint8_t        *next;        /* what is left of it; the calling thread's bytes */
    size_t          left;
    int             result;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t); /* nng_clock follows the wall clock on Debian */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- one transfer ---- */

static void close_stream(wm_caller *c)
{
    if (c->closing || c->stream == NULL)
        return;
    c->closing = true;
    nng_stream_close(c->stream);
}

static void submit(wm_caller *c)
{
    nng_iov      iov = { .iov_buf = c->next, .iov_len = c->left };
    nng_sockaddr at;

    nng_aio_set_iov(c->aio, 1, &iov);
    if (c->writing)
        nng_stream_send(c->stream, c->aio);
    else
        nng_stream_recv(c->stream, c->aio);
    if (nng_stream_get_addr(c->stream, NNG_OPT_REMADDR, &at) != 0)
        close_stream(c); /* TCP died in between: nng would not tell */
}

static void step_done(void *self)
{
    wm_caller *c = self;

    pthread_mutex_lock(&c->lock);
    c->result = nng_aio_result(c->aio);
    if (c->result == 0 && c->stream != NULL) {
        c->next += nng_aio_count(c->aio);
        c->left -= nng_aio_count(c->aio);
        if (c->left > 0 && c->closing)
            c->result = NNG_ECONNSHUT;
    }
    if (c->result == 0 && c->left > 0) {
        submit(c);
    } else {
        c->busy = false;
        pthread_cond_broadcast(&c->cond);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Lock held. Waits until nothing is in flight. */
static wm_status wait_idle(wm_caller *c, int64_t deadline, wm_error *err)
{
    bool late = false, ended = false;

    while (c->busy) {
        if (!ended && (late || c->interrupted)) {
            ended = true;
            if (c->stream != NULL)
                close_stream(c);
            else
                nng_aio_cancel(c->aio);
        } else if (ended) {
            pthread_cond_wait(&c->cond, &c->lock);
        } else {
            late = !wm_cond_wait_until(&c->cond, &c->lock, deadline);
        }
    }
    if (c->interrupted)
        return wm_fail(err, WM_E_CLOSED, "interrupted");
    if (late)
        return wm_fail(err, WM_E_TIMEOUT, "%s: no answer in time", c->urls[c->at]);
    return WM_OK;
}

/* What to tell of a stream that has failed: what TLS knows, or what nng says. */
static wm_status explain(wm_caller *c, int rv, wm_error *err)
{
    wm_engine_answer answer = { 0 };

    if (c->tls != NULL && c->stream != NULL)
        wm_engine_ask(c->stream, &answer);
    if (answer.failure.status != WM_OK)
        return wm_fail(err, answer.failure.status, "%s: %s", c->urls[c->at], answer.failure.why);
    return wm_fail(err, WM_E_CLOSED, "%s: %s", c->urls[c->at], wm_engine_error(rv));
}

static wm_status transfer(wm_caller *c, bool writing, void *bytes, size_t n, int64_t deadline, wm_error *err)
{
    int       rv = NNG_ECONNSHUT;
    wm_status st = WM_OK;

    if (n == 0)
        return WM_OK;
    pthread_mutex_lock(&c->lock);
    if (!c->closing) {
        c->writing = writing;
        c->next = bytes;
        c->left = n;
        c->busy = true;
        submit(c);
        st = wait_idle(c, deadline, err);
        rv = c->result;
    } else if (c->interrupted) {
        st = wm_fail(err, WM_E_CLOSED, "interrupted");
    }
    pthread_mutex_unlock(&c->lock);
    if (st == WM_OK && rv != 0)
        st = explain(c, rv, err);
    return st;
}

/* ---- dialling ---- */

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
    nng_tls_config *config = NULL;
    char           *host;
    wm_status       st;
    int             rv;

    if ((rv = nng_stream_dialer_alloc(&c->dialer, url)) != 0)
        return wm_fail(err, WM_E_INVALID, "%s cannot be dialled: %s", url, nng_strerror(rv));
    if (c->tls == NULL)
        return WM_OK;
    if ((host = host_of(url)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to dial %s", url);
    st = wm_engine_config(c->tls, host, &config, err);
    free(host);
    if (st != WM_OK)
        return st;
    rv = nng_stream_dialer_set_ptr(c->dialer, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config); /* the dialer holds it */
    if (rv == 0)
        rv = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (rv == 0)
        rv = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_NODELAY, true);
    return rv == 0 ? WM_OK : wm_fail(err, WM_E_IO, "%s cannot be dialled: %s", url, nng_strerror(rv));
}

static wm_status connect_stream(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_status st;
    int       rv;

    pthread_mutex_lock(&c->lock);
    c->closing = false;
    c->left = 0;
    c->busy = true;
    nng_stream_dialer_dial(c->dialer, c->aio);
    st = wait_idle(c, deadline, err);
    if ((rv = c->result) == 0) /* even if it came too late */
        c->stream = nng_aio_get_output(c->aio, 0);
    pthread_mutex_unlock(&c->lock);
    if (st == WM_OK && rv == NNG_ECRYPTO)
        return wm_fail(err, WM_E_INVALID, "%s: TLS cannot be set up for this address", c->urls[c->at]);
    if (st == WM_OK && rv != 0)
        return wm_fail(err, rv == NNG_ETIMEDOUT ? WM_E_TIMEOUT : WM_E_IO, "%s: %s", c->urls[c->at],
                       wm_engine_error(rv));
    return st;
}

static wm_status shake_hands(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_engine_answer answer = { .known = true };
    uint8_t          hello[WM_FRAME_HELLO];
    wm_status        st;

    memcpy(hello, wm_frame_hello_ask, sizeof hello);
    if ((st = transfer(c, true, hello, sizeof hello, deadline, err)) != WM_OK ||
        (st = transfer(c, false, hello, sizeof hello, deadline, err)) != WM_OK)
        return st;
    if (memcmp(hello, wm_frame_hello_answer, sizeof hello) != 0)
        return wm_fail(err, WM_E_MALFORMED, "%s: whoever answers there is not a REP socket of nng's",
                       c->urls[c->at]);
    if (c->tls != NULL)
        wm_engine_ask(c->stream, &answer);
    if (!answer.known)
        return wm_fail(err, WM_E_UNTRUSTED, "%s: the server's identity cannot be read", c->urls[c->at]);
    c->peer = answer.peer;
    return WM_OK;
}

static wm_status dial_one(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_status st;

    if ((st = prepare_dialer(c, c->urls[c->at], err)) != WM_OK ||
        (st = connect_stream(c, deadline, err)) != WM_OK || (st = shake_hands(c, deadline, err)) != WM_OK)
        wm_caller_hang_up(c);
    else
        c->answered = c->at;
    return st;
}

static bool is_interrupted(wm_caller *c)
{
    bool interrupted;

    pthread_mutex_lock(&c->lock);
    interrupted = c->interrupted;
    pthread_mutex_unlock(&c->lock);
    return interrupted;
}

static wm_status dial(wm_caller *c, int64_t deadline, wm_error *err)
{
    wm_status st = WM_E_IO;

    for (size_t tries = 0; tries < c->n_urls; tries++) {
        int64_t now = now_ms();

        if (is_interrupted(c))
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
    pthread_mutex_lock(&c->lock);
    close_stream(c);
    if (c->stream != NULL)
        nng_stream_free(c->stream);
    c->stream = NULL;
    pthread_mutex_unlock(&c->lock);
    nng_stream_dialer_free(c->dialer);
    c->dialer = NULL;
}

/* ---- calls ---- */

static wm_status make_room(wm_caller *c, size_t n, wm_error *err)
{
    uint8_t *room;

    if (c->n_room >= n)
        return WM_OK;
    if ((room = realloc(c->room, n)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a request of %zu bytes", n);
    c->room = room;
    c->n_room = n;
    return WM_OK;
}

/* The head, the id that nng calls the route, and the body in one piece: one run of records. */
static wm_status send_request(wm_caller *c, const void *bytes, size_t n, uint32_t id, int64_t deadline,
                              wm_error *err)
{
    size_t    head = wm_frame_head_size(c->kind);
    wm_status st = make_room(c, head + ROUTE + n, err);

    if (st != WM_OK)
        return st;
    wm_frame_head_write(c->kind, ROUTE + n, c->room);
    for (int i = 0; i < ROUTE; i++)
        c->room[head + (size_t)i] = (uint8_t)(id >> (24 - 8 * i));
    if (n > 0)
        memcpy(c->room + head + ROUTE, bytes, n);
    st = transfer(c, true, c->room, head + ROUTE + n, deadline, err);
    if (c->n_room > REUSED_ROOM_MAX) { /* one large request need not cost memory for ever */
        free(c->room);
        c->room = NULL;
        c->n_room = 0;
    }
    return st;
}

static wm_status receive_reply(wm_caller *c, uint32_t id, int64_t deadline, uint8_t **reply, size_t *n_reply,
                               wm_error *err)
{
    size_t    head = wm_frame_head_size(c->kind);
    uint8_t   start[WM_FRAME_HEAD_MAX + ROUTE], *bytes;
    uint32_t  got = 0;
    uint64_t  n;
    wm_status st;

    if ((st = transfer(c, false, start, head + ROUTE, deadline, err)) != WM_OK)
        return st;
    for (int i = 0; i < ROUTE; i++)
        got = got << 8 | start[head + (size_t)i];
    if (!wm_frame_head_read(c->kind, start, &n) || n < ROUTE || got != id)
        return wm_fail(err, WM_E_MALFORMED, "%s: an answer that belongs to no question", c->urls[c->at]);
    if (n - ROUTE > c->reply_max)
        return wm_fail(err, WM_E_RANGE, "%s: an answer of %llu bytes, over the limit of %zu", c->urls[c->at],
                       (unsigned long long)n, c->reply_max);
    if ((bytes = malloc((size_t)n - ROUTE + 1)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an answer of %llu bytes", (unsigned long long)n);
    if ((st = transfer(c, false, bytes, (size_t)n - ROUTE, deadline, err)) != WM_OK) {
        free(bytes);
        return st;
    }
    *reply = bytes;
    *n_reply = (size_t)n - ROUTE;
    return WM_OK;
}

/* `kept`: the connection was left open by an earlier call. */
static wm_status call_once(wm_caller *c, bool kept, const void *bytes, size_t n, int64_t deadline, uint8_t **reply,
                           size_t *n_reply, wm_error *err)
{
    uint32_t  id = 0x80000000u | c->next_id++;
    wm_status st = WM_OK;

    if (!kept)
        st = dial(c, deadline, err);
    if (st != WM_OK)
        return st;
    if ((st = send_request(c, bytes, n, id, deadline, err)) == WM_OK &&
        (st = receive_reply(c, id, deadline, reply, n_reply, err)) == WM_OK)
        return WM_OK;
    wm_caller_hang_up(c);
    if (!kept)
        c->at = (c->at + 1) % c->n_urls; /* it took our question and gave no answer: another server may be better */
    return st;
}

wm_status wm_caller_call(wm_caller *c, const void *bytes, size_t n, int timeout_ms, uint8_t **reply,
                         size_t *n_reply, wm_error *err)
{
    int64_t   deadline = now_ms() + timeout_ms;
    bool      kept = c->dialer != NULL;
    wm_status st;

    if (n > SIZE_MAX - WM_FRAME_HEAD_MAX - ROUTE)
        return wm_fail(err, WM_E_RANGE, "a request of %zu bytes is too long", n);
    if (is_interrupted(c))
        return wm_fail(err, WM_E_CLOSED, "interrupted");
    st = call_once(c, kept, bytes, n, deadline, reply, n_reply, err);
    if (kept && (st == WM_E_CLOSED || st == WM_E_REFUSED) && !is_interrupted(c))
        st = call_once(c, false, bytes, n, deadline, reply, n_reply, err);
    return st;
}

void wm_caller_interrupt(wm_caller *c)
{
    pthread_mutex_lock(&c->lock);
    c->interrupted = true;
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

/* ---- life ---- */

static wm_status check_settings(const wm_caller_settings *set, wm_error *err)
{
    if (set->n_urls == 0)
        return wm_fail(err, WM_E_INVALID, "no server's address is given");
    for (size_t i = 0; i < set->n_urls; i++) {
        bool tcp = strncmp(set->urls[i], "tls+tcp://", 10) == 0;

        if (!tcp && strncmp(set->urls[i], "ipc://", 6) != 0)
            return wm_fail(err, WM_E_INVALID, "%s is no server's address: tls+tcp://HOST:PORT or ipc://PATH",
                           set->urls[i]);
        if (tcp != (set->tls != NULL))
            return wm_fail(err, WM_E_INVALID, "%s: TLS goes with tls+tcp:// and not with ipc://", set->urls[i]);
    }
    if (set->tls != NULL && wm_tls_side_of(set->tls) != WM_TLS_CLIENT)
        return wm_fail(err, WM_E_INVALID, "%s: a caller needs the client's side of TLS", set->urls[0]);
    return WM_OK;
}

wm_status wm_caller_new(const wm_caller_settings *set, wm_caller **ret, wm_error *err)
{
    wm_caller *c;
    wm_status  st;

    if ((st = check_settings(set, err)) != WM_OK || (st = wm_engine_start(err)) != WM_OK)
        return st;
    if ((c = calloc(1, sizeof *c)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a caller");
    pthread_mutex_init(&c->lock, NULL);
    wm_cond_init(&c->cond);
    c->next_id = 1;
    c->reply_max = set->reply_max;
    c->dial_ms = set->dial_ms > 0 ? set->dial_ms : DIAL_MS;
    c->kind = set->tls != NULL ? WM_FRAME_TCP : WM_FRAME_LOCAL;
    if ((c->tls = set->tls) != NULL)
        wm_tls_hold(c->tls);
    if ((c->urls = calloc(set->n_urls, sizeof *c->urls)) == NULL || nng_aio_alloc(&c->aio, step_done, c) != 0)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a caller");
    for (; st == WM_OK && c->n_urls < set->n_urls; c->n_urls++)
        if ((c->urls[c->n_urls] = strdup(set->urls[c->n_urls])) == NULL)
            st = wm_fail(err, WM_E_NOMEM, "no memory for a caller");
    if (st != WM_OK)
        wm_caller_free(c);
    else
        *ret = c;
    return st;
}

void wm_caller_free(wm_caller *c)
{
    if (c == NULL)
        return;
    wm_caller_hang_up(c);
    nng_aio_free(c->aio);
    for (size_t i = 0; i < c->n_urls; i++)
        free(c->urls[i]);
    free(c->urls);
    free(c->room);
    wm_tls_free(c->tls);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool wm_caller_is_connected(const wm_caller *c)
{
    return c->dialer != NULL;
}

const wm_peer *wm_caller_peer(const wm_caller *c)
{
    return &c->peer;
}

const char *wm_caller_url(const wm_caller *c)
{
    return c->urls[c->answered];
}
