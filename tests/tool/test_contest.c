/* tests/tool/test_contest.c
 *
 * Each client's own model, at home and where it never was. */
#include "tests/unit.h"

#include "client/city.h"
#include "common/files.h"
#include "server/tool/contest.h"
#include "server/tool/workspace.h"

enum { GATEWAYS = 3, PASSES = 2 };

typedef struct contest_case {
    const char *says, *split;
    int         left_out; /* the owner in order of name: harbour, old-town, university; -1: none */
} contest_case;

static void hold(const contest_case *c, const char *job, bool elsewhere, wm_contest_result *results,
                 wm_workspace *space)
{
    const char *const     set[] = { "data.scale=client", "evaluate.anomaly={false_alarms: 0.1}", c->split };
    wm_cli_call           call = { .out = stdout, .err = stderr };
    wm_workspace_settings settings = { .file = job, .rounds = PASSES, .seed = -1, .set = { set, 3 } };
    wm_contest_settings   contest = {
          .baselines = WM_BASELINE_NAIVE | WM_BASELINE_ALONE, .passes = PASSES, .workers = 2, .elsewhere = elsewhere
    };
    float   *params;
    wm_error err;

    assert_ok(wm_workspace_open(&call, &settings, NULL, space, &err), &err);
    assert_int_equal(wm_owners_count(space->owners), GATEWAYS);
    params = calloc(wm_model_n_params(space->model), sizeof *params);
    assert_non_null(params);
    contest.job = space->job;
    contest.model = space->model;
    contest.params = params;
    contest.owners = space->owners;
    assert_ok(wm_contest(&contest, results, &err), &err);
    free(params);
}

/* The threshold of the client's own model at home and elsewhere. */
static void check_thresholds(const char *says, const wm_job *job, const wm_contest_result *result)
{
    wm_measures       measures;
    const wm_measure *threshold;
    double            home;

    wm_measures_of(job, NULL, &measures);
    threshold = &measures.items[wm_measures_threshold(&measures)];
    home = wm_evaluation_figure(threshold, &result->evaluations[WM_ALONE]);
    assert_case(says, home > 0 && wm_evaluation_figure(threshold, &result->elsewhere) == home);
}

static void own_models_are_judged_where_they_never_were(void **state)
{
    static const contest_case cases[] = {
        { "on the owner that is left out", "data.split={owners: {names: [old-town], shares: [0.7, 0, 0.3]}}", 1 },
        { "or on all the others", "data.split={time: [0.7, 0.1, 0.2]}", -1 },
    };
    char     folder[4096], city[4200], job[4300];
    wm_error err;

    (void)state;
    snprintf(city, sizeof city, "%s/city", wm_test_folder(folder));
    snprintf(job, sizeof job, "%s/city.yaml", city);
    assert_ok(wm_city_write(city, &(wm_city_settings){ .gateways = GATEWAYS, .days = 40, .seed = 5 }, &err), &err);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        wm_contest_result home[GATEWAYS] = { { 0 } }, both[GATEWAYS] = { { 0 } };
        wm_workspace      space;
        uint64_t          tests[GATEWAYS], all = 0;

        hold(&cases[c], job, false, home, &space);
        wm_workspace_release(&space);
        hold(&cases[c], job, true, both, &space);
        for (size_t i = 0; i < GATEWAYS; i++)
            all += tests[i] = wm_examples_count(wm_owners_examples(space.owners, i), WM_TEST);
        for (int i = 0; i < GATEWAYS; i++) {
            bool     trains = i != cases[c].left_out;
            uint64_t want = cases[c].left_out >= 0 ? tests[cases[c].left_out] : all - tests[i];

            assert_case(cases[c].says, wm_contest_left_out(space.job, space.owners, (size_t)i) == !trains);
            assert_case(cases[c].says, both[i].present == home[i].present);
            assert_case(cases[c].says, ((both[i].present & 1u << WM_ALONE) != 0) == trains);
            /* The same training, so the same model: to the bit. */
            assert_memory_equal(&both[i].evaluations[WM_ALONE], &home[i].evaluations[WM_ALONE],
                                sizeof home[i].evaluations[WM_ALONE]);
            assert_case(cases[c].says, !home[i].has_elsewhere && both[i].has_elsewhere == trains);
            assert_case(cases[c].says, !trains || both[i].elsewhere.examples == want);
            if (trains)
                check_thresholds(cases[c].says, space.job, &both[i]);
        }
        wm_workspace_release(&space);
    }
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_models_are_judged_where_they_never_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
