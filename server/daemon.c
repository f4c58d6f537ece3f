/* server/daemon.c
 *
 * One loop, on the main thread, wakes for a signal, for a stir (there is something for the jobs to do) or after a moment,
 * and lets everybody's time pass. All else happens on the listeners' threads and the parking's.
 *
 * Opened from the ground up, closed in the opposite order: the store first and last. */
#include "server/daemon.h"

#include "server/front.h"
#include "server/issuer/office.h"
#include "server/issuer_keeper.h"
#include "server/operator.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 250,
    FLUSH_MS = 60 * 1000,
    CLOCK_SLACK_MS = 1000, /* a clock that is being disciplined may be a little behind itself */
    ISSUER_MS = 10 * 1000, /* for an answer of the issuer */
    RENEW_LOOK_MOST_MS = 3600 * 1000,
    LOCK_MS = 3000,
    LOCK_LOOK_MS = 50,
    STORE_PATIENCE_MS = 5 * 1000, /* for a command that has the store open */
    STORE_PAUSE_MS = 20,
};

typedef struct daemon_state {
    const wm_daemon_settings *settings;
    int                       stop_fd, stir_fd;
    wm_store                 *store;
    wm_roster                *roster;
    wm_issuer_keeper         *keeper;
    wm_tls                   *tls, *enrolment_tls;
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
    uint64_t      one = 1;
    ssize_t       done = write(daemon->stir_fd, &one, sizeof one); /* full: it is stirred already */

    (void)done;
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

    return wm_issuer_ask(wm_issuer_keeper_client(daemon->keeper), ask, ISSUER_MS, ret, err);
}

static wm_status revoke_at_issuer(void *context, const char *name, wm_error *err)
{
    Wm__Issue   ask = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_status   st;

    ask.verb = WM__ISSUE__VERB__REVOKE;
    ask.name = (char *)(uintptr_t)name;
    st = ask_issuer(context, &ask, &issued, err);
    if (st != WM_OK)
        return st;
    st = wm_issued_status(issued, err);
    wm_issued_free(issued);
    return st;
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

/* A handler has no context: what it needs is the one thing here that belongs to the process and not to a daemon. A
 * signalfd would need the signals blocked in every thread, and some threads are made by libraries before main. */
static struct {
    atomic_int            fd;
    volatile sig_atomic_t number;
} stop_signal = { .fd = -1 };

static void on_stop_signal(int number)
{
    int      saved = errno;
    uint64_t one = 1;
    ssize_t  done;

    stop_signal.number = number;
    done = write(atomic_load(&stop_signal.fd), &one, sizeof one);
    (void)done;
    errno = saved;
}

static wm_status open_signals(daemon_state *daemon, wm_error *err)
{
    struct sigaction action = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };

    daemon->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    daemon->stir_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (daemon->stop_fd < 0 || daemon->stir_fd < 0)
        return wm_fail(err, WM_E_IO, "cannot wait for signals: %s", strerror(errno));
    atomic_store(&stop_signal.fd, daemon->stop_fd);
    sigemptyset(&action.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0)
        return wm_fail(err, WM_E_IO, "cannot take over the signals: %s", strerror(errno));
    return WM_OK;
}

/* As many descriptors as we are allowed: a connection costs one. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static wm_status check_clock(daemon_state *daemon, wm_error *err)
{
    int64_t   now = wm_wall_ms(&daemon->settings->clock), latest;
    char      now_text[WM_TIME_TEXT], latest_text[WM_TIME_TEXT];
    wm_status st = wm_store_latest_ms(daemon->store, &latest, err);

    if (st == WM_OK && now + CLOCK_SLACK_MS < latest)
        return wm_fail(
            err, WM_E_INVALID,
            "the clock says %s, but the last commit of this office was at %s: set the clock, and start again",
            wm_time_text(now, now_text), wm_time_text(latest, latest_text));
    return st;
}

/* A command that found no server has the store open for a moment: that is no reason to give up. */
static wm_status open_store_soon(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    struct timespec           pause = { .tv_nsec = STORE_PAUSE_MS * 1000000L };
    wm_status                 st;

    for (int waited = 0;; waited += STORE_PAUSE_MS) {
        st = wm_store_open(set->files, set->folder, set->clock, &daemon->store, err);
        if (st != WM_E_REFUSED || waited >= STORE_PATIENCE_MS)
            return st;
        nanosleep(&pause, NULL);
    }
}

static wm_status open_store(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    wm_status                 st = open_store_soon(daemon, err);

    if (st == WM_OK)
        st = check_clock(daemon, err);
    if (st == WM_OK)
        st = wm_roster_new(set->clock, &daemon->roster, err);
    if (st == WM_OK)
        st = wm_roster_load(daemon->roster, daemon->store, err);
    return st;
}

/* A certificate that the issuer knows of and we do not: we died between the two, or came from an older backup. */
static wm_status adopt(daemon_state *daemon, const Wm__Listed *listed, wm_error *err)
{
    wm_presence who;
    wm_serial   serial;
    char        text[WM_SERIAL_TEXT];
    bool        known;
    wm_status   st;

    if (listed->server || listed->revoked || listed->serial.len == 0 || listed->serial.len > WM_SERIAL_MAX ||
        !wm_gateway_name_ok(listed->name))
        return WM_OK;
    known = wm_roster_find(daemon->roster, listed->name, &who);
    if (known && (who.revoked_ms != 0 || who.not_after_ms >= (int64_t)listed->not_after_ms))
        return WM_OK;
    serial.size = (uint8_t)listed->serial.len;
    memcpy(serial.bytes, listed->serial.data, serial.size);
    wm_serial_text(&serial, text);
    st = wm_store_certificate(daemon->store, listed->name, text, (int64_t)listed->not_after_ms, err);
    if (st == WM_E_EXISTS || st == WM_E_REFUSED)
        return WM_OK;
    if (st == WM_OK)
        st = wm_roster_enrolled(daemon->roster, listed->name, text, (int64_t)listed->not_after_ms, err);
    if (st == WM_OK)
        wm_log_line(daemon->settings->log, WM_LOG_INFO, "enrolment", "a gateway is known from the issuer",
                    WM_TEXT_FIELD("name", listed->name));
    return st;
}

static wm_status adopt_all(daemon_state *daemon, wm_error *err)
{
    uint8_t   last[WM_SERIAL_MAX] = { 0 };
    size_t    n_last = 0;
    bool      more = true;
    wm_status st = WM_OK;

    while (st == WM_OK && more) {
        Wm__Issue   ask = WM__ISSUE__INIT;
        Wm__Issued *issued;

        ask.verb = WM__ISSUE__VERB__LIST;
        ask.serial = wm_bytes_field(last, n_last);
        st = ask_issuer(daemon, &ask, &issued, err);
        if (st != WM_OK)
            return st;
        st = wm_issued_status(issued, err);
        for (size_t i = 0; st == WM_OK && i < issued->n_certificates; i++) {
            const Wm__Listed *listed = issued->certificates[i];

            st = adopt(daemon, listed, err);
            if (listed->serial.len > 0 && listed->serial.len <= sizeof last) {
                memcpy(last, listed->serial.data, listed->serial.len);
                n_last = listed->serial.len;
            }
        }
        more = issued->more && issued->n_certificates > 0;
        wm_issued_free(issued);
    }
    return st;
}

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

    return st == WM_OK ? adopt_all(daemon, err) : st;
}

/* ---- our own certificate ---- */

static wm_status check_names(daemon_state *daemon, wm_certificate *certificate, wm_error *err)
{
    const wm_words *names = &daemon->settings->config->names;

    for (size_t i = 0; i < names->count; i++)
        if (!wm_certificate_has_name(certificate, names->items[i]))
            return wm_fail(
                err, WM_E_INVALID,
                "server.yaml has the name %s, which the certificate does not carry: run `wardmote-server init %s "
                "--name %s`",
                names->items[i], daemon->settings->folder, names->items[i]);
    return WM_OK;
}

typedef struct own_certificate {
    wm_chain *chain, *root;
    wm_key   *key;
} own_certificate;

static void own_release(own_certificate *own)
{
    wm_chain_free(own->chain);
    wm_chain_free(own->root);
    wm_key_free(own->key);
}

static wm_status own_load(daemon_state *daemon, own_certificate *own, wm_error *err)
{
    const wm_files *files = daemon->settings->files;
    char           *chain = wm_path_join(daemon->settings->folder, "server.pem");
    char           *key = wm_path_join(daemon->settings->folder, "server.key");
    char           *root = wm_path_join(daemon->settings->folder, "root.pem");
    wm_status       st = WM_OK;

    if (chain == NULL || key == NULL || root == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the certificate");
    if (st == WM_OK)
        st = wm_chain_load(files, chain, &own->chain, err);
    if (st == WM_OK)
        st = wm_key_load(files, key, &own->key, err);
    if (st == WM_OK)
        st = wm_chain_load(files, root, &own->root, err);
    free(chain);
    free(key);
    free(root);
    return st;
}

/* The next look at it: often enough for the shortest life, and at least once an hour. */
static void plan_renewal(daemon_state *daemon)
{
    int64_t look_ms = daemon->settings->config->certificates.server_ms / 16;

    if (look_ms > RENEW_LOOK_MOST_MS)
        look_ms = RENEW_LOOK_MOST_MS;
    daemon->renew_at_ms = wm_mono_ms(&daemon->settings->clock) + look_ms;
}

static wm_status open_tls(daemon_state *daemon, wm_error *err)
{
    const wm_daemon_settings *set = daemon->settings;
    own_certificate           own = { 0 };
    bool                      changed;
    wm_status                 st;

    st = wm_office_renew_server(set->folder, set->files, wm_issuer_keeper_client(daemon->keeper), &changed, err);
    if (st == WM_OK)
        st = own_load(daemon, &own, err);
    if (st == WM_OK)
        st = check_names(daemon, wm_chain_at(own.chain, 0), err);
    if (st == WM_OK)
        st = wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_SERVER,
                                            .chain = own.chain,
                                            .key = own.key,
                                            .root = wm_chain_at(own.root, 0),
                                            .clock = set->clock,
                                            .allow = allow,
                                            .context = daemon },
                        &daemon->tls, err);
    if (st == WM_OK)
        st = wm_tls_new(
            &(wm_tls_settings){
                .side = WM_TLS_SERVER, .chain = own.chain, .key = own.key, .anonymous = true, .clock = set->clock },
            &daemon->enrolment_tls, err);
    own_release(&own);
    plan_renewal(daemon);
    return st;
}

static void renew_own(daemon_state *daemon)
{
    const wm_daemon_settings *set = daemon->settings;
    own_certificate           own = { 0 };
    bool                      changed = false;
    wm_error                  err;
    wm_status                 st =
        wm_office_renew_server(set->folder, set->files, wm_issuer_keeper_client(daemon->keeper), &changed, &err);

    if (st == WM_OK && changed)
        st = own_load(daemon, &own, &err);
    if (st == WM_OK && changed)
        st = wm_tls_set_own(daemon->tls, own.chain, own.key, &err);
    if (st == WM_OK && changed)
        st = wm_tls_set_own(daemon->enrolment_tls, own.chain, own.key, &err);
    if (st != WM_OK)
        wm_log_line(set->log, WM_LOG_ERROR, "tls", "the server's certificate cannot be renewed; it is tried again",
                    WM_TEXT_FIELD("why", err.text));
    else if (changed)
        wm_log_line(set->log, WM_LOG_INFO, "tls", "the server's certificate is renewed");
    own_release(&own);
    plan_renewal(daemon);
}

/* ---- the rest ---- */

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
                                              .clock = set->clock,
                                              .log = set->log,
                                              .stirred = stir,
                                              .context = daemon },
                         &daemon->jobs, err);
    daemon->enrolment = (wm_enrolment){ .issue = ask_issuer,
                                        .context = daemon,
                                        .store = daemon->store,
                                        .roster = daemon->roster,
                                        .clock = set->clock,
                                        .log = set->log };
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
                                              .tls = daemon->tls,
                                              .enrolment_tls = daemon->enrolment_tls,
                                              .remote = daemon->remote,
                                              .enrolment = &daemon->enrolment,
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
                                        .remote = daemon->remote,
                                        .front = front,
                                        .started_ms = wm_wall_ms(&set->clock),
                                        .stirred = stir,
                                        .context = daemon,
                                        .revoke = revoke_at_issuer };
        ports = wm_front_ports_get(front);
        wm_log_line(set->log, WM_LOG_INFO, "server", "ready", WM_TEXT_FIELD("office", set->folder),
                    WM_INT_FIELD("control", ports.control), WM_INT_FIELD("bulk", ports.bulk),
                    WM_INT_FIELD("enrolment", ports.enrolment));
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

static int64_t tick(daemon_state *daemon)
{
    int64_t now = wm_mono_ms(&daemon->settings->clock), next_ms = wm_jobs_tick(daemon->jobs);

    wm_remote_tick(daemon->remote);
    wm_front_tick(atomic_load(&daemon->front));
    wm_issuer_keeper_tick(daemon->keeper);
    if (now >= daemon->flush_at_ms)
        flush_roster(daemon);
    if (now >= daemon->renew_at_ms)
        renew_own(daemon);
    return next_ms < TICK_MS ? next_ms : TICK_MS;
}

/* Until a signal says stop. */
static void loop(daemon_state *daemon)
{
    struct pollfd fds[] = { { .fd = daemon->stop_fd, .events = POLLIN },
                            { .fd = daemon->stir_fd, .events = POLLIN } };
    uint64_t      count;

    for (;;) {
        int64_t next_ms = tick(daemon);

        (void)poll(fds, 2, next_ms > 0 ? (int)next_ms : 0);
        if (read(daemon->stop_fd, &count, sizeof count) == (ssize_t)sizeof count)
            return;
        while (read(daemon->stir_fd, &count, sizeof count) == (ssize_t)sizeof count)
            ;
    }
}

/* ---- closing ---- */

static void close_all(daemon_state *daemon)
{
    wm_front *front = atomic_load(&daemon->front);

    if (daemon->remote != NULL)
        wm_remote_close(daemon->remote); /* no more offers */
    wm_front_free(front);                /* what is being worked on gets its answer */
    atomic_store(&daemon->front, NULL);
    wm_jobs_free(daemon->jobs);
    wm_remote_free(daemon->remote);
    wm_tls_free(daemon->tls);
    wm_tls_free(daemon->enrolment_tls);
    wm_issuer_keeper_end(daemon->keeper);
    if (daemon->roster != NULL && daemon->store != NULL && front != NULL)
        flush_roster(daemon);
    wm_roster_free(daemon->roster);
    wm_store_close(daemon->store);
    free(daemon->uploads_folder);
    free(daemon->socket_path);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    if (daemon->stop_fd >= 0)
        close(daemon->stop_fd);
    if (daemon->stir_fd >= 0)
        close(daemon->stir_fd);
    pthread_mutex_destroy(&daemon->commands);
}

wm_status wm_daemon_run(const wm_daemon_settings *settings, wm_error *err)
{
    daemon_state daemon = { .settings = settings, .stop_fd = -1, .stir_fd = -1 };
    wm_status    st;

    pthread_mutex_init(&daemon.commands, NULL);
    raise_descriptors();
    st = open_signals(&daemon, err);
    if (st == WM_OK)
        st = open_store(&daemon, err);
    if (st == WM_OK)
        st = open_issuer(&daemon, err);
    if (st == WM_OK)
        st = open_tls(&daemon, err);
    if (st == WM_OK)
        st = open_fleet(&daemon, err);
    if (st == WM_OK)
        st = open_front(&daemon, err);
    if (st == WM_OK) {
        loop(&daemon);
        wm_log_line(settings->log, WM_LOG_INFO, "server", "stopping",
                    WM_TEXT_FIELD("signal", stop_signal.number == SIGTERM ? "TERM" : "INT"));
    }
    close_all(&daemon);
    if (st == WM_OK)
        wm_log_line(settings->log, WM_LOG_INFO, "server", "stopped");
    return st;
}
