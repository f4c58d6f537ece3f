/* common/steady_clock.c */
#include "common/steady_clock.h"

#include <stdbool.h>

static bool is_step(int64_t ahead)
{
    return ahead > WM_STEADY_SLACK_MS || ahead < -WM_STEADY_SLACK_MS;
}

void wm_steady_clock_init(wm_steady_clock *steady, wm_clock under)
{
    steady->under = under;
    atomic_init(&steady->base_ms, wm_wall_ms(&under) - under.boot_ms(under.self));
}

/* What the clock beneath says beyond what must be: `base` and what has passed. */
static int64_t ahead_of(const wm_steady_clock *steady, int64_t base, int64_t *expected)
{
    *expected = base + steady->under.boot_ms(steady->under.self);
    return wm_wall_ms(&steady->under) - *expected;
}

int64_t wm_steady_clock_step(const wm_steady_clock *steady)
{
    int64_t expected, ahead = ahead_of(steady, atomic_load(&steady->base_ms), &expected);

    return is_step(ahead) ? ahead : 0;
}

static int64_t steady_wall(void *self)
{
    wm_steady_clock *steady = self;
    int64_t          base = atomic_load(&steady->base_ms), expected, ahead = ahead_of(steady, base, &expected);

    if (is_step(ahead))
        return expected;
    /* Of several threads that see the same correction one writes it down. */
    atomic_compare_exchange_strong(&steady->base_ms, &base, base + ahead);
    return expected + ahead;
}

static int64_t steady_mono(void *self)
{
    const wm_steady_clock *steady = self;

    return wm_mono_ms(&steady->under);
}

static int64_t steady_boot(void *self)
{
    const wm_steady_clock *steady = self;

    return steady->under.boot_ms(steady->under.self);
}

wm_clock wm_clock_steady(wm_steady_clock *steady)
{
    return (wm_clock){ .mono_ms = steady_mono, .wall_ms = steady_wall, .boot_ms = steady_boot, .self = steady };
}
