/* tests/models/test_plan_repeats.c
 *
 * The same steps give the same bits: over again, after a reset, wherever params and data lie, and on whichever thread. */
#include "tests/models/plan_bench.h"
#include "tests/models/words.h"

#include <pthread.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_lowers_the_loss_and_repeats_to_the_bit),
        cmocka_unit_test(a_reset_plan_is_as_new),
        cmocka_unit_test(nothing_is_carried_over_a_reset_by_any_optimiser),
        cmocka_unit_test(results_depend_neither_on_alignment_nor_on_the_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
