/* tests/tool/test_simulation.c
 *
 * Whole runs in memory, through the same workspace, store and run folder as the command: one worker or many, in one go
 * or interrupted and resumed, the model is the same to the bit; and what the folder says is what happened. */
#include "tests/unit.h"

#include "client/city.h"
#include "server/tool/simulation.h"

#include <jansson.h>

typedef struct fixture {
    char         folder[4096], job[4200];
    const char  *more; /* NULL, or something that the job says beside the usual */
    wm_cli_call  call;
    wm_workspace space;
    wm_error     err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    wm_test_folder(f->folder);
    snprintf(f->job, sizeof f->job, "%s/city/city.yaml", f->folder);
    f->job[strlen(f->job) - strlen("/city.yaml")] = '\0';
    assert_ok(wm_city_write(f->job, &(wm_city_settings){ .gateways = 3, .days = 40, .seed = 5 }, &f->err), &f->err);
    snprintf(f->job, sizeof f->job, "%s/city/city.yaml", f->folder);
    f->call = (wm_cli_call){ .out = stdout, .err = stderr };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    assert_ok(wm_folder_remove(f->folder, &f->err), &f->err);
    free(f);
    return 0;
}

static void open_space(fixture *f)
{
    const char           *set[] = { "evaluate.baselines=[naive]", f->more };
    wm_workspace_settings settings = {
        .file = f->job, .rounds = 4, .seed = -1, .set = { set, f->more != NULL ? 2 : 1 }
    };

    assert_ok(wm_workspace_open(&f->call, &settings, NULL, &f->space, &f->err), &f->err);
}

/* What to interrupt after: a round's number. */
typedef struct interruption {
    uint32_t    after_round;
    atomic_bool now;
} interruption;

static void interrupt_after(void *context, const wm_run_progress *progress, const wm_round_record *round,
                            double clients_s)
{
    interruption *i = context;

    (void)progress;
    (void)clients_s;
    if (round != NULL && round->round >= i->after_round)
        atomic_store(&i->now, true);
}

static wm_status simulate(fixture *f, const char *name, size_t workers, bool resume, interruption *i,
                          wm_digest *model)
{
    char                   out[4300];
    wm_simulation_settings settings = { .space = &f->space,
                                        .out = out,
                                        .resume = resume,
                                        .workers = workers,
                                        .clock = wm_clock_system(),
                                        .interrupted = i != NULL ? &i->now : NULL,
                                        .progress = i != NULL ? interrupt_after : NULL,
                                        .context = i };
    wm_simulation_result   result;
    wm_status              st;

    snprintf(out, sizeof out, "%s/%s", f->folder, name);
    st = wm_simulate(&settings, &result, &f->err);
    if (st == WM_OK) {
        assert_int_equal(result.standing.outcome, WM_OUTCOME_DONE);
        assert_true(result.has_final);
        *model = result.standing.model;
    }
    wm_simulation_result_release(&result);
    return st;
}

static void one_worker_and_many_give_the_same_model(void **state)
{
    fixture  *f = *state;
    wm_digest models[3];
    size_t    workers[3] = { 1, 2, 5 };

    for (int i = 0; i < 3; i++) {
        char name[16];

        open_space(f);
        snprintf(name, sizeof name, "w%zu", workers[i]);
        assert_ok(simulate(f, name, workers[i], false, NULL, &models[i]), &f->err);
        wm_workspace_release(&f->space);
        assert_true(wm_digest_equal(&models[0], &models[i]));
    }
}

static void an_interrupted_run_goes_on_to_the_same_model(void **state)
{
    fixture     *f = *state;
    wm_digest    undisturbed, resumed;
    interruption soon = { .after_round = 2 };
    wm_status    st;

    open_space(f);
    assert_ok(simulate(f, "whole", 2, false, NULL, &undisturbed), &f->err);
    wm_workspace_release(&f->space);
    open_space(f);
    st = simulate(f, "cut", 2, false, &soon, &resumed);
    assert_true(st == WM_E_CLOSED || st == WM_OK); /* it may be over before anybody looks */
    wm_workspace_release(&f->space);
    if (st == WM_E_CLOSED) {
        open_space(f);
        assert_ok(simulate(f, "cut", 2, true, NULL, &resumed), &f->err);
        wm_workspace_release(&f->space);
    }
    assert_true(wm_digest_equal(&undisturbed, &resumed));
    open_space(f);
    assert_ok(simulate(f, "cut", 2, true, NULL, &resumed), &f->err); /* which is over: at once, and not never */
    wm_workspace_release(&f->space);
    assert_true(wm_digest_equal(&undisturbed, &resumed));
}

static const char own_head[] =
    "model={personal: [own, pm25], layers: [flatten, {dense: 24}, {name: own, batch_norm: {}}, "
    "relu, {name: pm25, dense: 1}], loss: mse}";

static void personal_layers_go_on_with_the_run(void **state)
{
    ((fixture *)*state)->more = own_head;
    an_interrupted_run_goes_on_to_the_same_model(state);
    ((fixture *)*state)->more = own_head;
    one_worker_and_many_give_the_same_model(state);
}

/* Each client's are its own, and what is gone is not made up. */
static void personal_layers_that_are_lost_end_a_run_that_goes_on(void **state)
{
    fixture     *f = *state;
    wm_digest    model;
    interruption soon = { .after_round = 1 };
    char         folder[4300], **names, *path;
    size_t       n;

    f->more = own_head;
    open_space(f);
    if (simulate(f, "cut", 1, false, &soon, &model) == WM_OK)
        leave_out("the run was over before it could be interrupted");
    snprintf(folder, sizeof folder, "%s/cut/state/clients", f->folder);
    assert_ok(wm_folder_names(folder, &names, &n, &f->err), &f->err);
    assert_int_equal(n, 3);
    path = wm_path_join(folder, names[1]);
    assert_non_null(path);
    assert_ok(wm_files_system()->remove(wm_files_system(), path, &f->err), &f->err);
    assert_int_equal(simulate(f, "cut", 1, true, NULL, &model), WM_E_DAMAGED);
    assert_non_null(strstr(f->err.text, "with the personal layers of"));
    assert_non_null(strstr(f->err.text, "is gone: simulate anew"));
    assert_ok(wm_files_system()->replace(wm_files_system(), path, "something else", 14, 0600, &f->err), &f->err);
    assert_int_equal(simulate(f, "cut", 1, true, NULL, &model), WM_E_DAMAGED);
    assert_non_null(strstr(f->err.text, "is damaged: simulate anew"));
    free(path);
    wm_names_free(names, n);
    wm_workspace_release(&f->space);
}

static void a_folder_is_never_mixed_up_with_another_run(void **state)
{
    fixture  *f = *state;
    wm_digest model;

    open_space(f);
    assert_ok(simulate(f, "once", 1, false, NULL, &model), &f->err);
    assert_int_equal(simulate(f, "once", 1, false, NULL, &model), WM_E_EXISTS);
    assert_int_equal(simulate(f, "never", 1, true, NULL, &model), WM_E_MISSING);
    wm_workspace_release(&f->space);
}

static json_t *read_json(fixture *f, const char *name)
{
    char    path[4300];
    json_t *json;

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static void the_folder_says_what_happened(void **state)
{
    fixture                 *f = *state;
    wm_digest                model;
    char                     digest[WM_DIGEST_TEXT], *path, line[512];
    json_t                  *summary;
    FILE                    *rounds;
    static const char *const files[] = { "clients.csv", "job.yaml", "model.safetensors", "report.html" };

    open_space(f);
    assert_ok(simulate(f, "run", 2, false, NULL, &model), &f->err);
    wm_workspace_release(&f->space);
    summary = read_json(f, "run/summary.json");
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    assert_int_equal(json_integer_value(json_object_get(summary, "rounds")), 4);
    assert_string_equal(json_string_value(json_object_get(summary, "model_sha256")),
                        wm_digest_text(&model, digest));
    json_decref(summary);
    assert_true(asprintf(&path, "%s/run/rounds.csv", f->folder) > 0);
    rounds = fopen(path, "r");
    assert_non_null(rounds);
    assert_non_null(fgets(line, sizeof line, rounds));
    assert_string_equal(line, "round,seconds,selected,accepted,refused,late,train_loss,eval_loss,metric,bytes_up,"
                              "bytes_down\n");
    for (int i = 0; i < 4; i++)
        assert_non_null(fgets(line, sizeof line, rounds));
    assert_null(fgets(line, sizeof line, rounds));
    fclose(rounds);
    free(path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_true(asprintf(&path, "%s/run/%s", f->folder, files[i]) > 0);
        assert_case(files[i], wm_files_system()->exists(wm_files_system(), path));
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_worker_and_many_give_the_same_model, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_run_goes_on_to_the_same_model, setup, teardown),
        cmocka_unit_test_setup_teardown(personal_layers_go_on_with_the_run, setup, teardown),
        cmocka_unit_test_setup_teardown(personal_layers_that_are_lost_end_a_run_that_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_never_mixed_up_with_another_run, setup, teardown),
        cmocka_unit_test_setup_teardown(the_folder_says_what_happened, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
