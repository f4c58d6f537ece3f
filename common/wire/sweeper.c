/* common/wire/sweeper.c
 *
 * The listener's own thread: four times a second it closes what is past its deadline or its certificate; whenever its bell rings it lets
 * in those that waited for memory, and says that a kept request has lost its peer. */
#include "common/wire/serving.h"

enum { SWEEP_MS = 250 };

static void late(wm_connection *c)
{
    const wm_listener_settings *set = &c->listener->set;

    if (!c->verified)
        wm_connection_offend(c, "it did not finish the handshakes within %d ms", set->hello_ms);
    else if (c->state == WM_READ_MESSAGE)
        wm_connection_offend(c, "it did not send its request within %d ms", set->message_ms);
    else if (c->writing)
        wm_connection_offend(c, "it did not take its answer within %d ms", set->message_ms);
    else
        wm_connection_close(c); /* idle: nobody's fault */
}

static void sweep_crowd(const wm_listener *l, const wm_crowd *crowd, int64_t now)
{
    for (wm_connection *c = crowd->oldest; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->lock);
        if (c->closing)
            ;
        else if (c->deadline != 0 && now > c->deadline)
            late(c);
        else if (c->expires != 0 && now > c->expires)
            wm_connection_offend(c, "its certificate has expired while it was connected");
        else if (l->stopping && !c->answering)
            wm_connection_close(c);
        else if (l->stopping)
            c->last_answer = true;
        pthread_mutex_unlock(&c->lock);
    }
}

/* The sweep is no user of the connections, so it must not close one that has no other user: there is none. An open
 * connection has a raw read in flight, or a callback at work, or is on the list of those that wait, or is paused with a
 * request outside or its answer in flight; and its last user needs the listener's lock to leave the crowd. */
void wm_sweep(wm_listener *l, int64_t now)
{
    sweep_crowd(l, &l->strangers, now);
    sweep_crowd(l, &l->members, now);
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
void *wm_sweep_until_empty(void *self)
{
    wm_listener *l = self;
    int64_t      next = 0;
    bool         stopping, empty = false;

    while (!empty) {
        int64_t now = wm_now_ms();

        pthread_mutex_lock(&l->lock);
        stopping = l->stopping;
        if (stopping || now >= next) {
            wm_sweep(l, now);
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
