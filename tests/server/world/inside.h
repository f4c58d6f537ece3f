/* tests/server/world/inside.h
 *
 * Of the world's files only. */
#ifndef WM_TESTS_SERVER_WORLD_INSIDE_H
#define WM_TESTS_SERVER_WORLD_INSIDE_H

#include "tests/server/world/world.h"
#include "tests/unit.h"

/* Fails the test with the seed of the play. */
#define check(truth)                                                                                            \
    do {                                                                                                        \
        if (!(truth))                                                                                           \
            fail_msg("seed %llu: not so: %s (%s:%d)", (unsigned long long)world_seed_in_work, #truth, __FILE__, \
                     __LINE__);                                                                                 \
    } while (0)

void world_lay_disk(world *w);   /* w->files */
void world_lay_ledger(world *w); /* w->ledger */

#endif
