/* common/tries.c */
#include "common/tries.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

void wm_tries_init(wm_tries *tries, int64_t burst, int64_t every_ms)
{
    assert(burst > 0 && every_ms >= 0);
    memset(tries, 0, sizeof *tries);
    tries->burst = burst;
    tries->every_ms = every_ms;
    for (size_t i = 0; i < WM_TRIES_SOURCES; i++)
        tries->sources[i].paid_ms = INT64_MIN;
}

/* Its place, or WM_TRIES_SOURCES. */
static size_t find(const wm_tries *tries, const char *source)
{
    size_t i = 0;

    while (i < WM_TRIES_SOURCES && (tries->sources[i].paid_ms == INT64_MIN ||
                                    strncmp(tries->sources[i].name, source, WM_TRIES_NAME - 1) != 0))
        i++;
    return i;
}

int64_t wm_tries_wait(const wm_tries *tries, const char *source, int64_t mono_ms)
{
    size_t  i = find(tries, source);
    int64_t free_from;

    if (i == WM_TRIES_SOURCES)
        return 0;
    /* One try more must leave a debt of at most `burst` tries. */
    free_from = tries->sources[i].paid_ms - (tries->burst - 1) * tries->every_ms;
    return free_from > mono_ms ? free_from - mono_ms : 0;
}

void wm_tries_charge(wm_tries *tries, const char *source, int64_t mono_ms)
{
    size_t i = find(tries, source);

    if (i == WM_TRIES_SOURCES) {
        i = 0;
        for (size_t k = 1; k < WM_TRIES_SOURCES; k++)
            if (tries->sources[k].paid_ms < tries->sources[i].paid_ms)
                i = k;
        strncpy(tries->sources[i].name, source, WM_TRIES_NAME - 1);
        tries->sources[i].name[WM_TRIES_NAME - 1] = '\0';
        tries->sources[i].paid_ms = mono_ms;
    }
    if (tries->sources[i].paid_ms < mono_ms)
        tries->sources[i].paid_ms = mono_ms;
    tries->sources[i].paid_ms += tries->every_ms;
}
