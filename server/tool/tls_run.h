/* server/tool/tls_run.h
 *
 * A run of a job as it is deployed, on this machine: the real server and one real client process for each client, over
 * TLS on loopback, with an office, a certificate authority and certificates that are made for it and thrown away. They
 * live in OUT/tls while the run lasts; the run folder is then moved to OUT. */
#ifndef WM_SERVER_TOOL_TLS_RUN_H
#define WM_SERVER_TOOL_TLS_RUN_H

#include "server/tool/workspace.h"

#include <stdatomic.h>

typedef struct wm_tls_run_settings {
    wm_cli_call                 *call;
    const wm_workspace          *space;
    const wm_workspace_settings *space_settings;
    const char                  *out;
    bool                         resume, quiet;
    const atomic_bool           *interrupted;
} wm_tls_run_settings;

/* WM_E_CLOSED: interrupted; it can be resumed. */
wm_status wm_tls_run(const wm_tls_run_settings *settings, wm_error *err);

#endif
