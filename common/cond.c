/* common/cond.c */
#include "common/cond.h"

#include "common/clock.h"

#include <time.h>

void wm_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int64_t wm_cond_after_ms(int64_t ms)
{
    wm_clock clock = wm_clock_system();

    return wm_mono_ms(&clock) + ms;
}

bool wm_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
    const struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
                                    .tv_nsec = (long)(until_ms % 1000) * 1000000l };

    return pthread_cond_timedwait(cond, lock, &until) == 0;
}
