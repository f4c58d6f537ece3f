/* server/tool/tool.h
 *
 * wardmote, the analyst's tool: its commands, one file each. */
#ifndef WM_SERVER_TOOL_TOOL_H
#define WM_SERVER_TOOL_TOOL_H

#include "common/cli.h"
#include "common/job/job.h"
#include "common/log.h"
#include "common/text.h"

extern const wm_cli_command wm_tool_simulate, wm_tool_evaluate, wm_tool_data, wm_tool_sample;

int wm_tool_main(int argc, char *const *argv, FILE *out, FILE *err);

/* The options that every command has. */
typedef struct wm_tool_shared {
    int log_form;  /* wm_log_form */
    int log_level; /* wm_log_level */
} wm_tool_shared;

/* A log of what goes on, to standard error; NULL if out of memory, which is a log that says nothing. */
wm_log *wm_tool_log(const wm_cli_call *call);

/* The `data` section of a client.yaml for the gateway `name` of this job in this folder. */
wm_status wm_client_data_yaml(const wm_job *job, const char *folder, const char *name, wm_text *ret, wm_error *err);

#endif
