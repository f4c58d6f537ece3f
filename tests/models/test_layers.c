/* tests/models/test_layers.c: the suite that every registered layer passes, and what is particular to some. */
#include "tests/models/allocations.h"
#include "tests/models/gradients.h"
#include "tests/models/words.h"

#include "models/layer.h"
#include "models/loss.h"

/* Each layer as a user would write it, and what it is put behind: the first test fails for a new layer that is not here. */
typedef struct example_of {
    const char *kind, *words, *shape;
} example_of;

static const example_of examples[] = {
    { "add",
      "{name: a, dense: 3}, {name: b, from: in, tanh: {}}, {from: [in, b], add: {}}, {name: c, dense: 3}, {from: [a, c], add: {}}",
      "2 3" },
    { "attention", "{attention: 2}", "4 6" },
    { "attention", "{attention: {heads: 3, causal: true}}", "5 6" },
    { "avg_pool1d", "{avg_pool1d: {kernel: 3, stride: 2, padding: same}}", "6 2" },
    { "avg_pool2d", "avg_pool2d", "4 5 2" },
    { "batch_norm", "{name: own, batch_norm: {}}", "4 3" },
    { "concat", "{name: a, dense: 3}, {name: b, from: in, dense: 2}, {from: [a, in, b], concat: {}}", "2 3" },
    { "conv1d", "{conv1d: {channels: 3, kernel: 3, padding: same}}", "5 2" },
    { "conv1d", "{conv1d: {channels: 4, kernel: 2, stride: 2, groups: 2}}", "6 4" },
    { "conv2d", "{conv2d: {channels: 3, kernel: [3, 2], stride: [2, 1], padding: same}}", "5 4 2" },
    { "conv2d", "{conv2d: {channels: 3, kernel: 3, stride: 2, padding: same}}", "5 8 2" },
    { "conv2d", "{conv2d: {channels: 2, kernel: 5, padding: same}}", "3 4 2" },
    { "conv2d", "{conv2d: {channels: 2, kernel: 2, dilation: [1, 2], groups: 2}}", "4 5 2" },
    { "dense", "{dense: 3}", "5" },
    { "dense", "{dense: 3}", "4 5" },
    { "dense", "{dense: 1}", "1" },
    { "dropout", "{dropout: 0.3}", "3 4" },
    { "embedding", "{name: still, reshape: [3]}, {embedding: {kinds: 4, units: 3}}", "3" },
    { "flatten", "flatten", "2 3 2" },
    { "gelu", "gelu", "6" },
    { "global_avg_pool", "global_avg_pool", "3 2 4" },
    { "global_max_pool", "global_max_pool", "5 3" },
    { "group_norm", "{group_norm: 2}", "3 4" },
    { "gru", "{gru: {units: 3, sequence: true}}", "4 2" },
    { "gru", "{gru: {units: 3, bidirectional: true}}", "4 2" },
    { "layer_norm", "layer_norm", "3 18" },
    { "leaky_relu", "leaky_relu", "2 3" },
    { "lstm", "{lstm: 3}", "4 2" },
    { "lstm", "{lstm: {units: 3, sequence: true, bidirectional: true}}", "1 2" },
    { "max_pool1d", "{max_pool1d: {kernel: 3, stride: 1}}", "5 2" },
    { "max_pool2d", "{max_pool2d: {kernel: [2, 3], stride: 1, padding: same}}", "3 4 2" },
    { "noise", "{noise: {deviation: 0.5, masked: 0.3}}", "3 4" },
    { "noise", "{noise: 0.5}", "6" },
    { "positional_encoding", "{positional_encoding: learned}", "3 4" },
    { "relu", "relu", "3 4" },
    { "reshape", "{reshape: [6, 2]}", "3 4" },
    { "residual", "{residual: {layers: [{dense: 5}, tanh, {dense: 4}]}}", "3 4" },
    { "rnn", "{rnn: {units: 3, sequence: true}}", "4 2" },
    { "sample", "{sample: 0.3}", "6" },
    { "sample", "{sample: 2}", "3 4" },
    { "sigmoid", "sigmoid", "6" },
    { "silu", "silu", "2 3" },
    { "softmax", "softmax", "3 4" },
    { "tanh", "tanh", "2 3" },
};
static const size_t n_examples = sizeof examples / sizeof *examples;

/* A network of an example. */
typedef struct around {
    wm_job   *job;
    wm_model *model;
    wm_text   layers, text;
    wm_batch  batch;
    float    *x, *y;
    int32_t  *classes;
    size_t    each;
} around;

/* dense before (so that the layer's input gradient is seen; not before kinds) and behind (so that its output has slopes) */
static void surround(around *net, const example_of *example, const char *loss, const char *optimiser, size_t n,
                     uint64_t seed)
{
    bool   classes = ((const wm_loss_ops *)wm_family_find(&wm_losses, loss))->for_classes;
    bool   kinds = strcmp(example->kind, "embedding") == 0;
    wm_rng rng;

    *net = (around){ .layers = WM_TEXT_INIT, .text = WM_TEXT_INIT };
    wm_text_printf(&net->layers, "[");
    if (!kinds) {
        const char *last = strrchr(example->shape, ' ');

        wm_text_printf(&net->layers, "{name: in, dense: %s}, ", last != NULL ? last + 1 : example->shape);
    }
    wm_text_printf(&net->layers, "%s, flatten, {dense: 3}]", example->words);
    assert_false(net->layers.bad);
    net_text(&net->text, &(net_words){ .shape = example->shape,
                                       .layers = wm_text_chars(&net->layers),
                                       .loss = strcmp(loss, "pinball") == 0 ? "{pinball: [0.5]}" : loss,
                                       .optimiser = optimiser,
                                       .width = 3,
                                       .classes = classes,
                                       .model = strstr(example->words, "own") != NULL ? "personal: [own]" : NULL });
    net->job = net_job(example->words, wm_text_chars(&net->text));
    net->model = net_model_of(example->words, net->job);
    wm_rng_init(&rng, seed);
    {
        wm_shape shape;

        wm_job_input_shape(net->job, 0, &shape);
        assert_true(wm_shape_count(&shape, &net->each));
    }
    net->x = net_floats(&rng, n * net->each);
    net->y = net_floats(&rng, n * 3);
    net->classes = malloc(n * sizeof *net->classes);
    assert_non_null(net->classes);
    for (size_t i = 0; i < n; i++)
        net->classes[i] = (int32_t)wm_rng_below(&rng, 3);
    for (size_t i = 0; kinds && i < n * net->each; i++)
        net->x[i] = (float)wm_rng_below(&rng, 4);
    net->batch = (wm_batch){ .n = n, .inputs = { net->x } };
    net->batch.targets[0] = classes ? NULL : net->y;
    net->batch.classes[0] = classes ? net->classes : NULL;
}

static void release(around *net)
{
    wm_model_free(net->model);
    wm_job_free(net->job);
    wm_text_release(&net->layers);
    wm_text_release(&net->text);
    free(net->x);
    free(net->y);
    free(net->classes);
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

/* Under losses without kinks: those of the others are in test_families.c. */
static void gradients_agree_with_slopes_for_every_layer(void **state)
{
    static const char *const losses[] = { "mse", "cross_entropy" };

    (void)state;
    for (size_t i = 0; i < n_examples; i++)
        for (size_t l = 0; l < sizeof losses / sizeof *losses; l++)
            for (size_t n = 1; n <= 5; n += 4) {
                around net;

                surround(&net, &examples[i], losses[l], NULL, n, 31 + i);
                check_slopes(examples[i].words, net.model, &net.batch, 11 + i);
                release(&net);
            }
}

/* What a plan may do with memory must not show: in place or not, trained or evaluated. */
static void a_plan_for_training_and_one_for_evaluation_predict_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++) {
        around       net;
        float       *params;
        wm_plan     *train, *evaluate;
        const float *a[WM_TARGETS_MAX], *b[WM_TARGETS_MAX];
        wm_error     err;

        surround(&net, &examples[i], "mse", NULL, 4, 2);
        params = net_params(net.model, 1);
        assert_ok(wm_plan_new(net.model, 6, WM_PLAN_TRAIN, &train, &err), &err);
        assert_ok(wm_plan_new(net.model, 4, WM_PLAN_EVALUATE, &evaluate, &err), &err);
        assert_ok(wm_plan_forward(train, params, &net.batch, a, NULL, &err), &err);
        assert_ok(wm_plan_forward(evaluate, params, &net.batch, b, NULL, &err), &err);
        assert_memory_equal(a[0], b[0], 4 * 3 * sizeof(float));
        wm_plan_free(train);
        wm_plan_free(evaluate);
        free(params);
        release(&net);
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
        .factor = 1,
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

/* Half of the examples of a tie would otherwise learn differently from PyTorch, which gives it to the first. */
static void of_equal_values_the_first_is_the_largest(void **state)
{
    const wm_layer_ops *ops = (const wm_layer_ops *)net_member(&wm_layers, "global_max_pool");
    uint32_t            from[8];
    lone                l;

    (void)state;
    lone_init(&l, 1);
    l.shape = (wm_shape){ .rank = 2, .dim = { 4, 2 } };
    l.run.saved = (float *)(void *)from;
    memcpy(l.x, (const float[]){ 1, 5, 3, 5, 3, 2, 3, 5 }, sizeof l.x);
    l.dy[0] = 10;
    l.dy[1] = 20;
    ops->forward(NULL, &l.run);
    ops->backward(NULL, &l.run);
    assert_memory_equal(l.y, ((const float[]){ 3, 5 }), 2 * sizeof *l.y);
    assert_memory_equal(l.dx, ((const float[]){ 0, 20, 10, 0, 0, 0, 0, 0 }), sizeof l.dx);
}

/* The mean stays: what is left is scaled up by what was dropped. */
static void dropout_drops_its_share_and_scales_up_the_rest(void **state)
{
    enum { N = 20000 };
    static const double shares[] = { 0, 0.1, 0.5, 0.9 };
    const wm_layer_ops *ops = (const wm_layer_ops *)net_member(&wm_layers, "dropout");
    float              *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *mask = malloc(N * sizeof *mask);

    (void)state;
    assert_true(x != NULL && y != NULL && mask != NULL);
    for (size_t i = 0; i < N; i++)
        x[i] = 2;
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        double       share = shares[s], dropped = 0;
        const float *inputs[] = { x };
        wm_rng       rng;
        lone         l;

        lone_init(&l, N);
        wm_rng_init(&rng, 3);
        l.run.inputs = inputs;
        l.run.output = y;
        l.run.saved = mask;
        l.run.rng = &rng;
        ops->forward(&share, &l.run);
        for (size_t i = 0; i < N; i++) {
            dropped += y[i] == 0;
            assert_true(y[i] == 0 || fabs((double)y[i] * (1 - share) / 2 - 1) < 2e-4);
        }
        assert_true(fabs(dropped / N - share) <= 5 * sqrt(share * (1 - share) / N) + 1e-5);
    }
    free(x);
    free(y);
    free(mask);
}

/* A value that names no kind gives NaN, and reads nothing behind the table. */
static void an_embedding_knows_its_kinds_and_no_others(void **state)
{
    static const struct {
        float value, want; /* of three kinds with the vectors 10, 20 and 30 */
    } rows[] = {
        { 0, 10 },      { 2, 30 },    { -0.0f, 10 },     { 3, NAN },    { -1, NAN },
        { 1e30f, NAN }, { NAN, NAN }, { INFINITY, NAN }, { 0.5f, NAN }, /* nor is half-way between two kinds one of them: a number that was scaled */
    };
    static const float        table[] = { 10, 20, 30 };
    static const float *const params[] = { table };
    static const int64_t      kinds_and_units[] = { 3, 1 };
    const wm_layer_ops       *ops = (const wm_layer_ops *)net_member(&wm_layers, "embedding");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float        grads[3] = { 0 };
        float *const all[] = { grads };
        lone         l;

        lone_init(&l, 1);
        l.run.params = params;
        l.run.param_grads = all;
        l.x[0] = rows[i].value;
        l.dy[0] = 7;
        ops->forward(kinds_and_units, &l.run);
        ops->backward(kinds_and_units, &l.run);
        assert_true(isnan(rows[i].want) ? isnan(l.y[0]) : l.y[0] == rows[i].want);
        assert_true(grads[0] + grads[1] + grads[2] == (isnan(rows[i].want) ? 0 : 7));
    }
}

static void nan_stays_nan_through_every_layer(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++) {
        around       net;
        float       *params;
        wm_plan     *plan;
        const float *outputs[WM_TARGETS_MAX];
        double       loss;
        wm_error     err;

        surround(&net, &examples[i], "mse", NULL, 2, 2);
        params = net_params(net.model, 1);
        net.x[0] = NAN;
        assert_ok(wm_plan_new(net.model, 2, WM_PLAN_EVALUATE, &plan, &err), &err);
        assert_ok(wm_plan_forward(plan, params, &net.batch, outputs, &loss, &err), &err);
        for (int j = 0; j < 3; j++) {
            assert_case(examples[i].words, isnan(outputs[0][j]));
            assert_case("another example of the batch is untouched by it", isfinite(outputs[0][3 + j]));
        }
        assert_true(isnan(loss));
        wm_plan_free(plan);
        free(params);
        release(&net);
    }
}

/* ---- memory ---- */

/* Steps with and without a clip, evaluations and resets in between, of batches of every size up to the largest. */
static void assert_allocates_in_no_later_step(const example_of *example, const char *loss, const char *optimiser)
{
    enum { MOST = 5 };
    around       net;
    wm_plan     *plan;
    float       *params;
    const float *outputs[WM_TARGETS_MAX];
    size_t       before = 0;
    double       figure;
    wm_error     err;

    surround(&net, example, loss, optimiser, MOST, 3);
    assert_ok(wm_plan_new(net.model, MOST, WM_PLAN_TRAIN, &plan, &err), &err);
    params = calloc(wm_model_n_whole(net.model), sizeof *params);
    assert_non_null(params);
    wm_model_init(net.model, 1, params);
    wm_model_init_own(net.model, 1, params + wm_model_n_params(net.model));
    for (size_t i = 0; i <= MOST; i++) {
        wm_batch batch = net.batch;
        wm_step  how = { .rate = 0.001, .clip = i % 2 == 0 ? 0 : 0.5 };

        batch.n = i == 0 ? MOST : i;
        assert_ok(wm_plan_step(plan, params, &batch, &how, &figure, &err), &err);
        assert_ok(wm_plan_forward(plan, params, &batch, outputs, &figure, &err), &err);
        if (i == 0)
            before = allocations;
        if (i == 3)
            wm_plan_reset(plan, 3);
    }
    if (allocations != before)
        fail_msg("%s, %s, %s: %zu allocations in steps after the first", example->words, loss,
                 optimiser != NULL ? optimiser : "sgd", allocations - before);
    assert_true(before > 0); /* the counter is in place */
    free(params);
    wm_plan_free(plan);
    release(&net);
}

static void no_step_after_the_first_allocates_whatever_the_layer_loss_and_optimiser(void **state)
{
    static const example_of plain = { "dense", "{dense: 3}", "5" };

    (void)state;
    for (size_t i = 0; i < n_examples; i++)
        assert_allocates_in_no_later_step(&examples[i], "mse", NULL);
    for (size_t i = 0; i < wm_losses.n_members; i++)
        if (!net_gives_back(wm_losses.members[i]->name)) /* which is mse, of the input */
            assert_allocates_in_no_later_step(&plain, wm_losses.members[i]->name, NULL);
    for (size_t i = 0; i < wm_optimisers.n_members; i++)
        assert_allocates_in_no_later_step(&plain, "mse", wm_optimisers.members[i]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_has_an_example),
        cmocka_unit_test(no_step_after_the_first_allocates_whatever_the_layer_loss_and_optimiser),
        cmocka_unit_test(gradients_agree_with_slopes_for_every_layer),
        cmocka_unit_test(a_plan_for_training_and_one_for_evaluation_predict_the_same_bits),
        cmocka_unit_test(activations_are_the_functions_that_they_are_named_for),
        cmocka_unit_test(dense_leaves_alone_what_nobody_wants),
        cmocka_unit_test(of_equal_values_the_first_is_the_largest),
        cmocka_unit_test(dropout_drops_its_share_and_scales_up_the_rest),
        cmocka_unit_test(an_embedding_knows_its_kinds_and_no_others),
        cmocka_unit_test(nan_stays_nan_through_every_layer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
