/* common/wire/connection.c
 *
 * One connection of a listener: how it begins and ends. What is said on it is in connection_talk.c. */
#include "common/wire/serving.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t wm_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- life ---- */

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

/* IPv6: the network, since a host there has as many addresses as it likes. */
static uint64_t address_of(nng_stream *stream)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* before an IPv4 address */
    nng_sockaddr         at;
    uint64_t             address = 0;

    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &at) != 0)
        return 0;
    if (at.s_family == NNG_AF_INET)
        address = at.s_in.sa_addr;
    else if (at.s_family == NNG_AF_INET6 && memcmp(at.s_in6.sa_addr, mapped, sizeof mapped) == 0)
        memcpy(&address, at.s_in6.sa_addr + sizeof mapped, 4);
    else if (at.s_family == NNG_AF_INET6)
        memcpy(&address, at.s_in6.sa_addr, sizeof address);
    return address;
}

wm_connection *wm_connection_new(wm_listener *listener, nng_stream *stream)
{
    wm_connection *c = calloc(1, sizeof *c);

    if (c == NULL || wm_channel_init(&c->channel, stream, listener->set.tls, NULL, wm_connection_received,
                                     wm_connection_sent, c, NULL) != WM_OK) {
        free(c);
        nng_stream_close(stream);
        nng_stream_free(stream);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    atomic_init(&c->users, 2);
    c->listener = listener;
    c->state = WM_READ_HELLO;
    wm_remote_text(stream, c->remote);
    c->address = address_of(stream);
    return c;
}

/* The connection has ended, in whatever way: who is to blame? */
static void report_end(wm_connection *c)
{
    static const wm_tls_failure none = { .status = WM_OK };
    const wm_tls_session       *session = c->channel.session;
    const wm_tls_failure       *failure = session != NULL ? wm_tls_session_failure(session) : &none;
    const char                 *name = c->verified ? c->peer.name : failure->name;

    if (c->offence[0] != '\0')
        wm_listener_turned_away(c, name, c->offence);
    else if (failure->status != WM_OK) /* also of a peer that was let in, and whose records do not hold */
        wm_listener_turned_away(c, name, failure->why);
    else if (!c->verified && c->lost)
        wm_listener_turned_away(c, name, "it left before the handshakes were over");
}

void wm_connection_release(wm_connection *c)
{
    wm_listener *listener = c->listener;

    if (atomic_fetch_sub(&c->users, 1) != 1)
        return;
    assert(c->closing);
    if (wm_crowd_leave(c) && listener->set.left != NULL)
        listener->set.left(listener->set.context, &c->peer);
    report_end(c);
    wm_channel_release(&c->channel);
    wm_connection_drop_answer(c);
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
    if (wm_channel_close(&c->channel))
        atomic_fetch_add(&c->users, 1);
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
