/* common/wire/listener.c
 *
 * Starting, accepting and the end. serving.h has the design. */
#include "common/wire/listener.h"

#include "common/wire/serving.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- accepting ---- */

static void turn_away(wm_listener *l, const wm_refusal *refusal)
{
    atomic_fetch_add(&l->refused, 1);
    if (l->set.refused != NULL)
        l->set.refused(l->set.context, refusal);
}

void wm_listener_turned_away(wm_connection *c, const char *name, const char *why)
{
    wm_refusal refusal = { .remote = c->remote, .name = name, .verified = c->verified, .why = why };

    turn_away(c->listener, &refusal);
}

void wm_listener_one_less(wm_listener *l)
{
    pthread_mutex_lock(&l->lock);
    l->n_connections--;
    if (l->stopping)
        wm_intake_ring(&l->intake, false);
    pthread_mutex_unlock(&l->lock);
}

/* Takes the stream. Listener's lock held; the caller is a user of the result. NULL: there is no place for it, and *why. */
static wm_connection *take_in(wm_listener *l, nng_stream *stream, const char **why)
{
    wm_connection *c = NULL;

    if (l->stopping || !wm_crowd_has_place(l)) {
        *why = "there are as many connections as are allowed";
        nng_stream_close(stream);
        nng_stream_free(stream);
        return NULL;
    }
    if ((c = wm_connection_new(l, stream)) == NULL) {
        *why = "there is no memory for one more connection";
        return NULL;
    }
    l->n_connections++;
    atomic_fetch_add(&l->accepted, 1);
    wm_crowd_enter(c);
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
        c = take_in(l, stream, &refusal.why);
    } else if (!stopping) {
        wm_crowd_drop_stranger(l); /* that may well be what there is too much of */
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
    l->set.connections_max = or_else(set->connections_max, 8192);
    l->set.strangers_max = or_else(set->strangers_max, 1024);
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
    int rv;

    if (l->kind == WM_FRAME_LOCAL) {
        rv = nng_stream_listener_set_int(l->socket, NNG_OPT_IPC_PERMISSIONS, 0600);
    } else {
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
    if ((rv = nng_stream_listener_alloc(&l->socket, wm_nng_url(l->set.url))) != 0)
        return wm_fail(err, rv == NNG_ENOMEM ? WM_E_NOMEM : WM_E_INVALID, "%s is no address to listen at: %s",
                       l->set.url, nng_strerror(rv));
    if ((st = set_options(l, err)) != WM_OK)
        return st;
    if ((rv = nng_stream_listener_listen(l->socket)) != 0)
        return wm_fail(err, WM_E_IO, "cannot listen at %s: %s", l->set.url, wm_nng_error(rv));
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

    if ((st = check_settings(set, err)) != WM_OK || (st = wm_channel_start(err)) != WM_OK)
        return st;
    if ((l = calloc(1, sizeof *l)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a listener");
    wm_intake_init(&l->intake, or_else(set->held_max, (size_t)64 << 20));
    pthread_mutex_init(&l->lock, NULL);
    fill_settings(l, set);
    if ((l->set.url = strdup(set->url)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a listener");
    if (st == WM_OK)
        st = open_socket(l, err);
    if (st == WM_OK)
        st = start_workers(l, err);
    l->accepting = true;
    if (st == WM_OK && !start_thread(&l->sweeper, wm_sweep_until_empty, l))
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
        wm_sweep(l, wm_now_ms());
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
    for (wm_connection *c = l->members.oldest; c != NULL; c = c->next) {
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
