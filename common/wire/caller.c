/* common/wire/caller.c
 *
 * Calls: what is said and what is heard, and on which connection. */
#include "common/wire/caller.h"

#include "common/cond.h"

#include "common/wire/calling.h"

#include <stdlib.h>
#include <string.h>

enum { DIAL_MS = 10 * 1000, ROUTE = 4, WITH_HEAD = 64 << 10, REUSED_ROOM_MAX = 512 << 10 };

/* ---- calls ---- */

typedef struct question {
    const void    *head;
    size_t         n_head;
    const uint8_t *bytes; /* [n], after it */
    size_t         n;
} question;

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

/* The head, the id that nng calls the route, the question's head, and of its bytes so many that the other end is not woken
 * for the sake of a few: one run of records. *ret: how much that is, in c->room; *with: how many of the bytes. */
static wm_status write_start(wm_caller *c, const question *q, uint32_t id, size_t *ret, size_t *with, wm_error *err)
{
    size_t    head = wm_frame_head_size(c->kind), some = q->n < WITH_HEAD ? q->n : WITH_HEAD;
    wm_status st = make_room(c, head + ROUTE + q->n_head + some, err);
    uint8_t  *at;

    if (st != WM_OK)
        return st;
    wm_frame_head_write(c->kind, ROUTE + q->n_head + q->n, c->room);
    at = c->room + head;
    for (int i = 0; i < ROUTE; i++)
        *at++ = (uint8_t)(id >> (24 - 8 * i));
    if (q->n_head > 0)
        memcpy(at, q->head, q->n_head);
    if (some > 0)
        memcpy(at + q->n_head, q->bytes, some);
    *ret = head + ROUTE + q->n_head + some;
    *with = some;
    return WM_OK;
}

/* Says the question, and hears the start of an answer. */
static wm_status say(wm_caller *c, const question *q, uint32_t id, uint8_t *start, size_t n_start, int64_t deadline,
                     wm_error *err)
{
    size_t    n = 0, with = 0;
    wm_status st = write_start(c, q, id, &n, &with, err);

    if (st == WM_OK && with < q->n) {
        st = wm_caller_talk(c, c->room, n, NULL, 0, deadline, err);
        if (st == WM_OK)
            st = wm_caller_talk(c, q->bytes + with, q->n - with, start, n_start, deadline, err);
    } else if (st == WM_OK) {
        st = wm_caller_talk(c, c->room, n, start, n_start, deadline, err);
    }
    if (c->n_room > REUSED_ROOM_MAX) { /* one large request need not cost memory for ever */
        free(c->room);
        c->room = NULL;
        c->n_room = 0;
    }
    return st;
}

/* How many bytes of answer come after this start of one. */
static wm_status read_start(wm_caller *c, const uint8_t *start, uint32_t id, size_t *ret, wm_error *err)
{
    size_t   head = wm_frame_head_size(c->kind);
    uint32_t got = 0;
    uint64_t n;

    for (int i = 0; i < ROUTE; i++)
        got = got << 8 | start[head + (size_t)i];
    if (!wm_frame_head_read(c->kind, start, &n) || n < ROUTE || got != id)
        return wm_fail(err, WM_E_MALFORMED, "%s: an answer that belongs to no question", c->urls[c->at]);
    if (n - ROUTE > c->reply_max)
        return wm_fail(err, WM_E_RANGE, "%s: an answer of %llu bytes, over the limit of %zu", c->urls[c->at],
                       (unsigned long long)n, c->reply_max);
    *ret = (size_t)n - ROUTE;
    return WM_OK;
}

static wm_status ask(wm_caller *c, const question *q, int64_t deadline, uint8_t **reply, size_t *n_reply,
                     wm_error *err)
{
    uint32_t  id = 0x80000000u | c->next_id++;
    size_t    head = wm_frame_head_size(c->kind), size = 0;
    uint8_t   start[WM_FRAME_HEAD_MAX + ROUTE], *answer;
    wm_status st = say(c, q, id, start, head + ROUTE, deadline, err);

    if (st != WM_OK || (st = read_start(c, start, id, &size, err)) != WM_OK)
        return st;
    if ((answer = malloc(size + 1)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an answer of %zu bytes", size);
    if ((st = wm_caller_talk(c, NULL, 0, answer, size, deadline, err)) != WM_OK) {
        free(answer);
        return st;
    }
    *reply = answer;
    *n_reply = size;
    return WM_OK;
}

/* `kept`: the connection was left open by an earlier call. */
static wm_status call_once(wm_caller *c, bool kept, const question *q, int64_t deadline, uint8_t **reply,
                           size_t *n_reply, wm_error *err)
{
    wm_status st = WM_OK;

    if (!kept)
        st = wm_caller_dial(c, deadline, err);
    if (st != WM_OK || (st = ask(c, q, deadline, reply, n_reply, err)) == WM_OK)
        return st;
    wm_caller_hang_up(c);
    if (!kept)
        c->at = (c->at + 1) % c->n_urls; /* it took our question and gave no answer: another server may be better */
    return st;
}

static bool is_refusal(wm_status st)
{
    return st == WM_E_REFUSED || st == WM_E_EXPIRED || st == WM_E_REVOKED;
}

wm_status wm_caller_call(wm_caller *c, const void *bytes, size_t n, int timeout_ms, uint8_t **reply,
                         size_t *n_reply, wm_error *err)
{
    return wm_caller_call_with(c, bytes, n, NULL, 0, timeout_ms, reply, n_reply, err);
}

wm_status wm_caller_call_with(wm_caller *c, const void *head, size_t n_head, const void *bytes, size_t n,
                              int timeout_ms, uint8_t **reply, size_t *n_reply, wm_error *err)
{
    question  q = { .head = head, .n_head = n_head, .bytes = bytes, .n = n };
    int64_t   deadline = wm_caller_now_ms() + timeout_ms;
    bool      kept;
    wm_status st;

    if (c->connected && c->tls != NULL && wm_tls_left_ms(c->tls, &c->peer) < 0)
        wm_caller_hang_up(c); /* the server's certificate has run out meanwhile: it must show another */
    kept = c->connected;
    if (n_head > SIZE_MAX - WM_FRAME_HEAD_MAX - ROUTE || n > SIZE_MAX - WM_FRAME_HEAD_MAX - ROUTE - n_head)
        return wm_fail(err, WM_E_RANGE, "a request of %zu bytes is too long", n);
    if (wm_caller_is_interrupted(c))
        return wm_fail(err, WM_E_CLOSED, "interrupted");
    st = call_once(c, kept, &q, deadline, reply, n_reply, err);
    if (kept && (st == WM_E_CLOSED || is_refusal(st)) && !wm_caller_is_interrupted(c))
        st = call_once(c, false, &q, deadline, reply, n_reply, err);
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

    if ((st = check_settings(set, err)) != WM_OK || (st = wm_channel_start(err)) != WM_OK)
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
    if ((c->urls = calloc(set->n_urls, sizeof *c->urls)) == NULL ||
        nng_aio_alloc(&c->dialling, wm_caller_dialled, c) != 0)
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
    nng_aio_free(c->dialling);
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
    return c->connected;
}

const wm_peer *wm_caller_peer(const wm_caller *c)
{
    return &c->peer;
}

const char *wm_caller_url(const wm_caller *c)
{
    return c->urls[c->answered];
}
