/* client/gateway.h
 *
 * The gateway's daemon: one process in one folder, until SIGTERM. Dials out, asks for work, works, hands in; renews its
 * certificate; tries the next server when one does not answer, and backs off with jitter when none does. Whatever
 * happens to it, what is durable is in the folder and the next start goes on from there. */
#ifndef WM_CLIENT_GATEWAY_H
#define WM_CLIENT_GATEWAY_H

#include "common/clock.h"
#include "common/config/faults.h"
#include "common/files.h"
#include "common/log.h"

typedef struct wm_gateway_settings {
    const char     *folder;
    const wm_files *files;
    wm_clock        clock;
    wm_log         *log;
    wm_faults      *faults; /* what is wrong with client.yaml goes here; initialised by the caller */
} wm_gateway_settings;

/* Returns WM_OK after SIGTERM or SIGINT, which it takes over: one at a time in a process. */
wm_status wm_gateway_run(const wm_gateway_settings *settings, wm_error *err);

#endif
