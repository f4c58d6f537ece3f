/* tests/models/test_plan.c
 *
 * A plan's memory, which is known beforehand, and what it refuses: batches that do not fit, numbers that are none. That a step
 * repeats to the bit is in test_plan_repeats.c, what becomes of gradients in test_plan_gradients.c. */
#include "tests/models/allocations.h"
#include "tests/models/plan_bench.h"

#include <math.h>

static void a_step_allocates_nothing(void **state)
{
    bench        t;
    size_t       before;
    const float *outputs[WM_TARGETS_MAX], *grads;
    double       loss;
    wm_error     err;

    (void)state;
    bench_init(&t, 0.9, 8);
    step(&t, 0.1, 0);
    before = allocations;
    assert_true(before > 0); /* the counter is in place */
    for (int i = 0; i < 10; i++) {
        step(&t, 0.1, 0.5);
        assert_ok(wm_plan_forward(t.plan, t.params, &t.b.batch, outputs, &loss, &err), &err);
        assert_ok(wm_plan_gradient(t.plan, t.params, &t.b.batch, &grads, &loss, &err), &err);
        wm_plan_reset(t.plan, 3);
    }
    assert_int_equal(allocations, before);
    bench_release(&t);
}

static void what_a_plan_takes_is_known_beforehand(void **state)
{
    static const wm_plan_use uses[] = { WM_PLAN_EVALUATE, WM_PLAN_TRAIN };
    bench                    t;

    (void)state;
    bench_init(&t, 0.9, 8);
    for (size_t i = 0; i < 2; i++)
        for (size_t batch = 1; batch < 40; batch += 13) {
            size_t   bytes, before;
            wm_plan *plan;
            wm_error err;

            assert_ok(wm_plan_bytes(t.model, batch, uses[i], &bytes, &err), &err);
            before = allocated;
            assert_ok(wm_plan_new(t.model, batch, uses[i], &plan, &err), &err);
            /* The arena's own two records come on top. */
            assert_in_range(allocated - before, bytes, bytes + 192);
            wm_plan_free(plan);
        }
    bench_release(&t);
}

static void evaluation_takes_less_than_training(void **state)
{
    bench    t;
    size_t   train, evaluate;
    wm_error err;

    (void)state;
    bench_init(&t, 0, 8);
    assert_ok(wm_plan_bytes(t.model, 8, WM_PLAN_TRAIN, &train, &err), &err);
    assert_ok(wm_plan_bytes(t.model, 8, WM_PLAN_EVALUATE, &evaluate, &err), &err);
    assert_true(evaluate + wm_model_n_params(t.model) * sizeof(float) < train);
    bench_release(&t);
}

static void batches_beyond_any_memory_are_refused(void **state)
{
    bench    t;
    wm_plan *plan = NULL;
    size_t   bytes = 1;
    wm_error err;

    (void)state;
    bench_init(&t, 0, 1);
    assert_int_equal(wm_plan_bytes(t.model, SIZE_MAX / 8, WM_PLAN_TRAIN, &bytes, &err), WM_E_RANGE);
    assert_int_equal(wm_plan_new(t.model, SIZE_MAX / 8, WM_PLAN_EVALUATE, &plan, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "make the batch smaller"));
    assert_int_equal(bytes, 1);
    assert_null(plan);
    bench_release(&t);
}

static void batches_that_do_not_fit_are_refused(void **state)
{
    bench        t;
    wm_step      how = { .rate = 0.1 };
    double       loss;
    const float *outputs[WM_TARGETS_MAX];
    wm_error     err;

    (void)state;
    bench_init(&t, 0, 8);
    t.b.batch.n = 0;
    assert_int_equal(wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err), WM_E_RANGE);
    assert_int_equal(wm_plan_forward(t.plan, t.params, &t.b.batch, outputs, NULL, &err), WM_E_RANGE);
    t.b.batch.n = 9;
    assert_int_equal(wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "9 examples; the plan is for 1 to 8"));
    t.b.batch.n = 8;
    t.b.classes[0][7] = 3;
    assert_int_equal(wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "class 3 in target y"));
    assert_int_equal(wm_plan_forward(t.plan, t.params, &t.b.batch, outputs, &loss, &err), WM_E_RANGE);
    t.b.classes[0][7] = -1;
    assert_int_equal(wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err), WM_E_RANGE);
    assert_ok(wm_plan_forward(t.plan, t.params, &t.b.batch, outputs, NULL, &err), &err); /* truths not looked at */
    bench_release(&t);
}

static void explosions_name_where_they_began_and_leave_params_alone(void **state)
{
    static const struct {
        const char *says, *want;
        size_t      param; /* which becomes `value` */
        float       value;
        bool        input; /* or the first input */
    } rows[] = {
        { "a parameter of the first layer is infinite", "layer 0.dense (dense)", 3, INFINITY, false },
        { "a parameter of the second is NaN", "layer 3.dense (dense)", 40 + 17, NAN, false },
        { "the products of the last layer overflow", "layer 5.dense (dense)", 40 + 656 + 5, 3e38f, false },
        { "a reading is NaN", "the input x is not", 0, NAN, true },
    };

    (void)state;
    for (size_t r = 0; r < 2 * sizeof rows / sizeof *rows; r++) {
        size_t   i = r / 2;
        bench    t;
        size_t   bytes;
        float   *before;
        wm_step  how = { .rate = 0.1 };
        double   loss = -1;
        wm_error err;

        bench_init(&t, r % 2 == 0 ? 0.9 : 0, 8); /* without momentum layers step themselves */
        bytes = wm_model_n_params(t.model) * sizeof(float);
        if (rows[i].input)
            t.b.floats[0][0] = rows[i].value;
        else
            t.params[rows[i].param] = rows[i].value;
        if (rows[i].value == 3e38f)
            for (size_t p = 40 + 656; p < 40 + 656 + 16; p++)
                t.params[p] = 3e38f;
        before = bench_params(&t);
        assert_case(rows[i].says, wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err) == WM_E_NONFINITE);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("%s: want \"%s\", have \"%s\"", rows[i].says, rows[i].want, err.text);
        assert_memory_equal(t.params, before, bytes);
        assert_case("loss untouched", loss == -1);
        free(before);
        bench_release(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(what_a_plan_takes_is_known_beforehand),
        cmocka_unit_test(evaluation_takes_less_than_training),
        cmocka_unit_test(batches_beyond_any_memory_are_refused),
        cmocka_unit_test(batches_that_do_not_fit_are_refused),
        cmocka_unit_test(explosions_name_where_they_began_and_leave_params_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
