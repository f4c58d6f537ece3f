/* tests/wire/flood.h
 *
 * A crowd of connections that want nothing good, in a process of its own: silent ones, ones that say a byte a second, and
 * some that have a certificate and stop in the middle of a question. Whoever is cut off dials again, at a rate that is
 * given, so that the crowd stays. They come from several addresses (127.0.0.2 and on). */
#ifndef WM_TESTS_WIRE_FLOOD_H
#define WM_TESTS_WIRE_FLOOD_H

#include "tests/wire/town.h"

enum { FLOOD_NAMES_MAX = 16 };

typedef struct flood_plan {
    int silent;    /* say nothing after TCP */
    int trickling; /* half a ClientHello, and then a byte a second */
    int asking;    /* verified, half a question, and then a byte a second; up to four for each name */
    int addresses; /* that they come from */
    int dials;     /* a second, in all, until all of them have dialled */
    int again;     /* a second, from then on, of those that were cut off */
} flood_plan;

typedef struct flood {
    pid_t         pid;
    int           to, from; /* pipes */
    test_identity names[FLOOD_NAMES_MAX];
} flood;

/* Before anything else has started threads: makes the process, which waits. After town_found. */
void flood_prepare(flood *f, const town *t, const flood_plan *plan);

void flood_go(flood *f, const town *t); /* returns when all of the crowd has dialled once */
void flood_end(flood *f);

#endif
