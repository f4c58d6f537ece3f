/* tests/server/test_office.c */
#include "tests/dying.h"
#include "tests/server/gateways.h"

#include "common/crypto/chain.h"
#include "server/issuer/issuer_process.h"

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static wm_status init(const char *folder, const char *name, wm_office *office, wm_error *err)
{
    const char        *names[] = { name };
    wm_office_settings settings = { .folder = folder,
                                    .files = wm_files_system(),
                                    .clock = wm_clock_system(),
                                    .names = names,
                                    .n_names = name != NULL ? 1 : 0 };

    return wm_office_init(&settings, office, err);
}

static wm_digest digest_of(const char *folder, const char *name)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(folder, name);
    uint8_t        *bytes;
    size_t          n;
    wm_error        err;
    wm_digest       digest;

    assert_ok(files->read(files, path, 1 << 20, &bytes, &n, &err), &err);
    digest = wm_sha256_of(bytes, n);
    free(bytes);
    free(path);
    return digest;
}

static const struct {
    const char *name;
    unsigned    mode;
} office_files[] = {
    { "root.key", 0600 },           { "root.pem", 0644 },         { "server.key", 0600 },
    { "server.pem", 0644 },         { "issuer", 0700 },           { "issuer/issuing.key", 0600 },
    { "issuer/issuing.pem", 0644 }, { "issuer/issuer.db", 0600 }, { "issuer/root.pem", 0644 },
};

static void an_office_has_its_files_with_their_modes(void **state)
{
    char        folder[4096];
    wm_office   office;
    struct stat info;
    wm_error    err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), "office.example", &office, &err), &err);
    assert_true(office.made && office.root_key_here);
    for (size_t i = 0; i < sizeof office_files / sizeof *office_files; i++) {
        char *path = wm_path_join(folder, office_files[i].name);

        assert_case(office_files[i].name, stat(path, &info) == 0);
        assert_case(office_files[i].name, (info.st_mode & 0777) == office_files[i].mode);
        free(path);
    }
    assert_ok(wm_folder_remove(folder, &err), &err);
}

static void init_again_changes_nothing_but_adds_names(void **state)
{
    static const char *const kept[] = { "root.key", "root.pem", "server.key", "issuer/issuing.key",
                                        "issuer/issuing.pem" };
    char                     folder[4096], *path;
    wm_office                office, again;
    wm_digest                before[5], server, after;
    wm_chain                *chain;
    wm_error                 err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), "office.example", &office, &err), &err);
    for (int i = 0; i < 5; i++)
        before[i] = digest_of(folder, kept[i]);
    server = digest_of(folder, "server.pem");
    path = wm_path_join(folder, "root.key");
    unlink(path); /* moved away, as told */
    free(path);
    assert_ok(init(folder, "office.example", &again, &err), &err);
    assert_false(again.made || again.root_key_here);
    assert_true(wm_digest_equal(&again.root, &office.root));
    after = digest_of(folder, "server.pem");
    assert_true(wm_digest_equal(&after, &server));
    assert_ok(init(folder, "192.0.2.7", &again, &err), &err);
    for (int i = 1; i < 5; i++) {
        after = digest_of(folder, kept[i]);
        assert_true(wm_digest_equal(&after, &before[i]));
    }
    path = wm_path_join(folder, "server.pem");
    assert_ok(wm_chain_load(wm_files_system(), path, &chain, &err), &err);
    assert_int_equal(wm_chain_size(chain), 3);
    for (int i = 0; i < 5; i++)
        assert_true(wm_certificate_has_name(
            wm_chain_at(chain, 0),
            (const char *const[]){ "office.example", "192.0.2.7", "localhost", "127.0.0.1", "::1" }[i]));
    wm_chain_free(chain);
    free(path);
    assert_int_equal(init(folder, "not a name", &again, &err), WM_E_INVALID);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* `kill -9` at each of init's durable transitions, in a child; then init again must make a whole office. */
static void init_that_was_killed_is_simply_run_again(void **state)
{
    static const char *const points[] = {
        "office-key-before-save",          "office-key-after-save@1",          "office-key-after-save@2",
        "office-key-after-save@3",         "office-certificate-before-save@1", "office-certificate-after-save@1",
        "office-certificate-after-save@2", "office-certificate-after-save@3",  "issuer-names-before-commit",
        "issuer-names-after-commit",       "issuer-server-before-commit",      "issuer-server-after-commit",
        "office-server-before-save",       "office-server-after-save",
    };
    char      folder[4096];
    wm_office office;
    wm_error  err;

    (void)state;
#ifndef WM_CRASH_POINTS
    leave_out("a release has no crash points");
#endif
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        pid_t child;

        wm_test_folder(folder);
        child = fork_to_die_at(points[i]);
        if (child == 0)
            _exit(init(folder, "office.example", &office, &err) == WM_OK ? 0 : 1);
        assert_case(points[i], was_killed(child));
        assert_ok(init(folder, "office.example", &office, &err), &err);
        assert_ok(wm_folder_remove(folder, &err), &err);
    }
}

static void without_the_root_key_no_new_authority_is_made(void **state)
{
    char      folder[4096], *path;
    wm_office office;
    wm_error  err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), NULL, &office, &err), &err);
    path = wm_path_join(folder, "root.key");
    unlink(path);
    free(path);
    path = wm_path_join(folder, "issuer/issuing.pem");
    unlink(path);
    free(path);
    assert_int_equal(init(folder, NULL, &office, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "root key"));
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* ---- the process ---- */

static Wm__Issue token_issue(char **addresses)
{
    Wm__Issue issue = WM__ISSUE__INIT;

    issue.verb = WM__ISSUE__VERB__TOKEN;
    issue.name = "north";
    issue.names = addresses;
    issue.n_names = 1;
    return issue;
}

static void the_process_serves_its_aggregator_and_the_operator(void **state)
{
    char                       folder[4096], *addresses[] = { "office.example:7443" };
    wm_issuer_process_settings settings = { .office = folder, .door = WM_DOOR_AGGREGATOR, .listen = true };
    wm_issuer_process          process;
    Wm__Issue                  issue = token_issue(addresses), enrolment = WM__ISSUE__INIT;
    Wm__Issued                *issued;
    wm_office                  office;
    wm_token                   token;
    wm_key                    *key = new_key();
    wm_error                   err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), NULL, &office, &err), &err);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    assert_ok(wm_issuer_ask(process.client, &issue, 20000, &issued, &err), &err);
    assert_refused(issued, WM_E_REFUSED, "operator's");
    assert_ok(wm_issuer_ask_at(folder, &issue, 20000, &issued, &err), &err);
    assert_ok(wm_token_decode(issued->text, strlen(issued->text), &token, &err), &err);
    assert_true(wm_digest_equal(&token.root, &office.root));
    wm_issued_free(issued);
    enrolment.verb = WM__ISSUE__VERB__ENROL;
    assert_ok(wm_enrol_message(&token, key, &enrolment.enrol, &err), &err);
    assert_ok(wm_issuer_ask(process.client, &enrolment, 20000, &issued, &err), &err);
    assert_ok(wm_issued_status(issued, &err), &err);
    wm_issued_free(issued);
    wm_issuer_process_end(&process);

    /* No process runs: the operator's command is its own. */
    assert_ok(wm_issuer_ask_at(folder, &issue, 20000, &issued, &err), &err);
    assert_ok(wm_issued_status(issued, &err), &err);
    wm_issued_free(issued);
    wm_enrol_message_free(enrolment.enrol);
    wm_key_free(key);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

static void a_killed_process_is_noticed_and_its_store_is_whole(void **state)
{
    char                       folder[4096], *addresses[] = { "office.example:7443" };
    wm_issuer_process_settings settings = { .office = folder, .door = WM_DOOR_OPERATOR };
    wm_issuer_process          process;
    Wm__Issue                  issue = token_issue(addresses);
    Wm__Issued                *issued;
    wm_office                  office;
    wm_error                   err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), NULL, &office, &err), &err);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    assert_ok(wm_issuer_ask(process.client, &issue, 20000, &issued, &err), &err);
    assert_ok(wm_issued_status(issued, &err), &err);
    wm_issued_free(issued);
    kill(process.pid, SIGKILL);
    assert_int_equal(wm_issuer_ask(process.client, &issue, 20000, &issued, &err), WM_E_CLOSED);
    wm_issuer_process_end(&process);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    wm_issuer_process_end(&process);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

static void a_process_that_cannot_start_says_why(void **state)
{
    char                       folder[4096];
    wm_issuer_process_settings settings = { .office = folder, .door = WM_DOOR_OPERATOR, .lock_wait_ms = 1 };
    wm_issuer_process          process, second;
    wm_office                  office;
    wm_error                   err;

    (void)state;
    wm_test_folder(folder);
    assert_int_equal(wm_issuer_process_start(&settings, &process, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "init"));
    assert_ok(init(folder, NULL, &office, &err), &err);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    assert_int_equal(wm_issuer_process_start(&settings, &second, &err), WM_E_EXISTS);
    wm_issuer_process_end(&process);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* A token is bound to the first key even when the process dies around the commit. */
static void a_spend_that_was_killed_happened_wholly_or_not_at_all(void **state)
{
    static const struct {
        const char *point;
        bool        other_key_wins; /* afterwards, with the same token */
    } rows[] = {
        { "issuer-spend-before-commit", true },
        { "issuer-spend-after-commit", false },
    };

    (void)state;
#ifndef WM_CRASH_POINTS
    leave_out("a release has no crash points");
#endif
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char                       folder[4096], *addresses[] = { "office.example:7443" };
        wm_issuer_process_settings settings = { .office = folder, .door = WM_DOOR_OPERATOR };
        wm_issuer_process          process;
        Wm__Issue                  issue = token_issue(addresses), enrolment = WM__ISSUE__INIT;
        Wm__Enrol                 *first, *second;
        Wm__Issued                *issued;
        wm_office                  office;
        wm_token                   token;
        wm_key                    *a = new_key(), *b = new_key();
        wm_error                   err;

        assert_ok(init(wm_test_folder(folder), NULL, &office, &err), &err);
        setenv("WARDMOTE_CRASH", rows[i].point, 1);
        assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
        unsetenv("WARDMOTE_CRASH");
        assert_ok(wm_issuer_ask(process.client, &issue, 20000, &issued, &err), &err);
        assert_ok(wm_token_decode(issued->text, strlen(issued->text), &token, &err), &err);
        wm_issued_free(issued);
        enrolment.verb = WM__ISSUE__VERB__ENROL;
        assert_ok(wm_enrol_message(&token, a, &first, &err), &err);
        assert_ok(wm_enrol_message(&token, b, &second, &err), &err);
        enrolment.enrol = first;
        assert_int_equal(wm_issuer_ask(process.client, &enrolment, 20000, &issued, &err), WM_E_CLOSED);
        wm_issuer_process_end(&process);

        assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
        enrolment.enrol = second;
        assert_ok(wm_issuer_ask(process.client, &enrolment, 20000, &issued, &err), &err);
        assert_case(rows[i].point, (issued->code == WM_OK) == rows[i].other_key_wins);
        wm_issued_free(issued);
        enrolment.enrol = first;
        assert_ok(wm_issuer_ask(process.client, &enrolment, 20000, &issued, &err), &err);
        assert_case(rows[i].point, (issued->code == WM_OK) == !rows[i].other_key_wins);
        wm_issued_free(issued);
        wm_issuer_process_end(&process);
        wm_enrol_message_free(first);
        wm_enrol_message_free(second);
        wm_key_free(a);
        wm_key_free(b);
        assert_ok(wm_folder_remove(folder, &err), &err);
    }
}

/* What the process is, as the system sees it; its core and its memory are nobody's. */
static void the_process_can_gain_nothing(void **state)
{
    char                       folder[4096], path[64], line[256];
    wm_issuer_process_settings settings = { .office = folder, .door = WM_DOOR_OPERATOR };
    wm_issuer_process          process;
    wm_office                  office;
    bool                       no_new_privileges = false, no_core = false;
    FILE                      *file;
    wm_error                   err;

    (void)state;
    assert_ok(init(wm_test_folder(folder), NULL, &office, &err), &err);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    snprintf(path, sizeof path, "/proc/%d/status", (int)process.pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        no_new_privileges = no_new_privileges || strcmp(line, "NoNewPrivs:\t1\n") == 0;
    fclose(file);
    assert_true(no_new_privileges);
    snprintf(path, sizeof path, "/proc/%d/limits", (int)process.pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        no_core = no_core || strstr(line, "Max core file size        0                    0") == line;
    if (file != NULL) {
        fclose(file);
        assert_true(no_core);
    }
    wm_issuer_process_end(&process);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* Real, effective, saved: all three are the other user's, so there is no way back. */
static void started_by_root_it_becomes_its_own_user_for_good(void **state)
{
    char folder[4096], path[64], line[256], want[64], *addresses[] = { "office.example:7443" };
    wm_issuer_process_settings settings = { .office = folder, .user = "nobody", .door = WM_DOOR_OPERATOR };
    wm_office_settings         office_settings = {
                .folder = folder, .files = wm_files_system(), .clock = wm_clock_system(), .user = "nobody"
    };
    const struct passwd *nobody = getpwnam("nobody");
    wm_issuer_process    process;
    Wm__Issue            issue = token_issue(addresses);
    Wm__Issued          *issued;
    wm_office            office;
    bool                 became = false;
    FILE                *file;
    wm_error             err;

    (void)state;
    if (geteuid() != 0 || nobody == NULL)
        leave_out("only root can become somebody else");
    assert_int_equal(chmod(wm_test_folder(folder), 0711), 0);
    assert_ok(wm_office_init(&office_settings, &office, &err), &err);
    assert_ok(wm_issuer_process_start(&settings, &process, &err), &err);
    snprintf(path, sizeof path, "/proc/%d/status", (int)process.pid);
    snprintf(want, sizeof want, "Uid:\t%u\t%u\t%u\t%u\n", nobody->pw_uid, nobody->pw_uid, nobody->pw_uid,
             nobody->pw_uid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        became = became || strcmp(line, want) == 0;
    fclose(file);
    assert_true(became);
    assert_ok(wm_issuer_ask(process.client, &issue, 20000, &issued, &err), &err);
    assert_ok(wm_issued_status(issued, &err), &err); /* it can write its store */
    wm_issued_free(issued);
    wm_issuer_process_end(&process);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* Those that fork come first: nng, which the operator's socket needs, does not like to be forked. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_office_has_its_files_with_their_modes),
        cmocka_unit_test(init_again_changes_nothing_but_adds_names),
        cmocka_unit_test(init_that_was_killed_is_simply_run_again),
        cmocka_unit_test(without_the_root_key_no_new_authority_is_made),
        cmocka_unit_test(a_killed_process_is_noticed_and_its_store_is_whole),
        cmocka_unit_test(a_process_that_cannot_start_says_why),
        cmocka_unit_test(a_spend_that_was_killed_happened_wholly_or_not_at_all),
        cmocka_unit_test(the_process_can_gain_nothing),
        cmocka_unit_test(started_by_root_it_becomes_its_own_user_for_good),
        cmocka_unit_test(the_process_serves_its_aggregator_and_the_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
