/* common/cond.h
 *
 * Condition variables by the monotonic clock: a wait with an end, which a step of the wall clock neither cuts short nor
 * draws out. Always the system's clock, whatever clock was handed in: it is threads that wait. */
#ifndef WM_COMMON_COND_H
#define WM_COMMON_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void wm_cond_init(pthread_cond_t *cond);

/* The moment that is `ms` from now. */
int64_t wm_cond_after_ms(int64_t ms);

/* Lock held. false: the moment has passed; true: woken, perhaps for nothing, so look and wait again. */
bool wm_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);

#endif
