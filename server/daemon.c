/* server/daemon.c
 *
 * One loop, on the main thread, wakes for a signal, for a stir (there is something for the jobs to do) or after a moment,
 * and lets everybody's time pass. It waits for nobody: what the issuer is asked, it is asked on a thread of its own. All
 * else happens on the listeners' threads and the parking's.
 *
 * Opened from the ground up, closed in the opposite order: the store first and last. */
#include "server/daemon.h"

#include "common/memory.h"
#include "common/steady_clock.h"
#include "server/adoption.h"
#include "server/bell.h"
#include "server/descriptors.h"
#include "server/errands.h"
#include "server/front.h"
#include "server/issuer_keeper.h"
#include "server/opening.h"
#include "server/operator.h"
#include "server/own_certificate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAP_KEPT = 2 << 20, /* some messages */
    TICK_MS = 250,
    FLUSH_MS = 60 * 1000,
    RENEW_LOOK_MOST_MS = 3600 * 1000,
    ERRANDS_MOST = 64, /* renewals that wait for the issuer; it works one off in a few milliseconds */
};

typedef struct daemon_state {
    const wm_daemon_settings *settings; /* with a steady clock */
    wm_steady_clock           steady;
    bool                      stepped; /* it was said that the machine's clock is not believed */
    wm_bell                   bell;
    wm_store                 *store;
    wm_roster                *roster;
    wm_issuer_keeper         *keeper;
    wm_own_certificate       *own;
    wm_errands               *errands; /* what is asked of the issuer */
    wm_errand                 renewal; /* of our own certificate */
    atomic_bool               renewing;
    char                     *uploads_folder, *socket_path;
    wm_remote                *remote;
    wm_enrolment              enrolment;
    wm_jobs                  *jobs;
    _Atomic(wm_front *)       front;
    wm_operator               operator;
    pthread_mutex_t           commands; /* held while the parts are put together: commands wait */
    int64_t                   flush_at_ms, renew_at_ms;
} daemon_state;

/* ---- what the parts call ---- */

static void stir(void *context)
{
    daemon_state *daemon = context;

    wm_bell_stir(&daemon->bell);
}

static void wake_front(void *context, bool only_submits)
{
    daemon_state *daemon = context;
    wm_front     *front = atomic_load(&daemon->front);

    if (front != NULL)
        wm_front_wake(front, only_submits);
}

static bool allow(void *context, const wm_peer *peer, char *why, size_t n)
{
    daemon_state *daemon = context;
    wm_error      err;

    if (wm_roster_admit(daemon->roster, peer->name, &err) == WM_OK)
        return true;
    wm_roster_refused(daemon->roster, peer->name, err.text);
    snprintf(why, n, "%s", err.text);
    return false;
}

static wm_status ask_issuer(void *context, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    daemon_state *daemon = context;

    return wm_issuer_keeper_ask(daemon->keeper, ask, ret, err);
}

static wm_status command(void *context, const Wm__Command *asked, wm_text *ret)
{
    daemon_state *daemon = context;
    wm_status     st;

    pthread_mutex_lock(&daemon->commands);
    st = wm_operator_do(&daemon->operator, asked, ret);
    pthread_mutex_unlock(&daemon->commands);
    wm_log_line(daemon->settings->log, WM_LOG_DEBUG, "operator", asked->verb,
                WM_TEXT_FIELD("result", wm_status_name(st)));
    return st;
}

/* ---- opening ---- */

static wm_status open_issuer(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    wm_status                 st =
        wm_issuer_keeper_start(&(wm_issuer_keeper_settings){ .program = set->program,
                                                             .office = set->folder,
                                                             .gateway_ms = set->config->certificates.gateway_ms,
                                                             .server_ms = set->config->certificates.server_ms,
                                                             .clock = set->clock,
                                                             .log = set->log,
                                                             .log_form = set->log_form,
                                                             .log_level = set->log_level },
                               &daemon->keeper, err);

    daemon->enrolment = (wm_enrolment){ .issue = ask_issuer,
                                        .context = daemon,
                                        .store = daemon->store,
                                        .roster = daemon->roster,
                                        .clock = set->clock,
                                        .log = set->log };
    if (st == WM_OK)
        st = wm_adopt_certificates(&daemon->enrolment, err);
    return st == WM_OK ? wm_errands_new(ERRANDS_MOST, &daemon->errands, err) : st;
}

/* ---- our own certificate ---- */

/* The next look at it: often enough for the shortest life, and at least once an hour. */
static void plan_renewal(daemon_state *daemon)
{
    int64_t look_ms = daemon->settings->config->certificates.server_ms / 16;

    if (look_ms > RENEW_LOOK_MOST_MS)
        look_ms = RENEW_LOOK_MOST_MS;
    daemon->renew_at_ms = wm_mono_ms(&daemon->settings->clock) + look_ms;
}

static wm_status open_own(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;

    plan_renewal(daemon);
    return wm_own_certificate_open(&(wm_own_certificate_settings){ .folder = set->folder,
                                                                   .files = set->files,
                                                                   .names = &set->config->names,
                                                                   .issuer = { ask_issuer, daemon },
                                                                   .clock = set->clock,
                                                                   .allow = allow,
                                                                   .context = daemon },
                                   &daemon->own, err);
}

/* On the errands' thread. */
static void renew_own(void *context, wm_errand *errand, bool closing)
{
    daemon_state *daemon = context;
    wm_log       *log = daemon->settings->log;
    bool          changed = false;
    wm_error      err;
    wm_status     st = closing ? WM_OK : wm_own_certificate_renew(daemon->own, &changed, &err);

    (void)errand;
    if (st != WM_OK)
        wm_log_line(log, WM_LOG_ERROR, "tls", "the server's certificate cannot be renewed; it is tried again",
                    WM_TEXT_FIELD("why", err.text));
    else if (changed)
        wm_log_line(log, WM_LOG_INFO, "tls", "the server's certificate is renewed");
    atomic_store(&daemon->renewing, false);
}

static void see_to_renewal(daemon_state *daemon)
{
    plan_renewal(daemon);
    if (atomic_exchange(&daemon->renewing, true))
        return; /* the last one still waits for the issuer */
    daemon->renewal = (wm_errand){ .run = renew_own, .context = daemon };
    if (!wm_errands_put(daemon->errands, &daemon->renewal))
        atomic_store(&daemon->renewing, false);
}

/* ---- the rest ---- */

/* What runs leave has the names of gateways in it. */
static wm_status make_runs_folder(const wm_daemon_settings *set, wm_error *err)
{
    char     *path = wm_path_join(set->folder, "runs");
    wm_status st = path != NULL ? set->files->make_folder(set->files, path, 0700, err)
                                : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    free(path);
    return st;
}

static wm_status open_fleet(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    const wm_upload_config   *uploads = &set->config->uploads;
    wm_status                 st;

    daemon->uploads_folder = wm_path_join(set->folder, "uploads");
    daemon->socket_path = wm_path_join(set->folder, "control.sock");
    if (daemon->uploads_folder == NULL || daemon->socket_path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = set->files->make_folder(set->files, daemon->uploads_folder, 0700, err);
    if (st == WM_OK)
        st = make_runs_folder(set, err);
    if (st == WM_OK)
        st = wm_remote_new(&(wm_remote_settings){ .store = daemon->store,
                                                  .roster = daemon->roster,
                                                  .staging = { .places = (size_t)uploads->at_once,
                                                               .memory = (size_t)uploads->memory,
                                                               .room = (uint64_t)uploads->room,
                                                               .stall_ms = uploads->stall_ms,
                                                               .turn_ms = uploads->turn_ms,
                                                               .folder = daemon->uploads_folder },
                                                  .clock = set->clock,
                                                  .log = set->log,
                                                  .renew_ms = set->config->certificates.gateway_ms / 2,
                                                  .woken = wake_front,
                                                  .context = daemon },
                           &daemon->remote, err);
    if (st == WM_OK)
        st = wm_jobs_new(&(wm_jobs_settings){ .office = set->folder,
                                              .files = set->files,
                                              .store = daemon->store,
                                              .roster = daemon->roster,
                                              .remote = daemon->remote,
                                              .update_bytes = (uint64_t)set->config->uploads.room,
                                              .clock = set->clock,
                                              .log = set->log,
                                              .stirred = stir,
                                              .context = daemon },
                         &daemon->jobs, err);
    return st;
}

static wm_status open_front(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    wm_front                 *front;
    wm_front_ports            ports;
    wm_status                 st;

    pthread_mutex_lock(&daemon->commands);
    st = wm_front_start(&(wm_front_settings){ .config = set->config,
                                              .control_socket = daemon->socket_path,
                                              .tls = wm_own_certificate_tls(daemon->own),
                                              .enrolment_tls = wm_own_certificate_enrolment_tls(daemon->own),
                                              .remote = daemon->remote,
                                              .enrolment = &daemon->enrolment,
                                              .errands = daemon->errands,
                                              .roster = daemon->roster,
                                              .clock = set->clock,
                                              .log = set->log,
                                              .command = command,
                                              .context = daemon },
                        &front, err);
    if (st == WM_OK) {
        atomic_store(&daemon->front, front);
        daemon->operator=(wm_operator){ .office = set->folder,
                                        .store = daemon->store,
                                        .roster = daemon->roster,
                                        .clock = set->clock,
                                        .jobs = daemon->jobs,
                                        .update_bytes = (uint64_t)set->config->uploads.room,
                                        .remote = daemon->remote,
                                        .front = front,
                                        .started_ms = wm_wall_ms(&set->clock),
                                        .stirred = stir,
                                        .context = daemon,
                                        .issuer = { ask_issuer, daemon } };
        ports = wm_front_ports_get(front);
        wm_log_line(set->log, WM_LOG_INFO, "server", "ready", WM_TEXT_FIELD("office", set->folder),
                    WM_INT_FIELD("control", ports.control), WM_INT_FIELD("bulk", ports.bulk),
                    WM_INT_FIELD("enrolment", ports.enrolment), WM_INT_FIELD("connections", wm_front_most(front)));
    }
    pthread_mutex_unlock(&daemon->commands);
    return st;
}

/* ---- the loop ---- */

static void flush_roster(daemon_state *daemon)
{
    wm_error err;

    if (wm_roster_flush(daemon->roster, daemon->store, &err) != WM_OK)
        wm_log_line(daemon->settings->log, WM_LOG_ERROR, "server", "what was heard of gateways cannot be written",
                    WM_TEXT_FIELD("why", err.text));
    daemon->flush_at_ms = wm_mono_ms(&daemon->settings->clock) + FLUSH_MS;
}

/* Says so when the machine's clock is set, and when it is right again. */
static void note_clock(daemon_state *daemon)
{
    int64_t step = wm_steady_clock_step(&daemon->steady);
    char    by[WM_DURATION_TEXT];

    if ((step != 0) == daemon->stepped)
        return;
    daemon->stepped = step != 0;
    if (step == 0)
        wm_log_line(daemon->settings->log, WM_LOG_INFO, "clock", "the machine's clock agrees again");
    else
        wm_log_line(
            daemon->settings->log, WM_LOG_WARNING, "clock",
            "the machine's clock was set, and is not believed: this server goes on by the time that has passed "
            "since its start; if the new time is right, start it again",
            WM_TEXT_FIELD(step > 0 ? "ahead_by" : "behind_by", wm_duration_text(step > 0 ? step : -step, by)));
}

static int64_t tick(daemon_state *daemon)
{
    int64_t now = wm_mono_ms(&daemon->settings->clock), next_ms = wm_jobs_tick(daemon->jobs);

    wm_log_tick(daemon->settings->log);
    wm_remote_tick(daemon->remote);
    wm_front_tick(atomic_load(&daemon->front));
    wm_issuer_keeper_tick(daemon->keeper);
    note_clock(daemon);
    if (now >= daemon->flush_at_ms)
        flush_roster(daemon);
    if (now >= daemon->renew_at_ms)
        see_to_renewal(daemon);
    return next_ms < TICK_MS ? next_ms : TICK_MS;
}

/* Until a signal says stop. */
static void loop(daemon_state *daemon)
{
    daemon->flush_at_ms = wm_mono_ms(&daemon->settings->clock) + FLUSH_MS;
    while (!wm_bell_wait(&daemon->bell, tick(daemon)))
        ;
}

/* ---- closing ---- */

static void close_all(daemon_state *daemon)
{
    wm_front *front = atomic_load(&daemon->front);

    if (daemon->remote != NULL)
        wm_remote_close(daemon->remote); /* no more offers */
    wm_errands_close(daemon->errands);   /* and no more renewals */
    wm_front_free(front);                /* what is being worked on gets its answer */
    atomic_store(&daemon->front, NULL);
    wm_errands_free(daemon->errands);
    wm_jobs_free(daemon->jobs);
    wm_remote_free(daemon->remote);
    wm_own_certificate_free(daemon->own);
    wm_issuer_keeper_end(daemon->keeper);
    if (daemon->roster != NULL && daemon->store != NULL && front != NULL)
        flush_roster(daemon);
    wm_roster_free(daemon->roster);
    wm_store_close(daemon->store);
    free(daemon->uploads_folder);
    free(daemon->socket_path);
    wm_bell_close(&daemon->bell);
    pthread_mutex_destroy(&daemon->commands);
}

wm_status wm_daemon_run(const wm_daemon_settings *settings, wm_error *err)
{
    wm_daemon_settings own = *settings;
    daemon_state       daemon = { .settings = &own, .bell = WM_BELL_INIT };
    wm_status          st;

    wm_memory_settle(HEAP_KEPT);
    wm_steady_clock_init(&daemon.steady, settings->clock);
    own.clock = wm_clock_steady(&daemon.steady);
    pthread_mutex_init(&daemon.commands, NULL);
    wm_descriptors_raise();
    st = wm_bell_open(&daemon.bell, err);
    if (st == WM_OK)
        st = wm_office_open(&own, &daemon.store, &daemon.roster, err);
    if (st == WM_OK)
        st = open_issuer(&daemon, err);
    if (st == WM_OK)
        st = open_own(&daemon, err);
    if (st == WM_OK)
        st = open_fleet(&daemon, err);
    if (st == WM_OK)
        st = open_front(&daemon, err);
    if (st == WM_OK) {
        loop(&daemon);
        wm_log_line(settings->log, WM_LOG_INFO, "server", "stopping", WM_TEXT_FIELD("signal", wm_bell_signal()));
    }
    close_all(&daemon);
    if (st == WM_OK)
        wm_log_line(settings->log, WM_LOG_INFO, "server", "stopped");
    return st;
}
