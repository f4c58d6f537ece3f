/* tests/models/test_graph.c
 *
 * What the family's contract promises to layers that are not written yet: several inputs, nodes with several users,
 * several heads, room for saved values and scratch, dice, buffers, terms of the loss, composites. The layers here are
 * small ones made for the test, run by the plan as any other. */
#include "tests/models/gradients.h"

#include "models/layer.h"

static size_t count(const wm_shape *shape)
{
    size_t n = 0;

    assert_true(wm_shape_count(shape, &n));
    return n;
}

/* ---- product: y = x0 x1 [x2] ---- */

static void product_fit(const void *options, wm_fit *fit)
{
    (void)options;
    for (size_t k = 1; k < fit->n_inputs; k++)
        if (count(&fit->inputs[k]) != count(&fit->inputs[0])) {
            char a[WM_SHAPE_TEXT], b[WM_SHAPE_TEXT];

            wm_fit_refuse(fit, "cannot multiply %s with %s", wm_shape_text(&fit->inputs[0], a),
                          wm_shape_text(&fit->inputs[k], b));
            return;
        }
    fit->output = fit->inputs[0];
}

static void product_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t i = 0; i < run->B * count(&run->output_shape); i++) {
        run->output[i] = 1;
        for (size_t k = 0; k < run->n_inputs; k++)
            run->output[i] *= run->inputs[k][i];
    }
}

static void product_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t k = 0; k < run->n_inputs; k++)
        for (size_t i = 0; run->input_grads[k] != NULL && i < run->B * count(&run->output_shape); i++) {
            run->input_grads[k][i] = run->output_grad[i];
            for (size_t j = 0; j < run->n_inputs; j++)
                run->input_grads[k][i] *= j == k ? 1 : run->inputs[j][i];
        }
}

static const wm_layer_ops product = {
    .member = { .name = "product", .doc = "Multiplies its inputs." },
    .inputs_least = 2,
    .inputs_most = 3,
    .fit = product_fit,
    .forward = product_forward,
    .backward = product_backward,
    .reads_inputs = true,
};

/* ---- sum: y = x0 + x1, in place; the end of the composite below ---- */

static void sum_fit(const void *options, wm_fit *fit)
{
    product_fit(options, fit);
}

static void sum_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t i = 0; i < run->B * count(&run->output_shape); i++)
        run->output[i] = run->inputs[0][i] + run->inputs[1][i];
}

static void sum_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; run->input_grads[k] != NULL && i < run->B * count(&run->output_shape); i++)
            run->input_grads[k][i] = run->output_grad[i];
}

static const wm_layer_ops sum = {
    .member = { .name = "sum", .doc = "Adds its two inputs." },
    .inputs_least = 2,
    .inputs_most = 2,
    .fit = sum_fit,
    .forward = sum_forward,
    .backward = sum_backward,
    .in_place = true, /* on its first input */
};

/* ---- block: y = x + dense(tanh(dense(x))), a composite ---- */

typedef struct block_options {
    int64_t inner, outer; /* as dense's options have them */
} block_options;

static size_t block_expand(const void *options, wm_builder *builder, const size_t *from, size_t n_from)
{
    const block_options *self = options;
    wm_choice up = { .member = net_member(&wm_layers, "dense"), .options = &self->inner, .path = "block" };
    wm_choice bend = { .member = net_member(&wm_layers, "tanh"), .path = "block" };
    wm_choice down = { .member = net_member(&wm_layers, "dense"), .options = &self->outer, .path = "block" };
    wm_choice add = { .member = &sum.member, .path = "block" };
    size_t    node, both[2];

    node = wm_expand(builder, "0", &up, from, n_from);
    node = wm_expand(builder, "1", &bend, &node, 1);
    both[0] = from[0];
    both[1] = wm_expand(builder, "2", &down, &node, 1);
    return wm_expand(builder, "add", &add, both, 2);
}

static const wm_layer_ops block = {
    .member = { .name = "block", .doc = "A residual block." },
    .inputs_least = 1,
    .inputs_most = 1,
    .expand = block_expand,
};

/* ---- drop: a dropout of one half, with its mask saved ---- */

static void drop_fit(const void *options, wm_fit *fit)
{
    (void)options;
    fit->output = fit->inputs[0];
    fit->saved = (wm_amount){ .each = count(&fit->output) };
}

static void drop_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t i = 0; i < run->B * count(&run->output_shape); i++) {
        if (run->training)
            run->saved[i] = wm_rng_below(run->rng, 2) == 0 ? 0.0f : 2.0f;
        run->output[i] = run->inputs[0][i] * (run->training ? run->saved[i] : 1);
    }
}

static void drop_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t i = 0; run->input_grads[0] != NULL && i < run->B * count(&run->output_shape); i++)
        run->input_grads[0][i] = run->output_grad[i] * run->saved[i];
}

static const wm_layer_ops drop = {
    .member = { .name = "drop", .doc = "A dropout." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = drop_fit,
    .forward = drop_forward,
    .backward = drop_backward,
    .in_place = true,
};

/* ---- echo: a recurrence h_t = tanh(x_t + w * h_{t-1}) with one weight a channel, the whole sequence out ---- */

static void echo_fit(const void *options, wm_fit *fit)
{
    const wm_shape *x = &fit->inputs[0];

    (void)options;
    if (x->rank != 2) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "takes steps x channels, not %s", wm_shape_text(x, text));
        return;
    }
    fit->output = *x;
    fit->scratch = (wm_amount){ .once = x->dim[1] };
    wm_fit_tensor(fit, "weight", &(wm_shape){ .rank = 1, .dim = { x->dim[1] } },
                  (wm_initial){ WM_INITIAL_UNIFORM, 0.9 });
    wm_fit_tensor(fit, "gain", &(wm_shape){ .rank = 1, .dim = { 1 } }, (wm_initial){ WM_INITIAL_CONSTANT, 1.25 });
}

static void echo_forward(const void *options, const wm_layer_run *run)
{
    size_t T = run->output_shape.dim[0], C = run->output_shape.dim[1];

    (void)options;
    for (size_t i = 0; i < run->B * T; i++)
        for (size_t c = 0; c < C; c++) {
            float before = i % T > 0 ? run->output[(i - 1) * C + c] : 0;

            run->output[i * C + c] =
                tanhf(run->params[1][0] * run->inputs[0][i * C + c] + run->params[0][c] * before);
        }
}

static void echo_backward(const void *options, const wm_layer_run *run)
{
    size_t       T = run->output_shape.dim[0], C = run->output_shape.dim[1];
    const float *h = run->output;
    float       *dh = run->scratch;

    (void)options;
    for (size_t i = run->B * T; i-- > 0;)
        for (size_t c = 0; c < C; c++) {
            size_t at = i * C + c;
            float  later = i % T + 1 < T ? dh[c] : 0, dz;

            dz = (run->output_grad[at] + later) * (1 - h[at] * h[at]);
            run->param_grads[1][0] += dz * run->inputs[0][at];
            if (i % T > 0)
                run->param_grads[0][c] += dz * h[at - C];
            if (run->input_grads[0] != NULL)
                run->input_grads[0][at] = dz * run->params[1][0];
            dh[c] = dz * run->params[0][c];
        }
}

static const wm_layer_ops echo = {
    .member = { .name = "echo", .doc = "A small recurrence." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = echo_fit,
    .forward = echo_forward,
    .backward = echo_backward,
    .reads_inputs = true,
    .reads_output = true,
};

/* ---- tally: counts training batches in a buffer, and adds half the squares of its values to the loss ---- */

static void tally_fit(const void *options, wm_fit *fit)
{
    (void)options;
    fit->output = fit->inputs[0];
    wm_fit_buffer(fit, "batches", &(wm_shape){ .rank = 1, .dim = { 1 } }, 10);
}

static void tally_forward(const void *options, const wm_layer_run *run)
{
    (void)options;
    if (run->training)
        run->buffers[0][0] += 1;
    for (size_t i = 0; i < run->B * count(&run->output_shape); i++) {
        double x = (double)run->inputs[0][i];

        if (run->training)
            *run->penalty += x * x / 2;
        run->output[i] = run->inputs[0][i] * run->buffers[0][0];
    }
}

static void tally_backward(const void *options, const wm_layer_run *run)
{
    (void)options;
    for (size_t i = 0; i < run->B * count(&run->output_shape); i++)
        run->input_grads[0][i] = run->output_grad[i] * run->buffers[0][0] + run->inputs[0][i] / (float)run->B;
}

static const wm_layer_ops tally = {
    .member = { .name = "tally", .doc = "A buffer and a penalty." },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = tally_fit,
    .forward = tally_forward,
    .backward = tally_backward,
    .reads_inputs = true,
};

/* ---- the tests ---- */

static const wm_member *mse(void)
{
    return net_member(&wm_losses, "mse");
}

static void named(test_net *net, const char *name, const char *const *from, const char *kind, int64_t units)
{
    net->units[net->job.model.n_layers] = units;
    net_member_layer(net, name, from, net_member(&wm_layers, kind), &net->units[net->job.model.n_layers]);
}

/* Two inputs, a trunk with four users, a layer that takes one node twice, a head in the middle of the way to another
 * one, and two losses on one head. */
static void branches(test_net *net)
{
    static const char *const past[] = { "past", NULL }, *const when[] = { "when", NULL };
    static const char *const a[] = { "a", NULL }, *const trunk[] = { "trunk", NULL };
    static const char *const both[] = { "a2", "b", NULL };
    static const char *const twice[] = { "trunk", "trunk", "c", NULL };

    net_init(net);
    net_input(net, "past", (wm_shape){ .rank = 2, .dim = { 2, 3 } });
    net_input(net, "when", (wm_shape){ .rank = 1, .dim = { 4 } });
    named(net, "a", past, "flatten", 0);
    named(net, "a2", a, "dense", 5);
    named(net, "b", when, "dense", 5);
    net_member_layer(net, "trunk", both, &product.member, NULL);
    named(net, "c", trunk, "tanh", 0);
    net_member_layer(net, "d", twice, &product.member, NULL);
    named(net, "middle", NULL, "dense", 2);
    named(net, "end", NULL, "relu", 0);
    named(net, "last", NULL, "dense", 3);
    named(net, "class", trunk, "dense", 4);
    net_target(net, "y0", 2, 0, mse(), "middle", 0.7);
    net_target(net, "y1", 3, 0, mse(), "last", 1.5);
    net_target(net, "y2", 4, 4, net_member(&wm_losses, "cross_entropy"), "class", 0.25);
    net_target(net, "y3", 2, 0, mse(), "middle", 0.5);
}

static void gradients_add_up_over_branches_users_and_heads(void **state)
{
    test_net net;

    (void)state;
    branches(&net);
    check_gradient("branches", &net, 6, 3);
    check_gradient("branches", &net, 1, 4);
}

static void a_composite_expands_into_layers_with_names_of_its_own(void **state)
{
    static const char *const want[] = { "0.dense.weight", "0.dense.bias", "h.0.weight",    "h.0.bias",
                                        "h.2.weight",     "h.2.bias",     "2.dense.weight" };
    block_options            options = { .inner = 7, .outer = 4 };
    wm_model                *model;
    test_net                 net;

    (void)state;
    net_init(&net);
    net_input(&net, "x", (wm_shape){ .rank = 1, .dim = { 3 } });
    net_layer(&net, "dense", 4);
    net_member_layer(&net, "h", NULL, &block.member, &options);
    net_layer(&net, "dense", 2);
    net_target(&net, "y", 2, 0, mse(), "2.dense", 1);
    model = net_model(&net);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_string_equal(wm_model_tensor(model, i)->name, want[i]);
    wm_model_free(model);
    check_gradient("a residual block", &net, 4, 5);
}

static void a_recurrence_has_tensors_scratch_and_its_own_output_to_read(void **state)
{
    test_net net;

    (void)state;
    net_init(&net);
    net_input(&net, "x", (wm_shape){ .rank = 2, .dim = { 6, 3 } });
    net_layer(&net, "dense", 4);
    net_member_layer(&net, "echo", NULL, &echo.member, NULL);
    net_layer(&net, "tanh", 0); /* must not work in place: the recurrence reads its output */
    net_layer(&net, "flatten", 0);
    net_layer(&net, "dense", 2);
    net_target(&net, "y", 2, 0, mse(), "4.dense", 1);
    check_gradient("a recurrence", &net, 3, 6);
}

static void dice_repeat_by_seed_and_rest_in_evaluation(void **state)
{
    test_net     net;
    wm_model    *model;
    float       *params;
    wm_plan     *plan;
    net_batch    b;
    double       first, second, again, other;
    const float *grads, *outputs[WM_TARGETS_MAX];
    double       rest;
    wm_error     err;

    (void)state;
    net_init(&net);
    net_input(&net, "x", (wm_shape){ .rank = 1, .dim = { 3 } });
    net_layer(&net, "dense", 16);
    net_member_layer(&net, "drop", NULL, &drop.member, NULL);
    net_layer(&net, "dense", 2);
    net_target(&net, "y", 2, 0, mse(), "2.dense", 1);
    check_gradient("a dropout", &net, 4, 7);

    model = net_model(&net);
    params = net_params(model, 1);
    net_batch_init(&b, &net, 4, 2);
    assert_ok(wm_plan_new(model, 4, WM_PLAN_TRAIN, &plan, &err), &err);
    wm_plan_reset(plan, 5);
    assert_ok(wm_plan_gradient(plan, params, &b.batch, &grads, &first, &err), &err);
    assert_ok(wm_plan_gradient(plan, params, &b.batch, &grads, &second, &err), &err);
    wm_plan_reset(plan, 5);
    assert_ok(wm_plan_gradient(plan, params, &b.batch, &grads, &again, &err), &err);
    wm_plan_reset(plan, 6);
    assert_ok(wm_plan_gradient(plan, params, &b.batch, &grads, &other, &err), &err);
    assert_true(first == again);
    assert_true(first != second && first != other);
    assert_ok(wm_plan_forward(plan, params, &b.batch, outputs, &first, &err), &err);
    assert_ok(wm_plan_forward(plan, params, &b.batch, outputs, &rest, &err), &err);
    assert_true(first == rest);
    wm_plan_free(plan);
    net_batch_release(&b);
    free(params);
    wm_model_free(model);
}

static void buffers_last_over_batches_and_penalties_count(void **state)
{
    test_net     net;
    wm_model    *model;
    float        params[2] = { 2, 0 }; /* y = 2 x */
    float        x[2] = { 1, 3 }, y[2] = { 22, 66 };
    wm_plan     *plan;
    wm_batch     batch = { .n = 2, .inputs = { x }, .targets = { y } };
    double       loss;
    const float *grads;
    wm_error     err;

    (void)state;
    net_init(&net);
    net_input(&net, "x", (wm_shape){ .rank = 1, .dim = { 1 } });
    net_layer(&net, "dense", 1);
    net_member_layer(&net, "tally", NULL, &tally.member, NULL);
    net_target(&net, "y", 1, 0, mse(), "tally", 1);
    model = net_model(&net);
    assert_int_equal(wm_model_n_params(model), 2);
    assert_ok(wm_plan_new(model, 2, WM_PLAN_TRAIN, &plan, &err), &err);
    /* The buffer is 11 then: predictions 22 and 66 are right; what is left is (4 + 36) / 2 / 2. */
    assert_ok(wm_plan_gradient(plan, params, &batch, &grads, &loss, &err), &err);
    assert_true(loss == 10);
    assert_true(grads[0] == 10); /* d/dw of (w^2 + 9 w^2) / 4 */
    /* 12: off by 2 and 6, so (4 + 36) / 2 more. */
    assert_ok(wm_plan_gradient(plan, params, &batch, &grads, &loss, &err), &err);
    assert_true(loss == 30);
    wm_plan_reset(plan, 1);
    assert_ok(wm_plan_gradient(plan, params, &batch, &grads, &loss, &err), &err);
    assert_true(loss == 10);
    wm_plan_free(plan);
    wm_model_free(model);
    check_gradient("a penalty", &net, 3, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_add_up_over_branches_users_and_heads),
        cmocka_unit_test(a_composite_expands_into_layers_with_names_of_its_own),
        cmocka_unit_test(a_recurrence_has_tensors_scratch_and_its_own_output_to_read),
        cmocka_unit_test(dice_repeat_by_seed_and_rest_in_evaluation),
        cmocka_unit_test(buffers_last_over_batches_and_penalties_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
