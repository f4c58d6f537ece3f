/* server/tool/contest.c */
#include "server/tool/contest.h"

#include "client/work.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct contest {
    const wm_contest_settings *set;
    wm_contest_result         *results;
    wm_task                    task;
    float                     *state;  /* [wm_work_state]: what a client has that has not trained yet */
    float                     *pooled; /* [n_whole], once trained; NULL if the job does not ask for it */
    atomic_size_t              next;   /* client */
    atomic_bool                stop;   /* somebody failed */
    pthread_mutex_t            lock;   /* guards what follows */
    wm_status                  status; /* of the first who failed */
    wm_error                   error;
} contest;

static void fail(contest *self, wm_status status, const wm_error *error)
{
    pthread_mutex_lock(&self->lock);
    if (self->status == WM_OK) {
        self->status = status;
        self->error = *error;
    }
    pthread_mutex_unlock(&self->lock);
    atomic_store(&self->stop, true);
}

static wm_status contend(contest *self, wm_trainer *trainer, size_t i, wm_error *err)
{
    static const uint8_t no_run[WM_RUN_ID_SIZE] = { 0 };
    wm_work_order        order = { .task = &self->task,
                                   .run = no_run,
                                   .client = wm_owners_name(self->set->owners, i),
                                   .examples = wm_owners_examples(self->set->owners, i),
                                   .params = self->set->params,
                                   .pooled = self->pooled,
                                   .state = self->state,
                                   .stop = &self->stop };
    wm_work_result       result;
    wm_status            st = wm_work(trainer, &order, &result, err);

    if (st == WM_OK) {
        self->results[i].present = result.present;
        memcpy(self->results[i].evaluations, result.results, sizeof result.results);
    }
    return st;
}

static void *worker_main(void *arg)
{
    contest    *self = arg;
    wm_trainer *trainer = NULL;
    wm_error    err;
    wm_status   st = wm_trainer_new(self->set->job, self->set->model, &trainer, &err);
    size_t      n = wm_owners_count(self->set->owners), i;

    while (st == WM_OK && !atomic_load(&self->stop) && (i = atomic_fetch_add(&self->next, 1)) < n)
        st = contend(self, trainer, i, &err);
    if (st != WM_OK && st != WM_E_CLOSED)
        fail(self, st, &err);
    wm_trainer_free(trainer);
    return NULL;
}

/* The pooled baseline comes first and alone: it is one model, and everybody's result waits for it. */
static wm_status train_pooled(contest *self, wm_error *err)
{
    const wm_contest_settings *set = self->set;
    wm_examples               *examples;
    wm_trainer                *trainer = NULL;
    wm_status                  st;

    if ((set->baselines & WM_BASELINE_POOLED) == 0)
        return WM_OK;
    self->pooled = malloc(wm_model_n_whole(set->model) * sizeof *self->pooled);
    if (self->pooled == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the pooled baseline");
    if ((st = wm_owners_pooled(set->owners, &examples, err)) == WM_OK &&
        (st = wm_trainer_new(set->job, set->model, &trainer, err)) == WM_OK) {
        wm_model_init(set->model, set->job->seed, self->pooled);
        wm_model_copy_frozen(set->model, set->params, self->pooled);
        wm_model_init_own(set->model, set->job->seed, self->pooled + wm_model_n_params(set->model));
        st = wm_train_in_place(trainer, examples, "", "pooled", 1, set->passes, self->pooled, NULL, err);
    }
    wm_trainer_free(trainer);
    if (st == WM_E_NONFINITE) { /* left out, as the other baselines are that explode */
        free(self->pooled);
        self->pooled = NULL;
        st = WM_OK;
    }
    return st;
}

/* Evaluating changes nothing of it, so one does for all. */
static wm_status begin_state(contest *self, wm_error *err)
{
    const wm_contest_settings *set = self->set;
    size_t                     n = wm_work_state(set->job, set->model);

    if (n == 0)
        return WM_OK;
    self->state = malloc(n * sizeof *self->state);
    if (self->state == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the clients' personal layers");
    wm_work_begin_state(set->job, set->model, self->state);
    return WM_OK;
}

static void run_workers(contest *self)
{
    pthread_t *threads = calloc(self->set->workers, sizeof *threads);
    size_t     n = 0;

    while (threads != NULL && n + 1 < self->set->workers &&
           pthread_create(&threads[n], NULL, worker_main, self) == 0)
        n++;
    worker_main(self); /* this thread is a worker too, and the only one if there can be no other */
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

wm_status wm_contest(const wm_contest_settings *settings, wm_contest_result *results, wm_error *err)
{
    contest self = {
        .set = settings,
        .results = results,
        .task = { .phase = WM_PHASE_FINAL,
                  .round = (uint32_t)settings->job->rounds,
                  .baselines = settings->baselines,
                  .passes = settings->passes },
    };
    wm_status st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < wm_owners_count(settings->owners); i++)
        st = wm_examples_scale(wm_owners_examples(settings->owners, i), settings->scaling, err);
    if (st == WM_OK)
        st = begin_state(&self, err);
    if (st == WM_OK)
        st = train_pooled(&self, err);
    if (st == WM_OK) {
        pthread_mutex_init(&self.lock, NULL);
        run_workers(&self);
        pthread_mutex_destroy(&self.lock);
        st = self.status;
        if (st != WM_OK && err != NULL)
            *err = self.error;
    }
    free(self.pooled);
    free(self.state);
    return st;
}
