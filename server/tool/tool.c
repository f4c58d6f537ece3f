/* server/tool/tool.c */
#include "server/tool/tool.h"

int wm_tool_main(int argc, char *const *argv, FILE *out, FILE *err)
{
    const wm_cli_command commands[] = {
        wm_tool_simulate, wm_tool_evaluate, wm_tool_predict,
#ifdef WM_ONNX
        wm_tool_export,
#endif
        wm_tool_data,     wm_tool_model,    wm_tool_sample,
    };
    const wm_cli_program program = {
        .name = "wardmote",
        .summary = "The analyst's tool of Wardmote: tries a federated job on one machine.",
        .commands = commands,
        .n_commands = sizeof commands / sizeof *commands,
        WM_CLI_LOGS(wm_cli_log_of_tools),
    };

    return wm_cli_main(&program, argc, argv, out, err);
}
