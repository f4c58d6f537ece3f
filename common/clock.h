/* common/clock.h
 *
 * Time is handed in. Deadlines use `mono_ms`, which never steps; `wall_ms` is for people, certificates and the
 * record of a round, and may step. Thread-safe as far as the implementation is: the system clock is, a manual
 * clock belongs to the thread of its test. */
#ifndef WM_COMMON_CLOCK_H
#define WM_COMMON_CLOCK_H

#include <stdint.h>

typedef struct wm_clock {
    int64_t (*mono_ms)(void *self); /* since some fixed moment */
    int64_t (*wall_ms)(void *self); /* since 1970-01-01 00:00 UTC */
    int64_t (*boot_ms)(void *self); /* as mono_ms, but goes on while the machine is suspended */
    void *self;
} wm_clock;

wm_clock wm_clock_system(void); /* CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME */

/* A clock that moves when it is told to. */
typedef struct wm_manual_clock {
    int64_t mono_ms, wall_ms;
} wm_manual_clock;

wm_clock wm_clock_manual(wm_manual_clock *manual); /* `manual` is borrowed */

static inline int64_t wm_mono_ms(const wm_clock *clock)
{
    return clock->mono_ms(clock->self);
}

static inline int64_t wm_wall_ms(const wm_clock *clock)
{
    return clock->wall_ms(clock->self);
}

/* "2026-11-22T14:03:05Z"; text has room for WM_TIME_TEXT. */
enum { WM_TIME_TEXT = 24 };
const char *wm_time_text(int64_t wall_ms, char text[WM_TIME_TEXT]);

/* "850 ms", "12.3 s", "4 min 05 s", "3 h 20 min", "2 d 4 h". */
enum { WM_DURATION_TEXT = 24 };
const char *wm_duration_text(int64_t ms, char text[WM_DURATION_TEXT]);

#endif
