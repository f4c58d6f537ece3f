/* tests/e2e/links.h
 *
 * Bad links: each gateway in a network namespace of its own, behind a wire that this process holds both ends of. What
 * `tc netem` does, done here packet by packet (loss, delay, rate, cuts of one direction), since not every kernel has
 * netem, since a cut must come at a certain byte, and since what went over the wire is to be counted. Needs namespaces
 * and a TUN device, with or without root; where it is not allowed, links_open says what is not.
 *
 * The office is at LINKS_OFFICE in the namespace of the calling process, which links_open takes out of the machine's. */
#ifndef WM_TESTS_E2E_LINKS_H
#define WM_TESTS_E2E_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKS_OFFICE "10.77.0.1"

enum { LINKS_MAX = 8 };

typedef struct links links;

/* Of both directions alike. */
typedef struct link_ills {
    double  loss;     /* the share of packets that never arrive */
    int     delay_ms; /* on the way */
    int64_t rate;     /* bytes a second; 0: as many as the wire carries */
} link_ills;

/* NULL, and *ret; or why it cannot be done here. While the process has one thread; the packets of `bulk_port` are counted
 * apart. */
const char *links_open(size_t n, links **ret);
void        links_close(links *l);
void        links_set_bulk_port(links *l, int port);

/* Processes that are started between the two live behind link k. */
void links_enter(links *l, size_t k);
void links_leave(links *l);

void links_set(links *l, size_t k, const link_ills *ills);

/* Nothing arrives in that direction: up is towards the office. */
void links_cut(links *l, size_t k, bool up, bool down);

/* From now on, or from the moment that so many bytes went up to the bulk port, the connections that there are carry
 * nothing any more, and nobody is told: what a NAT does that has lost its table. Others do. */
void links_forget(links *l, size_t k, uint64_t after_bulk_bytes);
bool links_has_forgotten(links *l, size_t k);

/* The gateway's address is another one: the connections that there are die with the old. */
void links_move(links *l, size_t k);

typedef struct link_counts {
    uint64_t packets, lost; /* of both directions; lost: by chance, by a full queue, or cut off */
    uint64_t bulk_up;       /* bytes of streams that were delivered to the bulk port, none twice */
    uint64_t bulk_down;     /* the other way */
    unsigned bulk_connections;
} link_counts;

link_counts links_counts(links *l, size_t k);

#endif
