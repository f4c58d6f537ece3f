/* client/work.h
 *
 * What a client does with a task, whoever brought it: statistics, training, evaluation. The gateway's daemon and the
 * simulator's workers call this and nothing else, so that the simulator's client is the gateway's. */
#ifndef WM_CLIENT_WORK_H
#define WM_CLIENT_WORK_H

#include "client/trainer.h"
#include "common/task.h"

typedef struct wm_work_order {
    const wm_task     *task;
    const uint8_t     *run;      /* [WM_RUN_ID_SIZE] */
    const char        *client;   /* certified name */
    const wm_examples *examples; /* scaled, unless the task is STATISTICS */
    const float       *params;   /* [n_params]: task->model; NULL for STATISTICS */
    const float       *pooled;   /* [n_whole]: the pooled baseline, where there is one; else NULL */
    float             *state;    /* [wm_work_state]: what the client keeps; NULL if that is 0 */
    const atomic_bool *stop;     /* NULL for none */
} wm_work_order;

typedef struct wm_work_result {
    bool          has_update; /* STATISTICS and TRAIN: `update` is the caller's to release */
    wm_update     update;
    double        loss;    /* TRAIN */
    unsigned      present; /* EVALUATE and FINAL: bit c for results[c] */
    size_t        n_sums;  /* of each */
    wm_evaluation results[WM_CONTENDERS];
} wm_work_result;

/* Floats that a client keeps from one training to the next: what the strategy wants, and then its own of the model, the
 * personal layers. A training changes them; who calls lets that count once the update is in a committed model. */
size_t wm_work_state(const wm_job *job, const wm_model *model);
void   wm_work_begin_state(const wm_job *job, const wm_model *model, float *state); /* before the first training */

/* Any failure but WM_E_CLOSED is a reason to decline the task with err->text; *ret is then untouched. */
wm_status wm_work(wm_trainer *trainer, const wm_work_order *order, wm_work_result *ret, wm_error *err);

/* The part that is evaluated between rounds: validation, or test where the job sets no validation aside. */
wm_part wm_work_part(const wm_job *job);

#endif
