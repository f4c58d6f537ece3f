/* common/wire/listener.c
 *
 * Accepting, the caps, the deadlines and the end. serving.h has the design. */
#include "common/wire/listener.h"

#include "common/wire/serving.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEP_MS = 250,
    LOG_LINES_A_SECOND = 20, /* of peers turned away: a flood of them must not become a flood of the log */
};

/* ---- what connections ask for ---- */

static size_t bucket_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a: the names are verified, so nobody can choose them to collide */

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % WM_NAME_BUCKETS;
}

/* Counts it, and tells the operator while that is not too much. No lock held. */
static void turn_away(wm_listener *l, const wm_refusal *refusal)
{
    int64_t second = wm_now_ms() / 1000;
    bool    tell;

    atomic_fetch_add(&l->refused, 1);
    if (l->set.refused == NULL)
        return;
    pthread_mutex_lock(&l->log_lock);
    if (second != l->log_second)
        l->log_lines = 0;
    l->log_second = second;
    tell = l->log_lines++ < LOG_LINES_A_SECOND;
    pthread_mutex_unlock(&l->log_lock);
    if (tell)
        l->set.refused(l->set.context, refusal);
}

void wm_listener_turned_away(wm_connection *c, const char *name, const char *why)
{
    wm_refusal refusal = { .remote = c->remote, .name = name, .verified = c->verified, .why = why };

    turn_away(c->listener, &refusal);
}

/* The oldest of that name, and how many there are. Listener's lock held. */
static wm_connection *oldest_of(const wm_listener *l, const char *name, size_t *n)
{
    wm_connection *oldest = NULL;

    *n = 0;
    for (wm_connection *c = l->named[bucket_of(name)]; c != NULL; c = c->same_next) {
        if (strcmp(c->peer.name, name) != 0)
            continue;
        ++*n;
        if (oldest == NULL || c->number < oldest->number)
            oldest = c;
    }
    return oldest;
}

static void unname(wm_listener *l, wm_connection *c)
{
    if (!c->named)
        return;
    c->named = false;
    if (c->same_next != NULL)
        c->same_next->same_previous = c->same_previous;
    if (c->same_previous != NULL)
        c->same_previous->same_next = c->same_next;
    else
        l->named[bucket_of(c->peer.name)] = c->same_next;
}

void wm_listener_name(wm_connection *c, const wm_peer *peer)
{
    wm_listener    *l = c->listener;
    wm_connection **bucket = &l->named[bucket_of(peer->name)], *oldest;
    size_t          n;

    pthread_mutex_lock(&l->lock);
    pthread_mutex_lock(&c->lock);
    c->peer = *peer;
    c->verified = true;
    pthread_mutex_unlock(&c->lock);
    if (peer->name[0] != '\0') {
        c->named = true;
        c->same_next = *bucket;
        if (*bucket != NULL)
            (*bucket)->same_previous = c;
        *bucket = c;
        oldest = oldest_of(l, peer->name, &n);
        if (n > l->set.connections_max_per_identity) {
            unname(l, oldest); /* so that it is not chosen again before it is gone */
            pthread_mutex_lock(&oldest->lock);
            wm_connection_offend(oldest, "it has %zu connections, and the oldest had to go", n);
            pthread_mutex_unlock(&oldest->lock);
        }
    }
    pthread_mutex_unlock(&l->lock);
}

bool wm_listener_unlink(wm_connection *c)
{
    wm_listener *l = c->listener;
    bool         was_named;
    size_t       left = 0;

    pthread_mutex_lock(&l->lock);
    was_named = c->named;
    unname(l, c);
    if (was_named)
        (void)oldest_of(l, c->peer.name, &left);
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        l->connections = c->next;
    pthread_mutex_unlock(&l->lock);
    return was_named && left == 0;
}

void wm_listener_one_less(wm_listener *l)
{
    pthread_mutex_lock(&l->lock);
    l->n_connections--;
    if (l->stopping)
        wm_intake_ring(&l->intake, false);
    pthread_mutex_unlock(&l->lock);
}

/* ---- accepting ---- */

/* Takes the stream. Listener's lock held; the caller is a user of the result. NULL: there is no place for it. */
static wm_connection *take_in(wm_listener *l, nng_stream *stream)
{
    wm_connection *c = NULL;

    if (l->stopping || l->n_connections >= l->set.connections_max) {
        nng_stream_close(stream);
        nng_stream_free(stream);
        return NULL;
    }
    if ((c = wm_connection_new(l, stream)) == NULL)
        return NULL;
    c->number = l->next_number++;
    c->next = l->connections;
    if (c->next != NULL)
        c->next->previous = c;
    l->connections = c;
    l->n_connections++;
    atomic_fetch_add(&l->accepted, 1);
    pthread_mutex_lock(&c->lock);
    wm_connection_begin(c);
    pthread_mutex_unlock(&c->lock);
    return c;
}

static void accept_done(void *self)
{
    wm_listener   *l = self;
    wm_connection *c = NULL;
    nng_stream    *stream;
    wm_refusal     refusal = { .remote = "",
                               .name = "",
                               .why = "no connection can be accepted: out of descriptors or memory" };
    char           remote[WM_REMOTE_TEXT];
    int            rv = nng_aio_result(l->accept);
    bool           stopping;

    pthread_mutex_lock(&l->lock);
    stopping = l->stopping;
    if (rv == 0) {
        stream = nng_aio_get_output(l->accept, 0);
        wm_remote_text(stream, remote);
        refusal.remote = remote;
        refusal.why = "there are as many connections as are allowed";
        c = take_in(l, stream);
    }
    l->accepting = rv == 0 && !stopping;
    if (l->accepting)
        nng_stream_listener_accept(l->socket, l->accept); /* else the sweep tries again */
    if (stopping)
        wm_intake_ring(&l->intake, false);
    pthread_mutex_unlock(&l->lock);
    if (c != NULL)
        wm_connection_release(c);
    else if (!stopping)
        turn_away(l, &refusal);
}

/* ---- the sweeper ---- */

static void late(wm_connection *c)
{
    const wm_listener_settings *set = &c->listener->set;

    if (c->state == WM_READ_HELLO && !c->verified)
        wm_connection_offend(c, "it did not finish the handshakes within %d ms", set->hello_ms);
    else if (c->state == WM_READ_MESSAGE)
        wm_connection_offend(c, "it did not send its request within %d ms", set->message_ms);
    else if (c->out_left > 0)
        wm_connection_offend(c, "it did not take its answer within %d ms", set->message_ms);
    else
        wm_connection_close(c); /* idle: nobody's fault */
}

/* Listener's lock held. The sweep is no user of the connections, so it must not close one that has no other
 * user: there is none. An open connection has a read in flight, or a callback at work, or is on the list of
 * those that wait, or is paused with a request outside or its answer in flight; and its last user needs our
 * lock to unlink it. */
static void sweep(wm_listener *l, int64_t now)
{
    for (wm_connection *c = l->connections; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->lock);
        if (c->closing)
            ;
        else if (c->deadline != 0 && now > c->deadline)
            late(c);
        else if (l->stopping && !c->answering)
            wm_connection_close(c);
        else if (l->stopping)
            c->last_answer = true;
        pthread_mutex_unlock(&c->lock);
    }
    if (!l->accepting && !l->stopping) {
        l->accepting = true;
        nng_stream_listener_accept(l->socket, l->accept);
    }
}

static void let_in(wm_listener *l, bool end)
{
    wm_connection *c;
    bool           has_memory;

    while ((c = wm_intake_next_waiting(&l->intake, end, &has_memory)) != NULL)
        wm_connection_admit(c, has_memory);
}

/* A thread of our own: nng's sleep and its timeouts follow the wall clock, which may be set back. */
static void *sweep_until_empty(void *self)
{
    wm_listener *l = self;
    int64_t      next = 0;
    bool         stopping, empty = false;

    while (!empty) {
        int64_t now = wm_now_ms();

        pthread_mutex_lock(&l->lock);
        stopping = l->stopping;
        if (stopping || now >= next) {
            sweep(l, now);
            next = now + SWEEP_MS;
        }
        empty = stopping && l->n_connections == 0 && !l->accepting;
        pthread_mutex_unlock(&l->lock);
        let_in(l, stopping);
        if (!empty && wm_intake_sleep(&l->intake, next) && l->set.gone != NULL)
            l->set.gone(l->set.context);
    }
    return NULL;
}

/* ---- starting ---- */

static size_t or_else(size_t value, size_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static wm_status check_settings(const wm_listener_settings *set, wm_error *err)
{
    bool local = set->url != NULL && strncmp(set->url, "ipc://", 6) == 0;

    if (set->url == NULL || (!local && strncmp(set->url, "tls+tcp://", 10) != 0))
        return wm_fail(err, WM_E_INVALID, "%s is no address to listen at: tls+tcp://HOST:PORT or ipc://PATH",
                       set->url != NULL ? set->url : "(none)");
    if (local == (set->tls != NULL))
        return wm_fail(err, WM_E_INVALID, "%s: TLS goes with tls+tcp:// and not with ipc://", set->url);
    if (!local && wm_tls_side_of(set->tls) != WM_TLS_SERVER)
        return wm_fail(err, WM_E_INVALID, "%s: a listener needs the server's side of TLS", set->url);
    if (set->handle == NULL || set->request_max == 0)
        return wm_fail(err, WM_E_INVALID, "%s: a listener needs a handler and a limit for requests", set->url);
    if (set->hello_ms < 0 || set->message_ms < 0 || set->idle_ms < 0 || set->n_workers < 0)
        return wm_fail(err, WM_E_INVALID, "%s: times and threads are not negative", set->url);
    return WM_OK;
}

static void fill_settings(wm_listener *l, const wm_listener_settings *set)
{
    l->set = *set;
    l->set.held_max = or_else(set->held_max, (size_t)64 << 20);
    l->set.connections_max = or_else(set->connections_max, 4096);
    l->set.connections_max_per_identity = or_else(set->connections_max_per_identity, 4);
    l->set.hello_ms = (int)or_else((size_t)set->hello_ms, 10 * 1000);
    l->set.message_ms = (int)or_else((size_t)set->message_ms, 30 * 1000);
    l->set.idle_ms = (int)or_else((size_t)set->idle_ms, 90 * 1000);
    l->set.n_workers = (int)or_else((size_t)set->n_workers, 2);
    l->kind = set->tls != NULL ? WM_FRAME_TCP : WM_FRAME_LOCAL;
    if (l->set.tls != NULL)
        wm_tls_hold(l->set.tls);
}

static wm_status set_options(wm_listener *l, wm_error *err)
{
    nng_tls_config *config;
    wm_status       st;
    int             rv;

    if (l->kind == WM_FRAME_LOCAL) {
        rv = nng_stream_listener_set_int(l->socket, NNG_OPT_IPC_PERMISSIONS, 0600);
    } else {
        if ((st = wm_engine_config(l->set.tls, NULL, &config, err)) != WM_OK)
            return st;
        rv = nng_stream_listener_set_ptr(l->socket, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the listener holds it */
        if (rv == 0)
            rv = nng_stream_listener_set_bool(l->socket, NNG_OPT_TCP_KEEPALIVE, true);
        if (rv == 0)
            rv = nng_stream_listener_set_bool(l->socket, NNG_OPT_TCP_NODELAY, true);
    }
    return rv == 0 ? WM_OK
                   : wm_fail(err, WM_E_IO, "%s: an option is not accepted: %s", l->set.url, nng_strerror(rv));
}

static wm_status open_socket(wm_listener *l, wm_error *err)
{
    wm_status st;
    int       rv;

    if ((rv = nng_aio_alloc(&l->accept, accept_done, l)) != 0)
        return wm_fail(err, WM_E_NOMEM, "no memory for a listener");
    if ((rv = nng_stream_listener_alloc(&l->socket, l->set.url)) != 0)
        return wm_fail(err, WM_E_INVALID, "%s is no address to listen at: %s", l->set.url, nng_strerror(rv));
    if ((st = set_options(l, err)) != WM_OK)
        return st;
    if ((rv = nng_stream_listener_listen(l->socket)) != 0)
        return wm_fail(err, WM_E_IO, "cannot listen at %s: %s", l->set.url, wm_engine_error(rv));
    if (l->kind == WM_FRAME_TCP && nng_stream_listener_get_int(l->socket, NNG_OPT_TCP_BOUND_PORT, &l->port) != 0)
        return wm_fail(err, WM_E_IO, "%s: the port cannot be read", l->set.url);
    return WM_OK;
}

/* Without signals, which are the program's own affair. */
static bool start_thread(pthread_t *thread, void *(*run)(void *), void *context)
{
    sigset_t all, before;
    bool     started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(thread, NULL, run, context) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static wm_status start_workers(wm_listener *l, wm_error *err)
{
    if ((l->workers = calloc((size_t)l->set.n_workers, sizeof *l->workers)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a listener's threads");
    for (; l->n_workers < l->set.n_workers; l->n_workers++)
        if (!start_thread(&l->workers[l->n_workers], wm_intake_work, l))
            return wm_fail(err, WM_E_NOMEM, "cannot start a listener's threads");
    return WM_OK;
}

static void end_workers(wm_listener *l)
{
    wm_intake_end(&l->intake);
    for (; l->n_workers > 0; l->n_workers--)
        pthread_join(l->workers[l->n_workers - 1], NULL);
}

/* Everything but the threads, and the listener itself. */
static void release(wm_listener *l)
{
    nng_aio_free(l->accept); /* nothing is pending; waits until its callback has returned */
    nng_stream_listener_free(l->socket);
    wm_intake_release(&l->intake);
    pthread_mutex_destroy(&l->log_lock);
    pthread_mutex_destroy(&l->lock);
    wm_tls_free(l->set.tls);
    free(l->workers);
    free((char *)l->set.url);
    free(l);
}

wm_status wm_listener_start(const wm_listener_settings *set, wm_listener **ret, wm_error *err)
{
    wm_listener *l;
    wm_status    st;

    if ((st = check_settings(set, err)) != WM_OK || (st = wm_engine_start(err)) != WM_OK)
        return st;
    if ((l = calloc(1, sizeof *l)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a listener");
    wm_intake_init(&l->intake, or_else(set->held_max, (size_t)64 << 20));
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->log_lock, NULL);
    fill_settings(l, set);
    if ((l->set.url = strdup(set->url)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a listener");
    if (st == WM_OK)
        st = open_socket(l, err);
    if (st == WM_OK)
        st = start_workers(l, err);
    l->accepting = true;
    if (st == WM_OK && !start_thread(&l->sweeper, sweep_until_empty, l))
        st = wm_fail(err, WM_E_NOMEM, "cannot start a listener's threads");
    if (st != WM_OK) {
        end_workers(l);
        release(l);
        return st;
    }
    nng_stream_listener_accept(l->socket, l->accept);
    *ret = l;
    return WM_OK;
}

/* ---- the end ---- */

void wm_listener_close(wm_listener *l)
{
    pthread_mutex_lock(&l->lock);
    if (!l->stopping) {
        l->stopping = true;
        nng_stream_listener_close(l->socket);
        sweep(l, wm_now_ms());
        wm_intake_ring(&l->intake, false);
    }
    pthread_mutex_unlock(&l->lock);
}

void wm_listener_stop(wm_listener *l)
{
    wm_listener_close(l);
    if (l->n_workers == 0)
        return; /* stopped before */
    pthread_join(l->sweeper, NULL);
    end_workers(l);
}

void wm_listener_free(wm_listener *l)
{
    if (l == NULL)
        return;
    wm_listener_stop(l);
    release(l);
}

/* ---- looking in ---- */

int wm_listener_port(const wm_listener *l)
{
    return l->port;
}

size_t wm_listener_close_where(wm_listener *l, bool (*match)(void *context, const wm_peer *peer), void *context)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    for (wm_connection *c = l->connections; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->lock);
        if (c->verified && !c->closing && match(context, &c->peer)) {
            wm_connection_close(c);
            n++;
        }
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return n;
}

void wm_listener_counts_get(wm_listener *l, wm_listener_counts *ret)
{
    pthread_mutex_lock(&l->lock);
    ret->connections = l->n_connections;
    pthread_mutex_unlock(&l->lock);
    ret->accepted = atomic_load(&l->accepted);
    ret->refused = atomic_load(&l->refused);
    ret->requests = atomic_load(&l->requests);
    ret->bytes_in = atomic_load(&l->bytes_in);
    ret->bytes_out = atomic_load(&l->bytes_out);
    wm_intake_held(&l->intake, &ret->held_in, &ret->held_out);
}
