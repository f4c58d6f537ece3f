/* common/strategies/strategy.h
 *
 * A federated method: its client half and its server half side by side in one file, both on flat vectors, so
 * that they cannot drift apart. The client half turns the parameters before and after local training into an
 * update; the server half turns the exact weighted means of a cohort's updates into the next parameters.
 * Neither sees a socket, a file, a model's layers or another client.
 *
 * Adding one: a file in common/strategies/, one line in strategies.c. */
#ifndef WM_COMMON_STRATEGIES_STRATEGY_H
#define WM_COMMON_STRATEGIES_STRATEGY_H

#include "common/job/job.h"
#include "common/update.h"

typedef struct wm_strategy_ops {
    wm_member member; /* first: see family.h */

    /* The parts of its updates for a model of n_params. Fills spec->parts and n_parts; the first part is
     * "delta". A bound of 0 stands for the job's own (cohort.bound). Called through wm_strategy_spec, which
     * sets the rest. */
    void (*parts)(const void *options, size_t n_params, wm_update_spec *spec);

    /* Floats that a client keeps between its rounds (SCAFFOLD's c_i), and the server between commits
     * (momenta). They start as zeros, and are durable with the client's pending update and the server's
     * checkpoint. */
    size_t (*client_state)(const void *options, size_t n_params);
    size_t (*server_state)(const void *options, size_t n_params);

    /* Changes a batch's gradient before the optimiser's step (FedProx, SCAFFOLD). NULL if it does not.
     * params, start, grads: [n_params]; state: [client_state]. */
    void (*adjust)(const void *options, const float *start, const float *params, float *grads,
                   size_t n_params, const float *state);

    /* Fills update->values after training. steps: optimiser steps done, rate: of the last one, loss: mean
     * over the examples of the last epoch. `state` is read and may be changed. WM_E_NONFINITE if training
     * exploded. */
    wm_status (*client_finish)(const void *options, const float *start, const float *params, size_t n_params,
                               uint64_t steps, double rate, double loss, float *state, wm_update *update,
                               wm_error *err);

    /* params[n_params] <- the next model. means[i][parts[i].n]: the exact weighted mean of part i. */
    void (*server_apply)(const void *options, const wm_update_spec *spec, const double *const *means,
                         float *params, size_t n_params, float *state);
} wm_strategy_ops;

/* The declaration of the job's updates, for both ends: the strategy's parts, the job's bound and cap on
 * weights. */
void wm_strategy_spec(const wm_job *job, size_t n_params, wm_update_spec *spec);

/* The job's strategy; never NULL, since a parsed job has one. */
static inline const wm_strategy_ops *wm_strategy_of(const wm_job *job)
{
    return (const wm_strategy_ops *)(const void *)job->strategy.member;
}

/* A part of one value, the client's training loss; clients clamp it to the bound of the declaration.
 * Strategies whose updates carry it let the server add it up exactly, as everything else. */
#define WM_PART_TRAIN_LOSS "train_loss"
enum { WM_TRAIN_LOSS_BOUND = 1024, WM_TRAIN_LOSS_SHIFT_MIN = 8, WM_DELTA_SHIFT_MIN = 24 };

extern const wm_family wm_strategies;

#endif
