/* server/issuer_keeper.c */
#include "server/issuer_keeper.h"

#include "common/cli_log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_MS = 15 * 1000, /* the one before it may hold its lock for some seconds */
    AGAIN_MS = 1000,      /* between two deaths */
};

struct wm_issuer_keeper {
    wm_issuer_keeper_settings settings;
    wm_issuer_client         *client;
    pid_t                     pid;  /* -1: not running */
    int                       line; /* our end of its standard input, a socket; -1 */
    int64_t                   started_ms;
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
    return WM_OK;
}

/* True, and what is left of it is tidied up, if it has ended. */
static bool has_ended(wm_issuer_keeper *keeper)
{
    if (keeper->pid < 0)
        return true;
    if (waitpid(keeper->pid, NULL, WNOHANG) != keeper->pid)
        return false;
    close(keeper->line);
    keeper->pid = -1;
    keeper->line = -1;
    return true;
}

/* It says so itself: at its address may still be the one before it, of a server that was killed a moment ago. */
static wm_status wait_until_ready(wm_issuer_keeper *keeper, wm_error *err)
{
    struct pollfd line = { .fd = keeper->line, .events = POLLIN };
    char          byte;

    if (poll(&line, 1, READY_MS) <= 0)
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

void wm_issuer_keeper_tick(wm_issuer_keeper *keeper)
{
    wm_error err;

    if (keeper->pid >= 0 && has_ended(keeper))
        wm_log_line(keeper->settings.log, WM_LOG_ERROR, "issuer",
                    "the issuing process has died; it is started again");
    if (keeper->pid >= 0 || wm_mono_ms(&keeper->settings.clock) - keeper->started_ms < AGAIN_MS)
        return;
    if (spawn(keeper, &err) != WM_OK) {
        keeper->started_ms = wm_mono_ms(&keeper->settings.clock);
        wm_log_line(keeper->settings.log, WM_LOG_ERROR, "issuer", err.text);
    }
}

wm_issuer_client *wm_issuer_keeper_client(wm_issuer_keeper *keeper)
{
    return keeper->client;
}

void wm_issuer_keeper_end(wm_issuer_keeper *keeper)
{
    if (keeper == NULL)
        return;
    wm_issuer_client_free(keeper->client);
    if (keeper->pid >= 0) {
        close(keeper->line);
        while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    free(keeper);
}
