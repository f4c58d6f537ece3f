/* client/stop.c */
#include "client/stop.h"

#include "common/cond.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

/* A handler has no context: what it needs is the one thing here that belongs to the process and not to a daemon.
 * sigwait() would need the signals blocked in every thread, and libraries make some of their own. */
static struct {
    sem_t                 rung; /* by the handler, and by ourselves to end the thread */
    volatile sig_atomic_t number;
} stop_signal;

static void on_stop_signal(int number)
{
    int saved = errno;

    stop_signal.number = number;
    sem_post(&stop_signal.rung);
    errno = saved;
}

static void *stop_main(void *arg)
{
    wm_stop *stop = arg;

    while (sem_wait(&stop_signal.rung) != 0)
        ; /* EINTR: the handler ran in this thread */
    if (atomic_load(&stop->closing))
        return NULL;
    wm_log_line(stop->log, WM_LOG_INFO, "client", "stopping",
                WM_TEXT_FIELD("signal", stop_signal.number == SIGTERM ? "TERM" : "INT"));
    atomic_store(&stop->asked, true);
    stop->interrupt(stop->context);
    pthread_mutex_lock(&stop->lock);
    pthread_cond_broadcast(&stop->woken);
    pthread_mutex_unlock(&stop->lock);
    return NULL;
}

wm_status wm_stop_init(wm_stop *stop, wm_error *err)
{
    struct sigaction action = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };

    *stop = (wm_stop){ .started = false };
    pthread_mutex_init(&stop->lock, NULL);
    wm_cond_init(&stop->woken);
    if (sem_init(&stop_signal.rung, 0, 0) != 0)
        return wm_fail(err, WM_E_IO, "cannot wait for signals: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0)
        return wm_fail(err, WM_E_IO, "cannot take over the signals: %s", strerror(errno));
    return WM_OK;
}

wm_status wm_stop_start(wm_stop *stop, wm_log *log, void (*interrupt)(void *context), void *context, wm_error *err)
{
    int e;

    stop->log = log;
    stop->interrupt = interrupt;
    stop->context = context;
    e = pthread_create(&stop->thread, NULL, stop_main, stop);
    if (e != 0)
        return wm_fail(err, WM_E_NOMEM, "cannot start a thread: %s", strerror(e));
    stop->started = true;
    return WM_OK;
}

void wm_stop_release(wm_stop *stop)
{
    if (stop->started) {
        atomic_store(&stop->closing, true);
        sem_post(&stop_signal.rung);
        pthread_join(stop->thread, NULL);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_cond_destroy(&stop->woken);
    pthread_mutex_destroy(&stop->lock);
}

bool wm_stop_asked(const wm_stop *stop)
{
    return atomic_load(&stop->asked);
}

void wm_stop_sleep_ms(wm_stop *stop, int64_t ms)
{
    int64_t until_ms = wm_cond_after_ms(ms);

    pthread_mutex_lock(&stop->lock);
    while (!atomic_load(&stop->asked) && wm_cond_wait_until(&stop->woken, &stop->lock, until_ms))
        ;
    pthread_mutex_unlock(&stop->lock);
}
