/* common/steady_clock.h
 *
 * A wall clock that a running process can lean on. A machine's clock may be set by years while a server runs: by a
 * mistake, by a dead battery, by whoever may answer its NTP. Believed, one such step would make every certificate
 * expired, stamp commits and certificates with a time that is not there yet, and teach it to every gateway: all of which
 * outlives the step. So wall time is what it was at the start plus what has passed since; corrections of up to
 * WM_STEADY_SLACK_MS are followed, and a larger step is not believed until the process is started again.
 *
 * "What has passed" counts the time that the machine was suspended (CLOCK_BOOTTIME). Thread-safe. */
#ifndef WM_COMMON_STEADY_CLOCK_H
#define WM_COMMON_STEADY_CLOCK_H

#include "common/clock.h"

#include <stdatomic.h>

enum { WM_STEADY_SLACK_MS = 60 * 1000 };

typedef struct wm_steady_clock {
    wm_clock        under;
    _Atomic int64_t base_ms; /* wall time minus time since boot, as it was last believed */
} wm_steady_clock;

/* Believes what `under` says at this moment. */
void wm_steady_clock_init(wm_steady_clock *steady, wm_clock under);

/* `steady` is borrowed. */
wm_clock wm_clock_steady(wm_steady_clock *steady);

/* By how much the clock beneath is ahead of ours (behind: negative); 0 while it is believed. */
int64_t wm_steady_clock_step(const wm_steady_clock *steady);

#endif
