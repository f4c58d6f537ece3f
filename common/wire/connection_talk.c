/* common/wire/connection_talk.c
 *
 * What is said on one connection of a listener: hello, then request and answer in turn. serving.h has the rules. */
#include "common/wire/serving.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 << 10 }; /* of an answer that is read as it goes: small enough for the processor's cache */

/* Rule 3. A UNIX socket's address outlives its connection, but there a read of a dead one fails at once. */
static void close_if_dead(wm_connection *c)
{
    if (c->closing || !wm_channel_is_dead(&c->channel))
        return;
    c->lost = true;
    wm_connection_close(c);
}

static void due_in(wm_connection *c, int ms)
{
    c->deadline = ms > 0 ? wm_now_ms() + ms : 0;
}

/* ---- reading ----
 *
 * read_on() takes what has come as far as it goes; what it starts is finished by leave(), without the lock. */

static bool reads(const wm_connection *c)
{
    return c->state == WM_READ_HELLO || c->state == WM_READ_HEAD || c->state == WM_READ_MESSAGE;
}

static size_t wanted(const wm_connection *c)
{
    if (c->state == WM_READ_HELLO)
        return WM_FRAME_HELLO;
    return c->state == WM_READ_HEAD ? wm_frame_head_size(c->listener->kind) : c->in_want;
}

static void begin_head(wm_connection *c)
{
    c->state = WM_READ_HEAD;
    c->in_have = 0;
    due_in(c, c->answering ? 0 : c->listener->set.idle_ms);
}

/* Memory for it is reserved: what is not written to costs nothing yet. */
static void begin_message(wm_connection *c)
{
    c->state = WM_READ_MESSAGE;
    c->held = c->in_want;
    c->in_have = 0;
    due_in(c, c->listener->set.message_ms);
    if ((c->in = malloc(c->in_want)) == NULL)
        wm_connection_offend(c, "there is no memory for its message of %zu bytes", c->in_want);
}

/* The head is here, and nothing is being answered: read on once there is memory for it. */
static void want_message(wm_connection *c)
{
    atomic_fetch_add(&c->users, 1); /* for the list */
    c->state = WM_READ_WAITING;
    c->deadline = 0; /* it waits for us, not we for it */
    if (wm_intake_reserve(&c->listener->intake, c, c->in_want)) {
        atomic_fetch_sub(&c->users, 1);
        begin_message(c);
    }
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

/* Makes a request of the message, or closes the connection. */
static void got_message(wm_connection *c)
{
    size_t      route = wm_frame_route(c->in, c->in_want);
    wm_request *request;

    if (route == 0 || c->in_want - route > c->listener->set.request_max) {
        wm_connection_offend(c, route == 0 ? "it sent a message without a route (use a REQ socket)"
                                           : "its message is over the limit");
        return;
    }
    if ((request = calloc(1, sizeof *request)) == NULL) {
        wm_connection_offend(c, "there is no memory for its request");
        return;
    }
    *request = (wm_request){ .connection = c, .bytes = c->in, .size = c->in_want, .route = route };
    c->in = NULL;
    c->held = 0; /* the request gives it back */
    c->answering = true;
    c->ready = request;
    atomic_fetch_add(&c->users, 1);
    begin_head(c);
}

static void got_hello(wm_connection *c)
{
    if (memcmp(c->head, wm_frame_hello_ask, WM_FRAME_HELLO) != 0) {
        wm_connection_offend(c, "its first bytes are not those of a REQ socket of nng's");
        return;
    }
    c->state = WM_READ_WELCOME;
    c->greeted = true;
}

/* What was wanted is here. */
static void got_all(wm_connection *c)
{
    switch (c->state) {
    case WM_READ_HELLO:
        got_hello(c);
        break;
    case WM_READ_HEAD:
        got_head(c);
        break;
    case WM_READ_MESSAGE:
        got_message(c);
        break;
    case WM_READ_WELCOME:
    case WM_READ_PAUSED:
    case WM_READ_WAITING: /* nothing is being read */
        break;
    }
}

static void post_write(wm_connection *c)
{
    if (c->closing || !wm_channel_push(&c->channel))
        return;
    atomic_fetch_add(&c->users, 1);
    close_if_dead(c);
}

static void post_read(wm_connection *c)
{
    if (c->closing || !wm_channel_receive(&c->channel, wanted(c) - c->in_have))
        return;
    atomic_fetch_add(&c->users, 1);
    close_if_dead(c);
}

static void ended(wm_connection *c, wm_tls_step step)
{
    if (wm_channel_is_starved(&c->channel))
        wm_connection_offend(c, "there is no memory for what is to be said to it");
    c->lost = c->lost || (!c->closing && step == WM_TLS_ENDED);
    wm_connection_close(c);
}

static void read_on(wm_connection *c)
{
    wm_tls_step step = WM_TLS_DONE;

    while (step == WM_TLS_DONE && !c->closing && reads(c)) {
        uint8_t *to = c->state == WM_READ_MESSAGE ? c->in : c->head;
        size_t   n = wanted(c) - c->in_have;

        step = wm_channel_read(&c->channel, to + c->in_have, &n);
        if (step == WM_TLS_AGAIN) {
            post_write(c); /* TLS itself may have something to say */
            post_read(c);
        } else if (step != WM_TLS_DONE) {
            ended(c, step);
        } else {
            c->in_have += n;
            atomic_fetch_add(&c->bytes_in, n);
            atomic_fetch_add(&c->listener->bytes_in, n);
            if (c->in_have == wanted(c))
                got_all(c);
        }
    }
}

/* ---- writing ---- */

/* The answer's text is not needed any more once all of it is records. */
static void free_frame(wm_connection *c)
{
    free(c->frame);
    c->frame = NULL;
}

static void close_rest(wm_connection *c)
{
    if (c->rest.source.close != NULL)
        c->rest.source.close(c->rest.source.state);
    c->rest = (wm_rest){ .left = 0 };
}

void wm_connection_drop_answer(wm_connection *c)
{
    free_frame(c);
    close_rest(c);
    if (c->frame_size > 0)
        wm_intake_answered(&c->listener->intake, c->frame_size);
    c->frame_size = 0;
}

static void write_over(wm_connection *c)
{
    wm_connection_drop_answer(c);
    wm_channel_rest(&c->channel);
    c->deadline = 0;
    if (!c->answering) { /* that was our hello */
        begin_head(c);
        return;
    }
    c->answering = false;
    due_in(c, c->listener->set.idle_ms);
    if (c->last_answer)
        wm_connection_close(c);
    else if (c->state == WM_READ_PAUSED)
        want_message(c);
}

/* How many of bytes[n] the channel takes. */
static size_t write_some(wm_connection *c, const uint8_t *bytes, size_t n)
{
    size_t done = 0;

    while (done < n && !c->closing) {
        size_t      part = n - done;
        wm_tls_step step = wm_channel_write(&c->channel, bytes + done, &part);

        if (step == WM_TLS_AGAIN)
            break;
        if (step != WM_TLS_DONE) {
            ended(c, step);
            break;
        }
        done += part;
        atomic_fetch_add(&c->bytes_out, part);
        atomic_fetch_add(&c->listener->bytes_out, part);
    }
    return done;
}

/* The channel takes a piece whole if it has room for it. */
static void write_rest(wm_connection *c)
{
    uint8_t piece[PIECE];

    while (c->rest.left > 0 && !c->closing && wm_channel_has_room(&c->channel, PIECE)) {
        size_t n = c->rest.left < PIECE ? (size_t)c->rest.left : PIECE, done;

        if (!c->rest.source.read(c->rest.source.state, c->rest.offset, piece, n)) {
            wm_connection_close(c);
            return;
        }
        done = write_some(c, piece, n);
        assert(done == n || c->closing);
        c->rest.offset += done;
        c->rest.left -= done;
    }
}

static void write_on(wm_connection *c)
{
    size_t done = write_some(c, c->out, c->out_left);

    c->out += done;
    c->out_left -= done;
    if (c->out_left == 0) {
        free_frame(c);
        write_rest(c);
    }
    post_write(c);
}

static void write_bytes(wm_connection *c, const uint8_t *bytes, size_t n)
{
    c->out = bytes;
    c->out_left = n;
    c->writing = true;
    due_in(c, c->listener->set.message_ms);
    write_on(c);
}

/* ---- what needs the lock to be free ---- */

static void leave(wm_connection *c);

/* The handshakes are over, so the peer is known. No lock held: the listener's comes before ours. */
static void welcome(wm_connection *c)
{
    const wm_tls *tls = c->listener->set.tls;
    wm_peer       peer = { .not_after_ms = 0 };
    char          why[WM_TLS_WHY] = "its identity cannot be read";
    bool          known, served;

    pthread_mutex_lock(&c->lock);
    known = tls == NULL || wm_tls_session_peer(c->channel.session, &peer);
    pthread_mutex_unlock(&c->lock);
    /* First onto the list of that name, then the last question: so a revocation finds it there, or it finds
     * the revocation. */
    served = known && wm_crowd_name(c, &peer, why, sizeof why) &&
             (tls == NULL || wm_tls_is_anonymous(tls) || wm_tls_allows(tls, &peer, why, sizeof why));
    pthread_mutex_lock(&c->lock);
    if (!served) {
        wm_connection_offend(c, "%s", why);
    } else if (!c->closing) {
        memcpy(c->hello, wm_frame_hello_answer, WM_FRAME_HELLO);
        write_bytes(c, c->hello, WM_FRAME_HELLO); /* what comes is read when that is out */
    }
    leave(c);
}

/* Lets the lock go, and does what was found to be done. The caller is a user, and a request is one of its own. */
static void leave(wm_connection *c)
{
    wm_request *request = c->ready;
    bool        greeted = c->greeted;

    c->ready = NULL;
    c->greeted = false;
    pthread_mutex_unlock(&c->lock);
    if (request != NULL)
        wm_intake_push(&c->listener->intake, request);
    if (greeted)
        welcome(c);
}

/* ---- what nng calls ---- */

void wm_connection_begin(wm_connection *c)
{
    due_in(c, c->listener->set.hello_ms);
    post_read(c);
}

void wm_connection_received(void *self)
{
    wm_connection *c = self;

    pthread_mutex_lock(&c->lock);
    wm_channel_received(&c->channel);
    read_on(c);
    leave(c);
    wm_connection_release(c);
}

void wm_connection_sent(void *self)
{
    wm_connection *c = self;

    pthread_mutex_lock(&c->lock);
    wm_channel_sent(&c->channel);
    if (c->channel.mute && !c->closing)
        ended(c, WM_TLS_ENDED);
    write_on(c);
    if (!c->closing && c->writing && c->out_left == 0 && c->rest.left == 0 && wm_channel_is_flushed(&c->channel)) {
        c->writing = false;
        write_over(c);
    }
    read_on(c);
    leave(c);
    wm_connection_release(c);
}

void wm_connection_admit(wm_connection *c, bool has_memory)
{
    pthread_mutex_lock(&c->lock);
    if (!c->closing && has_memory) {
        begin_message(c);
        read_on(c);
    } else if (has_memory) {
        c->held = c->in_want; /* given back with the connection */
    }
    leave(c);
    wm_connection_release(c);
}

bool wm_connection_answer(wm_connection *c, uint8_t *frame, size_t n, const wm_rest *rest)
{
    bool taken;

    pthread_mutex_lock(&c->lock);
    taken = !c->closing;
    if (taken) {
        c->frame = frame;
        c->frame_size = n + (rest->left > 0 ? WM_CHANNEL_OUT : 0);
        c->rest = *rest;
        wm_intake_answer(&c->listener->intake, c->frame_size);
        write_bytes(c, frame, n);
    }
    leave(c);
    return taken;
}
