/* common/wire/connection.c
 *
 * One connection of a listener: hello, then request and answer in turn. serving.h has the rules. */
#include "common/wire/serving.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_ROOM = 16 << 10 }; /* a request's buffer grows with what has arrived, not with what is promised */

int64_t wm_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- life ---- */

static void read_done(void *self);
static void write_done(void *self);

void wm_remote_text(nng_stream *stream, char text[WM_REMOTE_TEXT])
{
    nng_sockaddr at;
    char         host[INET6_ADDRSTRLEN] = "";

    snprintf(text, WM_REMOTE_TEXT, "unknown");
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &at) != 0)
        return;
    if (at.s_family == NNG_AF_INET && inet_ntop(AF_INET, &at.s_in.sa_addr, host, sizeof host) != NULL)
        snprintf(text, WM_REMOTE_TEXT, "%s:%u", host, ntohs(at.s_in.sa_port));
    else if (at.s_family == NNG_AF_INET6 && inet_ntop(AF_INET6, at.s_in6.sa_addr, host, sizeof host) != NULL)
        snprintf(text, WM_REMOTE_TEXT, "[%s]:%u", host, ntohs(at.s_in6.sa_port));
    else
        snprintf(text, WM_REMOTE_TEXT, "local");
}

wm_connection *wm_connection_new(wm_listener *listener, nng_stream *stream)
{
    wm_connection *c = calloc(1, sizeof *c);

    if (c == NULL || nng_aio_alloc(&c->rx, read_done, c) != 0 || nng_aio_alloc(&c->tx, write_done, c) != 0) {
        if (c != NULL)
            nng_aio_free(c->rx); /* never used, so it may be freed here */
        free(c);
        nng_stream_close(stream);
        nng_stream_free(stream);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    atomic_init(&c->users, 2);
    c->listener = listener;
    c->stream = stream;
    c->state = WM_READ_HELLO;
    wm_remote_text(stream, c->remote);
    return c;
}

static void drop_frame(wm_connection *c)
{
    if (c->frame != NULL)
        wm_intake_answered(&c->listener->intake, c->frame_size);
    free(c->frame);
    c->frame = NULL;
}

/* The connection has ended, in whatever way: who is to blame? */
static void report_end(wm_connection *c)
{
    wm_engine_answer answer = { 0 };

    if (!c->verified && c->listener->set.tls != NULL)
        wm_engine_ask(c->stream, &answer);
    if (c->offence[0] != '\0')
        wm_listener_turned_away(c, c->verified ? c->peer.name : answer.failure.name, c->offence);
    else if (!c->verified && answer.failure.status != WM_OK)
        wm_listener_turned_away(c, answer.failure.name, answer.failure.why);
    else if (!c->verified && c->lost)
        wm_listener_turned_away(c, answer.failure.name, "it left before the handshakes were over");
}

void wm_connection_release(wm_connection *c)
{
    wm_listener *listener = c->listener;

    if (atomic_fetch_sub(&c->users, 1) != 1)
        return;
    assert(c->closing);
    if (wm_listener_unlink(c) && listener->set.left != NULL)
        listener->set.left(listener->set.context, &c->peer);
    report_end(c);
    nng_aio_reap(c->rx);
    nng_aio_reap(c->tx);
    nng_stream_free(c->stream);
    drop_frame(c);
    wm_intake_unreserve(&listener->intake, c->held);
    free(c->in);
    pthread_mutex_destroy(&c->lock);
    free(c);
    wm_listener_one_less(listener); /* the last thing: a listener with none left may be freed */
}

void wm_connection_close(wm_connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    nng_stream_close(c->stream);
    if (c->answering)
        wm_intake_ring(&c->listener->intake, true);
    atomic_fetch_sub(&c->users, 1);
}

void wm_connection_offend(wm_connection *c, const char *fmt, ...)
{
    va_list args;

    if (c->closing)
        return;
    va_start(args, fmt);
    vsnprintf(c->offence, sizeof c->offence, fmt, args);
    va_end(args);
    wm_connection_close(c);
}

/* Rule 3. A UNIX socket's address outlives its connection, but there a read of a dead one fails at once. */
static void close_if_dead(wm_connection *c)
{
    nng_sockaddr at;

    if (!c->closing && nng_stream_get_addr(c->stream, NNG_OPT_REMADDR, &at) != 0)
        wm_connection_close(c);
}

static void due_in(wm_connection *c, int ms)
{
    c->deadline = ms > 0 ? wm_now_ms() + ms : 0;
}

/* ---- reading ---- */

static size_t head_want(const wm_connection *c)
{
    return c->state == WM_READ_HELLO ? WM_FRAME_HELLO : wm_frame_head_size(c->listener->kind);
}

static bool grow(wm_connection *c)
{
    size_t   room = c->in_room == 0 ? FIRST_ROOM : 2 * c->in_room;
    uint8_t *in = realloc(c->in, room < c->in_want ? room : c->in_want);

    if (in == NULL)
        return false;
    c->in = in;
    c->in_room = room < c->in_want ? room : c->in_want;
    return true;
}

static void submit_read(wm_connection *c)
{
    nng_iov iov;

    if (c->closing)
        return;
    if (c->state == WM_READ_MESSAGE) {
        if (c->in_have == c->in_room && !grow(c)) {
            wm_connection_close(c);
            return;
        }
        iov = (nng_iov){ .iov_buf = c->in + c->in_have, .iov_len = c->in_room - c->in_have };
    } else {
        iov = (nng_iov){ .iov_buf = c->head + c->in_have, .iov_len = head_want(c) - c->in_have };
    }
    nng_aio_set_iov(c->rx, 1, &iov);
    atomic_fetch_add(&c->users, 1);
    nng_stream_recv(c->stream, c->rx);
    close_if_dead(c);
}

void wm_connection_begin(wm_connection *c)
{
    due_in(c, c->listener->set.hello_ms);
    submit_read(c);
}

static void read_head(wm_connection *c)
{
    c->state = WM_READ_HEAD;
    c->in_have = 0;
    due_in(c, c->answering ? 0 : c->listener->set.idle_ms);
    submit_read(c);
}

static void read_message(wm_connection *c)
{
    c->state = WM_READ_MESSAGE;
    c->held = c->in_want;
    c->in_have = c->in_room = 0;
    due_in(c, c->listener->set.message_ms);
    submit_read(c);
}

/* The head is here, and nothing is being answered: read on once there is memory for it. */
static void want_message(wm_connection *c)
{
    atomic_fetch_add(&c->users, 1); /* for the list */
    c->state = WM_READ_WAITING;
    c->deadline = 0; /* it waits for us, not we for it */
    if (wm_intake_reserve(&c->listener->intake, c, c->in_want)) {
        atomic_fetch_sub(&c->users, 1);
        read_message(c);
    }
}

void wm_connection_admit(wm_connection *c, bool has_memory)
{
    pthread_mutex_lock(&c->lock);
    if (!c->closing && has_memory)
        read_message(c);
    else if (has_memory)
        c->held = c->in_want; /* given back with the connection */
    pthread_mutex_unlock(&c->lock);
    wm_connection_release(c);
}

static void got_head(wm_connection *c)
{
    size_t   most = c->listener->set.request_max;
    uint64_t n;

    if (!wm_frame_head_read(c->listener->kind, c->head, &n)) {
        wm_connection_offend(c, "what it sends is not a message of nng's");
    } else if (n < 4) {
        wm_connection_offend(c, "it sent a message without a route (use a REQ socket)");
    } else if (n > most + WM_FRAME_ROUTE_MAX) {
        wm_connection_offend(c, "it announced a message of %llu bytes, over the limit of %zu",
                             (unsigned long long)n, most);
    } else {
        c->in_want = (size_t)n;
        if (c->answering)
            c->state = WM_READ_PAUSED;
        else
            want_message(c);
    }
}

/* Takes the message out of the connection as a request, or NULL after closing it. */
static wm_request *got_message(wm_connection *c)
{
    size_t      route = wm_frame_route(c->in, c->in_want);
    wm_request *request;

    if (route == 0 || c->in_want - route > c->listener->set.request_max) {
        wm_connection_offend(c, route == 0 ? "it sent a message without a route (use a REQ socket)"
                                           : "its message is over the limit");
        return NULL;
    }
    if ((request = calloc(1, sizeof *request)) == NULL) {
        wm_connection_close(c);
        return NULL;
    }
    *request = (wm_request){ .connection = c, .bytes = c->in, .size = c->in_want, .route = route };
    c->in = NULL;
    c->held = 0; /* the request gives it back */
    c->answering = true;
    atomic_fetch_add(&c->users, 1);
    read_head(c);
    return request;
}

static void write_bytes(wm_connection *c, const uint8_t *bytes, size_t n);

/* The handshakes are over, so the peer is known. No lock held: the listener's comes before ours. */
static void welcome(wm_connection *c)
{
    const wm_tls    *tls = c->listener->set.tls;
    wm_engine_answer answer = { .known = true };
    char             why[WM_TLS_WHY] = "its identity cannot be read";
    bool             served;

    if (tls != NULL)
        wm_engine_ask(c->stream, &answer);
    /* First onto the list of that name, then the last question: so a revocation finds it there, or it finds
     * the revocation. */
    if (answer.known)
        wm_listener_name(c, &answer.peer);
    served = answer.known &&
             (tls == NULL || wm_tls_is_anonymous(tls) || wm_tls_allows(tls, &answer.peer, why, sizeof why));
    pthread_mutex_lock(&c->lock);
    if (served) {
        memcpy(c->hello, wm_frame_hello_answer, WM_FRAME_HELLO);
        write_bytes(c, c->hello, WM_FRAME_HELLO); /* write_done reads on: one write at a time */
    } else {
        wm_connection_offend(c, "%s", why);
    }
    pthread_mutex_unlock(&c->lock);
}

/* What was wanted is here. true: the hello, which is answered without our lock. */
static bool got_all(wm_connection *c, wm_request **request)
{
    switch (c->state) {
    case WM_READ_HELLO:
        if (memcmp(c->head, wm_frame_hello_ask, WM_FRAME_HELLO) == 0)
            return true;
        wm_connection_offend(c, "its first bytes are not those of a REQ socket of nng's");
        break;
    case WM_READ_HEAD:
        got_head(c);
        break;
    case WM_READ_MESSAGE:
        *request = got_message(c);
        break;
    case WM_READ_PAUSED:
    case WM_READ_WAITING: /* nothing is being read */
        break;
    }
    return false;
}

static void read_done(void *self)
{
    wm_connection *c = self;
    wm_request    *request = NULL;
    int            rv = nng_aio_result(c->rx);
    size_t         n = rv == 0 ? nng_aio_count(c->rx) : 0;
    bool           hello = false;

    atomic_fetch_add(&c->bytes_in, n);
    atomic_fetch_add(&c->listener->bytes_in, n);
    pthread_mutex_lock(&c->lock);
    if (rv != 0) {
        c->lost = c->lost || !c->closing;
        wm_connection_close(c);
    } else if (!c->closing) {
        c->in_have += n;
        if (c->in_have < (c->state == WM_READ_MESSAGE ? c->in_want : head_want(c)))
            submit_read(c);
        else
            hello = got_all(c, &request);
    }
    pthread_mutex_unlock(&c->lock);
    if (hello)
        welcome(c);
    if (request != NULL)
        wm_intake_push(&c->listener->intake, request);
    wm_connection_release(c);
}

/* ---- writing ---- */

static void submit_write(wm_connection *c)
{
    nng_iov iov = { .iov_buf = (void *)c->out, .iov_len = c->out_left }; /* nng only reads it */

    if (c->closing)
        return;
    nng_aio_set_iov(c->tx, 1, &iov);
    atomic_fetch_add(&c->users, 1);
    nng_stream_send(c->stream, c->tx);
    close_if_dead(c);
}

static void write_bytes(wm_connection *c, const uint8_t *bytes, size_t n)
{
    c->out = bytes;
    c->out_left = n;
    due_in(c, c->listener->set.message_ms);
    submit_write(c);
}

static void write_over(wm_connection *c)
{
    drop_frame(c);
    if (!c->answering) { /* that was our hello */
        read_head(c);
        return;
    }
    c->answering = false;
    due_in(c, c->listener->set.idle_ms);
    if (c->last_answer)
        wm_connection_close(c);
    else if (c->state == WM_READ_PAUSED)
        want_message(c);
}

static void write_done(void *self)
{
    wm_connection *c = self;
    int            rv = nng_aio_result(c->tx);
    size_t         n = rv == 0 ? nng_aio_count(c->tx) : 0;

    atomic_fetch_add(&c->bytes_out, n);
    atomic_fetch_add(&c->listener->bytes_out, n);
    pthread_mutex_lock(&c->lock);
    if (rv != 0) {
        wm_connection_close(c);
    } else if (!c->closing) {
        c->out += n;
        c->out_left -= n;
        if (c->out_left > 0)
            submit_write(c);
        else
            write_over(c);
    }
    pthread_mutex_unlock(&c->lock);
    wm_connection_release(c);
}

bool wm_connection_answer(wm_connection *c, uint8_t *frame, size_t n)
{
    bool taken;

    pthread_mutex_lock(&c->lock);
    taken = !c->closing;
    if (taken) {
        c->frame = frame;
        c->frame_size = n;
        wm_intake_answer(&c->listener->intake, n);
        write_bytes(c, frame, n);
    }
    pthread_mutex_unlock(&c->lock);
    return taken;
}
