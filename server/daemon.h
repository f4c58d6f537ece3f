/* server/daemon.h
 *
 * The aggregator as a process: opens the office, starts the issuer beside it, listens, runs jobs, until it is told to
 * stop. Everything that it does is elsewhere; here it is put together and taken apart again, in the right order. */
#ifndef WM_SERVER_DAEMON_H
#define WM_SERVER_DAEMON_H

#include "common/log.h"
#include "common/status.h"
#include "server/config.h"

typedef struct wm_daemon_settings {
    const char             *folder;  /* the office */
    const char             *program; /* path of this very program, to start the issuer with */
    const wm_server_config *config;
    const wm_files         *files;
    wm_clock                clock;
    wm_log                 *log;
    wm_log_form             log_form; /* of the issuer's log, too */
    wm_log_level            log_level;
} wm_daemon_settings;

/* Returns WM_OK after SIGTERM or SIGINT, which it takes over: one at a time in a process. */
wm_status wm_daemon_run(const wm_daemon_settings *settings, wm_error *err);

#endif
