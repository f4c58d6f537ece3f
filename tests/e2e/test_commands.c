/* tests/e2e/test_commands.c
 *
 * What an operator and an installer do with the programs: commands while a server runs and while none does, a backup
 * that opens, ordered ends, and what every command owes its user: help with an example, and an exit code. */
#include "tests/e2e/office.h"

#include "common/files.h"
#include "server/store/store.h"

#include <unistd.h>

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .rounds = 3 });
    return 0;
}

/* ---- what is owed ---- */

static const struct {
    office_program program;
    const char    *name, *command;
} commands[] = {
    { WARDMOTE, "wardmote", "simulate" },
    { WARDMOTE, "wardmote", "evaluate" },
    { WARDMOTE, "wardmote", "predict" },
    { WARDMOTE, "wardmote", "data" },
    { WARDMOTE, "wardmote", "sample" },
    { WARDMOTE_SERVER, "wardmote-server", "init" },
    { WARDMOTE_SERVER, "wardmote-server", "run" },
    { WARDMOTE_SERVER, "wardmote-server", "token" },
    { WARDMOTE_SERVER, "wardmote-server", "job" },
    { WARDMOTE_SERVER, "wardmote-server", "clients" },
    { WARDMOTE_SERVER, "wardmote-server", "revoke" },
    { WARDMOTE_SERVER, "wardmote-server", "status" },
    { WARDMOTE_SERVER, "wardmote-server", "backup" },
    { WARDMOTE_SERVER, "wardmote-server", "issuer" },
    { WARDMOTE_CLIENT, "wardmote-client", "enroll" },
    { WARDMOTE_CLIENT, "wardmote-client", "run" },
    { WARDMOTE_CLIENT, "wardmote-client", "check" },
};

static void every_command_has_help_with_an_example(void **state)
{
    office *o = *state;
    char    use[100];

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        office_do(o, NULL, commands[i].program, commands[i].command, "--help", NULL);
        snprintf(use, sizeof use, "%s %s", commands[i].name, commands[i].command);
        assert_case(use, strstr(wm_text_chars(&o->output), use) != NULL);
        assert_case(use, strstr(wm_text_chars(&o->output), "example") != NULL);
        assert_case(use, o->complaint.size == 0);
        /* the program's own help names it */
        office_do(o, NULL, commands[i].program, "--help", NULL);
        assert_case(use, strstr(wm_text_chars(&o->output), commands[i].command) != NULL);
        /* and without what it needs it is misused */
        assert_case(use, office_run(o, NULL, commands[i].program, commands[i].command, NULL) == 2);
        assert_case(use, o->complaint.size > 0);
        assert_case(use, o->output.size == 0);
    }
    for (office_program p = WARDMOTE; p <= WARDMOTE_CLIENT; p++) {
        office_do(o, NULL, p, "--version", NULL);
        assert_non_null(strstr(wm_text_chars(&o->output), WM_VERSION));
    }
}

static const struct {
    const char    *says;
    office_program program;
    const char    *words[4]; /* %DIR% stands for the office */
    int            code;
    const char    *complaint;
} misuses[] = {
    { "an unknown command is misuse, with the nearest named", WARDMOTE_SERVER, { "stauts" }, 2, "status" },
    { "an unknown option is misuse", WARDMOTE_SERVER, { "status", "%DIR%", "--jsno" }, 2, "--json" },
    { "a name that cannot be is misuse", WARDMOTE_SERVER, { "token", "%DIR%", "No Name" }, 2, "name" },
    { "a deed that job has not is misuse", WARDMOTE_SERVER, { "job", "%DIR%", "begin" }, 2, "start FILE" },
    { "a job's file that is not there is a failure",
      WARDMOTE_SERVER,
      { "job", "%DIR%", "start", "none.yaml" },
      1,
      "none.yaml" },
    { "a folder that is no office is a failure, and says how to make one",
      WARDMOTE_SERVER,
      { "clients", "nowhere" },
      1,
      "init" },
    { "a run that nobody knows is a failure",
      WARDMOTE_SERVER,
      { "job", "%DIR%", "stop", "00112233445566778899aabbccddeeff" },
      1,
      "no run" },
    { "status without a server is a failure, and says what starts it",
      WARDMOTE_SERVER,
      { "status", "%DIR%" },
      1,
      "run" },
    { "a token can be made without a server", WARDMOTE_SERVER, { "token", "%DIR%", "north" }, 0, "north" },
    { "a gateway that is not enrolled cannot run", WARDMOTE_CLIENT, { "run", "%DIR%/nobody" }, 1, "" },
    { "nor does its check hold", WARDMOTE_CLIENT, { "check", "%DIR%/nobody" }, 1, "enroll" },
    { "a token is never on the command line", WARDMOTE_CLIENT, { "enroll", "%DIR%/nobody" }, 2, "--token" },
    { "a job that is not there is a failure", WARDMOTE, { "simulate", "none.yaml" }, 1, "none.yaml" },
};

static void a_failure_is_1_and_misuse_is_2_with_a_sentence(void **state)
{
    office *o = *state;

    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        char        filled[4][4400];
        const char *words[4] = { NULL };
        int         code;

        for (size_t w = 0; w < 4 && misuses[i].words[w] != NULL; w++) {
            bool in_office = strncmp(misuses[i].words[w], "%DIR%", 5) == 0;

            snprintf(filled[w], sizeof filled[w], "%s%s", in_office ? o->dir : "",
                     misuses[i].words[w] + (in_office ? 5 : 0));
            words[w] = filled[w];
        }
        code = office_run(o, NULL, misuses[i].program, words[0], words[1], words[2], words[3], NULL);
        if (code != misuses[i].code || strstr(wm_text_chars(&o->complaint), misuses[i].complaint) == NULL)
            office_fail(o, "%s: it exits with %d and says %s", misuses[i].says, code, wm_text_chars(&o->complaint));
        assert_case(misuses[i].says, o->complaint.size > 0);
    }
}

/* ---- with and without a server ---- */

/* The outcome of the run in `job list`. */
static void assert_listed(office *o, const char *outcome)
{
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "list", NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), o->run));
    if (strstr(wm_text_chars(&o->output), outcome) == NULL)
        office_fail(o, "the list has no \"%s\": %s", outcome, wm_text_chars(&o->output));
}

static void assert_backup_opens(office *o, const char *name)
{
    char      to[4300], path[4400];
    wm_store *store;
    wm_error  err;

    snprintf(to, sizeof to, "%s/%s", o->folder, name);
    office_do(o, NULL, WARDMOTE_SERVER, "backup", o->dir, to, NULL);
    snprintf(path, sizeof path, "%s/server.yaml", to);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof path, "%s/root.key", to);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_ok(wm_store_open(wm_files_system(), to, wm_clock_system(), &store, &err), &err);
    wm_store_close(store);
    office_do(o, NULL, WARDMOTE_SERVER, "clients", to, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), o->names[0]));
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "backup", o->dir, to, NULL), 1); /* never over another */
}

static void commands_work_with_a_server_and_without(void **state)
{
    office *o = *state;

    office_server_start(o, NULL);
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "no gateway has enrolled yet"));
    office_enrol_all(o);
    office_job_start(o); /* nobody comes to work on it */
    office_wait_text(o, o->server_log, "phase=statistics");
    assert_listed(o, "running");
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, NULL);
    for (size_t k = 0; k < o->n_gateways; k++)
        assert_non_null(strstr(wm_text_chars(&o->output), o->names[k]));
    assert_backup_opens(o, "while-it-runs");
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "stop", o->run, NULL);
    json_decref(office_wait_over(o));
    assert_listed(o, "stopped");
    office_server_stop(o);
    assert_listed(o, "stopped");
    assert_backup_opens(o, "while-none-runs");
    office_job_start(o);
    assert_listed(o, "waiting");
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "stop", o->run, NULL);
}

/* ---- ends and beginnings ---- */

static void a_server_that_is_told_to_stop_drains_and_goes_on_later(void **state)
{
    office *o = *state;
    char    undisturbed[65], log[4300];

    office_write_job(o, 60, NULL); /* more than there is time for until it stops */
    office_simulate(o, "1", undisturbed);
    office_server_start(o, NULL);
    office_enrol_all(o);
    /* The first does not answer: the next is tried. */
    office_client_yaml(o, 0, "servers:", "[\"127.0.0.9\", \"localhost\"]");
    office_gateways_start(o);
    office_job_start(o);
    office_wait_rounds(o, 1);
    office_server_stop(o);
    office_wait_text(o, o->server_log, "stopped");
    assert_false(office_has_text(o->server_log, "error "));
    for (size_t k = 0; k < o->n_gateways; k++)
        office_gateway_stop(o, k);
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "status", o->dir, NULL), 1);
    assert_non_null(strstr(wm_text_chars(&o->output), "the server does not run; the run of city is in round "));
    office_server_start(o, NULL);
    office_gateways_start(o);
    /* One process a folder. */
    office_gateway_folder(o, 1, log);
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "run", o->dir, NULL), 1);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "another process"));
    office_gateway_log(o, 1, log);
    office_wait_text(o, log, "connected");
    office_gateway_folder(o, 1, log);
    assert_int_equal(office_run(o, NULL, WARDMOTE_CLIENT, "run", log, NULL), 1);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "another wardmote-client is running"));
    office_do(o, NULL, WARDMOTE_CLIENT, "check", log, NULL);
    office_wait_done(o, 0, undisturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_help_with_an_example),
        cmocka_unit_test(a_failure_is_1_and_misuse_is_2_with_a_sentence),
        cmocka_unit_test_setup_teardown(commands_work_with_a_server_and_without, setup, office_end),
        cmocka_unit_test_setup_teardown(a_server_that_is_told_to_stop_drains_and_goes_on_later, setup, office_end),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
