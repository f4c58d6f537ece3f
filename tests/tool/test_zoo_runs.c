/* tests/tool/test_zoo_runs.c
 *
 * Every job of the zoo whose data set is here (WM_DATA, or ../shared/data beside the source) trains a round on two
 * clients and few of their examples, and a model and a figure come of it: so a change of the engine that a job cannot
 * live with is seen at once. What the jobs reach is models/zoo/run's to say. */
#include "tests/unit.h"

#include "client/rules/rule.h"
#include "common/files.h"
#include "server/tool/simulation.h"

#include <math.h>
#include <unistd.h>

/* The job's data folder, by models/zoo/sets; false if it is not here. */
static bool find_data(const char *job, char path[4096])
{
    const char *base = getenv("WM_DATA");
    char        sets[4096], line[200], set[100], name[100];
    FILE       *file;
    bool        found = false;

    snprintf(sets, sizeof sets, "%s/models/zoo/sets", wm_test_source());
    file = fopen(sets, "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "%99s %99s", name, set) == 2 && strcmp(name + (*name == '+'), job) == 0;
    fclose(file);
    if (!found)
        return false;
    if (base != NULL)
        snprintf(path, 4096, "%s/%s", base, set);
    else
        snprintf(path, 4096, "%s/../shared/data/%s", wm_test_source(), set);
    return access(path, R_OK) == 0;
}

/* Do the examples go to made-up clients, or are the owners in the data? */
static bool is_dealt(const char *file)
{
    wm_cli_call           call = { .out = stdout, .err = stderr };
    wm_workspace_settings open = { .file = file, .seed = -1 };
    wm_workspace          space;
    wm_error              err;
    bool                  dealt;

    assert_ok(wm_workspace_open_job(&call, &open, &space, &err), &err);
    dealt =
        space.job->data.owner.member != NULL && ((const wm_owner_ops *)space.job->data.owner.member)->deal != NULL;
    wm_workspace_release(&space);
    return dealt;
}

/* Two of the owners and each fortieth of their examples; or two of a hundred to whom all are dealt. */
static void run_job(const char *job, const char *data)
{
    static const char *const found[] = { "evaluate.baselines=[naive]", "cohort.quorum=0.5", "data.rows_min=1",
                                         "data.examples.every=40" };
    static const char *const dealt[] = { "evaluate.baselines=[naive]", "cohort.quorum=0.5", "data.rows_min=1",
                                         "cohort.select={uniform: 0.02}" };
    char                     file[4096], folder[4096], out[4200];
    wm_cli_call              call = { .out = stdout, .err = stderr };
    wm_workspace_settings    open = { .file = file, .data = data, .rounds = 1, .seed = -1 };
    wm_workspace             space;
    wm_simulation_settings   settings = { .space = &space, .out = out, .workers = 2, .clock = wm_clock_system() };
    wm_simulation_result     result;
    wm_error                 err;

    snprintf(file, sizeof file, "%s/models/zoo/%s.yaml", wm_test_source(), job);
    snprintf(out, sizeof out, "%s/run", wm_test_folder(folder));
    open.clients = is_dealt(file) ? 100 : 2;
    open.set = (wm_words){ is_dealt(file) ? dealt : found, 4 };
    assert_ok(wm_workspace_open(&call, &open, NULL, &space, &err), &err);
    assert_ok(wm_simulate(&settings, &result, &err), &err);
    if (result.standing.outcome != WM_OUTCOME_DONE)
        print_error("# %s: %s\n", job, result.standing.why);
    assert_case(job, result.standing.outcome == WM_OUTCOME_DONE && result.has_final);
    assert_case(job, isfinite(result.final.together[WM_FEDERATED].loss));
    print_message("# %s: loss %.3g after a round, %.1f s\n", job, result.final.together[WM_FEDERATED].loss,
                  result.seconds);
    wm_simulation_result_release(&result);
    wm_workspace_release(&space);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

static void every_job_whose_data_is_here_trains(void **state)
{
    char   **names, *folder = wm_path_join(wm_test_source(), "models/zoo"), data[4096];
    size_t   n;
    wm_error err;

    (void)state;
    assert_non_null(folder);
    assert_ok(wm_folder_names(folder, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char *end = strstr(names[i], ".yaml");

        if (end == NULL)
            continue;
        *end = '\0';
        if (find_data(names[i], data))
            run_job(names[i], data);
        else
            print_message("# skipped: %s, whose data is not here (set WM_DATA)\n", names[i]);
        *end = '.';
    }
    wm_names_free(names, n);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_whose_data_is_here_trains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
