/* client/commands.h
 *
 * The commands of wardmote-client: enroll, run, check. */
#ifndef WM_CLIENT_COMMANDS_H
#define WM_CLIENT_COMMANDS_H

#include "common/cli.h"

extern const wm_cli_program wm_client_program;

#endif
