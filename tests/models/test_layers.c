/* tests/models/test_layers.c: the suite that every registered layer passes, and what is particular to some. */
#include "tests/models/gradients.h"

#include "models/layer.h"

/* Options for each layer that must be given some: the first test fails for a new layer that is not here. */
typedef struct example_of {
    const char *kind;
    int64_t     units;
    wm_shape    input;
} example_of;

static const example_of examples[] = {
    { "dense", 3, { .rank = 1, .dim = { 5 } } },   { "dense", 3, { .rank = 2, .dim = { 4, 5 } } },
    { "dense", 1, { .rank = 1, .dim = { 1 } } },   { "flatten", 0, { .rank = 3, .dim = { 2, 3, 2 } } },
    { "relu", 0, { .rank = 2, .dim = { 3, 4 } } }, { "sigmoid", 0, { .rank = 1, .dim = { 6 } } },
    { "tanh", 0, { .rank = 2, .dim = { 2, 3 } } },
};
static const size_t n_examples = sizeof examples / sizeof *examples;

/* dense before (so that the layer's input gradient is seen) and behind (so that its output has slopes) */
static void surround(test_net *net, const example_of *example, const char *loss)
{
    bool classes = strcmp(loss, "cross_entropy") == 0;

    net_init(net);
    net_input(net, "x", example->input);
    net_layer(net, "dense", example->input.dim[example->input.rank - 1]);
    net_layer(net, example->kind, example->units);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 3);
    net_target(net, "y", 3, classes ? 3 : 0, net_member(&wm_losses, loss), NULL, 1);
    net->losses[0].head = net->layers[3].name;
}

static void every_layer_has_an_example(void **state)
{
    (void)state;
    for (size_t i = 0; i < wm_layers.n_members; i++) {
        bool found = false;

        for (size_t j = 0; j < n_examples; j++)
            found = found || strcmp(examples[j].kind, wm_layers.members[i]->name) == 0;
        assert_case(wm_layers.members[i]->name, found);
    }
}

static void gradients_agree_with_slopes_for_every_layer_and_loss(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++)
        for (size_t l = 0; l < wm_losses.n_members; l++) {
            test_net net;

            surround(&net, &examples[i], wm_losses.members[l]->name);
            check_gradient(examples[i].kind, &net, 5, 11 + i);
            check_gradient(examples[i].kind, &net, 1, 31 + i);
        }
}

/* What a plan may do with memory must not show: in place or not, trained or evaluated. */
static void a_plan_for_training_and_one_for_evaluation_predict_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++) {
        test_net     net;
        wm_model    *model;
        float       *params;
        wm_plan     *train, *evaluate;
        const float *a[WM_TARGETS_MAX], *b[WM_TARGETS_MAX];
        net_batch    batch;
        wm_error     err;

        surround(&net, &examples[i], "mse");
        model = net_model(&net);
        params = net_params(model, 1);
        net_batch_init(&batch, &net, 4, 2);
        assert_ok(wm_plan_new(model, 6, WM_PLAN_TRAIN, &train, &err), &err);
        assert_ok(wm_plan_new(model, 4, WM_PLAN_EVALUATE, &evaluate, &err), &err);
        assert_ok(wm_plan_forward(train, params, &batch.batch, a, NULL, &err), &err);
        assert_ok(wm_plan_forward(evaluate, params, &batch.batch, b, NULL, &err), &err);
        assert_memory_equal(a[0], b[0], 4 * 3 * sizeof(float));
        wm_plan_free(train);
        wm_plan_free(evaluate);
        net_batch_release(&batch);
        free(params);
        wm_model_free(model);
    }
}

/* Layers alone, called as a plan would. */
typedef struct lone {
    float        x[8], y[8], dy[8], dx[8];
    wm_shape     shape;
    const float *inputs[1];
    float       *grads[1];
    wm_layer_run run;
} lone;

static void lone_init(lone *l, uint32_t n)
{
    memset(l, 0, sizeof *l);
    l->shape = (wm_shape){ .rank = 1, .dim = { n } };
    l->inputs[0] = l->x;
    l->grads[0] = l->dx;
    l->run = (wm_layer_run){
        .B = 1,
        .training = true,
        .n_inputs = 1,
        .input_shapes = &l->shape,
        .inputs = l->inputs,
        .output_shape = l->shape,
        .output = l->y,
        .output_grad = l->dy,
        .input_grads = l->grads,
    };
}

static void activations_are_the_functions_that_they_are_named_for(void **state)
{
    static const struct {
        const char *kind;
        double      x, y, slope;
    } rows[] = {
        { "relu", 2.5, 2.5, 1 },
        { "relu", -2.5, 0, 0 },
        { "relu", 0, 0, 0 }, /* as in PyTorch */
        { "tanh", 0.5, 0.46211715726000975, 0.7864477329659274 },
        { "tanh", -3, -0.9950547536867305, 0.009866037165440193 },
        { "tanh", 40, 1, 0 },
        { "sigmoid", 0, 0.5, 0.25 },
        { "sigmoid", 2, 0.8807970779778823, 0.10499358540350662 },
        { "sigmoid", -100, 0, 0 },
        { "sigmoid", 200, 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wm_layer_ops *ops = (const wm_layer_ops *)net_member(&wm_layers, rows[i].kind);
        lone                l;

        lone_init(&l, 1);
        l.x[0] = (float)rows[i].x;
        l.dy[0] = 1;
        ops->forward(NULL, &l.run);
        ops->backward(NULL, &l.run);
        assert_case(rows[i].kind, fabs((double)l.y[0] - rows[i].y) <= 3e-7 * fabs(rows[i].y) + 1e-38);
        assert_case(rows[i].kind, fabs((double)l.dx[0] - rows[i].slope) <= 3e-7);
    }
}

/* y = 2 x0 + 3 x1 + 1 */
static void dense_leaves_alone_what_nobody_wants(void **state)
{
    static const float weight[] = { 2, 3 }, bias[] = { 1 };
    const float *const params[] = { weight, bias };
    float              weight_grad[2] = { 10, 20 }, bias_grad[1] = { 30 };
    float *const all[] = { weight_grad, bias_grad }, *const none[] = { NULL, NULL };
    const wm_layer_ops *ops = (const wm_layer_ops *)net_member(&wm_layers, "dense");
    lone                l;

    (void)state;
    lone_init(&l, 2);
    l.run.output_shape.dim[0] = 1;
    l.run.params = params;
    l.run.param_grads = none; /* frozen */
    l.x[0] = 5;
    l.x[1] = 7;
    l.dy[0] = 0.5f;
    l.dx[0] = l.dx[1] = 99; /* to be overwritten */
    ops->forward(NULL, &l.run);
    assert_true(l.y[0] == 32);
    ops->backward(NULL, &l.run);
    assert_true(l.dx[0] == 1 && l.dx[1] == 1.5f);
    l.run.param_grads = all;
    l.grads[0] = NULL;
    l.dx[0] = l.dx[1] = 99;
    ops->backward(NULL, &l.run);
    assert_true(weight_grad[0] == 12.5f && weight_grad[1] == 23.5f && bias_grad[0] == 30.5f); /* added to */
    assert_true(l.dx[0] == 99 && l.dx[1] == 99);
}

static void nan_stays_nan_through_every_layer(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++) {
        test_net     net;
        wm_model    *model;
        float       *params;
        wm_plan     *plan;
        const float *outputs[WM_TARGETS_MAX];
        double       loss;
        net_batch    batch;
        wm_error     err;

        surround(&net, &examples[i], "mse");
        model = net_model(&net);
        params = net_params(model, 1);
        net_batch_init(&batch, &net, 2, 2);
        batch.floats[0][0] = NAN;
        assert_ok(wm_plan_new(model, 2, WM_PLAN_EVALUATE, &plan, &err), &err);
        assert_ok(wm_plan_forward(plan, params, &batch.batch, outputs, &loss, &err), &err);
        for (int j = 0; j < 3; j++) {
            assert_case(examples[i].kind, isnan(outputs[0][j]));
            assert_case("another example of the batch is untouched by it", isfinite(outputs[0][3 + j]));
        }
        assert_true(isnan(loss));
        wm_plan_free(plan);
        net_batch_release(&batch);
        free(params);
        wm_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_has_an_example),
        cmocka_unit_test(gradients_agree_with_slopes_for_every_layer_and_loss),
        cmocka_unit_test(a_plan_for_training_and_one_for_evaluation_predict_the_same_bits),
        cmocka_unit_test(activations_are_the_functions_that_they_are_named_for),
        cmocka_unit_test(dense_leaves_alone_what_nobody_wants),
        cmocka_unit_test(nan_stays_nan_through_every_layer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
