/* common/wire/intake.c
 *
 * From a complete request to a worker's hands, and the account of the memory that requests and answers hold.
 * Two gates keep it bounded: a message is not read before its length is reserved, and a worker takes no new
 * request while the answers that are being written are over the limit. A slow peer delays others only until
 * its deadline. */
#include "common/wire/serving.h"

#include "common/cond.h"

void wm_intake_init(wm_intake *intake, size_t held_max)
{
    *intake = (wm_intake){ .held_max = held_max };
    intake->last = &intake->first;
    intake->waiting_last = &intake->waiting;
    pthread_mutex_init(&intake->lock, NULL);
    pthread_cond_init(&intake->work, NULL);
    wm_cond_init(&intake->bell);
}

void wm_intake_release(wm_intake *intake)
{
    pthread_cond_destroy(&intake->bell);
    pthread_cond_destroy(&intake->work);
    pthread_mutex_destroy(&intake->lock);
}

/* ---- workers ---- */

void wm_intake_push(wm_intake *intake, wm_request *request)
{
    pthread_mutex_lock(&intake->lock);
    request->next = NULL;
    *intake->last = request;
    intake->last = &request->next;
    pthread_cond_signal(&intake->work);
    pthread_mutex_unlock(&intake->lock);
}

/* NULL: the end. */
static wm_request *pop(wm_intake *intake)
{
    wm_request *request;

    pthread_mutex_lock(&intake->lock);
    while (!intake->ending && (intake->first == NULL || intake->held_out >= intake->held_max))
        pthread_cond_wait(&intake->work, &intake->lock);
    request = intake->first;
    if (request != NULL) {
        intake->first = request->next;
        if (intake->first == NULL)
            intake->last = &intake->first;
    }
    pthread_mutex_unlock(&intake->lock);
    return request;
}

void *wm_intake_work(void *self)
{
    wm_listener *listener = self;
    wm_request  *request;

    while ((request = pop(&listener->intake)) != NULL) {
        if (wm_request_gone(request)) { /* nobody is there to hear the answer */
            wm_request_drop(request);
            continue;
        }
        atomic_fetch_add(&listener->requests, 1);
        listener->set.handle(listener->set.context, request);
    }
    return NULL;
}

void wm_intake_end(wm_intake *intake)
{
    pthread_mutex_lock(&intake->lock);
    intake->ending = true;
    pthread_cond_broadcast(&intake->work);
    pthread_mutex_unlock(&intake->lock);
}

/* ---- memory ---- */

/* One message may always go in, or a limit below its length would stop everything. */
static bool has_room(const wm_intake *intake, size_t n)
{
    return intake->held_in == 0 || (intake->held_in < intake->held_max && n <= intake->held_max - intake->held_in);
}

bool wm_intake_reserve(wm_intake *intake, wm_connection *c, size_t n)
{
    bool now;

    pthread_mutex_lock(&intake->lock);
    now = intake->waiting == NULL && has_room(intake, n);
    if (now) {
        intake->held_in += n;
    } else {
        c->waiting_next = NULL;
        *intake->waiting_last = c;
        intake->waiting_last = &c->waiting_next;
    }
    pthread_mutex_unlock(&intake->lock);
    return now;
}

void wm_intake_unreserve(wm_intake *intake, size_t n)
{
    pthread_mutex_lock(&intake->lock);
    intake->held_in -= n;
    if (intake->waiting != NULL && n > 0) {
        intake->rung = true;
        pthread_cond_signal(&intake->bell);
    }
    pthread_mutex_unlock(&intake->lock);
}

wm_connection *wm_intake_next_waiting(wm_intake *intake, bool end, bool *has_memory)
{
    wm_connection *c;

    pthread_mutex_lock(&intake->lock);
    c = intake->waiting;
    *has_memory = c != NULL && has_room(intake, c->in_want);
    if (c != NULL && (*has_memory || end)) {
        intake->held_in += *has_memory ? c->in_want : 0;
        intake->waiting = c->waiting_next;
        if (intake->waiting == NULL)
            intake->waiting_last = &intake->waiting;
    } else {
        c = NULL;
    }
    pthread_mutex_unlock(&intake->lock);
    return c;
}

void wm_intake_answer(wm_intake *intake, size_t n)
{
    pthread_mutex_lock(&intake->lock);
    intake->held_out += n;
    pthread_mutex_unlock(&intake->lock);
}

void wm_intake_answered(wm_intake *intake, size_t n)
{
    pthread_mutex_lock(&intake->lock);
    intake->held_out -= n;
    if (intake->first != NULL)
        pthread_cond_signal(&intake->work);
    pthread_mutex_unlock(&intake->lock);
}

void wm_intake_held(wm_intake *intake, size_t *in, size_t *out)
{
    pthread_mutex_lock(&intake->lock);
    *in = intake->held_in;
    *out = intake->held_out;
    pthread_mutex_unlock(&intake->lock);
}

/* ---- the sweeper's bell ---- */

void wm_intake_ring(wm_intake *intake, bool gone)
{
    pthread_mutex_lock(&intake->lock);
    intake->rung = true;
    intake->gone = intake->gone || gone;
    pthread_cond_signal(&intake->bell);
    pthread_mutex_unlock(&intake->lock);
}

bool wm_intake_sleep(wm_intake *intake, int64_t until_ms)
{
    bool gone;

    pthread_mutex_lock(&intake->lock);
    while (!intake->rung && wm_cond_wait_until(&intake->bell, &intake->lock, until_ms))
        ;
    intake->rung = false;
    gone = intake->gone;
    intake->gone = false;
    pthread_mutex_unlock(&intake->lock);
    return gone;
}
