/* client/commands.c */
#include "client/commands.h"

#include "client/check.h"
#include "client/enrol.h"
#include "client/gateway.h"
#include "common/cli_log.h"
#include "common/crypto/keys.h"

#include <stdlib.h>
#include <string.h>

/* ---- shared by all commands ---- */

/* Every fault of client.yaml, one a line; the sentence of the error repeats only the first. */
static void print_faults(const wm_cli_call *call, const wm_faults *faults)
{
    if (faults->count > 1)
        fputs(wm_text_chars(&faults->lines), call->err);
}

/* ---- enroll ---- */

typedef struct enroll_settings {
    const char *token;
} enroll_settings;

static const wm_cli_option enroll_options[] = {
    { .name = "token",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(enroll_settings, token),
      .value = "FILE",
      .doc = "the file with the one-time token; - reads it from standard input" },
};

enum { TOKEN_FILE_MAX = 4096 };

/* text[TOKEN_FILE_MAX] <- the token's file, or standard input. Never from the command line, which others can see. */
static wm_status read_token(const char *path, char *text, size_t *n, wm_error *err)
{
    bool  standard_input = strcmp(path, "-") == 0;
    FILE *file = standard_input ? stdin : fopen(path, "re");

    if (file == NULL)
        return wm_fail(err, WM_E_MISSING, "cannot read the token's file %s", path);
    *n = fread(text, 1, TOKEN_FILE_MAX, file);
    if (!standard_input)
        fclose(file);
    if (*n == 0)
        return wm_fail(err, WM_E_MALFORMED,
                       "there is no token in %s; make one with `wardmote-server token DIR NAME`",
                       standard_input ? "standard input" : path);
    return WM_OK;
}

static wm_status enroll(wm_cli_call *call, const void *settings, wm_error *err)
{
    const enroll_settings *set = settings;
    const char            *folder = call->words[0];
    char                   text[TOKEN_FILE_MAX], name[WM_NAME_TEXT];
    size_t                 n;
    wm_status              st;

    if (set->token == NULL)
        return wm_cli_misused(call, err, "say where the token is: --token FILE, or --token - for standard input");
    st = read_token(set->token, text, &n, err);
    if (st == WM_OK)
        st = wm_enrol(wm_files_system(), folder, text, n, name, err);
    wm_secret_wipe(text, sizeof text);
    if (st != WM_OK)
        return st;
    fprintf(call->out,
            "enrolled as \"%s\"\n"
            "next: say in %s/client.yaml where the readings lie, then\n"
            "    wardmote-client check %s\n"
            "    wardmote-client run %s\n",
            name, folder, folder, folder);
    return WM_OK;
}

/* ---- run ---- */

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    wm_log   *log;
    wm_faults faults;
    wm_status st = wm_cli_log(call, &log, err);

    (void)settings;
    if (st != WM_OK)
        return st;
    wm_faults_init(&faults, "client.yaml");
    st = wm_gateway_run(&(wm_gateway_settings){ .folder = call->words[0],
                                                .files = wm_files_system(),
                                                .clock = wm_clock_system(),
                                                .log = log,
                                                .faults = &faults },
                        err);
    print_faults(call, &faults);
    wm_faults_release(&faults);
    wm_log_free(log);
    return st;
}

/* ---- check ---- */

static wm_status check(wm_cli_call *call, const void *settings, wm_error *err)
{
    wm_faults faults;
    wm_status st;

    (void)settings;
    wm_faults_init(&faults, "client.yaml");
    st = wm_check(wm_files_system(), call->words[0], wm_clock_system(), call->out, &faults, err);
    print_faults(call, &faults);
    wm_faults_release(&faults);
    return st;
}

/* ---- the program ---- */

static const wm_cli_command commands[] = {
    { .name = "enroll",
      .arguments = "DIR --token FILE|-",
      .summary = "joins an office with a one-time token; makes DIR and its client.yaml",
      .details =
          "The private key is made here and never leaves. The token is read from a file or from standard input,\n"
          "never from the command line, where others could see it.\n",
      .example = "wardmote-client enroll /var/lib/wardmote --token north.token\n",
      .words_min = 1,
      .words_max = 1,
      .options = enroll_options,
      .n_options = sizeof enroll_options / sizeof *enroll_options,
      .settings_size = sizeof(enroll_settings),
      .run = enroll },
    { .name = "run",
      .arguments = "DIR",
      .summary = "the gateway's daemon: trains when asked, until SIGTERM; renews its certificate by itself",
      .example = "wardmote-client run /var/lib/wardmote\n",
      .words_min = 1,
      .words_max = 1,
      .run = run },
    { .name = "check",
      .arguments = "DIR",
      .summary = "names the first thing that is wrong with this gateway, and how to mend it",
      .details = "Looks at the certificate, client.yaml, the readings and the way to each server, in that order.\n",
      .example = "wardmote-client check /var/lib/wardmote\n",
      .words_min = 1,
      .words_max = 1,
      .run = check },
};

const wm_cli_program wm_client_program = {
    .name = "wardmote-client",
    .summary = "A district gateway of Wardmote: trains on its own readings, which never leave it.",
    .commands = commands,
    .n_commands = sizeof commands / sizeof *commands,
    WM_CLI_LOGS(wm_cli_log_of_daemons),
};
