/* server/fleets/virtual.c
 *
 * Clients pull here too: a worker walks the clients, largest first, and asks the run for each whether there is work.
 * When it has gone through all of them it sleeps until the run changes. A client belongs to one worker at a time; who
 * has just handed in is asked again at once, since the hand-in may have opened the next round while other workers
 * walked past the busy client.
 *
 * The pooled baseline is one model on everybody's data. The first worker that meets the last evaluation trains it,
 * while the others compute what does not need it and then wait for it. */
#include "server/fleets/virtual.h"

#include "client/work.h"
#include "server/fleets/client_states.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SCALING_BYTES_MAX = 1 << 20 };

typedef enum pooled_state { POOLED_NONE, POOLED_TRAINING, POOLED_READY, POOLED_FAILED } pooled_state;

typedef struct virtual_client {
    size_t          owner;  /* index in owners */
    wm_client_state state;  /* of whoever is with it */
    bool            busy;   /* a worker is with it; guarded by the fleet's lock */
    bool            scaled; /* guarded by the fleet's lock */
} virtual_client;

typedef struct virtual_fleet {
    wm_fleet            fleet; /* first */
    wm_virtual_settings set;
    virtual_client     *clients; /* [n_clients], largest first */
    size_t              n_clients;
    wm_client_states    states;
    wm_run             *run;
    pthread_t          *threads; /* [n_threads] */
    size_t              n_threads;
    atomic_bool         leaving;
    atomic_ullong       tasks, examples;
    pthread_mutex_t     lock; /* guards what follows */
    pthread_cond_t      changed;
    size_t              cursor; /* next client to ask */
    uint64_t            wakes;  /* how often the run has changed */
    wm_scaling          scaling;
    bool                has_scaling;
    pooled_state        pooled_state;
    float              *pooled; /* [n_whole], once READY */
} virtual_fleet;

/* A worker's own things. */
typedef struct worker {
    virtual_fleet *fleet;
    wm_trainer    *trainer;
    float         *params; /* [n_params]: the model of the task */
} worker;

/* ---- scaling ---- */

/* Lock held. The clients of a run share one scaling, read once. */
static wm_status fetch_scaling(virtual_fleet *self, const wm_digest *name, wm_error *err)
{
    uint8_t  *bytes = NULL;
    size_t    n = 0;
    wm_status st;

    if (self->has_scaling)
        return WM_OK;
    st = wm_blobs_get(self->set.blobs, name, SCALING_BYTES_MAX, &bytes, &n, err);
    if (st == WM_OK)
        st = wm_scaling_decode(self->set.job, bytes, n, &self->scaling, err);
    self->has_scaling = st == WM_OK;
    free(bytes);
    return st;
}

/* Before a client's first batch, and only once. */
static wm_status scale(virtual_fleet *self, virtual_client *client, const wm_task *task, wm_error *err)
{
    bool      federated = !wm_digest_is_zero(&task->scaling);
    wm_status st = WM_OK;

    pthread_mutex_lock(&self->lock);
    if (!client->scaled) {
        if (federated)
            st = fetch_scaling(self, &task->scaling, err);
        if (st == WM_OK)
            st = wm_examples_scale(wm_owners_examples(self->set.owners, client->owner),
                                   federated ? &self->scaling : NULL, err);
        client->scaled = st == WM_OK;
    }
    pthread_mutex_unlock(&self->lock);
    return st;
}

/* ---- the pooled baseline ---- */

static wm_status train_pooled(worker *w, const wm_task *task, float *params, wm_error *err)
{
    virtual_fleet *self = w->fleet;
    wm_examples   *examples;
    wm_status      st = wm_owners_pooled(self->set.owners, &examples, err);

    for (size_t i = 0; st == WM_OK && i < self->n_clients; i++)
        st = scale(self, &self->clients[i], task, err);
    if (st != WM_OK)
        return st;
    wm_model_init(self->set.model, self->set.job->seed, params);
    wm_model_copy_frozen(self->set.model, w->params, params);
    wm_model_init_own(self->set.model, self->set.job->seed, params + wm_model_n_params(self->set.model));
    return wm_train_in_place(w->trainer, examples, "", "pooled", 1, task->passes, params, &self->leaving, err);
}

/* *ret: the pooled parameters, NULL if they are not to be had. Waits while another worker trains them. */
static void pooled_params(worker *w, const wm_task *task, const float **ret)
{
    virtual_fleet *self = w->fleet;
    bool           mine;

    pthread_mutex_lock(&self->lock);
    mine = self->pooled_state == POOLED_NONE;
    if (mine)
        self->pooled_state = POOLED_TRAINING;
    while (!mine && self->pooled_state == POOLED_TRAINING && !self->leaving)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    if (mine) {
        float    *params = malloc(wm_model_n_whole(self->set.model) * sizeof *params);
        wm_error  err;
        wm_status st = params != NULL ? train_pooled(w, task, params, &err)
                                      : wm_fail(&err, WM_E_NOMEM, "no memory for the pooled baseline");

        if (st != WM_OK && st != WM_E_CLOSED)
            wm_log_printf(self->set.log, WM_LOG_WARNING, "simulation", "no pooled baseline: %s", err.text);
        pthread_mutex_lock(&self->lock);
        self->pooled_state = st == WM_OK ? POOLED_READY : POOLED_FAILED;
        self->pooled = params; /* freed with the fleet, good or not */
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
    }
    pthread_mutex_lock(&self->lock);
    *ret = self->pooled_state == POOLED_READY ? self->pooled : NULL;
    pthread_mutex_unlock(&self->lock);
}

/* ---- work ---- */

static void hand_in(virtual_fleet *self, const char *name, const wm_task *task, wm_work_result *result)
{
    uint64_t up = 0, down = 0;
    wm_error err;

    if (task->phase != WM_PHASE_STATISTICS)
        down = wm_model_n_params(self->set.model) * sizeof(float);
    if (result->has_update) {
        up = result->update.n_bytes;
        atomic_fetch_add(&self->examples, result->update.weight * (uint64_t)self->set.job->training.epochs);
        wm_run_count_bytes(self->run, up, down);
        wm_run_submit(self->run, name, result->update.bytes, result->update.n_bytes, result->loss, &err);
        result->update.bytes = NULL; /* the run's now */
        wm_update_release(&result->update);
    } else {
        wm_run_count_bytes(self->run, up, down);
        wm_run_report(self->run, name, task->phase, task->round, result->present, result->results, &err);
    }
}

/* As on a gateway, what a client keeps changes once a committed model contains its update. */
static void settle(virtual_fleet *self, virtual_client *client)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = client->state.round };

    if (client->state.next == NULL)
        return;
    memcpy(key.run, self->set.run, sizeof key.run);
    wm_client_state_settle(&client->state, wm_run_fate(self->run, wm_owners_name(self->set.owners, client->owner),
                                                       &key) == WM_FATE_COMMITTED);
}

static void work(worker *w, virtual_client *client, const wm_task *task)
{
    virtual_fleet *self = w->fleet;
    const char    *name = wm_owners_name(self->set.owners, client->owner);
    wm_examples   *examples = wm_owners_examples(self->set.owners, client->owner);
    wm_work_order  order = { .task = task,
                             .run = self->set.run,
                             .client = name,
                             .examples = examples,
                             .params = w->params,
                             .stop = &self->leaving };
    wm_work_result result;
    wm_error       err;
    wm_status      st = WM_OK;

    settle(self, client);
    if (task->phase != WM_PHASE_STATISTICS) {
        if (!wm_run_params(self->run, &task->model, w->params))
            return; /* the round was closed in the meantime; the next question says what to do */
        st = scale(self, client, task, &err);
    }
    if (st == WM_OK && task->phase == WM_PHASE_FINAL && (task->baselines & WM_BASELINE_POOLED) != 0)
        pooled_params(w, task, &order.pooled);
    order.state = client->state.now;
    if (st == WM_OK && task->phase == WM_PHASE_TRAIN)
        st = wm_client_state_copy(&self->states, task->round, &client->state, &order.state, &err);
    if (st == WM_OK)
        st = wm_work(w->trainer, &order, &result, &err);
    if (st == WM_OK && task->phase == WM_PHASE_TRAIN &&
        (st = wm_client_state_keep(&self->states, name, &client->state, &err)) != WM_OK)
        wm_update_release(&result.update);
    atomic_fetch_add(&self->tasks, 1);
    if (st == WM_OK)
        hand_in(self, name, task, &result);
    else if (st != WM_E_CLOSED)
        wm_run_decline(self->run, name, task->phase, task->round, err.text);
}

/* Works for this client until the run has nothing more for it. What changes in the run after its last answer and
 * before the client is given back would be missed, since others walk past a busy client: `serve` looks for that. */
static void serve_client(worker *w, virtual_client *client)
{
    virtual_fleet *self = w->fleet;
    const char    *name = wm_owners_name(self->set.owners, client->owner);
    wm_task        task;
    int64_t        come_back_ms;

    while (!atomic_load(&self->leaving) && wm_run_ask(self->run, name, &task, &come_back_ms) == WM_ANSWER_TASK)
        work(w, client, &task);
}

/* The next client that nobody is with, or NULL when it is time to leave. */
static virtual_client *next_client(virtual_fleet *self)
{
    virtual_client *client = NULL;

    pthread_mutex_lock(&self->lock);
    while (!self->leaving && client == NULL) {
        if (self->cursor < self->n_clients) {
            virtual_client *next = &self->clients[self->cursor++];

            if (!next->busy)
                client = next;
        } else {
            pthread_cond_wait(&self->changed, &self->lock);
        }
    }
    if (client != NULL)
        client->busy = true;
    pthread_mutex_unlock(&self->lock);
    return client;
}

/* Serves the client, again if the run has changed in the meantime, and gives it back. */
static void serve(worker *w, virtual_client *client)
{
    virtual_fleet *self = w->fleet;
    uint64_t       seen;

    pthread_mutex_lock(&self->lock);
    do {
        seen = self->wakes;
        pthread_mutex_unlock(&self->lock);
        serve_client(w, client);
        pthread_mutex_lock(&self->lock);
    } while (seen != self->wakes && !self->leaving);
    client->busy = false;
    pthread_mutex_unlock(&self->lock);
}

static void *worker_main(void *arg)
{
    worker         w = { .fleet = arg };
    virtual_fleet *self = w.fleet;
    wm_error       err;
    wm_status      st = wm_trainer_new(self->set.job, self->set.model, &w.trainer, &err);

    w.params = malloc(wm_model_n_params(self->set.model) * sizeof *w.params);
    if (st == WM_OK && w.params == NULL)
        st = wm_fail(&err, WM_E_NOMEM, "no memory for a worker's copy of the model");
    if (st == WM_OK) {
        for (virtual_client *client; (client = next_client(self)) != NULL;)
            serve(&w, client);
    } else {
        wm_log_printf(self->set.log, WM_LOG_ERROR, "simulation", "a worker cannot start: %s", err.text);
        wm_run_stop(self->run, err.text, NULL);
    }
    wm_trainer_free(w.trainer);
    free(w.params);
    return NULL;
}

/* ---- the fleet's life ---- */

/* Of a run that goes on. */
static wm_status recall_states(virtual_fleet *self, wm_error *err)
{
    wm_status st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < self->n_clients; i++) {
        const char *name = wm_owners_name(self->set.owners, self->clients[i].owner);

        st = wm_client_state_recall(&self->states, name, wm_run_contained(self->run, name), &self->clients[i].state,
                                    err);
    }
    return st;
}

static wm_status virtual_serve(wm_fleet *fleet, wm_run *run, wm_error *err)
{
    virtual_fleet *self = (virtual_fleet *)fleet;
    wm_status      st;

    self->run = run;
    st = recall_states(self, err);
    for (size_t i = 0; st == WM_OK && i < self->set.workers; i++) {
        int e = pthread_create(&self->threads[i], NULL, worker_main, self);

        if (e != 0) {
            if (i > 0)
                break; /* fewer workers do the same work */
            return wm_fail(err, WM_E_NOMEM, "cannot start a worker thread: %s", strerror(e));
        }
        self->n_threads++;
    }
    return st;
}

static void virtual_wake(wm_fleet *fleet)
{
    virtual_fleet *self = (virtual_fleet *)fleet;

    pthread_mutex_lock(&self->lock);
    self->cursor = 0;
    self->wakes++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void virtual_leave(wm_fleet *fleet)
{
    virtual_fleet *self = (virtual_fleet *)fleet;

    pthread_mutex_lock(&self->lock);
    atomic_store(&self->leaving, true);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < self->n_threads; i++)
        pthread_join(self->threads[i], NULL);
    self->n_threads = 0;
}

static void virtual_free(wm_fleet *fleet)
{
    virtual_fleet *self = (virtual_fleet *)fleet;

    if (self == NULL)
        return;
    assert(self->n_threads == 0);
    for (size_t i = 0; self->clients != NULL && i < self->n_clients; i++)
        wm_client_state_release(&self->clients[i].state);
    free(self->clients);
    free(self->threads);
    free(self->pooled);
    wm_scaling_release(&self->scaling);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const wm_fleet_ops virtual_ops = {
    .name = "virtual",
    .serve = virtual_serve,
    .wake = virtual_wake,
    .leave = virtual_leave,
    .free = virtual_free,
};

/* qsort's comparison has no context; the sizes go along. */
typedef struct sized {
    size_t owner, examples;
} sized;

static int larger_first(const void *a, const void *b)
{
    const sized *x = a, *y = b;

    if (x->examples != y->examples)
        return x->examples < y->examples ? 1 : -1;
    return x->owner < y->owner ? -1 : 1;
}

static wm_status make_clients(virtual_fleet *self, wm_error *err)
{
    size_t n = wm_owners_count(self->set.owners);
    sized *order = calloc(n > 0 ? n : 1, sizeof *order);

    self->clients = calloc(n > 0 ? n : 1, sizeof *self->clients);
    self->n_clients = n;
    for (size_t i = 0; order != NULL && i < n; i++)
        order[i] = (sized){ .owner = i, .examples = wm_owners_train_count(self->set.owners, i) };
    if (order != NULL)
        qsort(order, n, sizeof *order, larger_first);
    for (size_t i = 0; order != NULL && self->clients != NULL && i < n; i++) {
        self->clients[i].owner = order[i].owner;
        if (wm_client_state_init(&self->states, &self->clients[i].state, err) != WM_OK)
            break;
        if (i + 1 == n) {
            free(order);
            return WM_OK;
        }
    }
    free(order);
    return n == 0 ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for %zu clients", n);
}

wm_status wm_virtual_fleet_new(const wm_virtual_settings *settings, wm_fleet **ret, wm_error *err)
{
    virtual_fleet *self = calloc(1, sizeof *self);
    wm_status      st;

    assert(settings->workers > 0);
    if (self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the fleet");
    self->fleet.ops = &virtual_ops;
    self->set = *settings;
    self->states = (wm_client_states){ .job = settings->job,
                                       .model = settings->model,
                                       .run = settings->run,
                                       .folder = settings->states,
                                       .n = wm_work_state(settings->job, settings->model) };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->threads = calloc(settings->workers, sizeof *self->threads);
    st = self->threads != NULL ? make_clients(self, err) : wm_fail(err, WM_E_NOMEM, "no memory for the workers");
    if (st != WM_OK) {
        virtual_free(&self->fleet);
        return st;
    }
    *ret = &self->fleet;
    return WM_OK;
}

void wm_virtual_fleet_count(wm_fleet *fleet, uint64_t *tasks, uint64_t *examples)
{
    virtual_fleet *self = (virtual_fleet *)fleet;

    *tasks = atomic_load(&self->tasks);
    *examples = atomic_load(&self->examples);
}
