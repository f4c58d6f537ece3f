/* common/wire/crowd.c
 *
 * Who is here, and who has to go when it gets full. Two budgets, since what is known of the two kinds differs:
 *
 *   strangers   have not finished the handshakes. Anybody can make as many of them as he likes, so they must never
 *               keep anybody out: when there are too many, the oldest goes of those that come from the address which
 *               has the most. A flood from one place pushes out itself; one from many places leaves each newcomer the
 *               time that it takes to fill the budget once, where a handshake takes a hundredth of a second.
 *   members     are verified. A gateway has a few connections at most; with one more its oldest goes, which may well be
 *               dead. When all places are taken, a gateway that is here already gives up its own oldest, and another is
 *               refused by name. On listeners that ask for no certificate all members are nobody, and are treated as
 *               strangers are, but for those whose question is being worked on.
 *
 * IPv6 addresses are told apart by their first 64 bits, which is what one household has. */
#include "common/wire/serving.h"

#include <string.h>

enum { ADDRESS_BUCKETS = 2048 };

/* ---- lists ---- */

static void join(wm_crowd *crowd, wm_connection *c)
{
    c->crowd = crowd;
    c->previous = crowd->newest;
    c->next = NULL;
    if (crowd->newest != NULL)
        crowd->newest->next = c;
    else
        crowd->oldest = c;
    crowd->newest = c;
    crowd->n++;
}

static void part(wm_connection *c)
{
    wm_crowd *crowd = c->crowd;

    if (c->next != NULL)
        c->next->previous = c->previous;
    else
        crowd->newest = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        crowd->oldest = c->next;
    crowd->n--;
}

static size_t bucket_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a: the names are verified, so nobody can choose them to collide */

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % WM_NAME_BUCKETS;
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

/* It has to go, and is not counted any more. */
__attribute__((format(printf, 3, 4))) static void dismiss(wm_listener *l, wm_connection *c, const char *fmt, ...)
{
    char    why[WM_TLS_WHY];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    unname(l, c);
    part(c);
    join(&l->leaving, c);
    pthread_mutex_lock(&c->lock);
    wm_connection_offend(c, "%s", why);
    pthread_mutex_unlock(&c->lock);
}

/* ---- those that are nobody ---- */

static size_t address_bucket(const wm_connection *c)
{
    uint64_t h = c->address * 0x9e3779b97f4a7c15u;

    return (size_t)(h >> 32) % ADDRESS_BUCKETS;
}

static bool may_go(wm_connection *c)
{
    bool may;

    pthread_mutex_lock(&c->lock);
    may = !c->closing && !c->answering && c->state != WM_READ_MESSAGE;
    pthread_mutex_unlock(&c->lock);
    return may;
}

/* The oldest of those from the address (more exactly: from the bucket of addresses) that has the most. Looks at all of
 * them, twice: a few microseconds, and only when it is full. */
static wm_connection *oldest_of_the_most(const wm_crowd *crowd)
{
    uint16_t       n[ADDRESS_BUCKETS] = { 0 };
    uint16_t       most = 0;
    wm_connection *idle = NULL, *any = NULL;

    for (wm_connection *c = crowd->oldest; c != NULL; c = c->next) {
        uint16_t *count = &n[address_bucket(c)];

        *count = *count < UINT16_MAX ? (uint16_t)(*count + 1) : *count;
        most = *count > most ? *count : most;
    }
    for (wm_connection *c = crowd->oldest; c != NULL && idle == NULL; c = c->next) {
        if (n[address_bucket(c)] != most)
            continue;
        any = any == NULL ? c : any;
        idle = may_go(c) ? c : NULL;
    }
    return idle != NULL ? idle : any;
}

void wm_crowd_drop_stranger(wm_listener *l)
{
    wm_connection *c = oldest_of_the_most(&l->strangers);

    if (c != NULL)
        dismiss(l, c, "it had not finished the handshakes when there were too many like it");
}

bool wm_crowd_has_place(const wm_listener *l)
{
    return l->n_connections < l->set.connections_max + 2 * l->set.strangers_max;
}

void wm_crowd_enter(wm_connection *c)
{
    wm_listener *l = c->listener;

    c->number = l->next_number++;
    if (l->strangers.n >= l->set.strangers_max)
        wm_crowd_drop_stranger(l);
    join(&l->strangers, c);
}

/* ---- those that are somebody ---- */

/* The oldest of that name, and how many there are. */
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

/* A place for one more of that name; false: there is none. Listener's lock held. */
static bool make_place(wm_listener *l, const char *name)
{
    size_t         n = 0;
    wm_connection *oldest = name[0] != '\0' ? oldest_of(l, name, &n) : NULL;

    if (n >= l->set.connections_max_per_identity) {
        dismiss(l, oldest, "it has %zu connections, and the oldest had to go", n + 1);
    } else if (l->members.n >= l->set.connections_max && name[0] == '\0') {
        oldest = oldest_of_the_most(&l->members);
        dismiss(l, oldest, "there are as many connections as are allowed, and an older one had to go");
    } else if (l->members.n >= l->set.connections_max && oldest != NULL) {
        dismiss(l, oldest, "there are as many connections as are allowed, and its older one had to go");
    }
    return l->members.n < l->set.connections_max;
}

/* On the monotonic clock, since the other one may be set; 0: never. */
static int64_t expiry_of(const wm_listener *l, const wm_peer *peer)
{
    int64_t left_ms = l->set.tls != NULL ? wm_tls_left_ms(l->set.tls, peer) : INT64_MAX;

    return left_ms != INT64_MAX ? wm_now_ms() + left_ms : 0;
}

bool wm_crowd_name(wm_connection *c, const wm_peer *peer, char *why, size_t n)
{
    wm_listener    *l = c->listener;
    wm_connection **bucket = &l->named[bucket_of(peer->name)];
    bool            placed;

    pthread_mutex_lock(&l->lock);
    placed = c->crowd == &l->strangers && make_place(l, peer->name);
    pthread_mutex_lock(&c->lock);
    c->peer = *peer;
    c->verified = true;
    c->expires = expiry_of(l, peer);
    pthread_mutex_unlock(&c->lock);
    if (placed) {
        part(c);
        join(&l->members, c);
    }
    if (placed && peer->name[0] != '\0') {
        c->named = true;
        c->same_next = *bucket;
        if (*bucket != NULL)
            (*bucket)->same_previous = c;
        *bucket = c;
    }
    pthread_mutex_unlock(&l->lock);
    if (!placed)
        snprintf(why, n, "there are as many connections as are allowed");
    return placed;
}

bool wm_crowd_leave(wm_connection *c)
{
    wm_listener *l = c->listener;
    bool         was_named;
    size_t       left = 0;

    pthread_mutex_lock(&l->lock);
    was_named = c->named;
    unname(l, c);
    if (was_named)
        (void)oldest_of(l, c->peer.name, &left);
    part(c);
    pthread_mutex_unlock(&l->lock);
    return was_named && left == 0;
}
