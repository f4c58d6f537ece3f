/* tests/common/test_fedavg.c */
#include "tests/unit.h"

#include "common/strategies/strategy.h"

#include <math.h>

static const wm_strategy_ops *fedavg(void)
{
    return (const wm_strategy_ops *)(const void *)wm_strategies.members[0];
}

static wm_job a_job(void)
{
    return (wm_job){
        .cohort = { .weight_cap = 1 << 20, .bound = 16 },
        .strategy = { .member = &fedavg()->member },
    };
}

static void the_jobs_bound_and_cap_are_in_the_declaration(void **state)
{
    wm_job         job = a_job();
    wm_update_spec spec;

    (void)state;
    assert_string_equal(fedavg()->member.name, "fedavg");
    wm_strategy_spec(&job, 9, &spec);
    assert_int_equal(spec.n_parts, 2);
    assert_string_equal(spec.parts[0].name, "delta");
    assert_int_equal(spec.parts[0].n, 9);
    assert_true(spec.parts[0].bound == 16 && spec.parts[0].shift_min == 24);
    assert_int_equal(wm_update_part(&spec, WM_PART_TRAIN_LOSS), 1);
    assert_true(spec.parts[1].bound == 1024);
    assert_int_equal(wm_update_part(&spec, "momentum"), 2);
    assert_int_equal(spec.weight_cap, 1 << 20);
}

static void a_client_sends_the_difference_and_a_loss_in_bounds(void **state)
{
    static const float start[3] = { 1, 2, 3 }, trained[3] = { 1.5f, 2, 2.25f }, wild[3] = { 1, INFINITY, 3 };
    wm_job             job = a_job();
    wm_update_spec     spec;
    wm_update_key      key = { .kind = WM_TASK_TRAIN };
    wm_update          update;
    wm_error           err;

    (void)state;
    wm_strategy_spec(&job, 3, &spec);
    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    assert_ok(fedavg()->client_finish(NULL, start, trained, 3, 10, 0.1, 0.75, NULL, &update, &err), &err);
    assert_true(((float *)update.values[0])[0] == 0.5f);
    assert_true(((float *)update.values[0])[2] == -0.75f);
    assert_true(*(float *)update.values[1] == 0.75f);
    assert_ok(fedavg()->client_finish(NULL, start, trained, 3, 10, 0.1, 1e9, NULL, &update, &err), &err);
    assert_true(*(float *)update.values[1] == 1024);
    assert_int_equal(fedavg()->client_finish(NULL, start, wild, 3, 10, 0.1, 1, NULL, &update, &err),
                     WM_E_NONFINITE);
    assert_int_equal(fedavg()->client_finish(NULL, start, trained, 3, 10, 0.1, NAN, NULL, &update, &err),
                     WM_E_NONFINITE);
    wm_update_release(&update);
}

static void the_server_adds_the_mean(void **state)
{
    static const double  delta[2] = { 0.25, -1 }, loss[1] = { 3 };
    static const double *means[] = { delta, loss };
    float                params[2] = { 1, 1 };
    wm_job               job = a_job();
    wm_update_spec       spec;

    (void)state;
    wm_strategy_spec(&job, 2, &spec);
    fedavg()->server_apply(NULL, &spec, means, params, 2, NULL);
    assert_true(params[0] == 1.25f && params[1] == 0);
    assert_int_equal(fedavg()->server_state(NULL, 2), 0);
    assert_int_equal(fedavg()->client_state(NULL, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_jobs_bound_and_cap_are_in_the_declaration),
        cmocka_unit_test(a_client_sends_the_difference_and_a_loss_in_bounds),
        cmocka_unit_test(the_server_adds_the_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
