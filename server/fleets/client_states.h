/* server/fleets/client_states.h
 *
 * What each simulated client keeps from one training to the next (client/work.h: what the strategy wants, and its own
 * layers of the model), as a gateway keeps it: a training works on a copy, which takes the place of what was there once
 * the client's update is in a committed model. With a folder it is durable before the update is handed in, so that a
 * simulation that was interrupted goes on to the same bits.
 *
 * A client's is used by one thread at a time. Where a job keeps nothing, all of this does nothing. */
#ifndef WM_SERVER_FLEETS_CLIENT_STATES_H
#define WM_SERVER_FLEETS_CLIENT_STATES_H

#include "common/files.h"
#include "models/model.h"

typedef struct wm_client_states {
    const wm_job   *job;
    const wm_model *model;
    const uint8_t  *run;    /* [WM_RUN_ID_SIZE] */
    const char     *folder; /* there is one; NULL: nothing goes to the disk */
    size_t          n;      /* wm_work_state */
} wm_client_states;

typedef struct wm_client_state {
    float   *now;   /* [n], as of its last committed update */
    float   *next;  /* [n], after the training of `round`; NULL while that is settled */
    uint32_t round; /* of `next` */
} wm_client_state;

/* As a client begins. WM_E_NOMEM. */
wm_status wm_client_state_init(const wm_client_states *all, wm_client_state *ret, wm_error *err);
void      wm_client_state_release(wm_client_state *state);

/* What the folder has of the client, for a run that goes on; `contained`: the last committed round with its update, 0 for
 * none. WM_E_DAMAGED: what should be there is not. */
wm_status wm_client_state_recall(const wm_client_states *all, const char *name, uint32_t contained,
                                 wm_client_state *state, wm_error *err);

/* *ret: the copy that a training of that round may change; NULL if nothing is kept. */
wm_status wm_client_state_copy(const wm_client_states *all, uint32_t round, wm_client_state *state, float **ret,
                               wm_error *err);

/* Durable when it returns. */
wm_status wm_client_state_keep(const wm_client_states *all, const char *name, const wm_client_state *state,
                               wm_error *err);

/* The copy counts, or it does not. */
void wm_client_state_settle(wm_client_state *state, bool committed);

#endif
