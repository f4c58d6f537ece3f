/* server/commands/run.c: run, issuer */
#include "server/commands/commands.h"

#include "server/daemon.h"
#include "server/issuer/issuer_process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

wm_status wm_command_run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_cli_log_settings *shared = call->shared;
    wm_server_config           config;
    wm_arena                  *memory = NULL;
    wm_log                    *log = NULL;
    char                       program[PATH_MAX];
    ssize_t                    n = readlink("/proc/self/exe", program, sizeof program - 1);
    wm_status                  st;

    (void)settings;
    if (n < 0)
        return wm_fail(err, WM_E_IO, "cannot find this program itself: %s", strerror(errno));
    program[n] = '\0';
    st = wm_command_config(call, call->words[0], &config, &memory, err);
    if (st == WM_OK)
        st = wm_cli_log(call, &log, err);
    if (st == WM_OK)
        st = wm_daemon_run(&(wm_daemon_settings){ .folder = call->words[0],
                                                  .program = program,
                                                  .config = &config,
                                                  .files = wm_files_system(),
                                                  .clock = wm_clock_system(),
                                                  .log = log,
                                                  .log_form = (wm_log_form)shared->form,
                                                  .log_level = (wm_log_level)shared->level },
                           err);
    wm_log_free(log);
    wm_arena_free(memory);
    return st;
}

/* Readable when it is time to end: the parent's end of our standard input is closed, or a signal. -1 on failure. */
static int stop_descriptor(bool with_parent)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (with_parent) {
        signal(SIGINT, SIG_IGN); /* from a terminal it reaches both: the parent ends first, and then we */
        return STDIN_FILENO;
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

wm_status wm_command_issuer(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_issuer_settings_of_command *set = settings;
    wm_log                              *log = NULL;
    int                                  stop_fd = stop_descriptor(set->with_parent);
    wm_status                            st;

    if (stop_fd < 0)
        return wm_fail(err, WM_E_IO, "cannot wait for signals: %s", strerror(errno));
    st = wm_cli_log(call, &log, err);
    if (st == WM_OK)
        st = wm_issuer_process_run(&(wm_issuer_process_settings){ .office = call->words[0],
                                                                  .log = log,
                                                                  .say_ready = set->with_parent,
                                                                  .gateway_life_ms = set->gateway_life_ms,
                                                                  .server_life_ms = set->server_life_ms },
                                   stop_fd, err);
    wm_log_free(log);
    return st == WM_E_CLOSED ? WM_OK : st; /* told to end */
}
