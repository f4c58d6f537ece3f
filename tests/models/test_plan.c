/* tests/models/test_plan.c: memory that is known beforehand, steps, and what they refuse. */
#include "tests/models/allocations.h"
#include "tests/models/net.h"
#include "tests/models/words.h"

#include <math.h>
#include <pthread.h>

/* ---- a network for all of them ---- */

typedef struct bench {
    test_net  net;
    wm_model *model;
    float    *params;
    wm_plan  *plan;
    net_batch b;
} bench;

static void bench_init(bench *t, double momentum, size_t batch)
{
    wm_error err;

    net_init(&t->net);
    net_input(&t->net, "x", (wm_shape){ .rank = 2, .dim = { 5, 4 } });
    net_layer(&t->net, "dense", 8);
    net_layer(&t->net, "relu", 0);
    net_layer(&t->net, "flatten", 0);
    net_layer(&t->net, "dense", 16);
    net_layer(&t->net, "tanh", 0);
    net_layer(&t->net, "dense", 3);
    net_target(&t->net, "y", 3, 3, net_member(&wm_losses, "cross_entropy"), "5.dense", 1);
    t->net.sgd.momentum = momentum;
    t->model = net_model(&t->net);
    t->params = net_params(t->model, 1);
    net_batch_init(&t->b, &t->net, batch, 2);
    assert_ok(wm_plan_new(t->model, batch, WM_PLAN_TRAIN, &t->plan, &err), &err);
}

static void bench_release(bench *t)
{
    wm_plan_free(t->plan);
    net_batch_release(&t->b);
    free(t->params);
    wm_model_free(t->model);
}

static double step(bench *t, double rate, double clip)
{
    wm_step  how = { .rate = rate, .clip = clip };
    double   loss;
    wm_error err;

    assert_ok(wm_plan_step(t->plan, t->params, &t->b.batch, &how, &loss, &err), &err);
    return loss;
}

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

static void training_lowers_the_loss_and_repeats_to_the_bit(void **state)
{
    bench  a, b;
    double first, last = 0;

    (void)state;
    bench_init(&a, 0.9, 8);
    bench_init(&b, 0.9, 8);
    first = step(&a, 0.05, 0);
    assert_true(step(&b, 0.05, 0) == first);
    for (int i = 0; i < 50; i++) {
        last = step(&a, 0.05, 0);
        assert_true(step(&b, 0.05, 0) == last);
    }
    assert_true(last < first / 4);
    assert_memory_equal(a.params, b.params, wm_model_n_params(a.model) * sizeof(float));
    bench_release(&a);
    bench_release(&b);
}

static void a_reset_plan_is_as_new(void **state)
{
    bench  a, b;
    size_t bytes;

    (void)state;
    bench_init(&a, 0.9, 8);
    bench_init(&b, 0.9, 8);
    bytes = wm_model_n_params(a.model) * sizeof(float);
    for (int i = 0; i < 5; i++)
        step(&a, 0.1, 0);
    wm_plan_reset(a.plan, 0);
    memcpy(a.params, b.params, bytes);
    step(&a, 0.1, 0);
    step(&b, 0.1, 0);
    step(&a, 0.1, 0);
    step(&b, 0.1, 0);
    assert_memory_equal(a.params, b.params, bytes);
    bench_release(&a);
    bench_release(&b);
}

/* What each of them carries from step to step: velocities, and how many steps there were. */
static void nothing_is_carried_over_a_reset_by_any_optimiser(void **state)
{
    (void)state;
    for (size_t o = 0; o < wm_optimisers.n_members; o++) {
        const char *name = wm_optimisers.members[o]->name,
                   *options = strcmp(name, "sgd") == 0 ? "{momentum: 0.9}" : "{}";
        wm_text   text = WM_TEXT_INIT;
        char      optimiser[64];
        float     x[4 * 3], y[4 * 2], params[8], first[8];
        wm_batch  batch = { .n = 4, .inputs = { x }, .targets = { y } };
        double    loss;
        wm_job   *job;
        wm_model *model;
        wm_plan  *plan;
        wm_rng    rng;
        wm_error  err;

        snprintf(optimiser, sizeof optimiser, "{%s: %s}", name, options);
        net_text(&text,
                 &(net_words){
                     .shape = "3", .layers = "[{dense: 2}]", .loss = "mse", .width = 2, .optimiser = optimiser });
        job = net_job(name, wm_text_chars(&text));
        model = net_model_of(name, job);
        assert_int_equal(wm_model_n_params(model), 8);
        wm_rng_init(&rng, 5);
        for (size_t i = 0; i < 12; i++)
            x[i] = (float)wm_rng_normal(&rng);
        for (size_t i = 0; i < 8; i++)
            y[i] = (float)wm_rng_normal(&rng);
        assert_ok(wm_plan_new(model, 4, WM_PLAN_TRAIN, &plan, &err), &err);
        for (int again = 0; again < 2; again++) {
            wm_plan_reset(plan, 0);
            wm_model_init(model, 1, params);
            for (int i = 0; i < 3; i++)
                assert_ok(wm_plan_step(plan, params, &batch, &(wm_step){ .rate = 0.05 }, &loss, &err), &err);
            if (again)
                assert_case(name, memcmp(params, first, sizeof params) == 0);
            memcpy(first, params, sizeof params);
        }
        wm_plan_free(plan);
        wm_model_free(model);
        wm_job_free(job);
        wm_text_release(&text);
    }
}

/* Params and data wherever they lie, on whichever thread: the same bits. */
static void *ten_steps(void *context)
{
    bench *t = context;

    for (int i = 0; i < 10; i++)
        step(t, 0.05, 0);
    return NULL;
}

static void compare_places(double momentum)
{
    bench     t[3];
    size_t    n, bytes, n_x = 8 * 20;
    float    *shifted, *x;
    pthread_t thread;

    for (int i = 0; i < 3; i++)
        bench_init(&t[i], momentum, 8);
    n = wm_model_n_params(t[0].model);
    bytes = n * sizeof(float);
    shifted = malloc(bytes + 3 * sizeof *shifted);
    x = malloc((n_x + 1) * sizeof *x);
    assert_true(shifted != NULL && x != NULL);
    memcpy(shifted + 3, t[1].params, bytes);
    memcpy(x + 1, t[1].b.floats[0], n_x * sizeof *x);
    free(t[1].params);
    t[1].params = shifted + 3;
    t[1].b.batch.inputs[0] = x + 1;
    ten_steps(&t[0]);
    ten_steps(&t[1]);
    assert_int_equal(pthread_create(&thread, NULL, ten_steps, &t[2]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_memory_equal(t[0].params, t[1].params, bytes);
    assert_memory_equal(t[0].params, t[2].params, bytes);
    t[1].params = NULL;
    free(shifted);
    free(x);
    for (int i = 0; i < 3; i++)
        bench_release(&t[i]);
}

static void results_depend_neither_on_alignment_nor_on_the_thread(void **state)
{
    (void)state;
    compare_places(0.9);
    compare_places(0); /* layers step themselves */
}

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
    start = malloc(n * sizeof *start);
    assert_non_null(start);
    memcpy(start, a.params, n * sizeof *start);
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
    start = malloc(n * sizeof *start);
    assert_non_null(start);
    memcpy(start, a.params, n * sizeof *start);
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
        before = malloc(bytes);
        assert_non_null(before);
        if (rows[i].input)
            t.b.floats[0][0] = rows[i].value;
        else
            t.params[rows[i].param] = rows[i].value;
        if (rows[i].value == 3e38f)
            for (size_t p = 40 + 656; p < 40 + 656 + 16; p++)
                t.params[p] = 3e38f;
        memcpy(before, t.params, bytes);
        assert_case(rows[i].says, wm_plan_step(t.plan, t.params, &t.b.batch, &how, &loss, &err) == WM_E_NONFINITE);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("%s: want \"%s\", have \"%s\"", rows[i].says, rows[i].want, err.text);
        assert_memory_equal(t.params, before, bytes);
        assert_case("loss untouched", loss == -1);
        free(before);
        bench_release(&t);
    }
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
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(what_a_plan_takes_is_known_beforehand),
        cmocka_unit_test(evaluation_takes_less_than_training),
        cmocka_unit_test(batches_beyond_any_memory_are_refused),
        cmocka_unit_test(training_lowers_the_loss_and_repeats_to_the_bit),
        cmocka_unit_test(a_reset_plan_is_as_new),
        cmocka_unit_test(nothing_is_carried_over_a_reset_by_any_optimiser),
        cmocka_unit_test(results_depend_neither_on_alignment_nor_on_the_thread),
        cmocka_unit_test(a_clipped_gradient_keeps_its_direction),
        cmocka_unit_test(a_clipped_gradient_is_as_long_as_pytorchs),
        cmocka_unit_test(a_strategy_may_change_the_gradient_after_the_clip),
        cmocka_unit_test(a_gradient_that_was_asked_for_changes_nothing),
        cmocka_unit_test(explosions_name_where_they_began_and_leave_params_alone),
        cmocka_unit_test(batches_that_do_not_fit_are_refused),
        cmocka_unit_test(a_smaller_batch_is_the_mean_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
