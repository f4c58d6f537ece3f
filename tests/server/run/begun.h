/* tests/server/run/begun.h
 *
 * A run of four clients that has begun: the driver with a real engine, real sums and blobs, over a ledger and a disk in
 * memory. */
#ifndef WM_TESTS_SERVER_RUN_BEGUN_H
#define WM_TESTS_SERVER_RUN_BEGUN_H

#include "tests/server/world/world.h"
#include "tests/unit.h"

enum { N = 4 };

extern const char job_text[];

void       begin(world *w); /* the test releases it */
wm_task    task_of(world *w, size_t k);
wm_verdict submit(world *w, size_t k, uint8_t *bytes, size_t n, wm_error *err);
wm_verdict submit_good(world *w, size_t k); /* what an honest client hands in for its task */
void       through_statistics(world *w);

#endif
