/* common/clock.c */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono(void *self)
{
    (void)self;
    return read_ms(CLOCK_MONOTONIC);
}

static int64_t system_wall(void *self)
{
    (void)self;
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_boot(void *self)
{
    (void)self;
    return read_ms(CLOCK_BOOTTIME);
}

wm_clock wm_clock_system(void)
{
    return (wm_clock){ .mono_ms = system_mono, .wall_ms = system_wall, .boot_ms = system_boot };
}

static int64_t manual_mono(void *self)
{
    return ((const wm_manual_clock *)self)->mono_ms;
}

static int64_t manual_wall(void *self)
{
    return ((const wm_manual_clock *)self)->wall_ms;
}

wm_clock wm_clock_manual(wm_manual_clock *manual)
{
    return (wm_clock){ .mono_ms = manual_mono, .wall_ms = manual_wall, .boot_ms = manual_mono, .self = manual };
}

const char *wm_time_text(int64_t wall_ms, char text[WM_TIME_TEXT])
{
    time_t    seconds = (time_t)(wall_ms / 1000);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, WM_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(text, WM_TIME_TEXT, "unknown time");
    return text;
}

const char *wm_duration_text(int64_t ms, char text[WM_DURATION_TEXT])
{
    long long s = ms / 1000;

    if (ms < 1000)
        snprintf(text, WM_DURATION_TEXT, "%lld ms", (long long)ms);
    else if (s < 60)
        snprintf(text, WM_DURATION_TEXT, "%.1f s", (double)ms / 1000);
    else if (s < 3600)
        snprintf(text, WM_DURATION_TEXT, "%lld min %02lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, WM_DURATION_TEXT, "%lld h %02lld min", s / 3600, s / 60 % 60);
    else
        snprintf(text, WM_DURATION_TEXT, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return text;
}
