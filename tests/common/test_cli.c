/* tests/common/test_cli.c */
#include "tests/unit.h"

#include "common/cli.h"
#include "common/progress.h"
#include "common/table.h"

/* ---- a program made up for the tests ---- */

typedef struct simulate_settings {
    const char *data;
    wm_words    set;
    int64_t     workers;
    double      share;
    int64_t     ttl_ms;
    int         transport;
    bool        json;
} simulate_settings;

typedef struct shared_settings {
    int log;
} shared_settings;

static wm_status run_simulate(wm_cli_call *call, const void *settings, wm_error *err)
{
    const simulate_settings *s = settings;
    const shared_settings   *shared = call->shared;

    if (strcmp(call->words[0], "broken.yaml") == 0)
        return wm_fail(err, WM_E_MISSING, "cannot open broken.yaml; name a file that is there");
    if (strcmp(call->words[0], "folder") == 0)
        return wm_cli_misused(call, err, "\"folder\" is a folder");
    fprintf(call->out, "file=%s data=%s workers=%lld share=%g ttl=%lld transport=%d json=%d log=%d", call->words[0],
            s->data, (long long)s->workers, s->share, (long long)s->ttl_ms, s->transport, s->json, shared->log);
    for (size_t i = 0; i < s->set.count; i++)
        fprintf(call->out, " set=%s", s->set.items[i]);
    for (size_t i = 1; i < call->n_words; i++)
        fprintf(call->out, " word=%s", call->words[i]);
    fputc('\n', call->out);
    return WM_OK;
}

static wm_status run_status(wm_cli_call *call, const void *settings, wm_error *err)
{
    (void)settings;
    (void)err;
    fprintf(call->out, "status of %s\n", call->words[0]);
    return WM_OK;
}

static const char *const   transports[] = { "memory", "tls", NULL };
static const char *const   forms[] = { "plain", "json", NULL };
static const wm_cli_option simulate_options[] = {
    { "data", WM_CLI_TEXT, offsetof(simulate_settings, data), "DIR", "where the readings lie" },
    { "set", WM_CLI_TEXTS, offsetof(simulate_settings, set), "KEY=VALUE", "changes the job" },
    { "workers", WM_CLI_WHOLE, offsetof(simulate_settings, workers), "N", "threads (one per core)", 1, 64 },
    { "share", WM_CLI_REAL, offsetof(simulate_settings, share), "X", "of the clients", 0, 1 },
    { "ttl", WM_CLI_DURATION, offsetof(simulate_settings, ttl_ms), "TIME", "how long (15m)", 1000, 86400000 },
    { "transport", WM_CLI_CHOICE, offsetof(simulate_settings, transport), "memory|tls", "how (memory)", 0, 0,
      transports },
    { "json", WM_CLI_FLAG, offsetof(simulate_settings, json), NULL, "one JSON object" },
};
static const wm_cli_option shared_options[] = {
    { "log", WM_CLI_CHOICE, offsetof(shared_settings, log), "plain|json", "form of the log", 0, 0, forms },
};
static const simulate_settings standard = { .data = ".", .workers = 2, .share = 1, .ttl_ms = 900000 };

static const wm_cli_command commands[] = {
    { .name = "simulate",
      .arguments = "FILE [WORD]",
      .summary = "runs a job on this machine",
      .details = "Two lines\nof details.",
      .example = "wardmote simulate air.yaml --data readings",
      .words_min = 1,
      .words_max = 2,
      .options = simulate_options,
      .n_options = sizeof simulate_options / sizeof *simulate_options,
      .settings_size = sizeof(simulate_settings),
      .standard = &standard,
      .run = run_simulate },
    { .name = "status",
      .arguments = "DIR",
      .summary = "says how it goes",
      .example = "wardmote status office",
      .words_min = 1,
      .words_max = 1,
      .run = run_status },
};

static const wm_cli_program program = { .name = "wardmote",
                                        .summary = "Trains one model with everybody.",
                                        .commands = commands,
                                        .n_commands = sizeof commands / sizeof *commands,
                                        .shared = shared_options,
                                        .n_shared = 1,
                                        .shared_size = sizeof(shared_settings) };

/* Splits `line` at its spaces, runs it, and gives what it printed. */
static int run_line(const char *line, char **out, char **err)
{
    char  *words = strdup(line), *argv[16], *rest = NULL;
    int    argc = 0, code;
    size_t n_out, n_err;
    FILE  *to_out = open_memstream(out, &n_out), *to_err = open_memstream(err, &n_err);

    assert_true(words != NULL && to_out != NULL && to_err != NULL);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    argv[argc] = NULL;
    code = wm_cli_main(&program, argc, argv, to_out, to_err);
    fclose(to_out);
    fclose(to_err);
    free(words);
    return code;
}

static void a_command_line_does_what_it_says(void **state)
{
    static const struct {
        const char *line;
        int         code;
        const char *out, *err; /* whole, or "..." before what must be in it */
    } cases[] = {
        { "wardmote simulate air.yaml", 0,
          "file=air.yaml data=. workers=2 share=1 ttl=900000 transport=0 json=0 log=0\n", "" },
        { "wardmote simulate --data d air.yaml --workers=4 --json --log json", 0,
          "file=air.yaml data=d workers=4 share=1 ttl=900000 transport=0 json=1 log=1\n", "" },
        { "wardmote simulate air.yaml --set a=1 --set=b=2 --share .5 --ttl 2h --transport tls", 0,
          "file=air.yaml data=. workers=2 share=0.5 ttl=7200000 transport=1 json=0 log=0 set=a=1 set=b=2\n", "" },
        { "wardmote simulate - -- --json", 0,
          "file=- data=. workers=2 share=1 ttl=900000 transport=0 json=0 log=0 word=--json\n", "" },
        { "wardmote status office", 0, "status of office\n", "" },
        { "wardmote --version", 0, "wardmote " WM_VERSION "\n", "" },
        { "wardmote status --version", 0, "wardmote " WM_VERSION "\n", "" },
        { "wardmote", 2, "", "...usage: wardmote COMMAND" },
        { "wardmote --help", 0, "...  simulate  runs a job on this machine\n  status    says how it goes\n", "" },
        { "wardmote help", 0, "...wardmote simulate air.yaml --data readings", "" },
        { "wardmote help status", 0, "...usage: wardmote status DIR", "" },
        { "wardmote simulate --help", 0,
          "...  --set KEY=VALUE         changes the job (may be given again)\n"
          "  --workers N             threads (one per core)\n",
          "" },
        { "wardmote simulate --help", 0, "...example:\n  wardmote simulate air.yaml --data readings\n", "" },
        { "wardmote simulate --bogus --help", 0, "...usage: wardmote simulate FILE", "" },
        { "wardmote status -h", 0, "...  --log plain|json  form of the log\n  --help            this text\n", "" },
        { "wardmote simulat air.yaml", 2, "",
          "wardmote: there is no command \"simulat\"; did you mean \"simulate\"? See wardmote --help\n" },
        { "wardmote xyzzy", 2, "", "wardmote: there is no command \"xyzzy\"; see wardmote --help\n" },
        { "wardmote simulate air.yaml --worker 3", 2, "",
          "wardmote simulate: there is no option --worker; did you mean --workers? See wardmote simulate --help\n" },
        { "wardmote status x --lgo json", 2, "", "...did you mean --log?" },
        { "wardmote simulate", 2, "", "...something is missing: wardmote simulate FILE [WORD]; see" },
        { "wardmote status a b", 2, "", "...\"b\" is one word too many: wardmote status DIR; see" },
        { "wardmote simulate a --workers", 2, "", "...--workers needs a value: --workers N; see" },
        { "wardmote simulate a --workers fifty", 2, "", "...--workers: \"fifty\" is not a whole number" },
        { "wardmote simulate a --workers 65", 2, "", "...--workers 65 must be from 1 to 64" },
        { "wardmote simulate a --workers 99999999999999999999", 2, "", "...--workers 99999999999999999999 must be from 1 to 64" },
        { "wardmote simulate a --share nan", 2, "", "...--share: \"nan\" is not a number" },
        { "wardmote simulate a --ttl 2d", 2, "", "...--ttl 2d must be from 1s to " },
        { "wardmote simulate a --ttl soon", 2, "", "...not a duration, such as 30s, 15m or 7d" },
        { "wardmote simulate a --transport udp", 2, "", "...--transport: \"udp\" is not memory or tls" },
        { "wardmote simulate a --json=yes", 2, "", "...--json takes no value" },
        { "wardmote simulate a -j", 2, "", "...options begin with two dashes: \"-j\" does not" },
        { "wardmote simulate broken.yaml", 1, "",
          "wardmote simulate: cannot open broken.yaml; name a file that is there\n" },
        { "wardmote simulate folder", 2, "",
          "wardmote simulate: \"folder\" is a folder; see wardmote simulate --help\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out = NULL, *err = NULL;
        bool  out_holds, err_holds;

        assert_case(cases[i].line, run_line(cases[i].line, &out, &err) == cases[i].code);
        out_holds = strncmp(cases[i].out, "...", 3) == 0 ? strstr(out, cases[i].out + 3) != NULL
                                                         : strcmp(out, cases[i].out) == 0;
        err_holds = strncmp(cases[i].err, "...", 3) == 0 ? strstr(err, cases[i].err + 3) != NULL
                                                         : strcmp(err, cases[i].err) == 0;
        if (!out_holds || !err_holds)
            fail_msg("%s\nprinted:\n%s\nand:\n%s", cases[i].line, out, err);
        free(out);
        free(err);
    }
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    char *argv[] = { (char[]){ "wardmote" }, (char[]){ "--version" }, NULL };
    FILE *full = fopen("/dev/full", "w"), *nowhere = fopen("/dev/null", "w");

    (void)state;
    assert_true(full != NULL && nowhere != NULL);
    assert_int_equal(wm_cli_main(&program, 2, argv, full, nowhere), WM_EXIT_FAILED);
    fclose(full);
    fclose(nowhere);
}

/* ---- tables ---- */

static void columns_line_up_whatever_the_script(void **state)
{
    static const wm_table_column columns[] = { { "client", false }, { "rmse", true }, { "why", false } };
    wm_table                     table;
    wm_text                      text = WM_TEXT_INIT;

    (void)state;
    wm_table_init(&table, columns, 3);
    wm_table_cell(&table, "%s", "Zürich");
    wm_table_number(&table, 2, 12.345);
    wm_table_cell(&table, "fine");
    wm_table_cell(&table, "%s", "北京");
    wm_table_number(&table, 2, __builtin_nan(""));
    wm_table_cell(&table, "%s", "a\tb\x1b[2J\xff");
    wm_table_cell(&table, "%s", "e\xcc\x81t"); /* e, combining acute, t */
    wm_table_number(&table, 0, 1234567);
    wm_table_write(&table, &text);
    assert_string_equal(wm_text_chars(&text), "client     rmse  why\n"
                                              "------  -------  --------\n"
                                              "Zürich    12.35  fine\n"
                                              "北京          -  a?b?[2J?\n"
                                              "e\xcc\x81t      1234567  \n");
    wm_text_release(&text);
    wm_table_release(&table);
    wm_table_init(&table, columns, 3);
    wm_table_write(&table, &text);
    assert_string_equal(wm_text_chars(&text), "client  rmse  why\n------  ----  ---\n");
    wm_text_release(&text);
}

/* The rows are RFC 3629's: what is not valid takes one byte. */
static void utf8_is_read_as_the_rfc_says(void **state)
{
    static const struct {
        const char *says, *text;
        int32_t     point;
        size_t      n_bytes;
    } cases[] = {
        { "a letter", "A", 0x41, 1 },
        { "two bytes", "\xc3\xa9", 0xe9, 2 },
        { "three bytes", "\xe2\x82\xac", 0x20ac, 3 },
        { "four bytes", "\xf0\x9f\x98\x80", 0x1f600, 4 },
        { "the last code point", "\xf4\x8f\xbf\xbf", 0x10ffff, 4 },
        { "one beyond it", "\xf4\x90\x80\x80", -1, 1 },
        { "an overlong slash", "\xc0\xaf", -1, 1 },
        { "an overlong slash in three", "\xe0\x80\xaf", -1, 1 },
        { "a surrogate", "\xed\xa0\x80", -1, 1 },
        { "a lone continuation", "\x80", -1, 1 },
        { "one that is cut off", "\xe2\x82", -1, 1 },
        { "one that goes on wrongly",
          "\xe2"
          "A\xac",
          -1, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n_bytes;

        assert_case(cases[i].says, wm_utf8_next(cases[i].text, strlen(cases[i].text), &n_bytes) == cases[i].point);
        assert_case(cases[i].says, n_bytes == cases[i].n_bytes);
    }
}

/* ---- progress ---- */

static char *progress_of(bool terminal)
{
    char       *text = NULL;
    size_t      n;
    FILE       *out = open_memstream(&text, &n);
    wm_progress progress = { .out = out, .terminal = terminal, .columns = 11 };

    assert_non_null(out);
    wm_progress_glance(&progress, "round %d: %d of %d", 1, 3, 10);
    wm_progress_show(&progress, "round %d", 1);
    wm_progress_say(&progress, "north was refused: %s", "not finite");
    wm_progress_show(&progress, "r 2");
    wm_progress_end(&progress);
    fclose(out);
    return text;
}

static void a_progress_line_is_rewritten_on_a_terminal_and_plain_in_a_pipe(void **state)
{
    char *text = progress_of(true);

    (void)state;
    assert_string_equal(text, "\rround 1: 3\rround 1   \r       \rnorth was refused: not finite\n\rr 2\n");
    free(text);
    text = progress_of(false);
    assert_string_equal(text, "round 1\nnorth was refused: not finite\nr 2\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_does_what_it_says),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(columns_line_up_whatever_the_script),
        cmocka_unit_test(utf8_is_read_as_the_rfc_says),
        cmocka_unit_test(a_progress_line_is_rewritten_on_a_terminal_and_plain_in_a_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
