/* server/opening.c */
#include "server/opening.h"

#include "common/steady_clock.h"
#include "server/store/audit.h"

#include <time.h>

enum {
    STORE_PATIENCE_MS = 5 * 1000, /* for a command that has the store open */
    STORE_PAUSE_MS = 20,
};

/* A little behind it may be: corrections are followed, and so they may have been taken back. */
static wm_status check_clock(const wm_daemon_settings *set, wm_store *store, wm_error *err)
{
    int64_t   now = wm_wall_ms(&set->clock), latest;
    char      now_text[WM_TIME_TEXT], latest_text[WM_TIME_TEXT];
    wm_status st = wm_store_latest_ms(store, &latest, err);

    if (st == WM_OK && now + WM_STEADY_SLACK_MS < latest)
        return wm_fail(
            err, WM_E_INVALID,
            "the clock says %s, but the last commit of this office was at %s: set the clock, and start again",
            wm_time_text(now, now_text), wm_time_text(latest, latest_text));
    return st;
}

/* A command that found no server has the store open for a moment: that is no reason to give up. */
static wm_status open_store_soon(const wm_daemon_settings *set, wm_store **ret, wm_error *err)
{
    struct timespec pause = { .tv_nsec = STORE_PAUSE_MS * 1000000L };
    wm_status       st;

    for (int waited = 0;; waited += STORE_PAUSE_MS) {
        st = wm_store_open(set->files, set->folder, set->clock, ret, err);
        if (st != WM_E_REFUSED || waited >= STORE_PATIENCE_MS)
            return st;
        nanosleep(&pause, NULL);
    }
}

/* A chain that does not hold is no reason to stop a city, and every reason to be said: it was not we who wrote it. */
static void look_at_audit(const wm_daemon_settings *set, wm_store *store)
{
    wm_error err;

    if (wm_store_audit_verify(store, NULL, &err) != WM_OK)
        wm_log_line(set->log, WM_LOG_ERROR, "audit",
                    "the history of this office does not hold: `wardmote-server verify` has all of it",
                    WM_TEXT_FIELD("why", err.text));
}

wm_status wm_office_open(const wm_daemon_settings *set, wm_store **store, wm_roster **roster, wm_error *err)
{
    wm_status st = open_store_soon(set, store, err);

    if (st == WM_OK)
        look_at_audit(set, *store);
    if (st == WM_OK)
        st = check_clock(set, *store, err);
    if (st == WM_OK)
        st = wm_roster_new(set->clock, roster, err);
    if (st == WM_OK)
        wm_roster_set_patience(*roster, &(wm_patience){ .silence_ms = set->config->presence.silence_ms,
                                                        .gone_ms = set->config->presence.gone_ms });
    if (st == WM_OK)
        st = wm_roster_load(*roster, *store, err);
    return st;
}
