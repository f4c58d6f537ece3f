/* server/errands.c */
#include "server/errands.h"

#include <pthread.h>
#include <stdlib.h>

struct wm_errands {
    size_t          most;
    pthread_t       thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t  more;
    wm_errand      *first, **end; /* end: where the next one is hung */
    size_t          n;
    bool            closed;
};

static void *run_all(void *self)
{
    wm_errands *errands = self;

    pthread_mutex_lock(&errands->lock);
    for (;;) {
        wm_errand *errand = errands->first;
        bool       closing = errands->closed;

        if (errand == NULL && closing)
            break;
        if (errand == NULL) {
            pthread_cond_wait(&errands->more, &errands->lock);
            continue;
        }
        errands->first = errand->next;
        if (errands->first == NULL)
            errands->end = &errands->first;
        errands->n--;
        pthread_mutex_unlock(&errands->lock);
        errand->run(errand->context, errand, closing);
        pthread_mutex_lock(&errands->lock);
    }
    pthread_mutex_unlock(&errands->lock);
    return NULL;
}

wm_status wm_errands_new(size_t most, wm_errands **ret, wm_error *err)
{
    wm_errands *errands = calloc(1, sizeof *errands);

    if (errands == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a queue of errands");
    errands->most = most;
    errands->end = &errands->first;
    pthread_mutex_init(&errands->lock, NULL);
    pthread_cond_init(&errands->more, NULL);
    if (pthread_create(&errands->thread, NULL, run_all, errands) != 0) {
        pthread_cond_destroy(&errands->more);
        pthread_mutex_destroy(&errands->lock);
        free(errands);
        return wm_fail(err, WM_E_NOMEM, "cannot start a thread for errands");
    }
    *ret = errands;
    return WM_OK;
}

bool wm_errands_put(wm_errands *errands, wm_errand *errand)
{
    bool taken;

    pthread_mutex_lock(&errands->lock);
    taken = !errands->closed && errands->n < errands->most;
    if (taken) {
        errand->next = NULL;
        *errands->end = errand;
        errands->end = &errand->next;
        errands->n++;
        pthread_cond_signal(&errands->more);
    }
    pthread_mutex_unlock(&errands->lock);
    return taken;
}

void wm_errands_close(wm_errands *errands)
{
    if (errands == NULL)
        return;
    pthread_mutex_lock(&errands->lock);
    errands->closed = true;
    pthread_cond_signal(&errands->more);
    pthread_mutex_unlock(&errands->lock);
}

void wm_errands_free(wm_errands *errands)
{
    if (errands == NULL)
        return;
    wm_errands_close(errands);
    pthread_join(errands->thread, NULL);
    pthread_cond_destroy(&errands->more);
    pthread_mutex_destroy(&errands->lock);
    free(errands);
}
