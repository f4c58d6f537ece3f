/* client/trainer.c
 *
 * McMahan et al. 2017, Algorithm 1, ClientUpdate: E epochs over the client's examples in shuffled batches of B. The
 * parameters are copied in, trained, and handed to the strategy's client half, which makes the update of them. */
#include "client/trainer_struct.h"

#include "client/heads.h"
#include "common/crash.h"
#include "common/rng.h"
#include "common/sizes.h"
#include "models/schedule.h"
#include "models/vector.h"

#include <stdlib.h>
#include <string.h>

/* An evaluation takes no more memory than training does, since it is by that that people know what a client needs: of a network
 * whose activations are large fewer examples than are quick together. train, evaluate: bytes of the plans. */
static wm_status choose_batch(const wm_job *job, const wm_model *model, size_t *ret, size_t *train,
                              size_t *evaluate, wm_error *err)
{
    size_t    n = WM_EVALUATE_BATCH;
    wm_status st = wm_plan_bytes(model, (size_t)job->training.batch, WM_PLAN_TRAIN, train, err);

    if (st != WM_OK)
        return st;
    while (((st = wm_plan_bytes(model, n, WM_PLAN_EVALUATE, evaluate, err)) != WM_OK || *evaluate > *train) &&
           n > 1)
        n /= 2;
    *ret = n;
    return st;
}

wm_status wm_trainer_bytes(const wm_job *job, const wm_model *model, size_t *ret, wm_error *err)
{
    size_t    train, evaluate, batch, total, params;
    wm_status st = choose_batch(job, model, &batch, &train, &evaluate, err);

    if (st != WM_OK)
        return st;
    if (!wm_size_mul(wm_model_n_whole(model), sizeof(float), &params) ||
        !wm_size_add(train > evaluate ? train : evaluate, params, &total))
        return wm_fail(err, WM_E_RANGE, "this model is too large for any machine");
    *ret = total;
    return WM_OK;
}

wm_status wm_trainer_new(const wm_job *job, const wm_model *model, wm_trainer **ret, wm_error *err)
{
    wm_trainer *self = calloc(1, sizeof *self);
    size_t      batch = (size_t)job->training.batch, width = wm_heads_values_max(job), bytes[2];
    wm_status   st;

    if (self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a trainer");
    self->job = job;
    self->model = model;
    self->strategy = wm_strategy_of(job);
    self->n_params = wm_model_n_params(model);
    wm_strategy_spec(job, wm_model_n_trained(model), &self->spec);
    self->params = malloc(wm_model_n_whole(model) * sizeof *self->params);
    self->values = malloc(WM_EVALUATE_BATCH * width * sizeof *self->values);
    self->truths = malloc(WM_EVALUATE_BATCH * width * sizeof *self->truths);
    self->quantiles = malloc(WM_EVALUATE_BATCH * wm_heads_width_max(job) * sizeof *self->quantiles);
    self->yardsticks = malloc(WM_EVALUATE_BATCH * sizeof *self->yardsticks);
    self->scores = malloc(WM_EVALUATE_BATCH * sizeof *self->scores);
    self->labels = malloc(WM_EVALUATE_BATCH * sizeof *self->labels);
    wm_measures_of(job, NULL, &self->measures);
    if (self->params == NULL || self->values == NULL || self->truths == NULL || self->quantiles == NULL ||
        self->yardsticks == NULL || self->scores == NULL || self->labels == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the trainer of a model of %zu parameters", self->n_params);
        goto out;
    }
    if ((st = choose_batch(job, model, &self->evaluate_batch, &bytes[0], &bytes[1], err)) != WM_OK ||
        (st = wm_plan_new(model, batch, WM_PLAN_TRAIN, &self->train, err)) != WM_OK ||
        (st = wm_plan_new(model, self->evaluate_batch, WM_PLAN_EVALUATE, &self->evaluate, err)) != WM_OK ||
        (st = wm_batch_room_new(job, batch > self->evaluate_batch ? batch : self->evaluate_batch, &self->room,
                                err)) != WM_OK)
        goto out;
    *ret = self;
    self = NULL;
out:
    wm_trainer_free(self);
    return st;
}

void wm_trainer_free(wm_trainer *trainer)
{
    if (trainer == NULL)
        return;
    wm_plan_free(trainer->train);
    wm_plan_free(trainer->evaluate);
    wm_batch_room_free(trainer->room);
    free(trainer->params);
    free(trainer->order);
    free(trainer->values);
    free(trainer->truths);
    free(trainer->quantiles);
    free(trainer->yardsticks);
    free(trainer->scores);
    free(trainer->labels);
    free(trainer);
}

void wm_trainer_save_memory(wm_trainer *trainer)
{
    trainer->saves_memory = true;
}

const wm_job *wm_trainer_job(const wm_trainer *trainer)
{
    return trainer->job;
}

const wm_model *wm_trainer_model(const wm_trainer *trainer)
{
    return trainer->model;
}

size_t wm_trainer_n_params(const wm_trainer *trainer)
{
    return trainer->n_params;
}

const wm_measures *wm_trainer_measures(const wm_trainer *trainer)
{
    return &trainer->measures;
}

float *wm_trainer_copy(wm_trainer *trainer, const float *params, const float *own)
{
    size_t n = trainer->n_params, n_own = wm_model_n_own(trainer->model);

    memcpy(trainer->params, params, n * sizeof *params);
    if (n_own > 0)
        memcpy(trainer->params + n, own, n_own * sizeof *own);
    return trainer->params;
}

const float *wm_trainer_join(wm_trainer *trainer, const float *params, const float *own)
{
    return wm_model_n_own(trainer->model) == 0 ? params : wm_trainer_copy(trainer, params, own);
}

static wm_status order_reserve(wm_trainer *self, size_t n, wm_error *err)
{
    uint32_t *order;

    if (n <= self->order_room)
        return WM_OK;
    order = realloc(self->order, n * sizeof *order);
    if (order == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the order of %zu examples", n);
    self->order = order;
    self->order_room = n;
    return WM_OK;
}

static double rate_of(const wm_job *job, uint32_t round)
{
    const wm_schedule_ops *schedule = (const wm_schedule_ops *)job->training.rate.member;

    return schedule->rate(job->training.rate.options, round, (uint32_t)job->rounds);
}

/* What an epoch needs to know; one value for a whole round. */
typedef struct epoch_settings {
    const wm_examples *examples;
    const atomic_bool *stop;
    wm_step            step;
    wm_rng             rng;
} epoch_settings;

/* One pass over the training part in a fresh order. *loss: mean over its examples. Counts steps. */
static wm_status run_epoch(wm_trainer *self, epoch_settings *set, float *params, uint64_t *steps, double *loss,
                           wm_error *err)
{
    size_t n = wm_examples_count(set->examples, WM_TRAIN), batch_max = (size_t)self->job->training.batch;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        self->order[i] = (uint32_t)i;
    wm_rng_shuffle(&set->rng, self->order, n);
    for (size_t at = 0; at < n; at += batch_max) {
        size_t    size = n - at < batch_max ? n - at : batch_max;
        wm_batch  batch;
        double    mean;
        wm_status st;

        if (wm_trainer_is_stopped(set->stop))
            return wm_fail(err, WM_E_CLOSED, "training was stopped");
        wm_examples_gather(set->examples, WM_TRAIN, self->order + at, size, self->room, &batch);
        st = wm_plan_step(self->train, params, &batch, &set->step, &mean, err);
        if (st != WM_OK)
            return st;
        sum += mean * (double)size;
        ++*steps;
        wm_crash_point("client-training"); /* nothing of it is durable yet */
    }
    *loss = sum / (double)n;
    return WM_OK;
}

static wm_status begin(wm_trainer *self, const wm_examples *examples, wm_error *err)
{
    size_t n = wm_examples_count(examples, WM_TRAIN);

    if (n == 0)
        return wm_fail(err, WM_E_RANGE, "there is no example to train on");
    if (n > self->spec.weight_cap)
        return wm_fail(err, WM_E_RANGE, "%zu training examples are more than the job's cohort.weight_cap of %llu",
                       n, (unsigned long long)self->spec.weight_cap);
    return order_reserve(self, n, err);
}

/* The strategy's hook, with what it wants to know. */
typedef struct adjust_context {
    const wm_strategy_ops *strategy;
    const void            *options;
    const float           *start, *state;
} adjust_context;

/* A strategy sees what is trained together and nothing else. */
static const float *trained_of(const wm_trainer *self, const float *params)
{
    return params + (self->n_params - wm_model_n_trained(self->model));
}

static void adjust(void *context, const float *params, float *grads, size_t n_params)
{
    const adjust_context *c = context;

    c->strategy->adjust(c->options, c->start, params, grads, n_params, c->state);
}

static wm_status check_tensor(const wm_tensor *tensor, const float *whole, wm_error *err)
{
    if (wm_vector_finite(whole + tensor->offset, tensor->n))
        return WM_OK;
    return wm_fail(err, WM_E_NONFINITE, "%s is not finite after training: try a lower rate or a clip",
                   tensor->name);
}

/* The last step is followed by no loss that would tell; of what it did the first tensor that is not finite is named. */
static wm_status check_trained(const wm_trainer *self, wm_error *err)
{
    const wm_model *model = self->model;
    size_t          n_buffers = wm_model_n_buffer_values(model);
    wm_status       st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < wm_model_n_tensors(model); i++)
        st = check_tensor(wm_model_tensor(model, i), self->params, err);
    for (size_t i = 0; st == WM_OK && i < wm_model_n_own_tensors(model); i++)
        st = check_tensor(wm_model_own_tensor(model, i), self->params, err);
    if (st == WM_OK && !wm_vector_finite(self->params + wm_trainer_buffers_at(self), n_buffers))
        st = wm_fail(
            err, WM_E_NONFINITE,
            "the running statistics of a personal layer are not finite after training: try a lower rate or a clip");
    return st;
}

wm_status wm_train(wm_trainer *trainer, const wm_train_task *task, wm_update *ret, double *loss, wm_error *err)
{
    const wm_job  *job = trainer->job;
    adjust_context context = { trainer->strategy, job->strategy.options, trained_of(trainer, task->start),
                               task->state };
    epoch_settings set = { .examples = task->examples, .stop = task->stop };
    wm_update      update;
    size_t         n_own = wm_model_n_own(trainer->model);
    uint64_t       steps = 0;
    wm_status      st = begin(trainer, task->examples, err);

    if (st != WM_OK)
        return st;
    set.step = (wm_step){ .rate = rate_of(job, task->key.round), .clip = job->training.clip };
    if (trainer->strategy->adjust != NULL) {
        set.step.adjust = adjust;
        set.step.context = &context;
    }
    wm_rng_init_keyed(&set.rng, job->seed, "batches", task->key.round, task->client);
    wm_plan_reset(trainer->train, wm_rng_next(&set.rng));
    memcpy(trainer->params, task->start, trainer->n_params * sizeof *trainer->params);
    if (n_own > 0)
        memcpy(trainer->params + trainer->n_params, task->own, n_own * sizeof *task->own);
    wm_plan_set_buffers(trainer->train, trainer->params + wm_trainer_buffers_at(trainer));
    for (int64_t e = 0; st == WM_OK && e < job->training.epochs; e++)
        st = run_epoch(trainer, &set, trainer->params, &steps, loss, err);
    wm_plan_get_buffers(trainer->train, trainer->params + wm_trainer_buffers_at(trainer));
    wm_trainer_rest(trainer, trainer->train);
    if (st != WM_OK || (st = check_trained(trainer, err)) != WM_OK)
        return st;
    st = wm_update_new(&trainer->spec, &task->key, &update, err);
    if (st != WM_OK)
        return st;
    update.weight = wm_examples_count(task->examples, WM_TRAIN);
    st = trainer->strategy->client_finish(job->strategy.options, trained_of(trainer, task->start),
                                          trained_of(trainer, trainer->params), wm_model_n_trained(trainer->model),
                                          steps, set.step.rate, *loss, task->state, &update, err);
    if (st != WM_OK) {
        wm_update_release(&update);
        return st;
    }
    wm_update_seal(&update, &trainer->spec);
    if (n_own > 0)
        memcpy(task->own, trainer->params + trainer->n_params, n_own * sizeof *task->own);
    *ret = update;
    return WM_OK;
}

wm_status wm_train_in_place(wm_trainer *trainer, const wm_examples *examples, const char *client, const char *label,
                            uint32_t first_round, size_t epochs, float *params, const atomic_bool *stop,
                            wm_error *err)
{
    const wm_job  *job = trainer->job;
    epoch_settings set = { .examples = examples, .stop = stop, .step = { .clip = job->training.clip } };
    uint64_t       steps = 0;
    double         loss;
    wm_status      st = begin(trainer, examples, err);

    if (st != WM_OK)
        return st;
    for (size_t e = 0; st == WM_OK && e < epochs; e++) {
        uint32_t round = first_round + (uint32_t)(e / (size_t)job->training.epochs);

        set.step.rate = rate_of(job, round);
        /* An order and a fresh optimiser for every round's worth, as in federated training. */
        if (e % (size_t)job->training.epochs == 0) {
            wm_rng_init_keyed(&set.rng, job->seed, label, round, client);
            wm_plan_reset(trainer->train, wm_rng_next(&set.rng));
            wm_plan_set_buffers(trainer->train, params + wm_trainer_buffers_at(trainer));
        }
        st = run_epoch(trainer, &set, params, &steps, &loss, err);
        if (st == WM_OK)
            wm_plan_get_buffers(trainer->train, params + wm_trainer_buffers_at(trainer));
    }
    wm_trainer_rest(trainer, trainer->train);
    return st;
}
