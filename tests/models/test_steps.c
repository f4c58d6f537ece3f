/* tests/models/test_steps.c
 *
 * Layers that take the optimiser's step themselves, on the way up: the step is the one by way of the gradient, and where
 * somebody is to see the gradient there is one. */
#include "tests/models/words.h"

#include "common/rng.h"
#include "models/layout.h"

#include <math.h>

enum { BATCH_MAX = 24 };

typedef struct trained {
    wm_job   *job;
    wm_model *model;
    wm_plan  *plan;
    float    *whole, *inputs, *targets;
    wm_batch  batch;
} trained;

static void open_net(trained *net, const net_words *words, size_t batch)
{
    wm_text  text = WM_TEXT_INIT;
    wm_shape shape;
    size_t   each = 0;
    wm_rng   rng;
    wm_error err;

    assert_true(batch <= BATCH_MAX);
    net_text(&text, words);
    net->job = net_job(words->layers, wm_text_chars(&text));
    net->model = net_model_of(words->layers, net->job);
    assert_ok(wm_plan_new(net->model, batch, WM_PLAN_TRAIN, &net->plan, &err), &err);
    wm_job_input_shape(net->job, 0, &shape);
    assert_true(wm_shape_count(&shape, &each));
    net->whole = calloc(wm_model_n_whole(net->model), sizeof *net->whole);
    net->inputs = malloc(batch * each * sizeof *net->inputs);
    net->targets = malloc(batch * words->width * sizeof *net->targets);
    assert_true(net->whole != NULL && net->inputs != NULL && net->targets != NULL);
    wm_model_init(net->model, 3, net->whole);
    wm_model_init_own(net->model, 3, net->whole + wm_model_n_params(net->model));
    wm_rng_init(&rng, 9);
    for (size_t i = 0; i < batch * each; i++)
        net->inputs[i] = (float)wm_rng_normal(&rng);
    for (size_t i = 0; i < batch * words->width; i++)
        net->targets[i] = (float)wm_rng_normal(&rng);
    net->batch = (wm_batch){ .n = batch, .inputs = { net->inputs }, .targets = { net->targets } };
    wm_text_release(&text);
}

static void close_net(trained *net)
{
    wm_plan_free(net->plan);
    wm_model_free(net->model);
    wm_job_free(net->job);
    free(net->whole);
    free(net->inputs);
    free(net->targets);
}

static void take_step(trained *net, const wm_step *step)
{
    double   loss;
    wm_error err;

    assert_ok(wm_plan_step(net->plan, net->whole, &net->batch, step, &loss, &err), &err);
}

/* For wm_step.adjust: looks at the gradient, and so makes it be there. */
static void look(void *context, const float *params, float *grads, size_t n_params)
{
    (void)context, (void)params, (void)grads, (void)n_params;
}

static const wm_step on_the_way = { .rate = 0.1 }, by_the_gradient = { .rate = 0.1, .adjust = look };

/* ---- the same step ---- */

static const struct {
    const char *says;
    net_words   net;
    size_t      batch;
} nets[] = {
    { "few rows, and columns that no vector divides",
      { .shape = "37", .layers = "[{dense: 41}, relu, {dense: 5}]", .loss = "mse", .width = 5 },
      10 },
    { "one example", { .shape = "37", .layers = "[{dense: 41}, tanh, {dense: 1}]", .loss = "mse", .width = 1 }, 1 },
    { "a product so large that a library takes it",
      { .shape = "900", .layers = "[{dense: 512}, relu, {dense: 3}]", .loss = "mse", .width = 3 },
      24 },
    { "every step of a window, before and behind a recurrence",
      { .shape = "24 8", .layers = "[{dense: 16}, {lstm: 7}, {dense: 1}]", .loss = "mse", .width = 1 },
      8 },
    { "beside layers that do not step",
      { .shape = "24 4",
        .layers = "[{conv1d: {channels: 6, kernel: 3}}, relu, layer_norm, flatten, {dense: 9}, gelu, {dense: 2}]",
        .loss = "mse",
        .width = 2 },
      8 },
    { "an output that two layers read",
      { .shape = "6",
        .layers = "[{name: a, dense: 6}, {name: b, from: a, dense: 6}, {from: [a, b], add: {}}, {dense: 2}]",
        .loss = "mse",
        .width = 2 },
      8 },
    { "the first layer frozen",
      { .shape = "6",
        .layers = "[{name: a, dense: 9}, tanh, {name: b, dense: 7}, tanh, {dense: 2}]",
        .loss = "mse",
        .width = 2,
        .model = "freeze: a" },
      8 },
    { "a layer between others frozen",
      { .shape = "6",
        .layers = "[{name: a, dense: 9}, tanh, {name: b, dense: 7}, tanh, {dense: 2}]",
        .loss = "mse",
        .width = 2,
        .model = "freeze: b" },
      8 },
    { "personal layers, one with running statistics",
      { .shape = "6",
        .layers = "[{name: a, dense: 9}, {name: n, batch_norm: {}}, tanh, {name: b, dense: 7}, tanh, {dense: 2}]",
        .loss = "mse",
        .width = 2,
        .model = "personal: [n, b]\n  freeze: a" },
      8 },
};

enum { NETS = sizeof nets / sizeof *nets };

static void a_step_on_the_way_is_the_step_by_the_gradient(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETS; i++) {
        trained way, grad, start;
        size_t  n, frozen;
        double  moved = 0;

        open_net(&way, &nets[i].net, nets[i].batch);
        open_net(&grad, &nets[i].net, nets[i].batch);
        open_net(&start, &nets[i].net, nets[i].batch);
        n = wm_model_n_whole(way.model);
        frozen = wm_model_n_params(way.model) - wm_model_n_trained(way.model);
        for (int steps = 1; steps <= 3; steps++) {
            take_step(&way, &on_the_way);
            take_step(&grad, &by_the_gradient);
            for (size_t p = 0; p < n; p++) {
                double have = (double)way.whole[p], want = (double)grad.whole[p];

                if (!(fabs(have - want) <= 5e-7 * steps * (1 + fabs(want))))
                    fail_msg("%s: parameter %zu after step %d is %.9g, not %.9g", nets[i].says, p, steps, have,
                             want);
                moved = fmax(moved, fabs(want - (double)start.whole[p]));
            }
        }
        assert_case(nets[i].says, moved > 1e-3);
        assert_memory_equal(way.whole, start.whole, frozen * sizeof(float));
        close_net(&way);
        close_net(&grad);
        close_net(&start);
    }
}

static void every_layer_that_steps_is_in_these_tests(void **state)
{
    size_t step = 0;

    (void)state;
    for (size_t m = 0; m < wm_layers.n_members; m++) {
        const wm_layer_ops *ops = (const wm_layer_ops *)(const void *)wm_layers.members[m];
        bool                found = !ops->steps;

        for (size_t i = 0; i < NETS && !found; i++)
            found = strstr(nets[i].net.layers, ops->member.name) != NULL;
        assert_case(ops->member.name, found);
        step += ops->steps;
    }
    assert_true(step > 0);
}

/* Kinds of steps in turn leave nothing behind for the next. */
static void steps_of_both_kinds_follow_each_other(void **state)
{
    static const wm_step clipped = { .rate = 0.1, .clip = 0.3 };
    trained              both, grad;

    (void)state;
    open_net(&both, &nets[4].net, 8);
    open_net(&grad, &nets[4].net, 8);
    for (int i = 0; i < 4; i++) {
        const float *grads;
        double       loss;
        wm_error     err;

        take_step(&both, &on_the_way);
        take_step(&both, &clipped);
        take_step(&grad, &by_the_gradient);
        take_step(&grad, &clipped);
        assert_ok(wm_plan_gradient(both.plan, both.whole, &both.batch, &grads, &loss, &err), &err);
    }
    for (size_t p = 0; p < wm_model_n_whole(both.model); p++)
        assert_true(fabsf(both.whole[p] - grad.whole[p]) <= 4e-6f * (1 + fabsf(grad.whole[p])));
    close_net(&both);
    close_net(&grad);
}

/* The loss is finite and its gradient is not: what the unfused step would write is what is written, and the client sees it. */
static void a_gradient_that_overflows_shows_in_the_same_parameters(void **state)
{
    static const net_words words = {
        .shape = "37", .layers = "[{dense: 41}, {dense: 5}]", .loss = "mse", .width = 5
    };
    trained way, grad;
    size_t  lost = 0;

    (void)state;
    open_net(&way, &words, 8);
    open_net(&grad, &words, 8);
    way.inputs[3] = grad.inputs[3] = 1e25f;
    take_step(&way, &on_the_way);
    take_step(&grad, &by_the_gradient);
    for (size_t p = 0; p < wm_model_n_whole(way.model); p++) {
        assert_true(isfinite(way.whole[p]) == isfinite(grad.whole[p]));
        lost += isfinite(way.whole[p]) ? 0 : 1;
    }
    assert_true(lost > 0 && lost < wm_model_n_whole(way.model));
    close_net(&way);
    close_net(&grad);
}

/* ---- who has a gradient ---- */

static void where_a_layer_steps_nobody_reads_or_writes_its_gradient(void **state)
{
    trained net;

    (void)state;
    open_net(&net, &nets[0].net, 10);
    for (size_t p = 0; p < wm_model_n_params(net.model); p++)
        net.plan->grads[p] = NAN;
    take_step(&net, &on_the_way);
    for (size_t p = 0; p < wm_model_n_params(net.model); p++)
        assert_true(isnan(net.plan->grads[p]) && isfinite(net.whole[p]));
    close_net(&net);
}

/* want <- the step of the job's optimiser on the gradient that was asked for, the first since the reset. */
static void step_by_hand(trained *net, double rate, float *want)
{
    const wm_choice        *choice = &net->job->training.optimiser;
    const wm_optimiser_ops *ops = (const wm_optimiser_ops *)(const void *)choice->member;
    size_t                  n = wm_model_n_whole(net->model), each = ops->state_each(choice->options);
    float                  *grads = malloc(n * sizeof *grads), *moments = calloc(n * (each + 1), sizeof *moments);
    const float            *given;
    double                  loss;
    wm_error                err;

    assert_true(grads != NULL && moments != NULL);
    assert_ok(wm_plan_gradient(net->plan, net->whole, &net->batch, &given, &loss, &err), &err);
    memcpy(grads, given, n * sizeof *grads);
    memcpy(want, net->whole, n * sizeof *want);
    ops->step(choice->options, rate, 1, want, grads, each > 0 ? moments : NULL, n);
    free(grads);
    free(moments);
}

/* Whatever looks at the gradient, or makes more of it than a plain step, gets it, to the bit. */
static void who_looks_at_the_gradient_gets_it(void **state)
{
    static const struct {
        const char *says, *optimiser;
        wm_step     step;
    } rows[] = {
        { "a strategy corrects it", "sgd", { .rate = 0.1, .adjust = look } },
        { "it is clipped", "sgd", { .rate = 0.1, .clip = 1e6 } },
        { "it is clipped and corrected", "sgd", { .rate = 0.1, .clip = 1e6, .adjust = look } },
        { "momentum", "{sgd: {momentum: 0.9}}", { .rate = 0.1 } },
        { "Nesterov's momentum", "{sgd: {momentum: 0.9, nesterov: true}}", { .rate = 0.1 } },
        { "weight decay", "{sgd: {weight_decay: 0.1}}", { .rate = 0.1 } },
        { "momentum, clipped", "{sgd: {momentum: 0.9}}", { .rate = 0.1, .clip = 1e6 } },
        { "weight decay, corrected", "{sgd: {weight_decay: 0.1}}", { .rate = 0.1, .adjust = look } },
        { "adam", "adam", { .rate = 0.1 } },
        { "adamw", "adamw", { .rate = 0.1 } },
        { "adagrad", "adagrad", { .rate = 0.1 } },
        { "rmsprop", "rmsprop", { .rate = 0.1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net_words words = nets[0].net;
        trained   net;
        float    *want;

        words.optimiser = rows[i].optimiser;
        open_net(&net, &words, 10);
        want = malloc(wm_model_n_whole(net.model) * sizeof *want);
        assert_non_null(want);
        step_by_hand(&net, rows[i].step.rate, want);
        take_step(&net, &rows[i].step);
        assert_case(rows[i].says, memcmp(net.whole, want, wm_model_n_whole(net.model) * sizeof *want) == 0);
        free(want);
        close_net(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_on_the_way_is_the_step_by_the_gradient),
        cmocka_unit_test(every_layer_that_steps_is_in_these_tests),
        cmocka_unit_test(steps_of_both_kinds_follow_each_other),
        cmocka_unit_test(a_gradient_that_overflows_shows_in_the_same_parameters),
        cmocka_unit_test(where_a_layer_steps_nobody_reads_or_writes_its_gradient),
        cmocka_unit_test(who_looks_at_the_gradient_gets_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
