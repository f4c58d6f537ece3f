/* common/strategies/fedavg.c
 *
 * Federated averaging: each client trains from the common parameters w_t on its own examples and sends the
 * difference; the next parameters are w_t plus the mean of the differences, weighted by examples. McMahan et
 * al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", Algorithm 1
 * (arXiv:1602.05629); the mean of differences is the paper's mean of parameters, and stays small, so that it
 * can be bounded and summed exactly. */
#include "common/strategies/strategy.h"

#include <math.h>

enum { DELTA, TRAIN_LOSS, PARTS };

static void fedavg_parts(const void *options, size_t n_params, wm_update_spec *spec)
{
    (void)options;
    spec->n_parts = PARTS;
    spec->parts[DELTA] = (wm_part_spec){
        .name = "delta",
        .kind = WM_PART_F32,
        .n = n_params,
        .weight = WM_WEIGHT_EXAMPLES,
        .shift_min = WM_DELTA_SHIFT_MIN,
    };
    spec->parts[TRAIN_LOSS] = (wm_part_spec){
        .name = WM_PART_TRAIN_LOSS,
        .kind = WM_PART_F32,
        .n = 1,
        .bound = WM_TRAIN_LOSS_BOUND,
        .weight = WM_WEIGHT_EXAMPLES,
        .shift_min = WM_TRAIN_LOSS_SHIFT_MIN,
    };
}

static size_t no_state(const void *options, size_t n_params)
{
    (void)options;
    (void)n_params;
    return 0;
}

static wm_status fedavg_client_finish(const void *options, const float *start, const float *params, size_t n_params,
                                      uint64_t steps, double rate, double loss, float *state, wm_update *update,
                                      wm_error *err)
{
    float *delta = update->values[DELTA], *train_loss = update->values[TRAIN_LOSS];

    (void)options;
    (void)steps;
    (void)rate;
    (void)state;
    if (!isfinite(loss))
        return wm_fail(err, WM_E_NONFINITE, "the training loss is not finite: try a lower rate or a clip");
    for (size_t p = 0; p < n_params; p++) {
        delta[p] = params[p] - start[p];
        if (!isfinite(delta[p]))
            return wm_fail(err, WM_E_NONFINITE,
                           "parameter %zu is not finite after training: try a lower rate or a clip", p);
    }
    *train_loss = (float)fmin(fmax(loss, -WM_TRAIN_LOSS_BOUND), WM_TRAIN_LOSS_BOUND);
    return WM_OK;
}

static void fedavg_server_apply(const void *options, const wm_update_spec *spec, const double *const *means,
                                float *params, size_t n_params, float *state)
{
    const double *delta = means[DELTA];

    (void)options;
    (void)spec;
    (void)state;
    for (size_t p = 0; p < n_params; p++)
        params[p] = (float)((double)params[p] + delta[p]);
}

extern const wm_strategy_ops wm_strategy_fedavg;
const wm_strategy_ops        wm_strategy_fedavg = {
    .member = {
        .name = "fedavg",
        .doc = "Federated averaging: the mean of the clients' changes, weighted by their examples.",
    },
    .parts = fedavg_parts,
    .client_state = no_state,
    .server_state = no_state,
    .client_finish = fedavg_client_finish,
    .server_apply = fedavg_server_apply,
};
