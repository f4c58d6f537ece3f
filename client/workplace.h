/* client/workplace.h
 *
 * What a gateway needs to work on one job: the job as the server sent it, the gateway's own readings as examples, the
 * model, a trainer. Built when the job's first task arrives and kept while the job stays the same, so that readings are
 * loaded once. The gateway's policy is enforced here, before a reading is touched: columns that may not be used, too
 * few examples, too much memory are each refused by name.
 *
 * Used by one thread. */
#ifndef WM_CLIENT_WORKPLACE_H
#define WM_CLIENT_WORKPLACE_H

#include "client/families.h"
#include "client/owners.h"
#include "client/work.h"

/* The gateway's own word on its data; from client.yaml. */
typedef struct wm_data_policy {
    const char *folder;       /* where relative patterns begin */
    wm_choice   source;       /* where the readings lie */
    wm_choice   owner;        /* if the files hold others' readings too: how they divide */
    const char *keep;         /* ... and which owner is this gateway; NULL: the one of its certified name */
    wm_words    columns;      /* may be used by jobs; empty: all */
    int64_t     examples_min; /* fewer training examples than this: it takes no part */
    int64_t     memory_max; /* bytes for the model and its training, without the readings; 0: no limit of its own */
} wm_data_policy;

typedef struct wm_workplace wm_workplace;

/* text[n]: the job. `policy` and `name` are borrowed. WM_E_INVALID: a job that does not hold; WM_E_REFUSED: the policy
 * says no; and what wm_owners_open says. */
wm_status wm_workplace_open(const wm_data_policy *policy, const char *name, const char *text, size_t n, wm_log *log,
                            wm_workplace **ret, wm_error *err);
void      wm_workplace_free(wm_workplace *place);

size_t        wm_workplace_n_params(const wm_workplace *place);
size_t        wm_workplace_state(const wm_workplace *place); /* floats that are kept between rounds; see work.h */
void          wm_workplace_begin_state(const wm_workplace *place, float *state);
void          wm_workplace_summary(wm_workplace *place, wm_examples_summary *ret);

/* Does the task. scaling[n]: the blob that the task names, NULL if none; a run's scaling does not change, so it is
 * looked at once. params: [n_params], NULL for STATISTICS. */
wm_status wm_workplace_work(wm_workplace *place, const wm_task *task, const uint8_t *run, const float *params,
                            const uint8_t *scaling, size_t n_scaling, float *state, const atomic_bool *stop,
                            wm_work_result *ret, wm_error *err);

#endif
