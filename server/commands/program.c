/* server/commands/program.c: the table of commands. */
#include "server/commands/commands.h"

static const wm_cli_option init_options[] = {
    { .name = "name",
      .kind = WM_CLI_TEXTS,
      .offset = offsetof(wm_init_settings, names),
      .value = "HOST",
      .doc = "a host name or address by which gateways reach the server; this machine's name if none" },
};

static const wm_cli_option token_options[] = {
    { .name = "ttl",
      .kind = WM_CLI_DURATION,
      .offset = offsetof(wm_token_settings, ttl_ms),
      .value = "TIME",
      .least = 1000,
      .most = 30.0 * 86400e3,
      .doc = "how long the token may be used: 15m if not given" },
};

static const wm_token_settings token_standard = { .ttl_ms = 15 * 60 * 1000 };

static const wm_cli_option form_options[] = {
    { .name = "json",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(wm_form_settings, json),
      .doc = "as JSON, for programs" },
};

static const wm_cli_option verify_options[] = {
    { .name = "json",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(wm_verify_settings_of_command, json),
      .doc = "as JSON, for programs" },
    { .name = "heads",
      .kind = WM_CLI_TEXTS,
      .offset = offsetof(wm_verify_settings_of_command, heads),
      .value = "FILE",
      .doc = "a gateway's DIR/audit-heads: what it was shown of the audit must be in it" },
};

static const wm_cli_option issuer_options[] = {
    { .name = "with-parent",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(wm_issuer_settings_of_command, with_parent),
      .doc = "end when standard input ends: how `run` starts it" },
    { .name = "gateway-life",
      .kind = WM_CLI_DURATION,
      .offset = offsetof(wm_issuer_settings_of_command, gateway_life_ms),
      .value = "TIME",
      .least = 1000,
      .most = 3650 * 86400e3,
      .doc = "how long a gateway's certificate is valid: 30d if not given" },
    { .name = "server-life",
      .kind = WM_CLI_DURATION,
      .offset = offsetof(wm_issuer_settings_of_command, server_life_ms),
      .value = "TIME",
      .least = 1000,
      .most = 3650 * 86400e3,
      .doc = "how long the server's certificate is valid: 90d if not given" },
};

static const wm_issuer_settings_of_command issuer_standard = { .gateway_life_ms = 30ll * 86400 * 1000,
                                                               .server_life_ms = 90ll * 86400 * 1000 };

#define OPTIONS(list) .options = list, .n_options = sizeof list / sizeof *list

static const wm_cli_command commands[] = {
    { .name = "init",
      .arguments = "DIR [--name HOST]...",
      .summary = "make a data office: root key, issuing authority, certificate, server.yaml, empty store",
      .details = "What is there already stays. Run it again with another --name to add one to the certificate.",
      .example = "wardmote-server init office --name aggregator.city.example",
      .words_min = 1,
      .words_max = 1,
      OPTIONS(init_options),
      .settings_size = sizeof(wm_init_settings),
      .run = wm_command_init },
    { .name = "run",
      .arguments = "DIR",
      .summary = "the aggregator, until SIGTERM",
      .example = "wardmote-server run office --log json",
      .words_min = 1,
      .words_max = 1,
      .run = wm_command_run },
    { .name = "token",
      .arguments = "DIR NAME [--ttl 15m]",
      .summary = "print a one-time token with which the gateway NAME enrols",
      .details = "The token is a secret until it is used. It goes to standard output, all else to standard error.",
      .example = "wardmote-server token office north | ssh north wardmote-client enroll gateway --token -",
      .words_min = 2,
      .words_max = 2,
      OPTIONS(token_options),
      .settings_size = sizeof(wm_token_settings),
      .standard = &token_standard,
      .run = wm_command_token },
    { .name = "job",
      .arguments = "DIR start FILE|list|stop ID",
      .summary = "start a job (prints its run's id), list the runs, stop one",
      .details = "Jobs run one after the other. What a run leaves is in DIR/runs/ID.",
      .example = "wardmote-server job office start air_quality.yaml\nwardmote-server job office list",
      .words_min = 2,
      .words_max = 3,
      OPTIONS(form_options),
      .settings_size = sizeof(wm_form_settings),
      .run = wm_command_job },
    { .name = "clients",
      .arguments = "DIR",
      .summary = "each gateway: last seen, last refusal and why, its certificate's end",
      .example = "wardmote-server clients office",
      .words_min = 1,
      .words_max = 1,
      OPTIONS(form_options),
      .settings_size = sizeof(wm_form_settings),
      .run = wm_command_clients },
    { .name = "revoke",
      .arguments = "DIR NAME",
      .summary = "refuse a gateway from now on, and close its connections",
      .example = "wardmote-server revoke office north",
      .words_min = 2,
      .words_max = 2,
      .run = wm_command_revoke },
    { .name = "status",
      .arguments = "DIR [--json]",
      .summary = "the run, its round, who is waited for and since when",
      .details = "Exit code 1 if no server runs; what the store knows is shown all the same.",
      .example = "wardmote-server status office",
      .words_min = 1,
      .words_max = 1,
      OPTIONS(form_options),
      .settings_size = sizeof(wm_form_settings),
      .run = wm_command_status },
    { .name = "backup",
      .arguments = "DIR TO",
      .summary = "a consistent copy of the store, its models and server.yaml, while the server runs",
      .details =
          "Checked before it gets its name. Keys are not in it: keep DIR/root.key and, if gateways are to renew with\n"
          "the same authority, copies of DIR/server.key and DIR/issuer where you keep secrets. To restore, put\n"
          "store.db and blobs/ in the place of those in DIR, remove DIR/store.db-wal, and verify.",
      .example = "wardmote-server backup office /mnt/backup/office-monday\n"
                 "wardmote-server verify /mnt/backup/office-monday",
      .words_min = 2,
      .words_max = 2,
      .run = wm_command_backup },
    { .name = "verify",
      .arguments = "DIR [--heads FILE]... [--json]",
      .summary = "check the whole history of an office, or of a backup of one",
      .details =
          "The audit's hash chain and every row that it tells of; every accepted update in exactly one committed round;\n"
          "model r+1 computed again, bit for bit, from model r and the stored sums; every file against its name.\n"
          "Each violation is a sentence that names run, round, client or audit line, and the file. Rounds whose files\n"
          "a job has let go (its `keep`) cannot be computed again, and are said. Nothing in DIR is changed,\n"
          "and a server that runs goes on.\n"
          "Exit code 0: all of it holds. 1: something does not, or it could not be checked.",
      .example = "wardmote-server verify office\nwardmote-server verify /mnt/backup/office-monday --json\n"
                 "wardmote-server verify office --heads north/audit-heads --heads south/audit-heads",
      .words_min = 1,
      .words_max = 1,
      OPTIONS(verify_options),
      .settings_size = sizeof(wm_verify_settings_of_command),
      .run = wm_command_verify },
    { .name = "issuer",
      .arguments = "DIR",
      .summary = "the issuing process alone; `run` starts it by itself",
      .example = "wardmote-server issuer office",
      .words_min = 1,
      .words_max = 1,
      OPTIONS(issuer_options),
      .settings_size = sizeof(wm_issuer_settings_of_command),
      .standard = &issuer_standard,
      .run = wm_command_issuer },
};

const wm_cli_program wm_server_program = {
    .name = "wardmote-server",
    .summary = "The aggregator of a city's data office.",
    .commands = commands,
    .n_commands = sizeof commands / sizeof *commands,
    WM_CLI_LOGS(wm_cli_log_of_daemons),
};
