/* tests/e2e/links.c
 *
 * One thread carries all packets. A direction of a link is a queue: a packet leaves when those before it have, at the
 * link's rate, and arrives its delay later; so packets stay in order, and the queue is one list. */
#include "tests/e2e/links.h"

#include "common/rng.h"
#include "tests/e2e/namespaces.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 2048,
    QUEUE_BYTES = 48 << 10, /* of a slow link; what comes on top is lost */
    STREAMS_MAX = 256,      /* connections of a link that are told apart */
    NS_PER_MS = 1000000,
};

enum { UP, DOWN };

typedef struct packet {
    struct packet *next;
    int64_t        due_ns;
    size_t         n;
    uint8_t        bytes[PACKET_MAX];
} packet;

/* One TCP connection of a gateway, by its port and the other one. */
typedef struct stream {
    uint16_t port, office_port;
    bool     forgotten;
    bool     begun[2];
    uint32_t first[2], end[2]; /* sequence numbers, by direction: what was delivered so far */
} stream;

typedef struct way {
    packet *first, **last;
    int64_t free_ns; /* when what is queued has left */
    bool    cut;
} way;

typedef struct one_link {
    int         tun, ns;
    int         moves;
    uint32_t    address; /* of the gateway, in the order of the host */
    link_ills   ills;
    way         ways[2];
    stream      streams[STREAMS_MAX];
    size_t      n_streams;
    link_counts counts;
    uint64_t    forget_at; /* 0: not planned */
    bool        forgotten;
} one_link;

struct links {
    size_t          n;
    int             home, tun; /* the office's namespace and end of the wire */
    uint16_t        bulk_port;
    wm_rng          rng;
    pthread_t       carrier;
    atomic_bool     stopping;
    pthread_mutex_t lock; /* guards what follows */
    one_link        links[LINKS_MAX];
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the ends ---- */

static uint32_t address_of(size_t k, int moves)
{
    return 10u << 24 | 77u << 16 | (uint32_t)(k + 1) << 8 | (uint32_t)(moves + 2);
}

void links_enter(links *l, size_t k)
{
    namespace_enter(l->links[k].ns);
}

void links_leave(links *l)
{
    namespace_enter(l->home);
}

static bool open_link(links *l, size_t k)
{
    one_link *at = &l->links[k];

    at->ways[UP].last = &at->ways[UP].first;
    at->ways[DOWN].last = &at->ways[DOWN].first;
    at->address = address_of(k, 0);
    if (!namespace_leave())
        return false;
    at->ns = namespace_present();
    at->tun = wire_open(at->address);
    links_leave(l);
    return at->ns >= 0 && at->tun >= 0;
}

/* ---- packets ---- */

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static stream *stream_of(one_link *at, uint16_t port, uint16_t office_port)
{
    for (size_t i = at->n_streams; i > 0; i--)
        if (at->streams[i - 1].port == port && at->streams[i - 1].office_port == office_port)
            return &at->streams[i - 1];
    if (at->n_streams == STREAMS_MAX)
        return &at->streams[STREAMS_MAX - 1];
    at->streams[at->n_streams] = (stream){ .port = port, .office_port = office_port };
    return &at->streams[at->n_streams++];
}

/* The stream that a packet is of; NULL: it is not TCP. *payload, *seq: what it carries. */
static stream *look(one_link *at, int direction, const uint8_t *bytes, size_t n, size_t *payload, uint32_t *seq)
{
    size_t   head = (size_t)(bytes[0] & 15) * 4;
    uint16_t from, to;

    if (bytes[9] != IPPROTO_TCP || n < head + 20)
        return NULL;
    from = get16(bytes + head);
    to = get16(bytes + head + 2);
    *seq = get32(bytes + head + 4);
    *payload = n - head - (size_t)(bytes[head + 12] >> 4) * 4;
    return direction == UP ? stream_of(at, from, to) : stream_of(at, to, from);
}

static void forget_now(one_link *at)
{
    for (size_t i = 0; i < at->n_streams; i++)
        at->streams[i].forgotten = true;
    at->forgotten = true;
    at->forget_at = 0;
}

/* What a delivered packet adds to its stream is counted once, however often it was sent. */
static void count(links *l, one_link *at, int direction, const uint8_t *bytes, size_t n)
{
    size_t   payload;
    uint32_t seq, end;
    stream  *s = look(at, direction, bytes, n, &payload, &seq);

    if (s == NULL || s->office_port != l->bulk_port || payload == 0)
        return;
    end = seq + (uint32_t)payload;
    if (!s->begun[direction]) {
        s->begun[direction] = true;
        s->first[direction] = s->end[direction] = seq;
        at->counts.bulk_connections += direction == UP;
    }
    if ((int32_t)(end - s->end[direction]) > 0) {
        *(direction == UP ? &at->counts.bulk_up : &at->counts.bulk_down) += end - s->end[direction];
        s->end[direction] = end;
    }
    if (direction == UP && at->forget_at > 0 && at->counts.bulk_up >= at->forget_at)
        forget_now(at);
}

static bool is_lost(links *l, one_link *at, int direction, const uint8_t *bytes, size_t n, int64_t now)
{
    size_t   payload;
    uint32_t seq;
    stream  *s = look(at, direction, bytes, n, &payload, &seq);
    way     *w = &at->ways[direction];

    if (w->cut || (s != NULL && s->forgotten))
        return true;
    if (at->ills.rate > 0 && w->free_ns > now && (w->free_ns - now) / 1000 * at->ills.rate / 1000000 > QUEUE_BYTES)
        return true;
    return at->ills.loss > 0 && wm_rng_unit(&l->rng) < at->ills.loss;
}

static void take_packet(links *l, one_link *at, int direction, const uint8_t *bytes, size_t n)
{
    int64_t now = now_ns();
    way    *w = &at->ways[direction];
    packet *p;

    at->counts.packets++;
    if (is_lost(l, at, direction, bytes, n, now) || (p = malloc(sizeof *p)) == NULL) {
        at->counts.lost++;
        return;
    }
    w->free_ns = w->free_ns > now ? w->free_ns : now;
    if (at->ills.rate > 0)
        w->free_ns += (int64_t)n * 1000000000 / at->ills.rate;
    *p = (packet){ .due_ns = w->free_ns + (int64_t)at->ills.delay_ms * NS_PER_MS, .n = n };
    memcpy(p->bytes, bytes, n);
    *w->last = p;
    w->last = &p->next;
}

/* Delivers what is due; the time when the next one is, INT64_MAX: none. */
static int64_t deliver(links *l, one_link *at, int direction)
{
    way     *w = &at->ways[direction];
    stream  *s;
    size_t   payload;
    uint32_t seq;

    while (w->first != NULL && w->first->due_ns <= now_ns()) {
        packet *p = w->first;

        w->first = p->next;
        if (w->first == NULL)
            w->last = &w->first;
        s = look(at, direction, p->bytes, p->n, &payload, &seq);
        if (!w->cut && (s == NULL || !s->forgotten) &&
            write(direction == UP ? l->tun : at->tun, p->bytes, p->n) == (ssize_t)p->n)
            count(l, at, direction, p->bytes, p->n);
        else
            at->counts.lost++;
        free(p);
    }
    return w->first != NULL ? w->first->due_ns : INT64_MAX;
}

/* All that lies at one end. `from` NULL: the office's, whose packets name their gateway. */
static void take_all(links *l, int fd, one_link *from)
{
    uint8_t bytes[PACKET_MAX];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        if (n < 20 || bytes[0] >> 4 != 4)
            continue; /* IPv6 looks for neighbours */
        if (from != NULL && get32(bytes + 12) == from->address) {
            take_packet(l, from, UP, bytes, (size_t)n);
            continue;
        }
        for (size_t k = 0; from == NULL && k < l->n; k++)
            if (get32(bytes + 16) == l->links[k].address)
                take_packet(l, &l->links[k], DOWN, bytes, (size_t)n);
    }
}

static void *carry(void *context)
{
    links        *l = context;
    struct pollfd fds[LINKS_MAX + 1] = { { .fd = l->tun, .events = POLLIN } };

    for (size_t k = 0; k < l->n; k++)
        fds[k + 1] = (struct pollfd){ .fd = l->links[k].tun, .events = POLLIN };
    while (!atomic_load(&l->stopping)) {
        int64_t         next = now_ns() + 20 * NS_PER_MS, wait;
        struct timespec t;

        pthread_mutex_lock(&l->lock);
        take_all(l, l->tun, NULL);
        for (size_t k = 0; k < l->n; k++) {
            take_all(l, l->links[k].tun, &l->links[k]);
            for (int direction = UP; direction <= DOWN; direction++) {
                int64_t due = deliver(l, &l->links[k], direction);

                next = due < next ? due : next;
            }
        }
        pthread_mutex_unlock(&l->lock);
        wait = next - now_ns();
        t = (struct timespec){ .tv_nsec = wait > 0 ? wait : 0 };
        (void)ppoll(fds, l->n + 1, &t, NULL);
    }
    return NULL;
}

/* ---- life ---- */

const char *links_open(size_t n, links **ret)
{
    links *l = calloc(1, sizeof *l);

    if (l == NULL)
        return "no memory";
    l->n = n;
    l->tun = l->home = -1;
    for (size_t k = 0; k < LINKS_MAX; k++)
        l->links[k].tun = l->links[k].ns = -1;
    pthread_mutex_init(&l->lock, NULL);
    wm_rng_init_keyed(&l->rng, 5, "loss", 0, "");
    if (!namespace_leave_the_machine()) {
        free(l);
        return "a network namespace is not allowed here";
    }
    l->home = namespace_present();
    l->tun = l->home >= 0 ? wire_open(ntohl(inet_addr(LINKS_OFFICE))) : -1;
    if (l->tun < 0) {
        links_close(l);
        return "a TUN device is not allowed here";
    }
    for (size_t k = 0; k < n; k++)
        if (!open_link(l, k)) {
            links_close(l);
            return "a network namespace for each gateway is not allowed here";
        }
    if (pthread_create(&l->carrier, NULL, carry, l) != 0)
        abort();
    *ret = l;
    return NULL;
}

void links_close(links *l)
{
    if (l->n > 0 && l->links[l->n - 1].tun >= 0) {
        atomic_store(&l->stopping, true);
        pthread_join(l->carrier, NULL);
    }
    for (size_t k = 0; k < l->n; k++) {
        for (int direction = UP; direction <= DOWN; direction++)
            for (packet *p = l->links[k].ways[direction].first, *next; p != NULL; p = next) {
                next = p->next;
                free(p);
            }
        if (l->links[k].tun >= 0)
            close(l->links[k].tun);
        if (l->links[k].ns >= 0)
            close(l->links[k].ns);
    }
    if (l->tun >= 0)
        close(l->tun);
    if (l->home >= 0)
        close(l->home);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void links_set_bulk_port(links *l, int port)
{
    pthread_mutex_lock(&l->lock);
    l->bulk_port = (uint16_t)port;
    pthread_mutex_unlock(&l->lock);
}

/* ---- ills ---- */

void links_set(links *l, size_t k, const link_ills *ills)
{
    pthread_mutex_lock(&l->lock);
    l->links[k].ills = *ills;
    pthread_mutex_unlock(&l->lock);
}

void links_cut(links *l, size_t k, bool up, bool down)
{
    pthread_mutex_lock(&l->lock);
    l->links[k].ways[UP].cut = up;
    l->links[k].ways[DOWN].cut = down;
    pthread_mutex_unlock(&l->lock);
}

void links_forget(links *l, size_t k, uint64_t after_bulk_bytes)
{
    one_link *at = &l->links[k];

    pthread_mutex_lock(&l->lock);
    at->forgotten = false;
    if (after_bulk_bytes == 0)
        forget_now(at);
    else
        at->forget_at = at->counts.bulk_up + after_bulk_bytes;
    pthread_mutex_unlock(&l->lock);
}

bool links_has_forgotten(links *l, size_t k)
{
    bool forgotten;

    pthread_mutex_lock(&l->lock);
    forgotten = l->links[k].forgotten;
    pthread_mutex_unlock(&l->lock);
    return forgotten;
}

void links_move(links *l, size_t k)
{
    one_link *at = &l->links[k];

    links_enter(l, k);
    if (!wire_move(address_of(k, at->moves + 1)))
        abort();
    links_leave(l);
    pthread_mutex_lock(&l->lock);
    at->address = address_of(k, ++at->moves);
    pthread_mutex_unlock(&l->lock);
}

link_counts links_counts(links *l, size_t k)
{
    link_counts counts;

    pthread_mutex_lock(&l->lock);
    counts = l->links[k].counts;
    pthread_mutex_unlock(&l->lock);
    return counts;
}
