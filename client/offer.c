/* client/offer.c */
#include "client/offer.h"

#include "common/wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum {
    SCALING_BYTES_MAX = 1 << 20,
    KEPT_MODEL_MAX = 1 << 20, /* a larger one is fetched again: a gateway that waits is to be small */
};

/* The largest model that is fetched; the policy's own limit is looked at once the job is known. */
static const uint64_t MODEL_BYTES_MAX = (uint64_t)4 << 30;

void wm_fetcher_init(wm_fetcher *fetcher, wm_exchange *bulk, wm_clock clock)
{
    *fetcher = (wm_fetcher){ .bulk = bulk, .clock = clock, .used_ms = -1 };
}

void wm_fetcher_release(wm_fetcher *fetcher)
{
    wm_download_free(fetcher->download);
    free(fetcher->scaling);
    free(fetcher->model);
    *fetcher = (wm_fetcher){ 0 };
}

wm_status wm_offer_read(const Wm__Work *work, wm_task *task, uint8_t run[WM_RUN_ID_SIZE], wm_digest *job,
                        wm_error *err)
{
    const Wm__Key *key = work->key;
    wm_status      st;

    if (key == NULL || key->phase < WM_PHASE_STATISTICS || key->phase > WM_PHASE_FINAL)
        return wm_fail(err, WM_E_MALFORMED, "the server's offer does not say what it is for");
    *task = (wm_task){ .phase = (wm_phase)key->phase,
                       .round = key->round,
                       .attempt = work->attempt,
                       .left_ms = (int64_t)work->left_ms,
                       .baselines = work->baselines,
                       .passes = work->passes };
    if ((st = wm_field_run(&key->run, "the offer's run", run, err)) != WM_OK ||
        (st = wm_field_digest(&work->job, "the offer's job", job, err)) != WM_OK ||
        (st = wm_field_digest_or_none(&key->model, "the offer's model", &task->model, err)) != WM_OK ||
        (st = wm_field_digest_or_none(&work->scaling, "the offer's scaling", &task->scaling, err)) != WM_OK)
        return st;
    if (task->phase != WM_PHASE_STATISTICS &&
        (wm_digest_is_zero(&task->model) || work->model_bytes % sizeof(float) != 0))
        return wm_fail(err, WM_E_MALFORMED, "the server's offer names no model, or one of an odd size");
    return WM_OK;
}

/* The blob of that name, announced with n bytes; *ret, of *n_ret bytes, is the caller's to free(). A fetch that was cut
 * goes on where it was, unless the offer names another size by now: whichever of the two is wrong, the digest decides. */
static wm_status fetch(wm_fetcher *self, const wm_digest *name, uint64_t n, uint64_t limit, uint8_t **ret,
                       size_t *n_ret, int64_t *wait_ms, wm_error *err)
{
    uint64_t  come_back_ms = 0;
    wm_status st;

    if (self->download != NULL && (!wm_digest_equal(&self->downloading, name) || self->downloading_bytes != n)) {
        wm_download_free(self->download);
        self->download = NULL;
    }
    if (self->download == NULL) {
        st = wm_download_new(name, n, limit, &self->download, err);
        if (st != WM_OK)
            return st;
        self->downloading = *name;
        self->downloading_bytes = n;
    }
    st = wm_download_run(self->download, self->bulk, &self->clock, &come_back_ms, err);
    self->used_ms = wm_mono_ms(&self->clock);
    if (st != WM_OK) {
        *wait_ms = wm_come_back(come_back_ms);
        return st;
    }
    *ret = wm_download_take(self->download, n_ret);
    wm_download_free(self->download);
    self->download = NULL;
    return WM_OK;
}

static wm_status fetch_scaling(wm_fetcher *self, const wm_task *task, uint64_t n, wm_order *order, int64_t *wait_ms,
                               wm_error *err)
{
    if (wm_digest_is_zero(&task->scaling))
        return WM_OK;
    if (!self->has_scaling || !wm_digest_equal(&self->scaling_name, &task->scaling)) {
        uint8_t  *bytes;
        size_t    n_bytes;
        wm_status st = fetch(self, &task->scaling, n, SCALING_BYTES_MAX, &bytes, &n_bytes, wait_ms, err);

        if (st != WM_OK)
            return st;
        free(self->scaling);
        self->scaling = bytes;
        self->n_scaling = n_bytes;
        self->scaling_name = task->scaling;
        self->has_scaling = true;
    }
    order->scaling = malloc(self->n_scaling);
    if (order->scaling == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the scaling");
    memcpy(order->scaling, self->scaling, self->n_scaling);
    order->n_scaling = self->n_scaling;
    return WM_OK;
}

/* A copy for the next task, if it is worth it and there is memory. */
static void keep_model(wm_fetcher *self, const wm_digest *name, const uint8_t *bytes, size_t n)
{
    free(self->model);
    self->model = n <= KEPT_MODEL_MAX ? malloc(n) : NULL;
    self->n_model = n;
    self->model_name = *name;
    if (self->model != NULL)
        memcpy(self->model, bytes, n);
}

static wm_status fetch_model(wm_fetcher *self, const wm_digest *name, uint64_t n, wm_order *order, int64_t *wait_ms,
                             wm_error *err)
{
    uint8_t  *bytes;
    size_t    n_bytes = self->n_model;
    wm_status st = WM_OK;

    if (self->model != NULL && wm_digest_equal(name, &self->model_name) && n == self->n_model) {
        bytes = malloc(n_bytes);
        if (bytes == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the model");
        memcpy(bytes, self->model, n_bytes);
    } else {
        st = fetch(self, name, n, MODEL_BYTES_MAX, &bytes, &n_bytes, wait_ms, err);
        if (st != WM_OK)
            return st;
        keep_model(self, name, bytes, n_bytes);
    }
    order->params = (float *)(void *)bytes; /* from malloc: aligned for anything */
    order->n_params = n_bytes / sizeof(float);
    return WM_OK;
}

wm_status wm_offer_collect(wm_fetcher *fetcher, const Wm__Work *work, bool job_is_here, wm_order *ret,
                           int64_t *wait_ms, wm_error *err)
{
    wm_order  order = { 0 };
    uint8_t  *bytes;
    size_t    n_bytes;
    wm_status st = wm_offer_read(work, &order.task, order.run, &order.job, err);

    if (st == WM_OK && !job_is_here) {
        st = fetch(fetcher, &order.job, work->job_bytes, WM_JOB_TEXT_MAX, &bytes, &n_bytes, wait_ms, err);
        if (st == WM_OK) {
            order.text = (char *)bytes;
            order.n_text = n_bytes;
        }
    }
    if (st == WM_OK && order.task.phase != WM_PHASE_STATISTICS) {
        st = fetch_model(fetcher, &order.task.model, work->model_bytes, &order, wait_ms, err);
        if (st == WM_OK)
            st = fetch_scaling(fetcher, &order.task, work->scaling_bytes, &order, wait_ms, err);
    }
    if (st != WM_OK) {
        wm_order_release(&order);
        return st;
    }
    *ret = order;
    return WM_OK;
}
