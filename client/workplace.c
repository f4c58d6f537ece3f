/* client/workplace.c */
#include "client/workplace.h"

#include "common/memory.h"
#include "models/plan.h"

#include <stdlib.h>
#include <string.h>

struct wm_workplace {
    char        *name;
    wm_job      *job;
    wm_model    *model;
    wm_owners   *owners; /* of one: this gateway */
    wm_examples *examples;
    wm_trainer  *trainer;
    bool         scaled;
    wm_digest    scaled_by; /* zero: by nothing but the gateway's own data */
};

static wm_status read_job(wm_workplace *self, const char *text, size_t n, wm_error *err)
{
    wm_faults faults;
    wm_status st;

    wm_faults_init(&faults, "the server's job");
    st = wm_job_parse("the server's job", text, n, &wm_client_families, NULL, 0, &faults, &self->job, err);
    if (st == WM_OK)
        st = wm_model_new(self->job, &faults, &self->model, err);
    wm_faults_release(&faults);
    return st;
}

static wm_status read_data(wm_workplace *self, const wm_data_policy *policy, wm_log *log, wm_error *err)
{
    wm_owners_settings settings = {
        .folder = policy->folder,
        .source = &policy->source,
        .owner = &policy->owner,
        .alone = self->name,
        .only = policy->owner.member == NULL ? NULL
                : policy->keep != NULL       ? policy->keep
                                             : self->name,
        .allowed = policy->columns.count > 0 ? &policy->columns : NULL,
        .log = log,
    };
    size_t    n;
    wm_status st = wm_owners_open(self->job, &settings, &self->owners, err);

    if (st != WM_OK)
        return st;
    if (wm_owners_count(self->owners) != 1)
        return wm_fail(err, WM_E_INVALID,
                       "the readings divide into %zu owners: say in client.yaml which one data.keep is",
                       wm_owners_count(self->owners));
    self->examples = wm_owners_examples(self->owners, 0);
    n = wm_examples_count(self->examples, WM_TRAIN);
    if (n < (size_t)policy->examples_min)
        return wm_fail(err, WM_E_REFUSED,
                       "%zu training examples are fewer than client.yaml's data.examples_min of %lld", n,
                       (long long)policy->examples_min);
    return WM_OK;
}

/* Before anything large is allocated. */
static wm_status check_memory(const wm_workplace *self, const wm_data_policy *policy, wm_error *err)
{
    size_t    total;
    wm_status st = wm_trainer_bytes(self->job, self->model, &total, err);

    if (st != WM_OK)
        return st;
    /* The trainer, the model that came, and the update, which is kept when that is gone; and so what goes with it. */
    total += 2 * (wm_model_n_params(self->model) + wm_work_state(self->job, self->model)) * sizeof(float);
    if (policy->memory_max > 0 && total > (size_t)policy->memory_max)
        return wm_fail(
            err, WM_E_REFUSED,
            "training this model takes %zu bytes, and there are %lld for it: client.yaml's limits.memory, or all "
            "that the machine has",
            total, (long long)policy->memory_max);
    return WM_OK;
}

wm_status wm_workplace_open(const wm_data_policy *policy, const char *name, const char *text, size_t n, wm_log *log,
                            wm_workplace **ret, wm_error *err)
{
    wm_workplace *self = calloc(1, sizeof *self);
    wm_status     st;

    if (self == NULL || (self->name = strdup(name)) == NULL) {
        free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory to work on a job");
    }
    if ((st = read_job(self, text, n, err)) == WM_OK && (st = check_memory(self, policy, err)) == WM_OK &&
        (st = read_data(self, policy, log, err)) == WM_OK)
        st = wm_trainer_new(self->job, self->model, &self->trainer, err);
    if (st != WM_OK) {
        wm_workplace_free(self);
        return st;
    }
    wm_trainer_save_memory(self->trainer);
    *ret = self;
    return WM_OK;
}

void wm_workplace_free(wm_workplace *place)
{
    if (place == NULL)
        return;
    wm_trainer_free(place->trainer);
    wm_owners_free(place->owners);
    wm_model_free(place->model);
    wm_job_free(place->job);
    free(place->name);
    free(place);
}

size_t wm_workplace_n_params(const wm_workplace *place)
{
    return wm_model_n_params(place->model);
}

size_t wm_workplace_state(const wm_workplace *place)
{
    return wm_work_state(place->job, place->model);
}

void wm_workplace_begin_state(const wm_workplace *place, float *state)
{
    wm_work_begin_state(place->job, place->model, state);
}

void wm_workplace_summary(wm_workplace *place, wm_examples_summary *ret)
{
    wm_examples_summarise(place->examples, ret);
}

static wm_status scale(wm_workplace *self, const wm_task *task, const uint8_t *bytes, size_t n, wm_error *err)
{
    wm_scaling scaling = { 0 };
    wm_status  st = WM_OK;

    if (self->scaled && wm_digest_equal(&self->scaled_by, &task->scaling))
        return WM_OK;
    if (self->scaled) /* examples are scaled in place, once: another run of the same job loads them again */
        return wm_fail(err, WM_E_EXISTS, "the readings are scaled for another run");
    if (bytes != NULL)
        st = wm_scaling_decode(self->job, bytes, n, &scaling, err);
    if (st == WM_OK)
        st = wm_examples_scale(self->examples, bytes != NULL ? &scaling : NULL, err);
    wm_scaling_release(&scaling);
    self->scaled = st == WM_OK;
    self->scaled_by = task->scaling;
    return st;
}

wm_status wm_workplace_work(wm_workplace *place, const wm_task *task, const uint8_t *run, const float *params,
                            const uint8_t *scaling, size_t n_scaling, float *state, const atomic_bool *stop,
                            wm_work_result *ret, wm_error *err)
{
    wm_work_order order = { .task = task,
                            .run = run,
                            .client = place->name,
                            .examples = place->examples,
                            .params = params,
                            .state = state,
                            .stop = stop };
    wm_status     st = WM_OK;

    if (task->phase == WM_PHASE_STATISTICS && place->scaled)
        st =
            wm_fail(err, WM_E_REFUSED, "the readings are scaled already: there are no statistics of them any more");
    wm_memory_rest(); /* of what transfers have used; until training is done there are none */
    if (task->phase != WM_PHASE_STATISTICS)
        st = scale(place, task, scaling, n_scaling, err);
    return st == WM_OK ? wm_work(place->trainer, &order, ret, err) : st;
}
