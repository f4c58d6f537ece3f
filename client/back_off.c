/* client/back_off.c */
#include "client/back_off.h"

void wm_back_off_reset(wm_back_off *back_off)
{
    back_off->unreached = back_off->lost = 0;
}

/* Doubles with each failure. */
static int64_t grown_ms(unsigned failures, int64_t last_ms)
{
    int64_t ms = WM_BACK_OFF_FIRST_MS;

    for (unsigned i = 1; i < failures && ms < last_ms; i++)
        ms *= 2;
    return ms < last_ms ? ms : last_ms;
}

int64_t wm_back_off_failed(wm_back_off *back_off, wm_status status, bool reached)
{
    bool    of_the_link = status == WM_E_IO || status == WM_E_TIMEOUT || status == WM_E_CLOSED;
    int64_t most;

    if (reached && of_the_link) {
        back_off->unreached = 0;
        most = grown_ms(++back_off->lost, WM_BACK_OFF_LOST_MS);
    } else {
        most = grown_ms(++back_off->unreached, WM_BACK_OFF_LAST_MS);
    }
    if (status == WM_E_REVOKED)
        most = WM_BACK_OFF_REVOKED_MS;
    return most / 2 + (int64_t)wm_rng_below(&back_off->jitter, (uint64_t)(most / 2) + 1);
}
