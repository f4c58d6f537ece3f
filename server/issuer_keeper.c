/* server/issuer_keeper.c */
#include "server/issuer_keeper.h"

#include "common/cli_log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    READY_MS = 15 * 1000, /* the one before it may hold its lock for some seconds */
    LOOK_MS = 20,
    ANSWER_MS = 5000, /* it needs some milliseconds, and a second where the disk is slow */
    AGAIN_MS = 1000,  /* between two deaths */
    END_MS = 5000,
};

struct wm_issuer_keeper {
    wm_issuer_keeper_settings settings;
    wm_issuer_client         *client;
    pid_t                     pid;  /* -1: not running */
    int                       line; /* our end of its standard input, a socket; -1 */
    int64_t                   started_ms;
    atomic_int                starts; /* how often it was started */
    atomic_int                hung;   /* of these, the last one that left a question without an answer */
};

/* posix_spawn, since there may be threads. */
static wm_status spawn(wm_issuer_keeper *keeper, wm_error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t          attributes;
    sigset_t                   none, defaults;
    int                        ends[2], rv;
    char                       gateway[48], server[48];
    const char                *arguments[] = { "wardmote-server",
                                               "issuer",
                                               keeper->settings.office,
                                               "--with-parent",
                                               "--gateway-life",
                                               gateway,
                                               "--server-life",
                                               server,
                                               "--log",
                                               wm_cli_log_form_word(keeper->settings.log_form),
                                               "--log-level",
                                               wm_cli_log_level_word(keeper->settings.log_level),
                                               NULL };

    snprintf(gateway, sizeof gateway, "%lldms", (long long)keeper->settings.gateway_ms);
    snprintf(server, sizeof server, "%lldms", (long long)keeper->settings.server_ms);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return wm_fail(err, WM_E_IO, "cannot make a socket for the issuer: %s", strerror(errno));
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rv = posix_spawn(&keeper->pid, keeper->settings.program, &actions, &attributes,
                     (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[0]);
    if (rv != 0) {
        close(ends[1]);
        keeper->pid = -1;
        return wm_fail(err, WM_E_IO, "cannot start the issuer, %s: %s", keeper->settings.program, strerror(rv));
    }
    keeper->line = ends[1];
    keeper->started_ms = wm_mono_ms(&keeper->settings.clock);
    atomic_fetch_add(&keeper->starts, 1);
    return WM_OK;
}

/* True, and what is left of it is tidied up, if it has ended. */
static bool has_ended(wm_issuer_keeper *keeper)
{
    if (keeper->pid < 0)
        return true;
    if (waitpid(keeper->pid, NULL, WNOHANG) != keeper->pid)
        return false;
    if (keeper->line >= 0)
        close(keeper->line);
    keeper->pid = -1;
    keeper->line = -1;
    return true;
}

static bool wait_for_end(wm_issuer_keeper *keeper, int64_t most_ms)
{
    const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

    for (int64_t waited = 0; waited < most_ms; waited += LOOK_MS) {
        if (has_ended(keeper))
            return true;
        nanosleep(&pause, NULL);
    }
    return has_ended(keeper);
}

/* It says so itself: at its address may still be the one before it, of a server that was killed a moment ago. */
static wm_status wait_until_ready(wm_issuer_keeper *keeper, wm_error *err)
{
    struct pollfd line = { .fd = keeper->line, .events = POLLIN };
    char          byte;
    int           n;

    while ((n = poll(&line, 1, READY_MS)) < 0 && errno == EINTR)
        ; /* told to stop: once it serves */
    if (n <= 0)
        return wm_fail(err, WM_E_TIMEOUT, "the issuing process does not answer");
    if (recv(keeper->line, &byte, 1, MSG_DONTWAIT) != 1)
        return wm_fail(err, WM_E_CLOSED, "the issuing process ended at once; what is wrong stands above");
    return WM_OK;
}

wm_status wm_issuer_keeper_start(const wm_issuer_keeper_settings *settings, wm_issuer_keeper **ret, wm_error *err)
{
    wm_issuer_keeper *keeper = calloc(1, sizeof *keeper);
    char              path[4200];
    wm_status         st;

    if (keeper == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the issuer");
    keeper->settings = *settings;
    keeper->pid = -1;
    keeper->line = -1;
    snprintf(path, sizeof path, "%s/issuer/aggregator.sock", settings->office);
    st = wm_issuer_client_at(path, &keeper->client, err);
    if (st == WM_OK)
        st = spawn(keeper, err);
    if (st == WM_OK)
        st = wait_until_ready(keeper, err);
    if (st != WM_OK) {
        wm_issuer_keeper_end(keeper);
        return st;
    }
    *ret = keeper;
    return WM_OK;
}

wm_status wm_issuer_keeper_ask(wm_issuer_keeper *keeper, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    int       number = atomic_load(&keeper->starts);
    wm_status st;

    if (atomic_load(&keeper->hung) == number)
        return wm_fail(err, WM_E_CLOSED, "the issuing process hangs and is about to be started again");
    st = wm_issuer_ask(keeper->client, ask, ANSWER_MS, ret, err);
    if (st == WM_E_TIMEOUT)
        atomic_store(&keeper->hung, number); /* that one, even if there is another by now */
    return st;
}

void wm_issuer_keeper_tick(wm_issuer_keeper *keeper)
{
    bool     hangs = atomic_load(&keeper->hung) == atomic_load(&keeper->starts);
    wm_error err;

    if (keeper->pid >= 0 && has_ended(keeper))
        wm_log_line(keeper->settings.log, WM_LOG_ERROR, "issuer",
                    "the issuing process has died; it is started again");
    else if (keeper->pid >= 0 && hangs) {
        wm_log_line(keeper->settings.log, WM_LOG_ERROR, "issuer",
                    "the issuing process does not answer; it is killed and started again");
        kill(keeper->pid, SIGKILL);
        wait_for_end(keeper, END_MS);
    }
    if (keeper->pid >= 0 || wm_mono_ms(&keeper->settings.clock) - keeper->started_ms < AGAIN_MS)
        return;
    if (spawn(keeper, &err) != WM_OK) {
        keeper->started_ms = wm_mono_ms(&keeper->settings.clock);
        wm_log_line(keeper->settings.log, WM_LOG_ERROR, "issuer", err.text);
    }
}

void wm_issuer_keeper_end(wm_issuer_keeper *keeper)
{
    if (keeper == NULL)
        return;
    wm_issuer_client_free(keeper->client);
    if (keeper->pid >= 0) {
        close(keeper->line);
        keeper->line = -1;
        if (!wait_for_end(keeper, END_MS)) {
            kill(keeper->pid, SIGKILL);
            (void)wait_for_end(keeper, END_MS);
        }
    }
    free(keeper);
}
