/* server/tool/tool.h
 *
 * wardmote, the analyst's tool: its commands, one file each. */
#ifndef WM_SERVER_TOOL_TOOL_H
#define WM_SERVER_TOOL_TOOL_H

#include "common/cli.h"
#include "common/job/job.h"
#include "common/cli_log.h"
#include "common/text.h"

extern const wm_cli_command wm_tool_simulate, wm_tool_evaluate, wm_tool_predict, wm_tool_data, wm_tool_model, wm_tool_sample;
extern const wm_cli_command wm_tool_export; /* where it is built: the feature `onnx` */

int wm_tool_main(int argc, char *const *argv, FILE *out, FILE *err);

/* The `data` section of a client.yaml for the gateway `name` of this job in this folder. */
wm_status wm_client_data_yaml(const wm_job *job, const char *folder, const char *name, wm_text *ret, wm_error *err);

#endif
