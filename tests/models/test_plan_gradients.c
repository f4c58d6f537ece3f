/* tests/models/test_plan_gradients.c
 *
 * The gradient between a batch and the step: the mean over the examples, clipped to a length, changed by a strategy, or asked
 * for by itself. */
#include "tests/models/plan_bench.h"

#include <math.h>

static void a_clipped_gradient_keeps_its_direction(void **state)
{
    bench    a;
    size_t   n;
    float   *start, *grads;
    double   norm = 0, loss, was;
    wm_error err;

    (void)state;
    bench_init(&a, 0, 8);
    n = wm_model_n_params(a.model);
    start = bench_params(&a);
    assert_ok(wm_plan_gradient(a.plan, a.params, &a.b.batch, (const float **)&grads, &loss, &err), &err);
    for (size_t i = 0; i < n; i++)
        norm += (double)grads[i] * (double)grads[i];
    norm = sqrt(norm);
    assert_true(norm > 0.2);
    was = (double)grads[n - 1];
    step(&a, 1, 0.1);
    assert_true(fabs(((double)start[n - 1] - (double)a.params[n - 1]) - was * 0.1 / norm) < 1e-7);
    memcpy(a.params, start, n * sizeof *start);
    step(&a, 1, 1e6); /* far above the norm: as without */
    assert_true(fabs(((double)start[n - 1] - (double)a.params[n - 1]) - was) < 1e-7);
    free(start);
    bench_release(&a);
}

static void add_squares(void *context, const float *params, float *grads, size_t n_params)
{
    (void)params;
    for (size_t i = 0; i < n_params; i++)
        *(double *)context += (double)grads[i] * (double)grads[i];
}

/* PyTorch's clip_grad_norm_ divides by the norm and a millionth. */
static void a_clipped_gradient_is_as_long_as_pytorchs(void **state)
{
    bench    a;
    double   norm = 0, clipped = 0, loss;
    wm_step  how = { .rate = 0.1, .adjust = add_squares, .context = &norm };
    wm_error err;

    (void)state;
    bench_init(&a, 0, 8);
    assert_ok(wm_plan_step(a.plan, a.params, &a.b.batch, &how, &loss, &err), &err);
    wm_model_init(a.model, 1, a.params);
    how = (wm_step){ .rate = 0.1, .clip = 0.1, .adjust = add_squares, .context = &clipped };
    assert_ok(wm_plan_step(a.plan, a.params, &a.b.batch, &how, &loss, &err), &err);
    norm = sqrt(norm);
    assert_true(norm > 0.2 && norm < 2);
    assert_true(fabs(sqrt(clipped) / (0.1 * norm / (norm + 1e-6)) - 1) < 2e-7);
    bench_release(&a);
}

typedef struct adjustment {
    size_t calls, n;
    double norm;
} adjustment;

static void set_to_ones(void *context, const float *params, float *grads, size_t n_params)
{
    adjustment *at = context;

    assert_non_null(params);
    at->calls++;
    at->n = n_params;
    for (size_t i = 0; i < n_params; i++) {
        at->norm += (double)grads[i] * (double)grads[i];
        grads[i] = 1;
    }
}

static void a_strategy_may_change_the_gradient_after_the_clip(void **state)
{
    bench      a;
    adjustment at = { 0 };
    wm_step    how = { .rate = 0.5, .clip = 0.01, .adjust = set_to_ones, .context = &at };
    size_t     n;
    float     *start;
    double     loss;
    wm_error   err;

    (void)state;
    bench_init(&a, 0, 8);
    n = wm_model_n_params(a.model);
    start = bench_params(&a);
    assert_ok(wm_plan_step(a.plan, a.params, &a.b.batch, &how, &loss, &err), &err);
    assert_int_equal(at.calls, 1);
    assert_int_equal(at.n, n);
    assert_true(fabs(sqrt(at.norm) - 0.01) < 1e-6);
    for (size_t i = 0; i < n; i++)
        assert_true(a.params[i] == start[i] - 0.5f);
    free(start);
    bench_release(&a);
}

/* A gradient that was asked for must not leak into the next step. */
static void a_gradient_that_was_asked_for_changes_nothing(void **state)
{
    bench        a, b;
    const float *grads;
    double       loss;
    wm_error     err;

    (void)state;
    bench_init(&a, 0, 8);
    bench_init(&b, 0, 8);
    assert_ok(wm_plan_gradient(a.plan, a.params, &a.b.batch, &grads, &loss, &err), &err);
    step(&a, 0.1, 0);
    step(&b, 0.1, 0);
    assert_memory_equal(a.params, b.params, wm_model_n_params(a.model) * sizeof(float));
    bench_release(&a);
    bench_release(&b);
}

static void a_smaller_batch_is_the_mean_of_its_own(void **state)
{
    bench        t;
    double       all, sum = 0, loss;
    const float *outputs[WM_TARGETS_MAX];
    wm_error     err;

    (void)state;
    bench_init(&t, 0, 8);
    assert_ok(wm_plan_forward(t.plan, t.params, &t.b.batch, outputs, &all, &err), &err);
    for (size_t i = 0; i < 8; i++) {
        wm_batch     one = { .n = 1, .inputs = { t.b.floats[0] + 20 * i }, .classes = { t.b.classes[0] + i } };
        const float *grads;
        double       mean;

        assert_ok(wm_plan_forward(t.plan, t.params, &one, outputs, &loss, &err), &err);
        assert_ok(wm_plan_gradient(t.plan, t.params, &one, &grads, &mean, &err), &err);
        assert_true(mean == loss);
        sum += loss;
    }
    assert_true(fabs(sum - all) < 1e-5);
    bench_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clipped_gradient_keeps_its_direction),
        cmocka_unit_test(a_clipped_gradient_is_as_long_as_pytorchs),
        cmocka_unit_test(a_strategy_may_change_the_gradient_after_the_clip),
        cmocka_unit_test(a_gradient_that_was_asked_for_changes_nothing),
        cmocka_unit_test(a_smaller_batch_is_the_mean_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
