/* server/commands/commands.h
 *
 * The commands of wardmote-server, and what they share. A command that needs the office's store asks the server that
 * runs, through its socket; where none runs it opens the store itself. */
#ifndef WM_SERVER_COMMANDS_H
#define WM_SERVER_COMMANDS_H

#include "common/arena.h"
#include "common/cli.h"
#include "common/cli_log.h"
#include "server/config.h"

#include <jansson.h>

extern const wm_cli_program wm_server_program;

/* server.yaml of the office; its faults, if there are any, are on call->err then. *memory as wm_server_config_read. */
wm_status wm_command_config(wm_cli_call *call, const char *folder, wm_server_config *ret, wm_arena **memory,
                            wm_error *err);

typedef struct wm_command {
    const char        *verb;
    const char *const *words;
    size_t             n_words;
    const void        *text; /* a job's file */
    size_t             n_text;
} wm_command;

/* Has the command carried out for the office in `folder`. *ret: the answer, to json_decref. If it has more to say than a
 * sentence (the faults of a job), that is on call->err then. */
wm_status wm_command_ask(wm_cli_call *call, const char *folder, const wm_command *command, json_t **ret,
                         wm_error *err);

/* A member of an answer; "" and 0 if it is null or not there. */
const char *wm_json_text(const json_t *object, const char *name);
long long   wm_json_int(const json_t *object, const char *name);

/* "2026-11-22 14:03" out of a time of an answer; "-" if there is none. text[20]. */
const char *wm_json_time(const json_t *object, const char *name, char text[20]);

/* The whole answer as it came, for --json. */
wm_status wm_command_print_json(const wm_cli_call *call, const json_t *answer, wm_error *err);

wm_status wm_command_backup(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_clients(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_init(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_issuer(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_job(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_revoke(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_run(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_status(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_token(wm_cli_call *call, const void *settings, wm_error *err);
wm_status wm_command_verify(wm_cli_call *call, const void *settings, wm_error *err);

/* Their settings. */
typedef struct wm_init_settings {
    wm_words names;
} wm_init_settings;

typedef struct wm_token_settings {
    int64_t ttl_ms;
} wm_token_settings;

typedef struct wm_issuer_settings_of_command {
    bool    with_parent;
    int64_t gateway_life_ms, server_life_ms;
} wm_issuer_settings_of_command;

typedef struct wm_form_settings {
    bool json;
} wm_form_settings;

typedef struct wm_verify_settings_of_command {
    bool     json;
    wm_words heads;
} wm_verify_settings_of_command;

#endif
