/* client/trainer.h
 *
 * Local training as a pure function: parameters + examples + settings -> update. A gateway and the simulator call the
 * same one, so what was tried tonight runs tomorrow. The order of examples follows from (job seed, round, client's
 * name) alone: an unfinished update is trained again to the same bits.
 *
 * A trainer is one thread's: a resident plan, a copy of the parameters and room for a batch, made once and used for
 * one client after the other. */
#ifndef WM_CLIENT_TRAINER_H
#define WM_CLIENT_TRAINER_H

#include "client/examples.h"
#include "common/strategies/strategy.h"
#include "models/evaluation.h"
#include "models/model.h"

#include <stdatomic.h>

typedef struct wm_trainer wm_trainer;

/* What a trainer of this model takes that saves memory, before it is made, without the order of an epoch: the training
 * plan, in whose place an evaluation has room, and the parameters once. WM_E_RANGE: no machine has it. */
wm_status wm_trainer_bytes(const wm_job *job, const wm_model *model, size_t *ret, wm_error *err);

/* WM_E_NOMEM. The job and the model must outlive it. */
wm_status wm_trainer_new(const wm_job *job, const wm_model *model, wm_trainer **ret, wm_error *err);
void      wm_trainer_free(wm_trainer *trainer);

/* On a gateway memory is scarcer than time: from now on a plan's memory is the system's again as soon as what it was
 * needed for is done, and the two plans, an update and whatever else the gateway does take it in turns. */
void wm_trainer_save_memory(wm_trainer *trainer);

const wm_job      *wm_trainer_job(const wm_trainer *trainer);
const wm_model    *wm_trainer_model(const wm_trainer *trainer);
size_t             wm_trainer_n_params(const wm_trainer *trainer);
const wm_measures *wm_trainer_measures(const wm_trainer *trainer); /* of the job */

/* The model and a client's own of it (NULL where the model has nothing personal) one behind the other, as evaluations
 * take it: the trainer's memory, or `params` itself. Valid until the next call that trains, joins or copies. */
const float *wm_trainer_join(wm_trainer *trainer, const float *params, const float *own);

/* The same as a copy in the trainer's memory, [n_whole of the model], that may be trained in place; valid as long. */
float *wm_trainer_copy(wm_trainer *trainer, const float *params, const float *own);

typedef struct wm_train_task {
    wm_update_key      key;    /* goes into the update; key.round also picks the rate and the order of examples */
    const char        *client; /* certified name */
    const wm_examples *examples;
    const float       *start; /* [n_params] */
    float             *state; /* the strategy's client_state, NULL if that is 0 */
    float             *own;   /* [n_own of the model]: changes with success; NULL if that is 0 */
    const atomic_bool *stop;  /* looked at between steps; NULL for none */
} wm_train_task;

/* *ret: sealed, the caller's to release; *loss: mean over the last epoch's examples. WM_E_NONFINITE: training exploded
 * and the update is withheld. WM_E_RANGE: no training example. WM_E_CLOSED: stopped. */
wm_status wm_train(wm_trainer *trainer, const wm_train_task *task, wm_update *ret, double *loss, wm_error *err);

/* Trains params[n_whole of the model] in place for `epochs`, for baselines; `label` keeps its order apart from the rounds'. Epochs
 * go by the rate of their round, as if every round took the job's number of epochs, counted from first_round. */
wm_status wm_train_in_place(wm_trainer *trainer, const wm_examples *examples, const char *client, const char *label,
                            uint32_t first_round, size_t epochs, float *params, const atomic_bool *stop,
                            wm_error *err);

/* params: [n_whole of the model]; NULL: the naive prediction. Of a job that makes a detector the scores of the validation
 * part (the training part if that is empty) are counted as well: they set the threshold. WM_E_CLOSED: stopped. */
wm_status wm_evaluate(wm_trainer *trainer, const wm_examples *examples, wm_part part, const float *params,
                      const atomic_bool *stop, wm_evaluation *ret, wm_error *err);

#endif
