/* wardmote-server's command line and server.yaml: what is understood, and what is said of what is not. */
#include "tests/unit.h"

#include "common/files.h"
#include "common/crypto/token.h"
#include "server/commands/commands.h"

typedef struct said {
    int   code;
    char *out, *err;
} said;

/* `line`: words with single spaces between. */
static said run(const char *line)
{
    char  *copy = strdup(line), *argv[16] = { NULL }, *rest = copy;
    size_t n_out, n_err;
    said   s;
    FILE  *out = open_memstream(&s.out, &n_out), *err = open_memstream(&s.err, &n_err);
    int    argc = 0;

    for (char *word; (word = strsep(&rest, " ")) != NULL && argc < 15;)
        argv[argc++] = word;
    s.code = wm_cli_main(&wm_server_program, argc, argv, out, err);
    fclose(out);
    fclose(err);
    free(copy);
    return s;
}

static void forget(said *s)
{
    free(s->out);
    free(s->err);
}

static void the_command_line_is_checked_before_anything_is_done(void **state)
{
    static const struct {
        const char *line;
        int         code;
        const char *out, *err; /* a part of it; NULL: nothing */
    } cases[] = {
        { "wardmote-server --version", 0, "0.1.0", NULL },
        { "wardmote-server --help", 0, "init", NULL },
        { "wardmote-server init --help", 0, "wardmote-server init office --name", NULL },
        { "wardmote-server job --help", 0, "start FILE|list|stop ID", NULL },
        { "wardmote-server", 2, NULL, "wardmote-server" },
        { "wardmote-server stauts office", 2, NULL, "did you mean \"status\"" },
        { "wardmote-server run", 2, NULL, "DIR" },
        { "wardmote-server status office --jsn", 2, NULL, "--json" },
        { "wardmote-server token office North", 2, NULL, "a gateway's name" },
        { "wardmote-server token office north --ttl soon", 2, NULL, "soon" },
        { "wardmote-server job office dance", 2, NULL, "job DIR start FILE" },
        { "wardmote-server job office start", 2, NULL, "job DIR start FILE" },
        { "wardmote-server status /nowhere/office", 1, NULL, "no data office" },
        { "wardmote-server clients /nowhere/office", 1, NULL, "wardmote-server init" },
        { "wardmote-server run /nowhere/office", 1, NULL, "make an office" },
        { "wardmote-server job /nowhere/office start /nowhere/job.yaml", 1, NULL, "job.yaml" },
    };

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        said s = run(cases[c].line);

        assert_case(cases[c].line, s.code == cases[c].code);
        assert_case(cases[c].line, cases[c].out == NULL ? s.out[0] == '\0' : strstr(s.out, cases[c].out) != NULL);
        assert_case(cases[c].line, cases[c].err == NULL ? s.err[0] == '\0' : strstr(s.err, cases[c].err) != NULL);
        forget(&s);
    }
}

static void the_first_server_yaml_reads_back_as_the_defaults(void **state)
{
    static const char *const names[] = { "office.example", "2001:db8::1" };
    char                     folder[4096], *addresses[WM_TOKEN_ADDRESSES];
    wm_server_config         config;
    wm_arena                *memory;
    wm_faults                faults;
    size_t                   n;
    wm_error                 err;

    (void)state;
    wm_test_folder(folder);
    wm_faults_init(&faults, "server.yaml");
    assert_int_equal(wm_server_config_read(wm_files_system(), folder, &faults, &config, &memory, &err),
                     WM_E_MISSING);
    assert_ok(wm_server_config_write(wm_files_system(), folder, names, 2, &err), &err);
    assert_ok(wm_server_config_read(wm_files_system(), folder, &faults, &config, &memory, &err), &err);
    assert_string_equal(config.listen.control, "0.0.0.0:7400");
    assert_string_equal(config.listen.enrolment, "0.0.0.0:7402");
    assert_int_equal(config.names.count, 2);
    assert_string_equal(config.names.items[1], "2001:db8::1");
    assert_int_equal(config.uploads.at_once, 4);
    assert_int_equal(config.uploads.memory, 8 << 20);
    assert_int_equal(config.connections.idle_ms, 90000);
    assert_int_equal(config.certificates.gateway_ms, 30ll * 86400 * 1000);
    assert_ok(wm_server_config_addresses(&config, addresses, WM_TOKEN_ADDRESSES, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_string_equal(addresses[0], "office.example:7402");
    assert_string_equal(addresses[1], "[2001:db8::1]:7402");
    for (size_t i = 0; i < n; i++)
        free(addresses[i]);
    wm_arena_free(memory);
    wm_faults_release(&faults);
    assert_int_equal(wm_folder_remove(folder, NULL), WM_OK);
}

static void every_fault_of_server_yaml_has_its_place(void **state)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        { "listen: {control: 7400}\nnames: [a]\n", "control: \"7400\" is no address and port" },
        { "listen: {control: \"0.0.0.0:1\", bulk: \"0.0.0.0:1\"}\nnames: [a]\n", "cannot both listen" },
        { "names: []\n", "names" },
        { "names: [\"a b\"]\n", "neither a host name nor an address" },
        { "listen: {}\n", "names: must be given" },
        { "names: [a]\naddresses: [office]\n", "no host and port" },
        { "names: [a]\naddresses: [\"a:1\", \"a:2\", \"a:3\", \"a:4\", \"a:5\"]\n", "a token has room for 4" },
        { "names: [a]\nuploads: {at_once: 0}\n", "uploads.at_once" },
        { "names: [a]\nupload: {at_once: 1}\n", "uploads" },
    };
    char folder[4096], *path;

    (void)state;
    wm_test_folder(folder);
    path = wm_path_join(folder, "server.yaml");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        wm_server_config config;
        wm_arena        *memory;
        wm_faults        faults;
        wm_text          lines = WM_TEXT_INIT;

        assert_int_equal(
            wm_files_system()->replace(wm_files_system(), path, cases[c].text, strlen(cases[c].text), 0600, NULL),
            WM_OK);
        wm_faults_init(&faults, "server.yaml");
        assert_case(cases[c].text, wm_server_config_read(wm_files_system(), folder, &faults, &config, &memory,
                                                         NULL) == WM_E_INVALID);
        wm_faults_report(&faults, &lines);
        assert_case(cases[c].text, strstr(wm_text_chars(&lines), cases[c].fault) != NULL);
        wm_text_release(&lines);
        wm_faults_release(&faults);
    }
    free(path);
    assert_int_equal(wm_folder_remove(folder, NULL), WM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_line_is_checked_before_anything_is_done),
        cmocka_unit_test(the_first_server_yaml_reads_back_as_the_defaults),
        cmocka_unit_test(every_fault_of_server_yaml_has_its_place),
    };

    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
