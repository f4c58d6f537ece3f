/* tests/tool/test_workspace.c
 *
 * A job with what the command line changes in it, and the section of client.yaml by which a gateway reads the same share
 * of a folder as its twin in the simulation. */
#include "tests/unit.h"

#include "client/city.h"
#include "client/config.h"
#include "client/examples.h"
#include "common/files.h"
#include "common/memory.h"
#include "server/tool/process.h"
#include "server/tool/room.h"
#include "server/tool/tool.h"
#include "server/tool/workspace.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fixture {
    char        folder[4096], city[4200], job[4300];
    FILE       *out, *complaints;
    char       *said, *complained; /* what went to the two */
    size_t      n_said, n_complained;
    wm_cli_call call;
    wm_error    err;
} fixture;

/* The name of the folder has what YAML would trip over. */
static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    wm_test_folder(f->folder);
    snprintf(f->city, sizeof f->city, "%s/it's \"the\" city: #1", f->folder);
    snprintf(f->job, sizeof f->job, "%s/city.yaml", f->city);
    assert_ok(wm_city_write(f->city, &(wm_city_settings){ .gateways = 3, .days = 20, .seed = 5 }, &f->err),
              &f->err);
    f->out = open_memstream(&f->said, &f->n_said);
    f->complaints = open_memstream(&f->complained, &f->n_complained);
    assert_non_null(f->out);
    assert_non_null(f->complaints);
    f->call = (wm_cli_call){ .out = f->out, .err = f->complaints };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    fclose(f->out);
    fclose(f->complaints);
    free(f->said);
    free(f->complained);
    assert_ok(wm_folder_remove(f->folder, &f->err), &f->err);
    free(f);
    return 0;
}

static wm_status open_with(fixture *f, const char *const *set, size_t n_set, int64_t clients, wm_workspace *ret)
{
    wm_workspace_settings settings = { .file = f->job, .seed = -1, .clients = clients, .set = { set, n_set } };

    return wm_workspace_open(&f->call, &settings, NULL, ret, &f->err);
}

static void the_command_line_changes_the_job(void **state)
{
    static const char *const set[] = { "training.rate=0.5", "training.batch=7", "training.batch=8" };
    fixture                 *f = *state;
    wm_workspace_settings    settings = { .file = f->job, .rounds = 9, .seed = 77, .set = { set, 3 } };
    wm_workspace             space;

    assert_ok(wm_workspace_open(&f->call, &settings, NULL, &space, &f->err), &f->err);
    assert_int_equal(space.job->training.batch, 8); /* the last word counts */
    assert_int_equal(space.job->rounds, 9);
    assert_true(space.job->seed == 77);
    assert_int_equal(wm_owners_count(space.owners), 3);
    assert_non_null(strstr(space.job->text, "77")); /* the job as run says it */
    wm_workspace_release(&space);
}

static void wrong_changes_are_named(void **state)
{
    static const struct {
        const char *set, *why;
    } rows[] = {
        { "training.rate", "--set training.rate: say --set KEY=VALUE, such as training.rate=0.1" },
        { "training.rat=1", "did you mean \"rate\"?" },
        { "training.batch=many", "\"many\" is not a whole number" },
        { "=1", "" },
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_workspace space;

        assert_case(rows[i].set, open_with(f, &rows[i].set, 1, 0, &space) != WM_OK);
        if (strstr(f->err.text, rows[i].why) == NULL)
            print_error("said: %s\n", f->err.text);
        assert_case(rows[i].set, strstr(f->err.text, rows[i].why) != NULL);
    }
}

/* Otherwise the system would end the process, or another, without a word. */
static void a_model_that_the_machine_has_no_memory_for_is_refused_at_its_largest_layer(void **state)
{
    static const char *const layers[] = { "model.layers=[flatten, {dense: 8}, {dense: 70000}, relu, {dense: 1}]" };
    fixture                 *f = *state;
    wm_workspace_settings    settings = { .file = f->job, .seed = -1 };
    wm_workspace             space;
    size_t                   one, two;

    assert_ok(wm_workspace_open_job(&f->call, &settings, &space, &f->err), &f->err);
    one = wm_room_needed(space.job, space.model, 1);
    two = wm_room_needed(space.job, space.model, 2);
    assert_true(one > 4 * 4 * wm_model_n_params(space.model) && two > one);
    assert_ok(wm_room_check(f->job, space.job, space.model, 1, one, &f->err), &f->err);
    assert_int_equal(wm_room_check(f->job, space.job, space.model, 2, one, &f->err), WM_E_INVALID);
    assert_non_null(strstr(f->err.text, "city.yaml:25:22: model.layers[1]: to train this model may take"));
    assert_non_null(strstr(f->err.text, "of 18496 parameters, or training.batch smaller, or take fewer --workers"));
    wm_workspace_release(&space);

    settings.set = (wm_words){ layers, 1 };
    assert_ok(wm_workspace_open_job(&f->call, &settings, &space, &f->err), &f->err);
    assert_int_equal(wm_room_check(f->job, space.job, space.model, 1, 1 << 20, &f->err), WM_E_INVALID);
    assert_non_null(strstr(f->err.text, "model.layers[2]: to train this model may take"));
    wm_workspace_release(&space);
    assert_true(wm_memory_machine() > 64 << 20);
}

static void clients_are_made_or_kept(void **state)
{
    static const char *const iid[] = { "data.owner={iid: {clients: 2}}" };
    fixture                 *f = *state;
    wm_workspace             space;

    assert_ok(open_with(f, NULL, 0, 2, &space), &f->err);
    assert_int_equal(wm_owners_count(space.owners), 2); /* the first two districts */
    wm_workspace_release(&space);
    if (open_with(f, iid, 1, 5, &space) == WM_OK) {
        assert_int_equal(wm_owners_count(space.owners), 5);
        assert_non_null(strstr(space.job->text, "clients: 5")); /* so that gateways divide the same way */
        wm_workspace_release(&space);
    } else {
        fail_msg("%s", f->err.text);
    }
}

/* What a gateway does with the section, beside its twin. */
static void check_twin(fixture *f, const wm_workspace *space, size_t i)
{
    const char      *name = wm_owners_name(space->owners, i);
    const wm_files  *files = wm_files_system();
    char             gateway[4200], path[4300];
    wm_text          yaml = WM_TEXT_INIT;
    wm_faults        faults;
    wm_client_config config;
    wm_arena        *memory;
    wm_owners       *owners;
    wm_examples     *mine, *twins = wm_owners_examples(space->owners, i);

    snprintf(gateway, sizeof gateway, "%s/gateway", f->folder);
    snprintf(path, sizeof path, "%s/client.yaml", gateway);
    assert_ok(files->make_folder(files, gateway, 0700, &f->err), &f->err);
    wm_text_add(&yaml, "servers: [localhost]\n");
    assert_ok(wm_client_data_yaml(space->job, f->city, name, &yaml, &f->err), &f->err);
    assert_ok(files->replace(files, path, yaml.chars, yaml.size, 0600, &f->err), &f->err);
    wm_faults_init(&faults, "client.yaml");
    assert_ok(wm_client_config_read(files, gateway, &faults, &config, &memory, &f->err), &f->err);
    assert_string_equal(config.data.folder, f->city);
    assert_string_equal(config.data.keep, name);
    assert_ok(wm_owners_open(space->job,
                             &(wm_owners_settings){ .folder = config.data.folder,
                                                    .source = &config.data.source,
                                                    .owner = &config.data.owner,
                                                    .only = config.data.keep },
                             &owners, &f->err),
              &f->err);
    assert_int_equal(wm_owners_count(owners), 1);
    assert_string_equal(wm_owners_name(owners, 0), name);
    mine = wm_owners_examples(owners, 0);
    for (int part = 0; part < WM_PARTS; part++)
        assert_int_equal(wm_examples_count(mine, (wm_part)part), wm_examples_count(twins, (wm_part)part));
    assert_true(wm_examples_count(mine, WM_TRAIN) > 0);
    wm_owners_free(owners);
    wm_arena_free(memory);
    wm_faults_release(&faults);
    wm_text_release(&yaml);
    assert_ok(wm_folder_remove(gateway, &f->err), &f->err);
}

static void a_gateway_reads_the_share_of_its_twin(void **state)
{
    fixture     *f = *state;
    wm_workspace space;

    assert_ok(open_with(f, NULL, 0, 0, &space), &f->err);
    for (size_t i = 0; i < 3; i++)
        check_twin(f, &space, i);
    wm_workspace_release(&space);
}

/* ---- processes ---- */

static void a_process_that_has_ended_is_never_signalled_again(void **state)
{
    static char *const ends[] = { "/bin/true", NULL }, *const stays[] = { "/bin/sleep", "60", NULL };
    fixture *f = *state;
    char     log[4200];
    pid_t    pids[2];

    snprintf(log, sizeof log, "%s/log", f->folder);
    assert_ok(wm_process_start(ends, log, &pids[0], &f->err), &f->err);
    assert_ok(wm_process_start(stays, log, &pids[1], &f->err), &f->err);
    while (!wm_process_ended(&pids[0]))
        usleep(1000);
    assert_int_equal(pids[0], 0);
    assert_false(wm_process_ended(&pids[1]));
    wm_process_stop(pids, 2);
    assert_int_equal(pids[1], 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

static void a_process_is_run_to_its_end(void **state)
{
    static char *const echo[] = { "/bin/cat", NULL }, *const fails[] = { "/bin/sh", "-c",
                                                                         "echo no room >&2; exit 3", NULL };
    static char *const missing[] = { "/nowhere/program", NULL };
    fixture           *f = *state;
    wm_text            text = WM_TEXT_INIT;

    assert_ok(wm_process_run(echo, "a token", &text, &f->err), &f->err);
    assert_string_equal(wm_text_chars(&text), "a token");
    wm_text_release(&text);
    assert_int_equal(wm_process_run(fails, NULL, NULL, &f->err), WM_E_IO);
    assert_non_null(strstr(f->err.text, "no room"));
    assert_int_equal(wm_process_run(missing, NULL, NULL, &f->err), WM_E_IO);
    assert_non_null(strstr(f->err.text, "cannot start /nowhere/program"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(the_command_line_changes_the_job),
        TEST(wrong_changes_are_named),
        TEST(a_model_that_the_machine_has_no_memory_for_is_refused_at_its_largest_layer),
        TEST(clients_are_made_or_kept),
        TEST(a_gateway_reads_the_share_of_its_twin),
        TEST(a_process_that_has_ended_is_never_signalled_again),
        TEST(a_process_is_run_to_its_end),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
