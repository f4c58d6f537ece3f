/* client/desk.h
 *
 * Where a gateway does its work: one thread that trains and evaluates, while another keeps talking to the aggregator.
 * An order is handed over whole and so is what comes of it; between the two the desk is busy. Any thread may call, but
 * one at a time gives and takes. */
#ifndef WM_CLIENT_DESK_H
#define WM_CLIENT_DESK_H

#include "client/workplace.h"

typedef struct wm_desk wm_desk;

/* One piece of work. The pointers are owned, from malloc, and freed by the desk. */
typedef struct wm_order {
    wm_task   task;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_digest job;        /* of its text */
    char     *text;       /* the job; NULL if wm_desk_has_job */
    size_t    n_text;
    float    *params;     /* the model; NULL for STATISTICS */
    size_t    n_params;
    uint8_t  *scaling;    /* NULL if there is none */
    size_t    n_scaling;
    float    *state;      /* what is kept between rounds (work.h); NULL: nothing yet */
    size_t    n_state;
} wm_order;

void wm_order_release(wm_order *order);

/* What came of it. */
typedef struct wm_outcome_of_work {
    wm_task        task;
    uint8_t        run[WM_RUN_ID_SIZE];
    wm_status      status; /* WM_OK; WM_E_CLOSED: abandoned; anything else: declined, error.text says why */
    wm_error       error;
    wm_work_result result; /* if WM_OK: its update is the taker's */
    float         *state;  /* what is kept if the update is committed; owned by the taker, may be NULL */
    size_t         n_state;
    int64_t        took_ms;
} wm_outcome_of_work;

void wm_outcome_of_work_release(wm_outcome_of_work *outcome);

/* `policy` and `name` are borrowed. `nice`: added to the thread's own. */
wm_status wm_desk_new(const wm_data_policy *policy, const char *name, int nice, wm_clock clock, wm_log *log,
                      wm_desk **ret, wm_error *err);
void      wm_desk_free(wm_desk *desk); /* abandons what is on it and waits */

bool wm_desk_has_job(wm_desk *desk, const wm_digest *job, const uint8_t run[WM_RUN_ID_SIZE]);

/* true: something lies on it, *task and run say what. */
bool wm_desk_busy(wm_desk *desk, wm_task *task, uint8_t run[WM_RUN_ID_SIZE]);

/* Takes the order over. The desk must not be busy. */
void wm_desk_give(wm_desk *desk, wm_order *order);

/* true: the work is over, *ret is the caller's and the desk is free. Waits up to `wait_ms` for that. */
bool wm_desk_take(wm_desk *desk, int64_t wait_ms, wm_outcome_of_work *ret);

/* The work is no longer wanted: it ends at the next step. */
void wm_desk_abandon(wm_desk *desk);

/* Ends a wm_desk_take that waits, and every one to come: for a program that stops. */
void wm_desk_interrupt(wm_desk *desk);

/* Rows and examples of the readings that are loaded; false if none are. */
bool wm_desk_summary(wm_desk *desk, wm_examples_summary *ret);

#endif
