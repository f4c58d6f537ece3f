/* server/issuer/issuer_process.c */
#include "server/issuer/issuer_process.h"

#include "common/crypto/keys.h"
#include "common/steady_clock.h"
#include "common/wire/envelope.h"
#include "common/wire/listener.h"
#include "server/issuer/strand.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 5000,
    ANSWER_MS = 10000, /* to get rid of an answer: the aggregator has stopped reading */
    READY_MS = 30000,  /* from the start of the process to its first word */
    READY = 0,         /* the number of that word */
    OPERATORS = 8      /* connections at the operator's socket */
};

/* ---- becoming less ---- */

static wm_status become(const struct passwd *user, wm_error *err)
{
    if (setgroups(0, NULL) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return wm_fail(err, WM_E_IO, "cannot become the user %s: %s", user->pw_name, strerror(errno));
    if (setuid(0) == 0 || geteuid() == 0)
        return wm_fail(err, WM_E_IO, "became the user %s, and could go back", user->pw_name);
    return WM_OK;
}

static wm_status drop_privileges(const wm_issuer_process_settings *settings, wm_error *err)
{
    const char          *name = settings->user != NULL ? settings->user : WM_ISSUER_USER;
    const struct passwd *user = getpwnam(name);
    const struct rlimit  none = { 0, 0 };
    wm_status            st;

    if (geteuid() == 0 && user != NULL && user->pw_uid != 0) {
        st = become(user, err);
        if (st != WM_OK)
            return st;
    } else
        wm_log_line(settings->log, WM_LOG_INFO, "issuer",
                    "runs as the user that started it: as root, with a user of this name, it would have its own",
                    WM_TEXT_FIELD("user", name));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0)
        return wm_fail(err, WM_E_IO, "cannot give up privileges: %s", strerror(errno));
    return WM_OK;
}

/* ---- the operator's socket ---- */

/* Who asks through a listener. */
typedef struct entrance {
    wm_issuer   *issuer;
    wm_door      door;
    wm_listener *listener;
} entrance;

static void handle_request(void *context, wm_request *request)
{
    entrance      *e = context;
    size_t         n_in, n_out;
    const uint8_t *in = wm_request_bytes(request, &n_in);
    uint8_t       *out;

    if (wm_issuer_handle_bytes(e->issuer, e->door, in, n_in, &out, &n_out, NULL) != WM_OK) {
        wm_request_drop(request);
        return;
    }
    wm_request_reply(request, out, n_out);
    wm_secret_free(out, n_out);
}

static wm_status open_entrance(entrance *e, const char *folder, const char *name, wm_error *err)
{
    char                 url[4096 + 8];
    wm_listener_settings settings = { .url = url,
                                      .request_max = WM_ISSUER_MESSAGE,
                                      .held_max = OPERATORS * WM_ISSUER_MESSAGE,
                                      .connections_max = OPERATORS,
                                      .connections_max_per_identity = OPERATORS,
                                      .n_workers = 1,
                                      .handle = handle_request,
                                      .context = e };

    if ((size_t)snprintf(url, sizeof url, "ipc://%s/%s", folder, name) >= sizeof url)
        return wm_fail(err, WM_E_INVALID, "the path of %s is too long for a socket", folder);
    return wm_listener_start(&settings, &e->listener, err);
}

static void close_entrance(entrance *e)
{
    if (e->listener != NULL)
        wm_listener_free(e->listener);
    e->listener = NULL;
}

/* ---- serving ---- */

/* `steady` is the process's clock from now on. */
static wm_status open_issuer(const wm_issuer_process_settings *settings, const char *folder,
                             wm_steady_clock *steady, wm_issuer **ret, wm_error *err)
{
    wm_issuer_settings issuer = {
        .folder = folder,
        .files = wm_files_system(),
        .clock = wm_clock_steady(steady),
        .log = settings->log,
        .gateway_life_ms = settings->gateway_life_ms,
        .server_life_ms = settings->server_life_ms,
    };
    int64_t until_ms;

    wm_steady_clock_init(steady, wm_clock_system());
    until_ms = wm_mono_ms(&issuer.clock) + (settings->lock_wait_ms > 0 ? settings->lock_wait_ms : LOCK_WAIT_MS);
    /* After a kill -9 the process before this one is about to notice that nobody holds the other end. */
    for (;;) {
        wm_status st = wm_issuer_open(&issuer, ret, err);

        if (st != WM_E_EXISTS || wm_mono_ms(&issuer.clock) >= until_ms)
            return st;
        usleep(20 * 1000);
    }
}

/* Answers questions until the other end hangs up. */
static wm_status serve(wm_issuer *issuer, wm_door door, const wm_strand *strand, wm_error *err)
{
    for (;;) {
        uint32_t  number;
        uint8_t  *in, *out;
        size_t    n_in, n_out;
        bool      begun;
        wm_status st =
            wm_strand_receive(strand, WM_ISSUER_MESSAGE, WM_STRAND_NO_DEADLINE, &number, &in, &n_in, &begun, err);

        if (st != WM_OK)
            return st == WM_E_CLOSED ? WM_OK : st;
        st = wm_issuer_handle_bytes(issuer, door, in, n_in, &out, &n_out, err);
        wm_secret_free(in, n_in);
        if (st != WM_OK)
            return st;
        st = wm_strand_send(strand, number, out, n_out, wm_mono_ms(&strand->clock) + ANSWER_MS, err);
        wm_secret_free(out, n_out);
        if (st != WM_OK)
            return st == WM_E_CLOSED ? WM_OK : st;
    }
}

/* The first word: nothing if all is well, else status and sentence as a fault. */
static void say_ready(const wm_strand *strand, wm_status st, const wm_error *err)
{
    wm_fault fault;
    uint8_t  bytes[1024];
    size_t   n = 0;

    if (st != WM_OK) {
        wm_fault_init(&fault, st, err->text, 0);
        if (wm_envelope_size(&fault.envelope) <= sizeof bytes)
            n = wm_envelope_pack(&fault.envelope, bytes);
    }
    (void)wm_strand_send(strand, READY, bytes, n, wm_mono_ms(&strand->clock) + ANSWER_MS, NULL);
}

static wm_status run_child(const wm_issuer_process_settings *settings, const wm_strand *strand, wm_error *err)
{
    entrance        operator= { .door = WM_DOOR_OPERATOR };
    wm_steady_clock steady;
    wm_issuer      *issuer = NULL;
    char           *folder = wm_path_join(settings->office, "issuer");
    wm_status       st =
        folder != NULL ? drop_privileges(settings, err) : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    if (st == WM_OK)
        st = open_issuer(settings, folder, &steady, &issuer, err);
    operator.issuer = issuer;
    if (st == WM_OK && settings->listen)
        st = open_entrance(&operator, folder, "issuer.sock", err);
    say_ready(strand, st, err);
    if (st == WM_OK)
        st = serve(issuer, settings->door, strand, err);
    close_entrance(&operator);
    wm_issuer_free(issuer);
    free(folder);
    return st;
}

/* The child's whole life. Nothing of the parent's goes with it but its standard streams. */
__attribute__((noreturn)) static void live(const wm_issuer_process_settings *settings, int fd)
{
    const wm_strand strand = { .fd = 3, .stop_fd = -1, .clock = wm_clock_system() };
    sigset_t        none;
    wm_error        err;
    wm_status       st;

    if (fd != 3)
        dup2(fd, 3);
    closefrom(4);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* from the terminal it reaches all at once; the aggregator ends first, and then we */
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, "wardmote-issuer", 0, 0, 0);
    st = run_child(settings, &strand, &err);
    if (st != WM_OK)
        wm_log_line(settings->log, WM_LOG_ERROR, "issuer", err.text);
    _exit(st == WM_OK ? 0 : 1);
}

/* ---- the parent's side ---- */

static wm_status hear_ready(int fd, wm_error *err)
{
    wm_strand     strand = { .fd = fd, .stop_fd = -1, .clock = wm_clock_system() };
    Wm__Envelope *envelope = NULL;
    uint32_t      number;
    uint8_t      *bytes;
    size_t        n;
    bool          begun;
    wm_status     st =
        wm_strand_receive(&strand, 1024, wm_mono_ms(&strand.clock) + READY_MS, &number, &bytes, &n, &begun, err);

    if (st != WM_OK) {
        wm_error_prefix(err, "the issuing process did not start");
        return st;
    }
    if (n > 0) {
        st = wm_envelope_unpack(bytes, n, 1024, &envelope, err);
        if (st == WM_OK && envelope->body_case == WM__ENVELOPE__BODY_FAULT)
            st = wm_fail(err, (wm_status)envelope->fault->code, "%s", envelope->fault->text);
        wm_envelope_free(envelope);
    }
    wm_secret_free(bytes, n);
    return st;
}

static void wait_for_end(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

wm_status wm_issuer_process_start(const wm_issuer_process_settings *settings, wm_issuer_process *ret, wm_error *err)
{
    wm_issuer_process process = { .pid = -1 };
    int               pair[2];
    wm_status         st;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return wm_fail(err, WM_E_IO, "cannot make a socket for the issuer: %s", strerror(errno));
    fflush(NULL); /* or what is still in a buffer would be said twice */
    process.pid = fork();
    if (process.pid == 0) {
        close(pair[0]);
        live(settings, pair[1]);
    }
    close(pair[1]);
    if (process.pid < 0) {
        close(pair[0]);
        return wm_fail(err, WM_E_IO, "cannot start the issuer: %s", strerror(errno));
    }
    st = hear_ready(pair[0], err);
    if (st == WM_OK)
        st = wm_issuer_client_over(pair[0], &process.client, err);
    else
        close(pair[0]);
    if (st == WM_OK)
        *ret = process;
    else
        wait_for_end(process.pid); /* the closed socket ends it */
    return st;
}

void wm_issuer_process_end(wm_issuer_process *process)
{
    if (process->pid <= 0)
        return;
    wm_issuer_client_free(process->client);
    wait_for_end(process->pid);
    *process = (wm_issuer_process){ .pid = -1 };
}

wm_status wm_issuer_process_run(const wm_issuer_process_settings *settings, int stop_fd, wm_error *err)
{
    const wm_strand nobody = { .fd = -1, .stop_fd = stop_fd, .clock = wm_clock_system() };
    entrance        entrances[2] = { { .door = WM_DOOR_OPERATOR }, { .door = WM_DOOR_AGGREGATOR } };
    wm_steady_clock steady;
    wm_issuer      *issuer = NULL;
    char           *folder = wm_path_join(settings->office, "issuer");
    wm_status       st =
        folder != NULL ? drop_privileges(settings, err) : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    if (st == WM_OK)
        st = open_issuer(settings, folder, &steady, &issuer, err);
    entrances[0].issuer = entrances[1].issuer = issuer;
    if (st == WM_OK)
        st = open_entrance(&entrances[0], folder, "issuer.sock", err);
    if (st == WM_OK)
        st = open_entrance(&entrances[1], folder, "aggregator.sock", err);
    if (st == WM_OK && settings->say_ready)
        (void)send(stop_fd, "", 1,
                   MSG_NOSIGNAL); /* whoever is gone by now has closed it, and that is heard below */
    if (st == WM_OK)
        st = serve(issuer, WM_DOOR_AGGREGATOR, &nobody, err); /* nobody speaks there; returns when told to stop */
    close_entrance(&entrances[0]);
    close_entrance(&entrances[1]);
    wm_issuer_free(issuer);
    free(folder);
    return st;
}

/* ---- the operator's commands ---- */

static wm_status ask_running(const char *folder, const Wm__Issue *issue, int timeout_ms, Wm__Issued **ret,
                             wm_error *err)
{
    wm_issuer_client *client = NULL;
    char             *path = wm_path_join(folder, "issuer.sock");
    wm_status         st =
        path != NULL ? wm_issuer_client_at(path, &client, err) : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    if (st == WM_OK)
        st = wm_issuer_ask(client, issue, timeout_ms, ret, err);
    wm_issuer_client_free(client);
    free(path);
    return st;
}

wm_status wm_issuer_ask_at(const char *office, const Wm__Issue *issue, int timeout_ms, Wm__Issued **ret,
                           wm_error *err)
{
    wm_issuer_process_settings settings = { .office = office, .door = WM_DOOR_OPERATOR, .lock_wait_ms = 1 };
    wm_issuer_process          process;
    char                      *folder;
    wm_status                  st = wm_issuer_process_start(&settings, &process, err);

    if (st == WM_OK) {
        st = wm_issuer_ask(process.client, issue, timeout_ms, ret, err);
        wm_issuer_process_end(&process);
        return st;
    }
    if (st != WM_E_EXISTS)
        return st;
    folder = wm_path_join(office, "issuer");
    if (folder == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = ask_running(folder, issue, timeout_ms, ret, err);
    free(folder);
    return st;
}
