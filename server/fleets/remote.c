/* server/fleets/remote.c
 *
 * The fleet's life, who is let in, and which message goes where. What is said about work is in remote_work.c, about
 * transfers in remote_transfers.c. */
#include "server/fleets/remote_inside.h"

#include <stdlib.h>
#include <string.h>

enum {
    ABSENT_AT_ONCE = 32,
    ARRIVED_MS = 100, /* a question that has waited for less has just come */
};

/* ---- the fleet's life ---- */

static wm_remote *remote_of(wm_fleet *fleet)
{
    return (wm_remote *)fleet;
}

static wm_status remote_serve(wm_fleet *fleet, wm_run *run, wm_error *err)
{
    wm_remote *remote = remote_of(fleet);
    wm_status  st = WM_OK;

    pthread_rwlock_wrlock(&remote->serving_lock);
    if (remote->serving.record == NULL || remote->serving.run != NULL)
        st = wm_fail(err, WM_E_INVALID, "the fleet is not prepared for this run");
    else
        remote->serving.run = run;
    pthread_rwlock_unlock(&remote->serving_lock);
    wm_roster_tell_anew(remote->settings.roster); /* the run takes everybody for present */
    if (st == WM_OK)
        remote->settings.woken(remote->settings.context, false);
    return st;
}

static void remote_wake(wm_fleet *fleet)
{
    wm_remote *remote = remote_of(fleet);

    remote->settings.woken(remote->settings.context, false);
}

static bool keep_none(void *context, const char *client, const wm_update_key *key)
{
    (void)context, (void)client, (void)key;
    return false;
}

static void remote_leave(wm_fleet *fleet)
{
    wm_remote *remote = remote_of(fleet);

    pthread_rwlock_wrlock(&remote->serving_lock);
    memset(&remote->serving, 0, sizeof remote->serving);
    pthread_rwlock_unlock(&remote->serving_lock);
    wm_staging_sweep(remote->staging, keep_none, NULL);
    remote->settings.woken(remote->settings.context, false);
}

static void remote_free(wm_fleet *fleet)
{
    wm_remote_free(remote_of(fleet));
}

static const wm_fleet_ops remote_ops = {
    .name = "remote",
    .serve = remote_serve,
    .wake = remote_wake,
    .leave = remote_leave,
    .free = remote_free,
};

static void place_freed(void *context)
{
    wm_remote *remote = remote_of(context);

    remote->settings.woken(remote->settings.context, true);
}

wm_status wm_remote_new(const wm_remote_settings *settings, wm_remote **ret, wm_error *err)
{
    wm_remote          *remote = calloc(1, sizeof *remote);
    wm_staging_settings staging = settings->staging;
    wm_status           st;

    if (remote == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the fleet of gateways");
    remote->fleet.ops = &remote_ops;
    remote->settings = *settings;
    pthread_rwlock_init(&remote->serving_lock, NULL);
    staging.clock = settings->clock;
    staging.freed = place_freed;
    staging.context = &remote->fleet;
    st = wm_staging_new(&staging, &remote->staging, err);
    if (st != WM_OK) {
        wm_remote_free(remote);
        return st;
    }
    *ret = remote;
    return WM_OK;
}

void wm_remote_free(wm_remote *remote)
{
    if (remote == NULL)
        return;
    wm_staging_free(remote->staging);
    pthread_rwlock_destroy(&remote->serving_lock);
    free(remote);
}

wm_fleet *wm_remote_fleet(wm_remote *remote)
{
    return &remote->fleet;
}

void wm_remote_prepare(wm_remote *remote, const wm_run_record *record, const wm_job *job, const wm_model *model)
{
    size_t n = strlen(record->job_text);

    pthread_rwlock_wrlock(&remote->serving_lock);
    remote->serving = (wm_serving){ .record = record,
                                    .job = job,
                                    .job_digest = wm_sha256_of(record->job_text, n),
                                    .job_bytes = n,
                                    .model_bytes = wm_model_n_params(model) * sizeof(float),
                                    .scaling_bytes = job->data.n_columns * 2 * sizeof(double) };
    pthread_rwlock_unlock(&remote->serving_lock);
}

void wm_remote_close(wm_remote *remote)
{
    atomic_store(&remote->closing, true);
    remote->settings.woken(remote->settings.context, false);
}

/* ---- what the files of the fleet share ---- */

uint64_t wm_remote_come_back(const wm_remote *remote, const char *client, uint64_t least_ms)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)wm_mono_ms(&remote->settings.clock); /* FNV-1a */

    for (const char *c = client; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    return least_ms + (hash >> 32) % (least_ms + 1);
}

bool wm_remote_is_served(const wm_remote *remote, const wm_update_key *key)
{
    return remote->serving.run != NULL && memcmp(key->run, remote->serving.record->id, WM_RUN_ID_SIZE) == 0;
}

wm_fate wm_remote_fate(wm_remote *remote, const char *client, const wm_update_key *key)
{
    wm_ledger  *ledger = wm_store_ledger(remote->settings.store);
    wm_standing standing;
    wm_status   st;

    if (wm_remote_is_served(remote, key))
        return wm_run_fate(remote->serving.run, client, key);
    st = ledger->load(ledger, key->run, &standing, NULL);
    if (st == WM_E_MISSING || (st == WM_OK && standing.phase == WM_PHASE_CLOSED))
        return WM_FATE_OVER;
    return WM_FATE_ACCEPTED; /* a run that is about to be served again: keep it */
}

void wm_remote_refused(wm_remote *remote, const char *client, const char *reason)
{
    wm_roster_refused(remote->settings.roster, client, reason);
}

void wm_remote_count_bytes(wm_remote *remote, uint64_t up, uint64_t down)
{
    pthread_rwlock_rdlock(&remote->serving_lock);
    if (remote->serving.run != NULL)
        wm_run_count_bytes(remote->serving.run, up, down);
    pthread_rwlock_unlock(&remote->serving_lock);
}

static bool still_wanted(void *context, const char *client, const wm_update_key *key)
{
    wm_remote *remote = context;

    return wm_remote_is_served(remote, key) && wm_run_fate(remote->serving.run, client, key) == WM_FATE_WANTED;
}

/* A run's population is fixed, but who was revoked meanwhile cannot answer: said for it, so that nobody waits. */
static void decline_for_revoked(wm_remote *remote)
{
    const wm_serving *serving = &remote->serving;
    int64_t           come_back_ms;
    wm_task           task;

    if (serving->run == NULL || wm_roster_revoked_count(remote->settings.roster) == 0)
        return;
    for (size_t k = 0; k < serving->record->n_population; k++) {
        const char *name = serving->record->population[k];

        if (wm_roster_admit(remote->settings.roster, name, NULL) != WM_OK &&
            wm_run_ask(serving->run, name, &task, &come_back_ms) == WM_ANSWER_TASK)
            wm_run_decline(serving->run, name, task.phase, task.round, "its certificate is revoked");
    }
}

/* A few at a time; who is left over is named in the next tick. */
static void tell_who_is_absent(wm_remote *remote)
{
    char   names[ABSENT_AT_ONCE][WM_ROSTER_NAME];
    size_t n =
        remote->serving.run != NULL ? wm_roster_newly_absent(remote->settings.roster, names, ABSENT_AT_ONCE) : 0;

    for (size_t i = 0; i < n; i++) {
        wm_presence who;
        const char *why = "";

        if (wm_roster_find(remote->settings.roster, names[i], &who))
            why = wm_absence_text(wm_roster_absence(remote->settings.roster, &who));
        if (why[0] == '\0')
            continue; /* it is back already */
        wm_log_line(remote->settings.log, WM_LOG_WARNING, "gateway", "away", WM_TEXT_FIELD("name", names[i]),
                    WM_TEXT_FIELD("why", why));
        wm_run_away(remote->serving.run, names[i]);
    }
}

void wm_remote_tick(wm_remote *remote)
{
    pthread_rwlock_rdlock(&remote->serving_lock);
    decline_for_revoked(remote);
    tell_who_is_absent(remote);
    wm_staging_sweep(remote->staging, still_wanted, remote);
    pthread_rwlock_unlock(&remote->serving_lock);
    wm_staging_tick(remote->staging);
}

void wm_remote_forget(wm_remote *remote, const char *name)
{
    wm_staging_drop(remote->staging, name);
}

/* ---- which message goes where ---- */

/* Who is not served gets a fault, whatever it asks. */
static bool let_in(wm_remote *remote, wm_inquiry *x)
{
    wm_error err;

    if (x->question->version != 1) {
        wm_inquiry_fault(x, WM_E_INVALID, 0, "version %u of the protocol is not spoken here, only 1",
                         x->question->version);
        return false;
    }
    if (wm_roster_admit(remote->settings.roster, x->peer->name, &err) != WM_OK) {
        wm_inquiry_fault(x, WM_E_REFUSED, 60 * 60 * 1000, "%s", err.text);
        return false;
    }
    if (x->held_ms < ARRIVED_MS) /* a held question that is looked at again is no word of its gateway */
        wm_roster_seen(remote->settings.roster, x->peer->name);
    return true;
}

/* The handlers hold the lock for reading, so a writer that waits must not keep the next reader out for long: the only
 * writers are the beginning and the end of a run. */
static int64_t handle(wm_remote *remote, wm_inquiry *x, int64_t (*handler)(wm_remote *remote, wm_inquiry *x))
{
    int64_t hold_ms;

    pthread_rwlock_rdlock(&remote->serving_lock);
    hold_ms = handler(remote, x);
    pthread_rwlock_unlock(&remote->serving_lock);
    return hold_ms;
}

int64_t wm_remote_control(wm_remote *remote, wm_inquiry *x)
{
    if (!let_in(remote, x))
        return 0;
    switch ((int)x->question->body_case) {
    case WM__ENVELOPE__BODY_CHECK_IN:
        return handle(remote, x, wm_remote_check_in);
    case WM__ENVELOPE__BODY_ASK:
        return handle(remote, x, wm_remote_ask);
    case WM__ENVELOPE__BODY_SUBMIT:
        return handle(remote, x, wm_remote_submit);
    case WM__ENVELOPE__BODY_REPORT:
        return handle(remote, x, wm_remote_report);
    case WM__ENVELOPE__BODY_DECLINE:
        return handle(remote, x, wm_remote_decline);
    case WM__ENVELOPE__BODY_SIGN_OFF:
        return handle(remote, x, wm_remote_sign_off);
    default:
        wm_inquiry_fault(x, WM_E_INVALID, 0,
                         "a message of this kind (%d) does not belong on the control connection",
                         (int)x->question->body_case);
        return 0;
    }
}

int64_t wm_remote_bulk(wm_remote *remote, wm_inquiry *x)
{
    if (!let_in(remote, x))
        return 0;
    switch ((int)x->question->body_case) {
    case WM__ENVELOPE__BODY_FETCH:
        return handle(remote, x, wm_remote_fetch);
    case WM__ENVELOPE__BODY_PUT:
        return handle(remote, x, wm_remote_put);
    default:
        wm_inquiry_fault(x, WM_E_INVALID, 0, "a message of this kind (%d) does not belong on the bulk connection",
                         (int)x->question->body_case);
        return 0;
    }
}
