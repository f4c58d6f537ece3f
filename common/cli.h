/* common/cli.h
 *
 * The command line of all three programs: a table of commands, a table of options for each, and what every program
 * owes its user: --help with an example everywhere, --version, the nearest name for a mistyped one, errors on
 * standard error in one sentence that says what to do next, and exit codes 0 (done), 1 (failed), 2 (misused).
 *
 *     wardmote-server init office --name aggregator.city.example
 *     program         command word option value
 *
 * Options may stand anywhere behind the command, as --name value or --name=value; "--" ends them; "-" is a word. */
#ifndef WM_COMMON_CLI_H
#define WM_COMMON_CLI_H

#include "common/config/family.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WM_EXIT_DONE = 0, WM_EXIT_FAILED = 1, WM_EXIT_MISUSED = 2 };

/* What an option is in the settings struct of its command. */
typedef enum wm_cli_kind {
    WM_CLI_FLAG,     /* bool; takes no value */
    WM_CLI_TEXT,     /* const char * */
    WM_CLI_TEXTS,    /* wm_words: may be given again and again */
    WM_CLI_WHOLE,    /* int64_t, within [least, most] */
    WM_CLI_REAL,     /* double, within [least, most] */
    WM_CLI_DURATION, /* int64_t ms: 250ms, 15m, 7d; within [least, most] ms */
    WM_CLI_CHOICE,   /* int: the index of the word in `words` */
} wm_cli_kind;

typedef struct wm_cli_option {
    const char        *name; /* without the dashes */
    wm_cli_kind        kind;
    size_t             offset;      /* in the settings struct */
    const char        *value;       /* what stands for it in the help: "DIR"; NULL for a flag */
    const char        *doc;         /* one line; says the default, if there is one */
    double             least, most; /* both 0: any */
    const char *const *words;       /* WM_CLI_CHOICE: ends with NULL */
} wm_cli_option;

/* A command as it was called. */
typedef struct wm_cli_call {
    const char        *program, *command;
    const char *const *words; /* what is not an option */
    size_t             n_words;
    const void        *shared; /* the program's shared settings; NULL if it has none */
    FILE              *out, *err;
    bool               misused; /* set by wm_cli_misused */
} wm_cli_call;

typedef struct wm_cli_command {
    const char          *name;
    const char          *arguments;            /* for the help: "DIR start FILE|list|stop ID"; "" for none */
    const char          *summary;              /* one line, for the list of commands */
    const char          *details;              /* more about it, whole lines; NULL for none */
    const char          *example;              /* whole lines, each a command */
    size_t               words_min, words_max; /* SIZE_MAX: no end */
    const wm_cli_option *options;
    size_t               n_options;
    size_t               settings_size; /* of the struct that the options fill; 0 for none */
    const void          *standard;      /* its defaults; NULL: zeros */

    /* An error is printed behind the program's and the command's name and makes the exit code 1; after
     * wm_cli_misused, 2. */
    wm_status (*run)(wm_cli_call *call, const void *settings, wm_error *err);
} wm_cli_command;

typedef struct wm_cli_program {
    const char           *name;    /* "wardmote-server" */
    const char           *summary; /* one sentence */
    const wm_cli_command *commands;
    size_t                n_commands;
    const wm_cli_option  *shared; /* options of every command, with a struct of their own */
    size_t                n_shared;
    size_t                shared_size;
    const void           *shared_standard;
} wm_cli_program;

/* The exit code. argv as main got it; what is printed goes to `out` and `err`. */
int wm_cli_main(const wm_cli_program *program, int argc, char *const *argv, FILE *out, FILE *err);

/* For a command that finds its words do not make sense: fills *err and makes the exit code 2. */
__attribute__((format(printf, 3, 4))) wm_status wm_cli_misused(wm_cli_call *call, wm_error *err, const char *fmt,
                                                               ...);

#endif
