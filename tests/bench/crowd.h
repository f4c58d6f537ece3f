/* tests/bench/crowd.h
 *
 * An office with a crowd of gateways, to measure what rounds cost: the real wardmote-server, and for each gateway a
 * process of its own with an identity of its own, in which the whole of the real client runs but for the training
 * (lazy_workplace.c). The processes are forked from the test, before it has a thread. */
#ifndef WM_TESTS_BENCH_CROWD_H
#define WM_TESTS_BENCH_CROWD_H

#include "tests/e2e/office.h"

enum { ROUND_MS_MAX = 5 * 60 * 1000 };

typedef struct crowd_wish {
    size_t      clients;
    const char *layers; /* of images of 28 x 28: "flatten, {dense: 10}" */
    int         rounds;
    bool        in_memory; /* the clients' folders: they have one disk here, and would measure that */
} crowd_wish;

typedef struct crowd {
    office     o;
    crowd_wish wish;
    pid_t     *pids;         /* [wish.clients] */
    char       memory[4096]; /* the folder of those; "" if there is none */
} crowd;

/* Everybody is enrolled, has connected, and waits for work. *c was cleared; _close also after a failure in here. */
void crowd_open(crowd *c, const crowd_wish *wish);
void crowd_close(crowd *c);

/* Waits until so many rounds are done: each takes as long as the machine needs to move its bytes, at most ROUND_MS_MAX. */
void crowd_wait_rounds(crowd *c, int rounds);

/* When each round was opened, of a run whose server does not run: ms[rounds], on the wall clock. */
void crowd_opened_ms(crowd *c, int rounds, int64_t *ms);

/* Seconds of CPU that a process has used. */
double process_cpu(pid_t pid);

/* A figure of /proc/PID/status or smaps_rollup, in MiB: "VmHWM:", "Private_Dirty:". */
double process_mib(pid_t pid, const char *file, const char *key);

#endif
