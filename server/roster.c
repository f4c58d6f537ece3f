/* server/roster.c
 *
 * A sorted array of records: an office has hundreds of gateways, seldom thousands, all known at start, so a look-up by
 * halves under one lock costs less than a microsecond and needs no hash that a name could be chosen against. */
#include "server/roster.h"

#include "common/files.h"
#include "common/grow.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct wm_roster {
    wm_clock         clock;
    int64_t          started_ms; /* mono */
    wm_patience      patience;
    pthread_mutex_t *lock;  /* guards all below; apart, so that reading a const roster may take it */
    wm_presence     *items; /* [n], in order of name */
    size_t           n, room;
};

wm_status wm_roster_new(wm_clock clock, wm_roster **ret, wm_error *err)
{
    wm_roster *roster = calloc(1, sizeof *roster);

    if (roster != NULL)
        roster->lock = malloc(sizeof *roster->lock);
    if (roster == NULL || roster->lock == NULL) {
        free(roster);
        return wm_fail(err, WM_E_NOMEM, "no memory for the roster of gateways");
    }
    pthread_mutex_init(roster->lock, NULL);
    roster->clock = clock;
    roster->started_ms = wm_mono_ms(&clock);
    roster->patience = (wm_patience){ .silence_ms = 45 * 1000, .gone_ms = 10 * 1000 };
    *ret = roster;
    return WM_OK;
}

void wm_roster_set_patience(wm_roster *roster, const wm_patience *patience)
{
    roster->patience = *patience;
}

void wm_roster_free(wm_roster *roster)
{
    if (roster == NULL)
        return;
    pthread_mutex_destroy(roster->lock);
    free(roster->lock);
    free(roster->items);
    free(roster);
}

/* The place of `name`, or where it would stand. */
static size_t place_of(const wm_roster *roster, const char *name, bool *found)
{
    size_t low = 0, high = roster->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order = strcmp(roster->items[middle].name, name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

/* Under the lock; NULL for a stranger. */
static wm_presence *find(const wm_roster *roster, const char *name)
{
    bool   found;
    size_t i = place_of(roster, name, &found);

    return found ? &roster->items[i] : NULL;
}

/* Copies text into room, cut to fit. A NULL is an empty text. */
static void copy_text(char *to, size_t room, const char *text)
{
    size_t n = text != NULL ? strnlen(text, room - 1) : 0;

    if (n > 0)
        memcpy(to, text, n);
    to[n] = '\0';
}

/* Under the lock: the record of that name, made if it is new. */
static wm_status find_or_add(wm_roster *roster, const char *name, wm_presence **ret, wm_error *err)
{
    wm_presence *items;
    bool         found;
    size_t       i = place_of(roster, name, &found);

    if (!found) {
        if (strlen(name) >= WM_ROSTER_NAME)
            return wm_fail(err, WM_E_INVALID, "the gateway's name \"%.80s\" is longer than 63 characters", name);
        if (roster->n == WM_ROSTER_MOST)
            return wm_fail(err, WM_E_FULL, "an office has room for %d gateways", (int)WM_ROSTER_MOST);
        items = wm_grow(roster->items, roster->n, &roster->room, sizeof *items);
        if (items == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for a roster of more than %zu gateways", roster->n);
        roster->items = items;
        memmove(&roster->items[i + 1], &roster->items[i], (roster->n - i) * sizeof *roster->items);
        memset(&roster->items[i], 0, sizeof *roster->items);
        copy_text(roster->items[i].name, WM_ROSTER_NAME, name);
        roster->items[i].heard_ms = -1;
        roster->n++;
    }
    *ret = &roster->items[i];
    return WM_OK;
}

typedef struct load_state {
    wm_roster *roster;
    wm_status  st;
    wm_error  *err;
} load_state;

static void load_one(void *context, const wm_gateway *gateway)
{
    load_state  *load = context;
    wm_presence *to;

    if (load->st == WM_OK)
        load->st = find_or_add(load->roster, gateway->name, &to, load->err);
    if (load->st != WM_OK)
        return;
    copy_text(to->serial, sizeof to->serial, gateway->serial);
    to->enrolled_ms = gateway->enrolled_ms;
    to->not_after_ms = gateway->not_after_ms;
    to->revoked_ms = gateway->revoked_ms;
    to->last_seen_ms = gateway->last_seen_ms;
    to->refused_ms = gateway->refused_ms;
    copy_text(to->refusal, sizeof to->refusal, gateway->refusal);
    to->rows = gateway->rows;
}

wm_status wm_roster_load(wm_roster *roster, wm_store *store, wm_error *err)
{
    load_state load = { .roster = roster, .err = err };
    wm_status  st;

    pthread_mutex_lock(roster->lock);
    st = wm_store_gateways(store, load_one, &load, err);
    pthread_mutex_unlock(roster->lock);
    return st != WM_OK ? st : load.st;
}

wm_status wm_roster_enrolled(wm_roster *roster, const char *name, const char *serial, int64_t not_after_ms,
                             wm_error *err)
{
    wm_presence *to;
    wm_status    st;

    pthread_mutex_lock(roster->lock);
    st = find_or_add(roster, name, &to, err);
    if (st == WM_OK) {
        copy_text(to->serial, sizeof to->serial, serial);
        to->not_after_ms = not_after_ms;
        if (to->enrolled_ms == 0)
            to->enrolled_ms = wm_wall_ms(&roster->clock);
    }
    pthread_mutex_unlock(roster->lock);
    return st;
}

void wm_roster_revoked(wm_roster *roster, const char *name)
{
    wm_presence *to;

    pthread_mutex_lock(roster->lock);
    to = find(roster, name);
    if (to != NULL && to->revoked_ms == 0)
        to->revoked_ms = wm_wall_ms(&roster->clock);
    pthread_mutex_unlock(roster->lock);
}

wm_status wm_roster_admit(const wm_roster *roster, const char *name, wm_error *err)
{
    const wm_presence *who;
    wm_status          st = WM_OK;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who == NULL)
        st = wm_fail(err, WM_E_REFUSED, "\"%.63s\" is not enrolled here: give it a token", name);
    else if (who->revoked_ms != 0)
        st = wm_fail(err, WM_E_REFUSED, "\"%.63s\" is revoked", name);
    pthread_mutex_unlock(roster->lock);
    return st;
}

size_t wm_roster_revoked_count(const wm_roster *roster)
{
    size_t n = 0;

    pthread_mutex_lock(roster->lock);
    for (size_t i = 0; i < roster->n; i++)
        n += roster->items[i].revoked_ms != 0;
    pthread_mutex_unlock(roster->lock);
    return n;
}

void wm_roster_seen(wm_roster *roster, const char *name)
{
    wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL) {
        who->last_seen_ms = wm_wall_ms(&roster->clock);
        who->heard_ms = wm_mono_ms(&roster->clock);
        who->left_ms = 0;
        who->signed_off = who->told = false;
        who->changed = true;
    }
    pthread_mutex_unlock(roster->lock);
}

void wm_roster_checked_in(wm_roster *roster, const char *name, const char *program, uint64_t rows)
{
    wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL) {
        copy_text(who->program, sizeof who->program, program);
        who->rows = rows;
        who->changed = true;
    }
    pthread_mutex_unlock(roster->lock);
}

void wm_roster_busy(wm_roster *roster, const char *name, wm_phase phase, uint32_t round, uint32_t done)
{
    wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL) {
        who->busy_phase = phase;
        who->busy_round = round;
        who->busy_done = done;
    }
    pthread_mutex_unlock(roster->lock);
}

/* ---- who is not there ---- */

void wm_roster_left(wm_roster *roster, const char *name, bool signed_off)
{
    wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL && who->left_ms == 0) {
        who->left_ms = wm_wall_ms(&roster->clock);
        who->left_mono_ms = wm_mono_ms(&roster->clock);
    }
    if (who != NULL) {
        who->signed_off = who->signed_off || signed_off;
        who->busy_phase = WM_PHASE_NONE;
    }
    pthread_mutex_unlock(roster->lock);
}

wm_absence wm_roster_absence(const wm_roster *roster, const wm_presence *presence)
{
    int64_t now_ms = wm_mono_ms(&roster->clock);

    if (presence->heard_ms < 0)
        return WM_ABSENCE_UNHEARD;
    if (presence->left_ms != 0)
        return presence->signed_off ? WM_ABSENCE_SIGNED_OFF : WM_ABSENCE_GONE;
    return now_ms - presence->heard_ms >= roster->patience.silence_ms ? WM_ABSENCE_SILENT : WM_ABSENCE_NONE;
}

const char *wm_absence_text(wm_absence absence)
{
    static const char *const texts[] = { [WM_ABSENCE_NONE] = "",
                                         [WM_ABSENCE_UNHEARD] = "not heard since the server started",
                                         [WM_ABSENCE_SIGNED_OFF] = "signed off",
                                         [WM_ABSENCE_GONE] = "its connection ended",
                                         [WM_ABSENCE_SILENT] = "connected, and silent" };

    return texts[absence];
}

/* Under the lock: away for good enough reasons that nobody should count on it. */
static bool is_absent(const wm_roster *roster, const wm_presence *who)
{
    int64_t now_ms = wm_mono_ms(&roster->clock);

    switch (wm_roster_absence(roster, who)) {
    case WM_ABSENCE_UNHEARD:
        return now_ms - roster->started_ms >= roster->patience.silence_ms;
    case WM_ABSENCE_GONE:
        return now_ms - who->left_mono_ms >= roster->patience.gone_ms;
    case WM_ABSENCE_SIGNED_OFF:
    case WM_ABSENCE_SILENT:
        return true;
    case WM_ABSENCE_NONE:
        break;
    }
    return false;
}

size_t wm_roster_newly_absent(wm_roster *roster, char (*names)[WM_ROSTER_NAME], size_t most)
{
    size_t n = 0;

    pthread_mutex_lock(roster->lock);
    for (size_t i = 0; i < roster->n && n < most; i++) {
        wm_presence *who = &roster->items[i];

        if (who->told || !is_absent(roster, who))
            continue;
        who->told = true;
        memcpy(names[n++], who->name, WM_ROSTER_NAME);
    }
    pthread_mutex_unlock(roster->lock);
    return n;
}

void wm_roster_tell_anew(wm_roster *roster)
{
    pthread_mutex_lock(roster->lock);
    for (size_t i = 0; i < roster->n; i++)
        roster->items[i].told = false;
    pthread_mutex_unlock(roster->lock);
}

void wm_roster_refused(wm_roster *roster, const char *name, const char *reason)
{
    wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL) {
        copy_text(who->refusal, sizeof who->refusal, reason);
        who->refused_ms = wm_wall_ms(&roster->clock);
        who->refusals++;
        who->changed = true;
    }
    pthread_mutex_unlock(roster->lock);
}

bool wm_roster_find(const wm_roster *roster, const char *name, wm_presence *ret)
{
    const wm_presence *who;

    pthread_mutex_lock(roster->lock);
    who = find(roster, name);
    if (who != NULL)
        *ret = *who;
    pthread_mutex_unlock(roster->lock);
    return who != NULL;
}

wm_status wm_roster_list(const wm_roster *roster, wm_presence **ret, size_t *n, wm_error *err)
{
    wm_presence *copy;

    pthread_mutex_lock(roster->lock);
    copy = malloc((roster->n + 1) * sizeof *copy); /* one more, so that an empty roster is no NULL */
    if (copy != NULL) {
        if (roster->n > 0)
            memcpy(copy, roster->items, roster->n * sizeof *copy);
        *ret = copy;
        *n = roster->n;
    }
    pthread_mutex_unlock(roster->lock);
    return copy != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for a list of the gateways");
}

wm_status wm_roster_names(const wm_roster *roster, char ***ret, size_t *n, wm_error *err)
{
    wm_status st = WM_OK;
    size_t    count = 0;
    char    **names;

    pthread_mutex_lock(roster->lock);
    names = calloc(roster->n + 1, sizeof *names);
    if (names == NULL)
        st = WM_E_NOMEM;
    for (size_t i = 0; st == WM_OK && i < roster->n; i++) {
        if (roster->items[i].revoked_ms != 0)
            continue;
        names[count] = strdup(roster->items[i].name);
        if (names[count] == NULL)
            st = WM_E_NOMEM;
        else
            count++;
    }
    pthread_mutex_unlock(roster->lock);
    if (st != WM_OK) {
        wm_names_free(names, count);
        return wm_fail(err, st, "no memory for the names of the gateways");
    }
    *ret = names;
    *n = count;
    return WM_OK;
}

wm_status wm_roster_flush(wm_roster *roster, wm_store *store, wm_error *err)
{
    wm_presence *copy;
    wm_sighting *batch;
    size_t       n, k = 0;
    wm_status    st = wm_roster_list(roster, &copy, &n, err);

    if (st != WM_OK)
        return st;
    batch = calloc(n + 1, sizeof *batch);
    if (batch == NULL) {
        free(copy);
        return wm_fail(err, WM_E_NOMEM, "no memory for a batch of %zu sightings", n);
    }
    for (size_t i = 0; i < n; i++)
        if (copy[i].changed)
            batch[k++] = (wm_sighting){ .name = copy[i].name,
                                        .last_seen_ms = copy[i].last_seen_ms,
                                        .refused_ms = copy[i].refused_ms,
                                        .refusal = copy[i].refused_ms != 0 ? copy[i].refusal : NULL,
                                        .rows = copy[i].rows };
    if (k > 0)
        st = wm_store_sightings(store, batch, k, err);
    if (st == WM_OK) {
        /* What was heard meanwhile has another time than the copy, and stays for the next batch. */
        pthread_mutex_lock(roster->lock);
        for (size_t i = 0; i < n; i++) {
            wm_presence *who = find(roster, copy[i].name);

            if (who != NULL && who->last_seen_ms == copy[i].last_seen_ms && who->refusals == copy[i].refusals &&
                who->rows == copy[i].rows)
                who->changed = false;
        }
        pthread_mutex_unlock(roster->lock);
    }
    free(batch);
    free(copy);
    return st;
}
