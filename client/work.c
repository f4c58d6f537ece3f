/* client/work.c */
#include "client/work.h"

#include <string.h>

static wm_update_key key_of(const wm_work_order *order, wm_task_kind kind)
{
    wm_update_key key = { .kind = kind, .round = order->task->round, .model = order->task->model };

    memcpy(key.run, order->run, sizeof key.run);
    return key;
}

static wm_status statistics(wm_trainer *trainer, const wm_work_order *order, wm_work_result *ret, wm_error *err)
{
    wm_update_key  key = key_of(order, WM_TASK_STATISTICS);
    const wm_job  *job = wm_trainer_job(trainer);
    wm_update_spec spec = { 0 };
    wm_status      st;

    wm_statistics_spec(job, &spec);
    st = wm_update_new(&spec, &key, &ret->update, err);
    if (st != WM_OK)
        return st;
    st = wm_examples_statistics(order->examples, &ret->update, err);
    if (st != WM_OK) {
        wm_update_release(&ret->update);
        return st;
    }
    wm_update_seal(&ret->update, &spec);
    ret->has_update = true;
    return WM_OK;
}

static size_t strategy_state(const wm_job *job, const wm_model *model)
{
    return wm_strategy_of(job)->client_state(job->strategy.options, wm_model_n_trained(model));
}

size_t wm_work_state(const wm_job *job, const wm_model *model)
{
    return strategy_state(job, model) + wm_model_n_own(model);
}

void wm_work_begin_state(const wm_job *job, const wm_model *model, float *state)
{
    size_t n = strategy_state(job, model);

    for (size_t i = 0; i < n; i++)
        state[i] = 0;
    if (wm_model_n_own(model) > 0)
        wm_model_init_own(model, job->seed, state + n);
}

/* The client's own of the model; NULL if it has none. */
static float *own_of(const wm_trainer *trainer, const wm_work_order *order)
{
    const wm_model *model = wm_trainer_model(trainer);

    return wm_model_n_own(model) > 0 ? order->state + strategy_state(wm_trainer_job(trainer), model) : NULL;
}

static wm_status train(wm_trainer *trainer, const wm_work_order *order, wm_work_result *ret, wm_error *err)
{
    wm_train_task task = {
        .key = key_of(order, WM_TASK_TRAIN),
        .client = order->client,
        .examples = order->examples,
        .start = order->params,
        .state = order->state,
        .own = own_of(trainer, order),
        .stop = order->stop,
    };
    wm_status st = wm_train(trainer, &task, &ret->update, &ret->loss, err);

    ret->has_update = st == WM_OK;
    return st;
}

wm_part wm_work_part(const wm_job *job)
{
    return wm_job_validates(job) ? WM_VALIDATE : WM_TEST;
}

static wm_status contend(wm_trainer *trainer, const wm_work_order *order, wm_contender contender, wm_part part,
                         const float *params, wm_work_result *ret, wm_error *err)
{
    wm_status st = wm_evaluate(trainer, order->examples, part, params, order->stop, &ret->results[contender], err);

    if (st != WM_OK)
        return st;
    wm_evaluation_clamp(&ret->results[contender]);
    ret->present |= 1u << contender;
    return WM_OK;
}

/* A contender that first trains on this client's own data, from `start`. Without an example to train on it is left
 * out, and the others count. */
static wm_status contend_trained(wm_trainer *trainer, const wm_work_order *order, wm_contender contender,
                                 uint32_t first_round, size_t epochs, float *params, wm_work_result *ret,
                                 wm_error *err)
{
    const char *label = contender == WM_TUNED ? "tuned" : "alone";
    wm_status   st;

    if (wm_examples_count(order->examples, WM_TRAIN) == 0)
        return WM_OK;
    st = wm_train_in_place(trainer, order->examples, order->client, label, first_round, epochs, params, order->stop,
                           err);
    if (st == WM_E_NONFINITE)
        return WM_OK; /* this baseline exploded; that is its result, and no reason to withhold the others */
    return st == WM_OK ? contend(trainer, order, contender, WM_TEST, params, ret, err) : st;
}

/* The baselines that train do so in the trainer's own vector, each from its start: a gateway has not got room for a further
 * model. */
static wm_status final(wm_trainer *trainer, const wm_work_order *order, wm_work_result *ret, wm_error *err)
{
    const wm_job   *job = wm_trainer_job(trainer);
    const wm_model *model = wm_trainer_model(trainer);
    unsigned        baselines = order->task->baselines;
    float          *params;
    const float    *whole = wm_trainer_join(trainer, order->params, own_of(trainer, order));
    wm_status       st = contend(trainer, order, WM_FEDERATED, WM_TEST, whole, ret, err);

    if (st == WM_OK && (baselines & WM_BASELINE_NAIVE) != 0)
        st = contend(trainer, order, WM_NAIVE, WM_TEST, NULL, ret, err);
    if (st == WM_OK && order->pooled != NULL)
        st = contend(trainer, order, WM_POOLED, WM_TEST, order->pooled, ret, err);
    if (st == WM_OK && (baselines & WM_BASELINE_TUNED) != 0) {
        params = wm_trainer_copy(trainer, order->params, own_of(trainer, order));
        st = contend_trained(trainer, order, WM_TUNED, (uint32_t)job->rounds, 1, params, ret, err);
    }
    if (st == WM_OK && (baselines & WM_BASELINE_ALONE) != 0) {
        params = wm_trainer_copy(trainer, order->params, own_of(trainer, order));
        wm_model_init(model, job->seed, params);
        wm_model_copy_frozen(model, order->params, params);
        wm_model_init_own(model, job->seed, params + wm_model_n_params(model));
        st = contend_trained(trainer, order, WM_ALONE, 1, order->task->passes, params, ret, err);
    }
    return st;
}

/* A task comes from elsewhere: a rate is that of a round of the job, and no client trains for longer than the job. */
static wm_status check_task(const wm_job *job, const wm_task *task, wm_error *err)
{
    if (task->phase == WM_PHASE_TRAIN && (task->round < 1 || task->round > job->rounds))
        return wm_fail(err, WM_E_INVALID, "round %u of a job of %lld rounds", task->round, (long long)job->rounds);
    if (task->phase == WM_PHASE_FINAL && (int64_t)task->passes > job->rounds * job->training.epochs)
        return wm_fail(err, WM_E_INVALID, "a baseline of %u epochs, where the whole job has %lld", task->passes,
                       (long long)(job->rounds * job->training.epochs));
    return WM_OK;
}

wm_status wm_work(wm_trainer *trainer, const wm_work_order *order, wm_work_result *ret, wm_error *err)
{
    wm_work_result result = { .n_sums = wm_trainer_measures(trainer)->n_sums };
    wm_status      st = check_task(wm_trainer_job(trainer), order->task, err);

    if (st != WM_OK)
        return st;
    switch (order->task->phase) {
    case WM_PHASE_STATISTICS:
        st = statistics(trainer, order, &result, err);
        break;
    case WM_PHASE_TRAIN:
        st = train(trainer, order, &result, err);
        break;
    case WM_PHASE_EVALUATE:
        st = contend(trainer, order, WM_FEDERATED, wm_work_part(wm_trainer_job(trainer)),
                     wm_trainer_join(trainer, order->params, own_of(trainer, order)), &result, err);
        break;
    case WM_PHASE_FINAL:
        st = final(trainer, order, &result, err);
        break;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        st = wm_fail(err, WM_E_INVALID, "there is no work in the phase \"%s\"", wm_phase_name(order->task->phase));
        break;
    }
    if (st == WM_OK)
        *ret = result;
    return st;
}
