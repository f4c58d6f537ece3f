/* common/cli_log.c */
#include "common/cli_log.h"

static const char *const forms[] = { [WM_LOG_PLAIN] = "plain", [WM_LOG_JSON] = "json", NULL };
static const char *const levels[] = {
    [WM_LOG_DEBUG] = "debug", [WM_LOG_INFO] = "info", [WM_LOG_WARNING] = "warning", [WM_LOG_ERROR] = "error", NULL
};

const wm_cli_option wm_cli_log_options[WM_CLI_LOG_OPTIONS] = {
    { .name = "log",
      .kind = WM_CLI_CHOICE,
      .offset = offsetof(wm_cli_log_settings, form),
      .value = "FORM",
      .words = forms,
      .doc = "log lines for people (plain, the default) or one JSON object each (json)" },
    { .name = "log-level",
      .kind = WM_CLI_CHOICE,
      .offset = offsetof(wm_cli_log_settings, level),
      .value = "LEVEL",
      .words = levels,
      .doc = "say debug, info (a daemon's default), warning (a tool's) or error, and what is above it" },
};

const wm_cli_log_settings wm_cli_log_of_daemons = { .form = WM_LOG_PLAIN, .level = WM_LOG_INFO };
const wm_cli_log_settings wm_cli_log_of_tools = { .form = WM_LOG_PLAIN, .level = WM_LOG_WARNING };

const char *wm_cli_log_form_word(wm_log_form form)
{
    return forms[form];
}

const char *wm_cli_log_level_word(wm_log_level level)
{
    return levels[level];
}

wm_status wm_cli_log(const wm_cli_call *call, wm_log **ret, wm_error *err)
{
    const wm_cli_log_settings *set = call->shared;
    wm_log *log = wm_log_new(call->err, (wm_log_form)set->form, (wm_log_level)set->level, wm_clock_system());

    if (log == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to start");
    *ret = log;
    return WM_OK;
}
