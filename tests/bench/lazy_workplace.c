/* tests/bench/lazy_workplace.c
 *
 * Takes the place of client/workplace.c in a program that measures a federation and not its training: no readings are
 * loaded, and the update says that every parameter has become a millionth larger. All else is the real client. */
#include "client/workplace.h"

#include "common/strategies/strategy.h"
#include "models/plan.h"

#include <stdlib.h>
#include <string.h>

enum { EXAMPLES = 600 };

struct wm_workplace {
    wm_job        *job;
    wm_model      *model;
    wm_update_spec spec;
};

wm_status wm_workplace_open(const wm_data_policy *policy, const char *name, const char *text, size_t n, wm_log *log,
                            wm_workplace **ret, wm_error *err)
{
    wm_workplace *place = calloc(1, sizeof *place);
    wm_faults     faults;
    wm_status     st;

    (void)policy, (void)name, (void)log;
    if (place == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to work on a job");
    wm_faults_init(&faults, "the server's job");
    st = wm_job_parse("the server's job", text, n, &wm_client_families, NULL, 0, &faults, &place->job, err);
    if (st == WM_OK)
        st = wm_model_new(place->job, &faults, &place->model, err);
    wm_faults_release(&faults);
    if (st != WM_OK) {
        wm_workplace_free(place);
        return st;
    }
    wm_strategy_spec(place->job, wm_model_n_trained(place->model), &place->spec);
    *ret = place;
    return WM_OK;
}

void wm_workplace_free(wm_workplace *place)
{
    if (place == NULL)
        return;
    wm_model_free(place->model);
    wm_job_free(place->job);
    free(place);
}

size_t wm_workplace_n_params(const wm_workplace *place)
{
    return wm_model_n_params(place->model);
}

size_t wm_workplace_state(const wm_workplace *place)
{
    (void)place;
    return 0;
}

void wm_workplace_begin_state(const wm_workplace *place, float *state)
{
    (void)place, (void)state;
}

void wm_workplace_summary(wm_workplace *place, wm_examples_summary *ret)
{
    (void)place;
    *ret = (wm_examples_summary){ .rows = EXAMPLES };
}

static wm_status train(wm_workplace *place, const wm_task *task, const uint8_t *run, const float *params,
                       wm_work_result *ret, wm_error *err)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = task->round, .model = task->model };
    wm_update     update;
    float        *delta;
    wm_status     st;

    memcpy(key.run, run, sizeof key.run);
    st = wm_update_new(&place->spec, &key, &update, err);
    if (st != WM_OK)
        return st;
    update.weight = EXAMPLES;
    delta = update.values[0];
    for (size_t p = 0; p < place->spec.parts[0].n; p++)
        delta[p] = params[p] + 1e-6f - params[p];
    wm_update_seal(&update, &place->spec);
    ret->update = update;
    ret->has_update = true;
    return WM_OK;
}

wm_status wm_workplace_work(wm_workplace *place, const wm_task *task, const uint8_t *run, const float *params,
                            const uint8_t *scaling, size_t n_scaling, float *state, const atomic_bool *stop,
                            wm_work_result *ret, wm_error *err)
{
    (void)scaling, (void)n_scaling, (void)state, (void)stop;
    if (task->phase == WM_PHASE_TRAIN)
        return train(place, task, run, params, ret, err);
    ret->present = 1u << WM_FEDERATED;
    ret->n_sums = 1; /* of accuracy */
    ret->results[WM_FEDERATED] = (wm_evaluation){ .examples = EXAMPLES, .loss_sum = EXAMPLES, .count = EXAMPLES };
    return WM_OK;
}
