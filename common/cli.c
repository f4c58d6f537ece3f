/* common/cli.c */
#include "common/cli.h"

#include "common/config/values.h"
#include "common/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *see_after(const char *sentence)
{
    size_t n = strlen(sentence);

    return n > 0 && sentence[n - 1] == '?' ? " See" : "; see";
}

wm_status wm_cli_misused(wm_cli_call *call, wm_error *err, const char *fmt, ...)
{
    char    sentence[WM_ERROR_TEXT];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    call->misused = true;
    return wm_fail(err, WM_E_INVALID, "%s%s %s %s --help", sentence, see_after(sentence), call->program,
                   call->command);
}

/* ---- help ---- */

/* Each line of `text`, two spaces in. */
static void print_indented(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        fprintf(out, "%s%.*s\n", n > 0 ? "  " : "", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static size_t option_width(const wm_cli_option *option)
{
    return 2 + strlen(option->name) + (option->value != NULL ? 1 + strlen(option->value) : 0);
}

static size_t widest(const wm_cli_option *options, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++)
        if (option_width(&options[i]) > width)
            width = option_width(&options[i]);
    return width;
}

static void print_options(FILE *out, const wm_cli_option *options, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  --%s%s%s%*s  %s%s\n", options[i].name, options[i].value != NULL ? " " : "",
                options[i].value != NULL ? options[i].value : "", (int)(width - option_width(&options[i])), "",
                options[i].doc, options[i].kind == WM_CLI_TEXTS ? " (may be given again)" : "");
}

static void print_command_help(const wm_cli_program *program, const wm_cli_command *command, FILE *out)
{
    size_t width =
        widest(program->shared, program->n_shared, widest(command->options, command->n_options, strlen("--help")));

    fprintf(out, "usage: %s %s%s%s%s\n\n", program->name, command->name, *command->arguments != '\0' ? " " : "",
            command->arguments, command->n_options + program->n_shared > 0 ? " [options]" : "");
    print_indented(out, command->summary);
    if (command->details != NULL) {
        fputc('\n', out);
        print_indented(out, command->details);
    }
    fprintf(out, "\noptions:\n");
    print_options(out, command->options, command->n_options, width);
    print_options(out, program->shared, program->n_shared, width);
    fprintf(out, "  --help%*s  this text\n\nexample:\n", (int)(width - strlen("--help")), "");
    print_indented(out, command->example);
}

static void print_help(const wm_cli_program *program, FILE *out)
{
    size_t width = 0;

    for (size_t i = 0; i < program->n_commands; i++)
        if (strlen(program->commands[i].name) > width)
            width = strlen(program->commands[i].name);
    fprintf(out, "usage: %s COMMAND ... [options]\n\n  %s\n\ncommands:\n", program->name, program->summary);
    for (size_t i = 0; i < program->n_commands; i++)
        fprintf(out, "  %-*s  %s\n", (int)width, program->commands[i].name, program->commands[i].summary);
    fprintf(out, "\n%s COMMAND --help tells more of one; %s --version says which this is\n\nexample:\n",
            program->name, program->name);
    if (program->n_commands > 0)
        print_indented(out, program->commands[0].example);
}

static void print_version(const wm_cli_program *program, FILE *out)
{
    fprintf(out, "%s %s\n", program->name, WM_VERSION);
}

/* ---- options ---- */

/* A command line while it is read. The arrays have room for argc entries. */
typedef struct reading {
    const wm_cli_program *program;
    const wm_cli_command *command;
    wm_cli_call          *call;
    const char          **words;
    uint8_t              *settings, *shared; /* the structs that are filled */
    const char          **texts;             /* what the repeated options point into */
    size_t                n_texts, n_args;
    wm_error             *err;
} reading;

static const wm_cli_option *find_among(const wm_cli_option *options, size_t n, const char *name, size_t n_name)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(options[i].name) == n_name && memcmp(options[i].name, name, n_name) == 0)
            return &options[i];
    return NULL;
}

static wm_status unknown_option(reading *r, const char *name, size_t n_name)
{
    size_t       n = r->command->n_options, n_all = n + r->program->n_shared;
    const char **names = calloc(n_all + 1, sizeof *names), *nearest;
    char         text[64];
    wm_status    st;

    if (names == NULL)
        return wm_fail(r->err, WM_E_NOMEM, "no memory for the options");
    for (size_t i = 0; i < n_all; i++)
        names[i] = i < n ? r->command->options[i].name : r->program->shared[i - n].name;
    names[n_all] = "help";
    snprintf(text, sizeof text, "%.*s", (int)(n_name < 60 ? n_name : 60), name);
    nearest = wm_nearest(text, names, n_all + 1);
    st = wm_cli_misused(r->call, r->err, "there is no option --%s%s%s%s", text,
                        nearest != NULL ? "; did you mean --" : "", nearest != NULL ? nearest : "",
                        nearest != NULL ? "?" : "");
    free(names);
    return st;
}

static wm_status out_of_range(reading *r, const wm_cli_option *option, const char *value)
{
    char least[WM_DURATION_WORDS], most[WM_DURATION_WORDS];

    if (option->kind == WM_CLI_DURATION)
        return wm_cli_misused(r->call, r->err, "--%s %.60s must be from %s to %s", option->name, value,
                              wm_duration_words((int64_t)option->least, least),
                              wm_duration_words((int64_t)option->most, most));
    return wm_cli_misused(r->call, r->err, "--%s %.60s must be from %.16g to %.16g", option->name, value,
                          option->least, option->most);
}

/* Whether there is a range; without one every number will do that can be counted with. */
static bool has_range(const wm_cli_option *option)
{
    return option->least != 0 || option->most != 0;
}

static bool is_within(const wm_cli_option *option, double value)
{
    return !has_range(option) || (value >= option->least && value <= option->most);
}

static wm_status set_number(reading *r, const wm_cli_option *option, const char *value, void *field)
{
    int64_t whole = 0;
    double  real = 0;

    if (option->kind == WM_CLI_REAL    ? !wm_real_parse(value, &real)
        : option->kind == WM_CLI_WHOLE ? !wm_whole_parse(value, &whole)
                                       : !wm_duration_parse(value, &whole)) {
        if (option->kind == WM_CLI_WHOLE && has_range(option) && wm_whole_is_written(value))
            return out_of_range(r, option, value);
        return wm_cli_misused(r->call, r->err, "--%s: \"%.60s\" is not %s", option->name, value,
                              option->kind == WM_CLI_REAL    ? "a number"
                              : option->kind == WM_CLI_WHOLE ? "a whole number"
                                                             : "a duration, such as 30s, 15m or 7d");
    }
    if (!is_within(option, option->kind == WM_CLI_REAL ? real : (double)whole))
        return out_of_range(r, option, value);
    if (option->kind == WM_CLI_REAL)
        memcpy(field, &real, sizeof real);
    else
        memcpy(field, &whole, sizeof whole);
    return WM_OK;
}

static wm_status set_choice(reading *r, const wm_cli_option *option, const char *value, void *field)
{
    wm_text   words = WM_TEXT_INIT;
    wm_status st;

    for (int i = 0; option->words[i] != NULL; i++)
        if (strcmp(option->words[i], value) == 0) {
            memcpy(field, &i, sizeof i);
            return WM_OK;
        }
    for (int i = 0; option->words[i] != NULL; i++)
        wm_text_printf(&words, "%s%s",
                       i == 0                         ? ""
                       : option->words[i + 1] != NULL ? ", "
                                                      : " or ",
                       option->words[i]);
    st = wm_cli_misused(r->call, r->err, "--%s: \"%.60s\" is not %s", option->name, value, wm_text_chars(&words));
    wm_text_release(&words);
    return st;
}

/* The items of one repeated option lie one after the other in r->texts: each option has n_args places of its own. */
static void add_text(reading *r, const wm_cli_option *option, bool is_shared, const char *value, void *field)
{
    size_t       index = (size_t)(option - (is_shared ? r->program->shared : r->command->options));
    const char **items = r->texts + (index + (is_shared ? r->command->n_options : 0)) * r->n_args;
    wm_words     words;

    memcpy(&words, field, sizeof words);
    if (words.items != items) /* the defaults, until the first is given */
        words.count = 0;
    words.items = items;
    items[words.count++] = value;
    memcpy(field, &words, sizeof words);
}

static wm_status set_option(reading *r, const wm_cli_option *option, bool is_shared, const char *value)
{
    uint8_t *field = (is_shared ? r->shared : r->settings) + option->offset;

    switch (option->kind) {
    case WM_CLI_FLAG:
        *(bool *)field = true;
        return WM_OK;
    case WM_CLI_TEXT:
        memcpy(field, &value, sizeof value);
        return WM_OK;
    case WM_CLI_TEXTS:
        add_text(r, option, is_shared, value, field);
        return WM_OK;
    case WM_CLI_CHOICE:
        return set_choice(r, option, value, field);
    default:
        return set_number(r, option, value, field);
    }
}

/* argv[*i] begins with "--"; takes its value from the same or the next word. */
static wm_status read_option(reading *r, int argc, char *const *argv, int *i)
{
    const char          *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t               n_name = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const wm_cli_option *option = find_among(r->command->options, r->command->n_options, name, n_name);
    bool                 is_shared = option == NULL;
    const char          *value = equals != NULL ? equals + 1 : NULL;

    if (is_shared)
        option = find_among(r->program->shared, r->program->n_shared, name, n_name);
    if (option == NULL)
        return unknown_option(r, name, n_name);
    if (option->kind == WM_CLI_FLAG && value != NULL)
        return wm_cli_misused(r->call, r->err, "--%s takes no value", option->name);
    if (option->kind != WM_CLI_FLAG && value == NULL) {
        if (*i + 1 == argc)
            return wm_cli_misused(r->call, r->err, "--%s needs a value: --%s %s", option->name, option->name,
                                  option->value);
        value = argv[++*i];
    }
    return set_option(r, option, is_shared, value);
}

/* argv[2] and on. */
static wm_status read_words(reading *r, int argc, char *const *argv)
{
    bool      options_end = false;
    wm_status st = WM_OK;

    for (int i = 2; st == WM_OK && i < argc; i++) {
        if (options_end || argv[i][0] != '-' || argv[i][1] == '\0')
            r->words[r->call->n_words++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (argv[i][1] == '-')
            st = read_option(r, argc, argv, &i);
        else
            st = wm_cli_misused(r->call, r->err, "options begin with two dashes: \"%.60s\" does not", argv[i]);
    }
    return st;
}

static wm_status check_words(reading *r)
{
    const wm_cli_command *command = r->command;
    size_t                n = r->call->n_words;

    if (n < command->words_min)
        return wm_cli_misused(r->call, r->err, "something is missing: %s %s %s", r->program->name, command->name,
                              command->arguments);
    if (n > command->words_max)
        return wm_cli_misused(r->call, r->err, "\"%.60s\" is one word too many: %s %s%s%s",
                              r->call->words[command->words_max], r->program->name, command->name,
                              *command->arguments != '\0' ? " " : "", command->arguments);
    return WM_OK;
}

/* ---- running ---- */

static void *copy_of(const void *standard, size_t size)
{
    void *copy = calloc(1, size > 0 ? size : 1);

    if (copy != NULL && standard != NULL)
        memcpy(copy, standard, size);
    return copy;
}

/* Looked for first: who asks is told, whatever else is wrong with the line. */
static bool asks_for(const char *what, int argc, char *const *argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], what) == 0)
            return true;
    return false;
}

static wm_status call_command(reading *r, int argc, char *const *argv)
{
    wm_status st;

    if (asks_for("--help", argc, argv) || asks_for("-h", argc, argv)) {
        print_command_help(r->program, r->command, r->call->out);
        return WM_OK;
    }
    if (asks_for("--version", argc, argv)) {
        print_version(r->program, r->call->out);
        return WM_OK;
    }
    st = read_words(r, argc, argv);
    if (st == WM_OK)
        st = check_words(r);
    return st == WM_OK ? r->command->run(r->call, r->settings, r->err) : st;
}

/* Words of files and of the other end may be in the sentence: none of them steers the terminal. */
static void complain(FILE *err_out, const wm_cli_program *program, const wm_cli_command *command,
                     const char *sentence)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_add_printable(&text, sentence, strlen(sentence));
    fprintf(err_out, "%s %s: %s\n", program->name, command->name, wm_text_chars(&text));
    wm_text_release(&text);
}

static int run_command(const wm_cli_program *program, const wm_cli_command *command, int argc, char *const *argv,
                       FILE *out, FILE *err_out)
{
    wm_error    err = { 0 };
    size_t      n_args = (size_t)argc, n_options = command->n_options + program->n_shared;
    wm_cli_call call = { .program = program->name, .command = command->name, .out = out, .err = err_out };
    reading     r = { .program = program,
                      .command = command,
                      .call = &call,
                      .words = calloc(n_args, sizeof *r.words),
                      .settings = copy_of(command->standard, command->settings_size),
                      .shared = copy_of(program->shared_standard, program->shared_size),
                      .texts = calloc(n_args * (n_options + 1), sizeof *r.texts),
                      .n_args = n_args,
                      .err = &err };
    wm_status   st;

    call.words = r.words;
    call.shared = program->shared_size > 0 ? r.shared : NULL;
    if (r.words == NULL || r.settings == NULL || r.shared == NULL || r.texts == NULL)
        st = wm_fail(&err, WM_E_NOMEM, "no memory for the command line");
    else
        st = call_command(&r, argc, argv);
    if (st != WM_OK)
        complain(err_out, program, command, *err.text != '\0' ? err.text : wm_status_name(st));
    free(r.words);
    free(r.settings);
    free(r.shared);
    free(r.texts);
    return st == WM_OK ? WM_EXIT_DONE : call.misused ? WM_EXIT_MISUSED : WM_EXIT_FAILED;
}

static const wm_cli_command *find_command(const wm_cli_program *program, const char *name)
{
    for (size_t i = 0; i < program->n_commands; i++)
        if (strcmp(program->commands[i].name, name) == 0)
            return &program->commands[i];
    return NULL;
}

static int unknown_command(const wm_cli_program *program, const char *name, FILE *err)
{
    const char **names = calloc(program->n_commands + 1, sizeof *names), *nearest = NULL;

    for (size_t i = 0; names != NULL && i < program->n_commands; i++)
        names[i] = program->commands[i].name;
    if (names != NULL)
        nearest = wm_nearest(name, names, program->n_commands);
    fprintf(err, "%s: there is no command \"%.60s\"%s%s%s %s --help\n", program->name, name,
            nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
            nearest != NULL ? "\"? See" : "; see", program->name);
    free(names);
    return WM_EXIT_MISUSED;
}

static int print_help_of(const wm_cli_program *program, const char *name, FILE *out, FILE *err)
{
    const wm_cli_command *command = name != NULL ? find_command(program, name) : NULL;

    if (name != NULL && command == NULL)
        return unknown_command(program, name, err);
    if (command != NULL)
        print_command_help(program, command, out);
    else
        print_help(program, out);
    return WM_EXIT_DONE;
}

int wm_cli_main(const wm_cli_program *program, int argc, char *const *argv, FILE *out, FILE *err)
{
    const char           *name = argc > 1 ? argv[1] : NULL;
    const wm_cli_command *command = name != NULL ? find_command(program, name) : NULL;
    int                   code;

    if (command != NULL)
        code = run_command(program, command, argc, argv, out, err);
    else if (name == NULL) {
        print_help(program, err);
        code = WM_EXIT_MISUSED;
    } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        code = print_help_of(program, argc > 2 ? argv[2] : NULL, out, err);
    else if (strcmp(name, "--version") == 0) {
        print_version(program, out);
        code = WM_EXIT_DONE;
    } else
        code = unknown_command(program, name, err);
    /* A full disk or a closed pipe behind the output must not look like success. */
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(err, "%s: the output could not be written; see whether the disk is full\n", program->name);
        code = code == WM_EXIT_DONE ? WM_EXIT_FAILED : code;
    }
    return code;
}
