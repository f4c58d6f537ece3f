/* client/desk.c */
#include "client/desk.h"

#include "common/cond.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef enum desk_state { DESK_FREE, DESK_WORKING, DESK_DONE } desk_state;

struct wm_desk {
    const wm_data_policy *policy;
    const char           *name;
    int                   nice;
    wm_clock              clock;
    wm_log               *log;
    pthread_t             thread;
    atomic_bool           stop; /* the work at hand is no longer wanted */

    /* The worker's own, while it works. */
    wm_workplace *place; /* of the last job; NULL before the first */

    pthread_mutex_t     lock; /* guards what follows */
    pthread_cond_t      changed;
    desk_state          state;
    bool                closing, interrupted;
    wm_order            order;
    wm_outcome_of_work  outcome;
    bool                has_place; /* what `place` is for: */
    wm_digest           place_job;
    uint8_t             place_run[WM_RUN_ID_SIZE];
    wm_examples_summary summary;
};

void wm_order_release(wm_order *order)
{
    free(order->text);
    free(order->params);
    free(order->scaling);
    free(order->state);
    *order = (wm_order){ 0 };
}

void wm_outcome_of_work_release(wm_outcome_of_work *outcome)
{
    if (outcome->status == WM_OK && outcome->result.has_update)
        wm_update_release(&outcome->result.update);
    free(outcome->state);
    *outcome = (wm_outcome_of_work){ 0 };
}

/* ---- the worker ---- */

/* The workplace for the order's job and run: the present one, or a new one. Readings are scaled for one run, so
 * another run of the same job reads them again. */
static wm_status prepare(wm_desk *desk, const wm_order *order, wm_error *err)
{
    wm_examples_summary summary;
    wm_status           st;

    if (order->text == NULL)
        return WM_OK; /* wm_desk_has_job said so */
    pthread_mutex_lock(&desk->lock);
    desk->has_place = false;
    pthread_mutex_unlock(&desk->lock);
    wm_workplace_free(desk->place);
    desk->place = NULL;
    st = wm_workplace_open(desk->policy, desk->name, order->text, order->n_text, desk->log, &desk->place, err);
    if (st != WM_OK)
        return st;
    wm_workplace_summary(desk->place, &summary);
    wm_log_line(desk->log, WM_LOG_INFO, "data", "readings are loaded", WM_INT_FIELD("rows", summary.rows),
                WM_INT_FIELD("missing", summary.missing), WM_INT_FIELD("filled", summary.filled),
                WM_INT_FIELD("train", summary.counts[WM_TRAIN]),
                WM_INT_FIELD("validate", summary.counts[WM_VALIDATE]),
                WM_INT_FIELD("test", summary.counts[WM_TEST]));
    pthread_mutex_lock(&desk->lock);
    desk->has_place = true;
    desk->place_job = order->job;
    memcpy(desk->place_run, order->run, sizeof desk->place_run);
    desk->summary = summary;
    pthread_mutex_unlock(&desk->lock);
    return WM_OK;
}

/* What is kept between rounds, in its length: as it begins, where the store has nothing for this run. */
static wm_status fit_state(wm_desk *desk, wm_order *order, wm_error *err)
{
    size_t n = wm_workplace_state(desk->place);

    if (order->n_state == n)
        return WM_OK;
    free(order->state);
    order->state = calloc(n > 0 ? n : 1, sizeof *order->state);
    order->n_state = n;
    if (order->state == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for what is kept between rounds, %zu numbers", n);
    wm_workplace_begin_state(desk->place, order->state);
    return WM_OK;
}

static wm_status work(wm_desk *desk, wm_order *order, wm_work_result *ret, wm_error *err)
{
    wm_status st = prepare(desk, order, err);

    if (st == WM_OK && desk->place == NULL)
        st = wm_fail(err, WM_E_MISSING, "the job has not been loaded");
    if (st == WM_OK && order->params != NULL && order->n_params != wm_workplace_n_params(desk->place))
        st = wm_fail(err, WM_E_SHAPE, "the server's model has %zu parameters, the job's has %zu", order->n_params,
                     wm_workplace_n_params(desk->place));
    if (st == WM_OK)
        st = fit_state(desk, order, err);
    if (st != WM_OK)
        return st;
    return wm_workplace_work(desk->place, &order->task, order->run, order->params, order->scaling, order->n_scaling,
                             order->n_state > 0 ? order->state : NULL, &desk->stop, ret, err);
}

static void work_off(wm_desk *desk, wm_order *order)
{
    wm_outcome_of_work outcome = { .task = order->task };
    int64_t            began = wm_mono_ms(&desk->clock);

    memcpy(outcome.run, order->run, sizeof outcome.run);
    outcome.status = work(desk, order, &outcome.result, &outcome.error);
    outcome.took_ms = wm_mono_ms(&desk->clock) - began;
    if (outcome.status == WM_OK && order->n_state > 0) {
        outcome.state = order->state;
        outcome.n_state = order->n_state;
        order->state = NULL;
    }
    wm_order_release(order);
    pthread_mutex_lock(&desk->lock);
    desk->outcome = outcome;
    desk->state = DESK_DONE;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static void *worker_main(void *arg)
{
    wm_desk *desk = arg;

    /* On Linux a thread has a nice value of its own: the conversation stays prompt while the training steps back. */
    if (desk->nice > 0)
        (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), desk->nice);
    pthread_mutex_lock(&desk->lock);
    for (;;) {
        wm_order order;

        while (!desk->closing && desk->state != DESK_WORKING)
            pthread_cond_wait(&desk->changed, &desk->lock);
        if (desk->closing)
            break;
        order = desk->order;
        desk->order = (wm_order){ .task = order.task };
        memcpy(desk->order.run, order.run, sizeof order.run);
        pthread_mutex_unlock(&desk->lock);
        work_off(desk, &order);
        pthread_mutex_lock(&desk->lock);
    }
    pthread_mutex_unlock(&desk->lock);
    return NULL;
}

/* ---- the desk ---- */

wm_status wm_desk_new(const wm_data_policy *policy, const char *name, int nice, wm_clock clock, wm_log *log,
                      wm_desk **ret, wm_error *err)
{
    wm_desk *desk = calloc(1, sizeof *desk);
    int      e;

    if (desk == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the working thread");
    *desk = (wm_desk){ .policy = policy, .name = name, .nice = nice, .clock = clock, .log = log };
    pthread_mutex_init(&desk->lock, NULL);
    wm_cond_init(&desk->changed);
    e = pthread_create(&desk->thread, NULL, worker_main, desk);
    if (e != 0) {
        pthread_cond_destroy(&desk->changed);
        pthread_mutex_destroy(&desk->lock);
        free(desk);
        return wm_fail(err, WM_E_NOMEM, "cannot start the working thread: %s", strerror(e));
    }
    *ret = desk;
    return WM_OK;
}

void wm_desk_free(wm_desk *desk)
{
    if (desk == NULL)
        return;
    pthread_mutex_lock(&desk->lock);
    atomic_store(&desk->stop, true);
    desk->closing = true;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
    pthread_join(desk->thread, NULL);
    if (desk->state == DESK_DONE)
        wm_outcome_of_work_release(&desk->outcome);
    wm_order_release(&desk->order);
    wm_workplace_free(desk->place);
    pthread_cond_destroy(&desk->changed);
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

bool wm_desk_has_job(wm_desk *desk, const wm_digest *job, const uint8_t run[WM_RUN_ID_SIZE])
{
    bool has;

    pthread_mutex_lock(&desk->lock);
    has = desk->has_place && wm_digest_equal(&desk->place_job, job) &&
          memcmp(desk->place_run, run, WM_RUN_ID_SIZE) == 0;
    pthread_mutex_unlock(&desk->lock);
    return has;
}

bool wm_desk_busy(wm_desk *desk, wm_task *task, uint8_t run[WM_RUN_ID_SIZE])
{
    bool busy;

    pthread_mutex_lock(&desk->lock);
    busy = desk->state != DESK_FREE;
    if (busy) {
        *task = desk->order.task;
        memcpy(run, desk->order.run, WM_RUN_ID_SIZE);
    }
    pthread_mutex_unlock(&desk->lock);
    return busy;
}

void wm_desk_give(wm_desk *desk, wm_order *order)
{
    pthread_mutex_lock(&desk->lock);
    assert(desk->state == DESK_FREE);
    atomic_store(&desk->stop, false);
    desk->order = *order;
    *order = (wm_order){ 0 };
    desk->state = DESK_WORKING;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

bool wm_desk_take(wm_desk *desk, int64_t wait_ms, wm_outcome_of_work *ret)
{
    int64_t until_ms = wm_cond_after_ms(wait_ms);
    bool    done;

    pthread_mutex_lock(&desk->lock);
    while (desk->state == DESK_WORKING && !desk->interrupted && wait_ms > 0 &&
           wm_cond_wait_until(&desk->changed, &desk->lock, until_ms))
        ;
    done = desk->state == DESK_DONE;
    if (done) {
        *ret = desk->outcome;
        desk->outcome = (wm_outcome_of_work){ 0 };
        desk->order = (wm_order){ 0 };
        desk->state = DESK_FREE;
    }
    pthread_mutex_unlock(&desk->lock);
    return done;
}

void wm_desk_abandon(wm_desk *desk)
{
    atomic_store(&desk->stop, true);
}

void wm_desk_interrupt(wm_desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->interrupted = true;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

bool wm_desk_summary(wm_desk *desk, wm_examples_summary *ret)
{
    bool has;

    pthread_mutex_lock(&desk->lock);
    has = desk->has_place;
    if (has)
        *ret = desk->summary;
    pthread_mutex_unlock(&desk->lock);
    return has;
}
