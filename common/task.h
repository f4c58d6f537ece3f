/* common/task.h
 *
 * The words that both ends use for a piece of work: which phase of a run it belongs to, what a client is asked to do,
 * and whom an evaluation compares. */
#ifndef WM_COMMON_TASK_H
#define WM_COMMON_TASK_H

#include "common/crypto/digest.h"

/* A run goes through these in order; TRAIN and EVALUATE alternate, round by round. The numbers go over the wire. */
typedef enum wm_phase {
    WM_PHASE_NONE = 0,       /* the run has just started */
    WM_PHASE_STATISTICS = 1, /* count, sum and squares of each column, for scaling */
    WM_PHASE_TRAIN = 2,
    WM_PHASE_EVALUATE = 3,   /* of a committed round, on the validation part */
    WM_PHASE_FINAL = 4,      /* the test part, all contenders */
    WM_PHASE_CLOSED = 5,
} wm_phase;

const char *wm_phase_name(wm_phase phase); /* "statistics", "training", ... */

/* What a client is asked to do. */
typedef struct wm_task {
    wm_phase  phase;     /* STATISTICS, TRAIN, EVALUATE or FINAL */
    uint32_t  round, attempt;
    wm_digest model;     /* zero for STATISTICS */
    wm_digest scaling;   /* zero if the job needs none, and for STATISTICS */
    int64_t   left_ms;   /* of the deadline; INT64_MAX where there is none */
    unsigned  baselines; /* FINAL: wm_baseline that the client is to compute, or-ed */
    uint32_t  passes;    /* FINAL: epochs over its own data that a client has had on average, for `alone` and `pooled` */
} wm_task;

/* Who is compared with whom in an evaluation. The numbers go over the wire. */
typedef enum wm_contender {
    WM_FEDERATED,
    WM_TUNED,  /* federated and one local epoch */
    WM_ALONE,
    WM_POOLED, /* simulation only */
    WM_NAIVE,
    WM_CONTENDERS
} wm_contender;

const char *wm_contender_name(wm_contender contender); /* "federated", "federated + 1 epoch", "alone", ... */

#endif
