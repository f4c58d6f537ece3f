/* tests/client/test_config.c
 *
 * client.yaml: what `enroll` writes is read back, an installer's slips are named with their place and all at once, and a
 * file that says little is no trap for what reads it. */
#include "tests/client/data_job.h"

#include "client/config.h"
#include "client/enrol.h"
#include "common/config/faults.h"

typedef struct place {
    char             folder[4096];
    wm_faults        faults;
    wm_client_config config;
    wm_arena        *memory;
    wm_error         err;
} place;

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    wm_test_folder(p->folder);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;

    assert_ok(wm_folder_remove(p->folder, &p->err), &p->err);
    free(p);
    return 0;
}

static wm_status read_config(place *p)
{
    p->memory = NULL;
    p->err.text[0] = '\0';
    wm_faults_init(&p->faults, "client.yaml");
    return wm_client_config_read(wm_files_system(), p->folder, &p->faults, &p->config, &p->memory, &p->err);
}

static void release(place *p)
{
    wm_faults_release(&p->faults);
    wm_arena_free(p->memory);
}

static wm_status read_text(place *p, const char *text)
{
    test_write(p->folder, "client.yaml", text, strlen(text));
    return read_config(p);
}

#define DATA "data: {source: {csv: \"*.csv\"}}\n"

static void what_enroll_writes_is_read_back(void **state)
{
    static const char *const servers[] = { "aggregator.city.example", "2001:db8::7", "192.0.2.4" };
    place                   *p = *state;
    char                     path[4200], **urls;
    size_t                   n;

    assert_ok(wm_client_config_write(wm_files_system(), p->folder, servers, 3, 7400, 7401, 7402, &p->err), &p->err);
    /* Where the readings lie is the installer's to say; until then that is what is wrong, and nothing else. */
    assert_int_equal(read_config(p), WM_E_INVALID);
    assert_int_equal(p->faults.count, 1);
    assert_non_null(strstr(p->err.text, "client.yaml:2:1: data.source: must be given: "));
    release(p);
    snprintf(path, sizeof path, "%s/client.yaml", p->folder);
    assert_ok(wm_files_system()->append(wm_files_system(), path, DATA, strlen(DATA), &p->err), &p->err);
    assert_ok(read_config(p), &p->err);
    assert_int_equal(p->faults.count, 0);
    assert_int_equal(p->config.servers.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(p->config.servers.items[i], servers[i]);
    assert_int_equal(p->config.control_port, 7400);
    assert_int_equal(p->config.bulk_port, 7401);
    assert_int_equal(p->config.enrolment_port, 7402);
    assert_ok(wm_client_urls(&p->config, p->config.bulk_port, &urls, &n, &p->err), &p->err);
    assert_int_equal(n, 3);
    assert_string_equal(urls[0], "tls+tcp://aggregator.city.example:7401");
    assert_string_equal(urls[1], "tls+tcp://[2001:db8::7]:7401");
    assert_string_equal(urls[2], "tls+tcp://192.0.2.4:7401");
    wm_names_free(urls, n);
    release(p);
}

/* The comments that `enroll` leaves are a start: without their # they are a configuration. */
static void what_enroll_leaves_as_comments_holds(void **state)
{
    static const char *const servers[] = { "localhost" };
    place                   *p = *state;
    char                     path[4200];
    uint8_t                 *bytes;
    size_t                   n;

    assert_ok(wm_client_config_write(wm_files_system(), p->folder, servers, 1, 1, 2, 65535, &p->err), &p->err);
    snprintf(path, sizeof path, "%s/client.yaml", p->folder);
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 16, &bytes, &n, &p->err), &p->err);
    /* "#data:" and, under it, "#  folder:"; "# Where ..." stays a comment. */
    for (size_t i = 1; i + 2 < n; i++)
        if (bytes[i - 1] == '\n' && bytes[i] == '#' && (bytes[i + 1] != ' ' || bytes[i + 2] == ' '))
            bytes[i] = bytes[i + 1] == ' ' ? ' ' : '\n';
    assert_ok(read_text(p, (const char *)bytes), &p->err);
    free(bytes);
    assert_string_equal(p->config.data.folder, "/var/lib/readings");
    assert_string_equal(p->config.data.source.member->name, "csv");
    assert_int_equal(p->config.data.columns.count, 2);
    assert_int_equal(p->config.data.memory_max, 64 << 20);
    assert_int_equal(p->config.limits.nice, 10);
    release(p);
}

static void faults_are_named_with_their_place(void **state)
{
    static const struct {
        const char *text, *fault; /* behind "client.yaml:" */
    } rows[] = {
        { "control: 7400\n" DATA,
          "1:1: servers: must be given: The aggregator's host names or addresses; the next is tried when one does not answer." },
        { "servers: []\n" DATA, "1:10: servers: the list is empty; at least one is needed" },
        { "servers: [a]\nserver: b\n" DATA, "2:1: server: unknown key; did you mean \"servers\"?" },
        { "servers: [a]\ncontrol: 0\n" DATA, "2:10: control: \"0\" is out of range: it must be from 1 to 65535" },
        { "servers: [a]\nbulk: 70000\n" DATA, "2:7: bulk: \"70000\" is out of range: it must be from 1 to 65535" },
        { "servers: [a]\nenrolment: many\n" DATA, "2:12: enrolment: \"many\" is not a whole number" },
        { "servers: [a]\ndata: {folder: x}\n",
          "2:7: data.source: must be given: Where this gateway's readings lie: a source, such as {csv: \"*.csv\"}." },
        { "servers: [a]\ndata: {source: {parquet: x}}\n",
          "2:17: data.source: \"parquet\" is not a known source; known here: csv, idx, synthetic, text" },
        { "servers: [a]\ndata: {source: {csv: \"*.csv\"}, owner: {colum: x}}\n",
          "2:40: data.owner: \"colum\" is not a known owner; did you mean \"column\"?" },
        { "servers: [a]\ndata: {source: {csv: \"*.csv\"}, examples_min: 0}\n",
          "2:46: data.examples_min: \"0\" is out of range: it must be from 1 to 1000000000" },
        { "servers: [a]\nlimits: {memory: lots}\n" DATA,
          "2:18: limits.memory: \"lots\" is not a size such as 64KiB or 500MB" },
        { "servers: [a]\nlimits: {nice: 20}\n" DATA,
          "2:16: limits.nice: \"20\" is out of range: it must be from 0 to 19" },
        { "servers: [a\n",
          "2:1: not YAML: did not find expected ',' or ']', while parsing a flow sequence (which began on line 1)" },
        { "",
          "1:1: servers: must be given: The aggregator's host names or addresses; the next is tried when one does not answer. (and 1 more)" },
        { "servers: [a]\nservers: [b]\n" DATA, "2:1: servers: is given twice; first on line 1" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        place      *p = *state;
        wm_status   st = read_text(p, rows[i].text);
        const char *at = strstr(p->err.text, "client.yaml:");

        if (at == NULL || strcmp(at + strlen("client.yaml:"), rows[i].fault) != 0)
            print_error("said: %s\n", p->err.text);
        assert_case(rows[i].fault, st == WM_E_INVALID && at != NULL);
        assert_case(rows[i].fault, strcmp(at + strlen("client.yaml:"), rows[i].fault) == 0);
        release(p);
    }
}

static void all_faults_come_in_one_go(void **state)
{
    place *p = *state;

    assert_int_equal(read_text(p, "servers: [a]\ncontrol: 0\nlimits: {nice: 20, memory: lots}\n" DATA),
                     WM_E_INVALID);
    assert_int_equal(p->faults.count, 3);
    assert_non_null(strstr(wm_text_chars(&p->faults.lines), "client.yaml:2:10: control:"));
    assert_non_null(strstr(wm_text_chars(&p->faults.lines), "limits.nice:"));
    assert_non_null(strstr(wm_text_chars(&p->faults.lines), "limits.memory:"));
    release(p);
}

/* More than are shown: the count of the others is said after the reader has gone. */
static void sixty_faults_are_counted_under_the_files_name(void **state)
{
    place  *p = *state;
    wm_text text = WM_TEXT_INIT, report = WM_TEXT_INIT;

    wm_text_add(&text, "servers: [a]\n" DATA);
    for (int i = 0; i < 60; i++)
        wm_text_printf(&text, "unknown_%d: 1\n", i);
    assert_int_equal(read_text(p, wm_text_chars(&text)), WM_E_INVALID);
    wm_faults_report(&p->faults, &report);
    assert_non_null(strstr(wm_text_chars(&report), "client.yaml: and 10 more faults\n"));
    wm_text_release(&text);
    wm_text_release(&report);
    release(p);
}

static void a_file_that_is_not_there_says_what_to_do(void **state)
{
    place *p = *state;
    char   want[8600];

    assert_int_equal(read_config(p), WM_E_MISSING);
    snprintf(want, sizeof want,
             "%s/client.yaml is not there: enrol this gateway first, with `wardmote-client enroll %s --token FILE`",
             p->folder, p->folder);
    assert_string_equal(p->err.text, want);
    release(p);
}

static void a_relative_folder_begins_at_the_files_own(void **state)
{
    static const struct {
        const char *says, *folder, *want; /* want: behind the folder of client.yaml, or all of it */
    } rows[] = {
        { "beside client.yaml by default", "", "/." },
        { "a folder in it", "folder: readings, ", "/readings" },
        { "an absolute one stays", "folder: /srv/readings, ", "=/srv/readings" },
    };
    place *p = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256], want[4300];

        snprintf(text, sizeof text, "servers: [a]\ndata: {%ssource: {csv: \"*.csv\"}}\n", rows[i].folder);
        assert_ok(read_text(p, text), &p->err);
        if (rows[i].want[0] == '=')
            snprintf(want, sizeof want, "%s", rows[i].want + 1);
        else
            snprintf(want, sizeof want, "%s%s", p->folder, rows[i].want);
        assert_case(rows[i].says, strcmp(p->config.data.folder, want) == 0);
        assert_int_equal(p->config.data.examples_min, 100);
        release(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_enroll_writes_is_read_back),
        TEST(what_enroll_leaves_as_comments_holds),
        TEST(faults_are_named_with_their_place),
        TEST(all_faults_come_in_one_go),
        TEST(sixty_faults_are_counted_under_the_files_name),
        TEST(a_file_that_is_not_there_says_what_to_do),
        TEST(a_relative_folder_begins_at_the_files_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
