/* server/tool/contest.c */
#include "server/tool/contest.h"

#include "client/work.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ELSEWHERE_MOST = 8 };

typedef struct contest {
    const wm_contest_settings *set;
    wm_contest_result         *results;
    wm_task                    task;
    bool                       left_out; /* the split leaves owners out */
    float                     *state;    /* [wm_work_state]: what a client has that has not trained yet */
    float                     *pooled;   /* [n_whole], once trained; NULL if the job does not ask for it */
    atomic_size_t              next;     /* client */
    atomic_bool                stop;     /* somebody failed */
    pthread_mutex_t            lock;     /* guards what follows */
    wm_status                  status;   /* of the first who failed */
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

bool wm_contest_left_out(const wm_job *job, wm_owners *owners, size_t owner)
{
    return job->data.split.kind == WM_SPLIT_OWNERS && wm_owners_train_count(owners, owner) == 0;
}

static bool any_left_out(const contest *self)
{
    for (size_t i = 0; i < wm_owners_count(self->set->owners); i++)
        if (wm_contest_left_out(self->set->job, self->set->owners, i))
            return true;
    return false;
}

/* Where client i's own model is judged elsewhere. Of many others each is judged by a few that stand at even distances
 * behind it in order of name: all by all would cost more than all the training. */
static bool is_elsewhere(const contest *self, size_t i, size_t k)
{
    size_t n = wm_owners_count(self->set->owners), step = (n - 1 + ELSEWHERE_MOST - 1) / ELSEWHERE_MOST;

    if (self->left_out)
        return wm_contest_left_out(self->set->job, self->set->owners, k);
    return k != i && (k + n - i) % n % step == 0;
}

/* The client's own model, trained as the baseline `alone` is, at home and elsewhere. */
static wm_status contend_alone(contest *self, wm_trainer *trainer, size_t i, float *params, wm_error *err)
{
    const wm_contest_settings *set = self->set;
    wm_contest_result         *result = &self->results[i];
    const wm_examples         *home = wm_owners_examples(set->owners, i);
    wm_evaluation              at_home = { 0 };
    wm_status                  st;

    wm_model_init(set->model, set->job->seed, params);
    wm_model_copy_frozen(set->model, set->params, params);
    wm_model_init_own(set->model, set->job->seed, params + wm_model_n_params(set->model));
    st = wm_train_in_place(trainer, home, wm_owners_name(set->owners, i), "alone", 1, set->passes, params,
                           &self->stop, err);
    if (st == WM_E_NONFINITE)
        return WM_OK; /* this baseline exploded; that is its result */
    for (size_t k = 0; st == WM_OK && k < wm_owners_count(set->owners); k++) {
        const wm_examples *examples = wm_owners_examples(set->owners, k);
        wm_evaluation      one;

        if (k != i && (!is_elsewhere(self, i, k) || wm_examples_count(examples, WM_TEST) == 0))
            continue;
        st = wm_evaluate(trainer, examples, WM_TEST, params, &self->stop, &one, err);
        if (st != WM_OK)
            break;
        wm_evaluation_clamp(&one);
        if (k == i)
            at_home = one; /* without a test part it has its threshold at least */
        if (k == i && one.examples > 0) {
            result->evaluations[WM_ALONE] = one;
            result->present |= 1u << WM_ALONE;
        } else if (k != i) {
            wm_evaluation_add(&result->elsewhere, &one);
            result->has_elsewhere = true;
        }
    }
    wm_evaluation_take_threshold(wm_trainer_measures(trainer), &result->elsewhere, &at_home);
    return st;
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
    if (st == WM_OK && self->set->elsewhere && (self->set->baselines & WM_BASELINE_ALONE) != 0 &&
        wm_owners_train_count(self->set->owners, i) > 0) {
        float *params = malloc(wm_model_n_whole(self->set->model) * sizeof *params);

        st = params != NULL ? contend_alone(self, trainer, i, params, err)
                            : wm_fail(err, WM_E_NOMEM, "no memory for a client's own model");
        free(params);
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

/* Who never trained has not seen which class is the most frequent; all the others have. */
static wm_status lend_naive(contest *self, wm_error *err)
{
    const wm_contest_settings *set = self->set;
    wm_examples               *pooled;
    wm_status                  st = self->left_out ? wm_owners_pooled(set->owners, &pooled, err) : WM_OK;

    for (size_t i = 0; st == WM_OK && self->left_out && i < wm_owners_count(set->owners); i++)
        if (wm_contest_left_out(set->job, set->owners, i))
            wm_examples_take_naive(wm_owners_examples(set->owners, i), pooled);
    return st;
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
                  /* Its own model is trained once for both places. */
                  .baselines = settings->elsewhere ? settings->baselines & ~(unsigned)WM_BASELINE_ALONE
                                                   : settings->baselines,
                  .passes = settings->passes },
    };
    wm_status st = WM_OK;

    self.left_out = any_left_out(&self);
    for (size_t i = 0; st == WM_OK && i < wm_owners_count(settings->owners); i++)
        st = wm_examples_scale(wm_owners_examples(settings->owners, i), settings->scaling, err);
    if (st == WM_OK)
        st = begin_state(&self, err);
    if (st == WM_OK)
        st = lend_naive(&self, err);
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
