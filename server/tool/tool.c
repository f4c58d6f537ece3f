/* server/tool/tool.c */
#include "server/tool/tool.h"

#include <stddef.h>

static const char *const log_forms[] = { "plain", "json", NULL };
static const char *const log_levels[] = { "debug", "info", "warning", "error", NULL };

static const wm_cli_option shared_options[] = {
    { .name = "log",
      .kind = WM_CLI_CHOICE,
      .offset = offsetof(wm_tool_shared, log_form),
      .value = "FORM",
      .words = log_forms,
      .doc = "log lines for people (plain, the default) or one JSON object each (json)" },
    { .name = "log-level",
      .kind = WM_CLI_CHOICE,
      .offset = offsetof(wm_tool_shared, log_level),
      .value = "LEVEL",
      .words = log_levels,
      .doc = "say debug, info, warning (the default) or error, and what is above it" },
};

static const wm_tool_shared standard = { .log_form = WM_LOG_PLAIN, .log_level = WM_LOG_WARNING };

wm_log *wm_tool_log(const wm_cli_call *call)
{
    const wm_tool_shared *shared = call->shared;

    return wm_log_new(call->err, (wm_log_form)shared->log_form, (wm_log_level)shared->log_level, wm_clock_system());
}

int wm_tool_main(int argc, char *const *argv, FILE *out, FILE *err)
{
    const wm_cli_command commands[] = { wm_tool_simulate, wm_tool_evaluate, wm_tool_data, wm_tool_sample };
    const wm_cli_program program = {
        .name = "wardmote",
        .summary = "The analyst's tool of Wardmote: tries a federated job on one machine.",
        .commands = commands,
        .n_commands = sizeof commands / sizeof *commands,
        .shared = shared_options,
        .n_shared = sizeof shared_options / sizeof *shared_options,
        .shared_size = sizeof(wm_tool_shared),
        .shared_standard = &standard,
    };

    return wm_cli_main(&program, argc, argv, out, err);
}
