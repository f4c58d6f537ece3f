/* server/parking.c
 *
 * Two lists under one lock: the parked, in order of arrival, and the woken, which the workers take from. Between seeing
 * that there is nothing for a request and parking it, something may happen; so every wake counts up a number, and a
 * request that was served under an older number is woken in place of being parked. */
#include "server/parking.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct parked_list {
    wm_parked *first, **end; /* end: where the next one is hung */
    size_t     n;
} parked_list;

struct wm_parking {
    wm_parking_settings settings;
    pthread_mutex_t     lock; /* guards all below */
    pthread_cond_t      more;
    parked_list         parked, woken;
    size_t              serving; /* requests that a thread is looking at, and may yet park */
    uint64_t            wakes;
    bool                closed;
    pthread_t          *threads; /* [n_threads] */
    size_t              n_threads;
};

static void list_init(parked_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->n = 0;
}

static void list_add(parked_list *list, wm_parked *item)
{
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
    list->n++;
}

static wm_parked *list_take(parked_list *list)
{
    wm_parked *item = list->first;

    if (item == NULL)
        return NULL;
    list->first = item->next;
    if (list->first == NULL)
        list->end = &list->first;
    list->n--;
    return item;
}

/* Under the lock: those of the parked of which `match` is true are woken; NULL: all. */
static void wake(wm_parking *parking, bool (*match)(void *context, const wm_parked *item), void *context)
{
    wm_parked *item = parking->parked.first;

    list_init(&parking->parked);
    for (wm_parked *after; item != NULL; item = after) {
        after = item->next;
        list_add(match == NULL || match(context, item) ? &parking->woken : &parking->parked, item);
    }
    if (parking->woken.n > 0)
        pthread_cond_broadcast(&parking->more);
}

/* Serves one item, without the lock, and parks it if it is to wait. */
static void serve(wm_parking *parking, wm_parked *item)
{
    int64_t  now = wm_mono_ms(&parking->settings.clock), wait_ms, arrived_ms = item->arrived_ms;
    bool     last;
    uint64_t wakes;

    pthread_mutex_lock(&parking->lock);
    last = parking->closed || parking->parked.n >= parking->settings.parked_max || now >= item->until_ms;
    wakes = parking->wakes;
    pthread_mutex_unlock(&parking->lock);

    wait_ms = parking->settings.serve(parking->settings.context, item, last);
    if (wait_ms <= 0)
        return; /* the item is gone */

    pthread_mutex_lock(&parking->lock);
    item->until_ms = arrived_ms + wait_ms;
    if (parking->wakes != wakes || parking->closed) {
        list_add(&parking->woken, item);
        pthread_cond_signal(&parking->more);
    } else {
        list_add(&parking->parked, item);
    }
    pthread_mutex_unlock(&parking->lock);
}

/* Under the lock: a thread has done with a request. */
static void served(wm_parking *parking)
{
    parking->serving--;
    if (parking->closed)
        pthread_cond_broadcast(&parking->more); /* the workers may end */
}

static void *worker(void *context)
{
    wm_parking *parking = context;

    pthread_mutex_lock(&parking->lock);
    for (;;) {
        wm_parked *item = list_take(&parking->woken);

        if (item == NULL && parking->closed && parking->serving == 0)
            break;
        if (item == NULL) {
            pthread_cond_wait(&parking->more, &parking->lock);
            continue;
        }
        parking->serving++;
        pthread_mutex_unlock(&parking->lock);
        serve(parking, item);
        pthread_mutex_lock(&parking->lock);
        served(parking);
    }
    pthread_mutex_unlock(&parking->lock);
    return NULL;
}

wm_status wm_parking_new(const wm_parking_settings *settings, wm_parking **ret, wm_error *err)
{
    wm_parking *parking = calloc(1, sizeof *parking);

    if (parking == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for parked requests");
    parking->settings = *settings;
    list_init(&parking->parked);
    list_init(&parking->woken);
    pthread_mutex_init(&parking->lock, NULL);
    pthread_cond_init(&parking->more, NULL);
    parking->threads = calloc(settings->workers + 1, sizeof *parking->threads);
    while (parking->threads != NULL && parking->n_threads < settings->workers) {
        if (pthread_create(&parking->threads[parking->n_threads], NULL, worker, parking) != 0)
            break;
        parking->n_threads++;
    }
    if (parking->threads == NULL || parking->n_threads < settings->workers) {
        wm_parking_free(parking);
        return wm_fail(err, WM_E_NOMEM, "cannot start %zu threads for parked requests", settings->workers);
    }
    *ret = parking;
    return WM_OK;
}

void wm_parking_put(wm_parking *parking, wm_parked *item)
{
    item->arrived_ms = wm_mono_ms(&parking->settings.clock);
    item->until_ms = INT64_MAX;
    pthread_mutex_lock(&parking->lock);
    parking->serving++; /* or the workers of a parking that is being closed end before it comes to them */
    pthread_mutex_unlock(&parking->lock);
    serve(parking, item);
    pthread_mutex_lock(&parking->lock);
    served(parking);
    pthread_mutex_unlock(&parking->lock);
}

void wm_parking_wake(wm_parking *parking)
{
    pthread_mutex_lock(&parking->lock);
    parking->wakes++;
    wake(parking, NULL, NULL);
    pthread_mutex_unlock(&parking->lock);
}

void wm_parking_wake_where(wm_parking *parking, bool (*match)(void *context, const wm_parked *item), void *context)
{
    pthread_mutex_lock(&parking->lock);
    parking->wakes++;
    wake(parking, match, context);
    pthread_mutex_unlock(&parking->lock);
}

typedef struct tick_state {
    int64_t now, next;
} tick_state;

static bool is_over(void *context, const wm_parked *item)
{
    tick_state *tick = context;
    int64_t     left = item->until_ms - tick->now;

    if (left > 0 && (tick->next < 0 || left < tick->next))
        tick->next = left;
    return left <= 0;
}

int64_t wm_parking_tick(wm_parking *parking)
{
    tick_state tick = { .now = wm_mono_ms(&parking->settings.clock), .next = -1 };

    pthread_mutex_lock(&parking->lock);
    wake(parking, is_over, &tick);
    pthread_mutex_unlock(&parking->lock);
    return tick.next;
}

bool wm_parking_work(wm_parking *parking)
{
    wm_parked *item;

    pthread_mutex_lock(&parking->lock);
    item = list_take(&parking->woken);
    pthread_mutex_unlock(&parking->lock);
    if (item == NULL)
        return false;
    serve(parking, item);
    return true;
}

size_t wm_parking_count(wm_parking *parking)
{
    size_t n;

    pthread_mutex_lock(&parking->lock);
    n = parking->parked.n + parking->woken.n;
    pthread_mutex_unlock(&parking->lock);
    return n;
}

void wm_parking_close(wm_parking *parking)
{
    pthread_mutex_lock(&parking->lock);
    parking->closed = true;
    wake(parking, NULL, NULL);
    pthread_cond_broadcast(&parking->more);
    pthread_mutex_unlock(&parking->lock);
}

void wm_parking_free(wm_parking *parking)
{
    if (parking == NULL)
        return;
    wm_parking_close(parking);
    for (size_t i = 0; i < parking->n_threads; i++)
        pthread_join(parking->threads[i], NULL);
    while (wm_parking_work(parking)) /* of a parking without workers */
        ;
    free(parking->threads);
    pthread_cond_destroy(&parking->more);
    pthread_mutex_destroy(&parking->lock);
    free(parking);
}
