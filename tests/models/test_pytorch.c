/* tests/models/test_pytorch.c
 *
 * Whole networks against PyTorch: outputs, gradients, and losses and parameters over 100 steps. What is right is
 * float64; we may be twice as far from it as PyTorch's own float32 is (golden/make.py makes the numbers). */
#include "tests/models/net.h"

#include "tests/models/golden/networks.h"

#include <math.h>

enum { BATCH = 8, BATCHES = 20, STEPS = 100 };

/* make.py's Numbers */
static float unit(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (float)(*s >> 40) * 0x1p-24f - 0.5f;
}

/* Everything of a run, laid out as in make.py. */
typedef struct result {
    const double *want;
    size_t        n;
    double        distance;
} result;

typedef struct golden {
    const char *name;
    void (*layers)(test_net *net);
    wm_shape shape;
    size_t   width;
    bool     classes;
    double   rate, momentum, weight_decay, clip;
    bool     nesterov;
    result   outputs, grads, params, losses;
} golden;

static void regression(test_net *net)
{
    net_layer(net, "dense", 16);
    net_layer(net, "tanh", 0);
    net_layer(net, "dense", 8);
    net_layer(net, "sigmoid", 0);
    net_layer(net, "dense", 10);
    net_layer(net, "relu", 0);
    net_layer(net, "dense", 3);
}

static void classes(test_net *net)
{
    net_layer(net, "dense", 16);
    net_layer(net, "relu", 0);
    net_layer(net, "dense", 16);
    net_layer(net, "relu", 0);
    net_layer(net, "dense", 5);
}

static void steps(test_net *net)
{
    net_layer(net, "dense", 6);
    net_layer(net, "relu", 0);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
}

#define RESULT(name)                                      \
    {                                                     \
        name, sizeof name / sizeof *name, name##_distance \
    }

static const golden goldens[] = {
    { .name = "regression",
      .layers = regression,
      .shape = { .rank = 1, .dim = { 12 } },
      .width = 3,
      .rate = 0.05,
      .momentum = 0.9,
      .outputs = RESULT(regression_outputs),
      .grads = RESULT(regression_grads),
      .params = RESULT(regression_params),
      .losses = RESULT(regression_losses) },
    { .name = "classes",
      .layers = classes,
      .shape = { .rank = 1, .dim = { 20 } },
      .width = 5,
      .classes = true,
      .rate = 0.05,
      .momentum = 0.9,
      .weight_decay = 1e-3,
      .nesterov = true,
      .outputs = RESULT(classes_outputs),
      .grads = RESULT(classes_grads),
      .params = RESULT(classes_params),
      .losses = RESULT(classes_losses) },
    { .name = "steps",
      .layers = steps,
      .shape = { .rank = 2, .dim = { 4, 5 } },
      .width = 2,
      .rate = 0.1,
      .weight_decay = 1e-2,
      .clip = 0.5,
      .outputs = RESULT(steps_outputs),
      .grads = RESULT(steps_grads),
      .params = RESULT(steps_params),
      .losses = RESULT(steps_losses) },
};

/* A result that is 1e-9 off is as good as right: below that float64 itself, in other orders of addition, differs. */
static void near(const golden *g, const char *what, const result *want, const float *have,
                 const double *have_double, size_t n)
{
    double sum = 0;

    assert_int_equal(n, want->n);
    for (size_t i = 0; i < n; i++) {
        double d = (have != NULL ? (double)have[i] : have_double[i]) - want->want[i];

        sum += d * d;
    }
    sum = sqrt(sum / (double)n);
    print_message("# %s: %s: %.3g from float64, PyTorch's float32 %.3g\n", g->name, what, sum, want->distance);
    if (!(sum <= 2 * want->distance + 1e-9))
        fail_msg("%s: %s are %g from float64; PyTorch's float32 is %g", g->name, what, sum, want->distance);
}

static wm_batch batch_at(const golden *g, const float *x, const float *y, const int32_t *c, size_t i)
{
    wm_batch batch = { .n = BATCH };
    size_t   n = 0;

    assert_true(wm_shape_count(&g->shape, &n));
    batch.inputs[0] = x + i % BATCHES * BATCH * n;
    batch.targets[0] = g->classes ? NULL : y + i % BATCHES * BATCH * g->width;
    batch.classes[0] = g->classes ? c + i % BATCHES * BATCH : NULL;
    return batch;
}

static void run(const golden *g)
{
    test_net     net;
    wm_model    *model;
    wm_plan     *plan;
    float       *params, *x, *y;
    int32_t      c[BATCHES * BATCH];
    size_t       n = 0, n_params;
    uint64_t     s = 1;
    wm_step      step = { .rate = g->rate, .clip = g->clip };
    double       losses[STEPS];
    const float *outputs[WM_TARGETS_MAX], *grads;
    wm_batch     batch;
    wm_error     err;

    net_init(&net);
    net_input(&net, "x", g->shape);
    g->layers(&net);
    net_target(&net, "y", g->width, g->classes ? (int64_t)g->width : 0,
               net_member(&wm_losses, g->classes ? "cross_entropy" : "mse"),
               net.layers[net.job.model.n_layers - 1].name, 1);
    net.sgd.momentum = g->momentum;
    net.sgd.weight_decay = g->weight_decay;
    net.sgd.nesterov = g->nesterov;
    model = net_model(&net);
    n_params = wm_model_n_params(model);
    assert_true(wm_shape_count(&g->shape, &n));
    params = malloc(n_params * sizeof *params);
    x = malloc(BATCHES * BATCH * n * sizeof *x);
    y = malloc(BATCHES * BATCH * g->width * sizeof *y);
    assert_true(params != NULL && x != NULL && y != NULL);
    for (size_t i = 0; i < n_params; i++)
        params[i] = 0.5f * unit(&s);
    for (size_t i = 0; i < BATCHES * BATCH * n; i++)
        x[i] = 4 * unit(&s);
    for (size_t i = 0; i < BATCHES * BATCH * (g->classes ? 1 : g->width); i++) {
        y[i] = unit(&s);
        if (g->classes)
            c[i] = (int32_t)((y[i] + 0.5f) * (float)g->width);
    }
    assert_ok(wm_plan_new(model, BATCH, WM_PLAN_TRAIN, &plan, &err), &err);
    batch = batch_at(g, x, y, c, 0);
    assert_ok(wm_plan_forward(plan, params, &batch, outputs, NULL, &err), &err);
    near(g, "outputs", &g->outputs, outputs[0], NULL, BATCH * g->width);
    assert_ok(wm_plan_gradient(plan, params, &batch, &grads, &losses[0], &err), &err);
    near(g, "gradients", &g->grads, grads, NULL, n_params);
    for (size_t i = 0; i < STEPS; i++) {
        batch = batch_at(g, x, y, c, i);
        assert_ok(wm_plan_step(plan, params, &batch, &step, &losses[i], &err), &err);
    }
    near(g, "losses over 100 steps", &g->losses, NULL, losses, STEPS);
    near(g, "parameters after 100 steps", &g->params, params, NULL, n_params);
    wm_plan_free(plan);
    wm_model_free(model);
    free(params);
    free(x);
    free(y);
}

static void networks_are_as_near_to_float64_as_pytorch_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        run(&goldens[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_as_near_to_float64_as_pytorch_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
