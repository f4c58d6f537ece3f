/* common/cli_log.h
 *
 * --log and --log-level, which every command of all three programs has, and the log that they ask for. */
#ifndef WM_COMMON_CLI_LOG_H
#define WM_COMMON_CLI_LOG_H

#include "common/cli.h"
#include "common/log.h"

typedef struct wm_cli_log_settings {
    int form;  /* wm_log_form */
    int level; /* wm_log_level */
} wm_cli_log_settings;

enum { WM_CLI_LOG_OPTIONS = 2 };

extern const wm_cli_option       wm_cli_log_options[WM_CLI_LOG_OPTIONS];
extern const wm_cli_log_settings wm_cli_log_of_daemons, wm_cli_log_of_tools; /* the defaults: info, warning */

/* What a program with them says in its wm_cli_program: WM_CLI_LOGS(wm_cli_log_of_daemons). */
#define WM_CLI_LOGS(standard_)                                                                                \
    .shared = wm_cli_log_options, .n_shared = WM_CLI_LOG_OPTIONS, .shared_size = sizeof(wm_cli_log_settings), \
    .shared_standard = &(standard_)

/* The words of the options for a program that is started with them. */
const char *wm_cli_log_form_word(wm_log_form form);
const char *wm_cli_log_level_word(wm_log_level level);

/* A log on call->err, as call->shared says, which is a wm_cli_log_settings. WM_E_NOMEM. */
wm_status wm_cli_log(const wm_cli_call *call, wm_log **ret, wm_error *err);

#endif
