/* tests/models/test_model.c: descriptions: what is refused and where, how parameters begin, what is shown. */
#include "tests/models/net.h"

#include "models/layer.h"

#include <math.h>

static const char *const no_from[] = { NULL };

/* x {24, 6} and z {4} -> y, two values */
static void start(test_net *net)
{
    net_init(net);
    net_input(net, "x", (wm_shape){ .rank = 2, .dim = { 24, 6 } });
}

static void end(test_net *net, const char *head, const char *loss)
{
    net_target(net, "y", 2, 0, net_member(&wm_losses, loss), head, 1);
    net->losses[0].loss.place = (wm_place){ 40, 9 };
}

static void layer_from(test_net *net, const char *name, const char *const *from, const char *kind, int64_t units)
{
    net->units[net->job.model.n_layers] = units;
    net_member_layer(net, name, from, net_member(&wm_layers, kind), &net->units[net->job.model.n_layers]);
}

static void flatten_forgotten(test_net *net)
{
    start(net);
    net_layer(net, "dense", 2);
    end(net, "0.dense", "mse");
}

static void head_too_wide(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 3);
    end(net, "1.dense", "mse");
}

static void absurd_units(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", (int64_t)1 << 40);
    net_layer(net, "dense", 2);
    end(net, "2.dense", "mse");
}

static void too_many_weights(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", INT32_MAX);
    net_layer(net, "dense", 2);
    end(net, "2.dense", "mse");
}

static void too_large_an_output(test_net *net)
{
    start(net);
    net_layer(net, "dense", 200 << 20); /* 24 times that: no vector of parameters is too large, an activation is */
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
    end(net, "2.dense", "mse");
}

static void unknown_from(test_net *net)
{
    static const char *const from[] = { "wind", NULL };

    start(net);
    layer_from(net, "a", from, "flatten", 0);
    layer_from(net, "b", no_from, "dense", 2);
    end(net, "b", "mse");
}

static void from_a_later_layer(test_net *net)
{
    static const char *const from[] = { "b", NULL };

    start(net);
    layer_from(net, "a", from, "flatten", 0);
    layer_from(net, "b", no_from, "dense", 2);
    end(net, "b", "mse");
}

static void two_inputs_for_one(test_net *net)
{
    static const char *const from[] = { "x", "z", NULL };

    start(net);
    net_input(net, "z", (wm_shape){ .rank = 1, .dim = { 4 } });
    layer_from(net, "a", from, "dense", 2);
    end(net, "a", "mse");
}

static void two_inputs_and_no_from(test_net *net)
{
    start(net);
    net_input(net, "z", (wm_shape){ .rank = 1, .dim = { 4 } });
    net_layer(net, "dense", 2);
    end(net, "0.dense", "mse");
}

static void an_input_unused(test_net *net)
{
    static const char *const from[] = { "z", NULL };

    start(net);
    net_input(net, "z", (wm_shape){ .rank = 1, .dim = { 4 } });
    net->inputs[0].place = (wm_place){ 5, 3 };
    layer_from(net, "a", from, "dense", 2);
    end(net, "a", "mse");
}

static void a_layer_unused(test_net *net)
{
    static const char *const from[] = { "x", NULL };

    start(net);
    layer_from(net, "a", from, "dense", 2);
    layer_from(net, "b", from, "flatten", 0);
    layer_from(net, "c", no_from, "dense", 2);
    end(net, "c", "mse");
}

static void a_name_twice(test_net *net)
{
    start(net);
    layer_from(net, "x", no_from, "flatten", 0);
    layer_from(net, "b", no_from, "dense", 2);
    end(net, "b", "mse");
}

static void a_loss_of_classes_on_values(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
    end(net, "1.dense", "cross_entropy");
}

static void a_head_that_is_not_there(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
    end(net, "rise", "mse");
}

static void nothing_to_train(test_net *net)
{
    net_init(net);
    net_input(net, "x", (wm_shape){ .rank = 1, .dim = { 2 } });
    net_layer(net, "tanh", 0);
    end(net, "0.tanh", "mse");
}

static void an_empty_input(test_net *net)
{
    net_init(net);
    net_input(net, "x", (wm_shape){ .rank = 2, .dim = { 24, 0 } });
    net->inputs[0].place = (wm_place){ 5, 3 };
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
    end(net, "1.dense", "mse");
}

static void a_target_without_a_loss(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 2);
    end(net, "1.dense", "mse");
    net->targets[1] = (wm_job_target){ .name = "alarm", .column = "alarm", .classes = 2, .place = { 7, 3 } };
    net->job.data.n_targets = 2;
}

static void wrong_descriptions_are_refused_at_their_place(void **state)
{
    static const struct {
        void (*make)(test_net *net);
        const char *place, *says;
    } rows[] = {
        { flatten_forgotten, "test.yaml:10:7: model.layers[0]: ", "24 x 2" },
        { flatten_forgotten, "test.yaml:10:7: model.layers[0]: ", "is a flatten missing?" },
        { head_too_wide, "test.yaml:11:7: model.layers[1]: ", "gives 3, and target y with mse takes 2 values" },
        { absurd_units, "test.yaml:11:7: model.layers[1]: ", "1099511627776 units" },
        { too_many_weights, "test.yaml:11:7: model.layers[1]: ", "over 2147483648 parameters" },
        { too_large_an_output, "test.yaml:10:7: model.layers[0]: ", "24 x 209715200 is too large" },
        { unknown_from, "test.yaml:10:7: model.layers[0]: ", "named wind" },
        { from_a_later_layer, "test.yaml:10:7: model.layers[0]: ", "no layer before this one is named b" },
        { two_inputs_for_one, "test.yaml:10:7: model.layers[0]: ", "dense: takes 1 input, and `from` gives 2" },
        { two_inputs_and_no_from, "test.yaml:10:7: model.layers[0]: ", "there are 2 inputs" },
        { an_input_unused, "test.yaml:5:3: data.inputs: ", "no layer takes the input x" },
        { a_layer_unused, "test.yaml:10:7: model.layers[0]: ", "nothing takes the output of a" },
        { a_name_twice, "test.yaml:10:7: model.layers[0]: ", "the name x is taken" },
        { a_loss_of_classes_on_values,
          "test.yaml:40:9: model.losses: ", "a loss of classes, and y is a target of values" },
        { a_head_that_is_not_there, "test.yaml:40:9: model.losses: ", "no layer named rise" },
        { nothing_to_train, "test.yaml:10:7: model.layers[0]: ", "has parameters to train" },
        { an_empty_input, "test.yaml:5:3: data.inputs: ", "empty" },
        { a_target_without_a_loss, "test.yaml:7:3: model.losses: ", "target alarm has no loss" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_net  net;
        wm_faults faults;
        wm_model *model = NULL;
        wm_error  err;

        rows[i].make(&net);
        wm_faults_init(&faults, "test.yaml");
        assert_case(rows[i].says, wm_model_new(&net.job, &faults, &model, &err) == WM_E_INVALID);
        assert_case("what was asked for is untouched", model == NULL);
        if (strncmp(wm_text_chars(&faults.lines), rows[i].place, strlen(rows[i].place)) != 0 ||
            strstr(wm_text_chars(&faults.lines), rows[i].says) == NULL)
            fail_msg("want \"%s...%s\", have \"%s\"", rows[i].place, rows[i].says, wm_text_chars(&faults.lines));
        assert_case("one mistake is one fault", faults.count == 1);
        wm_faults_release(&faults);
        assert_case("without a list of faults too", wm_model_new(&net.job, NULL, &model, &err) == WM_E_INVALID);
        assert_case("the sentence is the error's", strstr(err.text, rows[i].says) != NULL);
    }
}

static void two_mistakes_are_told_in_one_go(void **state)
{
    static const char *const wind[] = { "wind", NULL }, *const x[] = { "x", NULL };
    test_net  net;
    wm_faults faults;
    wm_model *model = NULL;
    wm_error  err;

    (void)state;
    start(&net);
    layer_from(&net, "a", wind, "flatten", 0);
    layer_from(&net, "b", no_from, "dense", 5);
    layer_from(&net, "c", x, "dense", -3);
    layer_from(&net, "d", no_from, "dense", 2);
    end(&net, "d", "mse");
    wm_faults_init(&faults, "test.yaml");
    assert_int_equal(wm_model_new(&net.job, &faults, &model, &err), WM_E_INVALID);
    assert_int_equal(faults.count, 2);
    assert_non_null(strstr(wm_text_chars(&faults.lines), "named wind"));
    assert_non_null(strstr(wm_text_chars(&faults.lines), "-3 units"));
    wm_faults_release(&faults);
}

static void two_layered(test_net *net)
{
    start(net);
    net_layer(net, "flatten", 0);
    net_layer(net, "dense", 50);
    net_layer(net, "relu", 0);
    net_layer(net, "dense", 2);
    end(net, "3.dense", "mse");
}

/* The zoo's 2NN as people write it: families handed in that the models have. */
static wm_job *digits(const char *layers, wm_faults *faults, wm_error *err)
{
    static const wm_job_families families = {
        .layers = &wm_layers,
        .initialisers = &wm_initialisers,
        .losses = &wm_losses,
        .optimisers = &wm_optimisers,
        .schedules = &wm_schedules,
        .metrics = &wm_metrics,
    };
    wm_text text = WM_TEXT_INIT;
    wm_job *job = NULL;

    wm_text_printf(&text,
                   "job: digits\n"
                   "data:\n"
                   "  inputs: {image: {pixels: {shape: [28, 28, 1]}}}\n"
                   "  targets: {digit: {column: label, classes: 10}}\n"
                   "  scale: none\n"
                   "model:\n"
                   "  layers: %s\n"
                   "  loss: cross_entropy\n"
                   "training: {optimiser: {sgd: {momentum: 0.5}}, rate: {cosine: {from: 0.1}}, batch: 10}\n"
                   "rounds: 3\n"
                   "evaluate: {metrics: [accuracy]}\n",
                   layers);
    assert_false(text.bad);
    wm_faults_init(faults, "digits.yaml");
    (void)wm_job_parse("digits.yaml", text.chars, text.size, &families, NULL, 0, faults, &job, err);
    wm_text_release(&text);
    return job;
}

static void a_job_file_becomes_a_network(void **state)
{
    wm_model *model = NULL;
    wm_job   *job;
    wm_faults faults;
    wm_error  err;

    (void)state;
    job = digits("[flatten, {dense: 200}, relu, {dense: 200}, relu, {dense: 10}]", &faults, &err);
    if (job == NULL)
        fail_msg("%s", wm_text_chars(&faults.lines));
    assert_ok(wm_model_new(job, &faults, &model, &err), &err);
    assert_int_equal(wm_model_n_params(model), 199210); /* McMahan et al. 2017, section 3 */
    assert_string_equal(wm_model_tensor(model, 0)->name, "1.dense.weight");
    wm_model_free(model);
    wm_job_free(job);
    wm_faults_release(&faults);

    job = digits("[{dense: 200}, relu, {dense: 10}]", &faults, &err);
    assert_non_null(job);
    assert_int_equal(wm_model_new(job, &faults, &model, &err), WM_E_INVALID);
    assert_string_equal(
        wm_text_chars(&faults.lines),
        "digits.yaml:7:33: model.layers[2]: layer 2.dense gives 28 x 28 x 10, and target digit with "
        "cross_entropy takes 10 values; is a flatten missing?\n");
    wm_job_free(job);
    wm_faults_release(&faults);
}

static void parameters_stand_in_the_order_of_pytorch(void **state)
{
    static const struct {
        const char *name;
        wm_shape    shape;
        size_t      offset;
    } want[] = {
        { "1.dense.weight", { .rank = 2, .dim = { 50, 144 } }, 0 },
        { "1.dense.bias", { .rank = 1, .dim = { 50 } }, 7200 },
        { "3.dense.weight", { .rank = 2, .dim = { 2, 50 } }, 7250 },
        { "3.dense.bias", { .rank = 1, .dim = { 2 } }, 7350 },
    };
    test_net  net;
    wm_model *model;

    (void)state;
    two_layered(&net);
    model = net_model(&net);
    assert_int_equal(wm_model_n_params(model), 7352);
    assert_int_equal(wm_model_n_tensors(model), 4);
    for (size_t i = 0; i < 4; i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);

        assert_string_equal(tensor->name, want[i].name);
        assert_int_equal(tensor->offset, want[i].offset);
        assert_int_equal(tensor->shape.rank, want[i].shape.rank);
        assert_memory_equal(tensor->shape.dim, want[i].shape.dim, want[i].shape.rank * sizeof(uint32_t));
    }
    wm_model_free(model);
}

/* torch.nn.Linear: U(-k, k) with k = 1 / sqrt(in), for weight and bias; deviation k / sqrt(3). */
static void parameters_begin_as_in_pytorch_and_repeat_by_seed(void **state)
{
    test_net  net;
    wm_model *model;
    float    *a, *b, *c;
    double    k = 1 / sqrt(144.0), sum = 0, squares = 0;

    (void)state;
    two_layered(&net);
    model = net_model(&net);
    a = net_params(model, 1);
    b = net_params(model, 1);
    c = net_params(model, 2);
    assert_memory_equal(a, b, 7352 * sizeof *a);
    assert_memory_not_equal(a, c, 7352 * sizeof *a);
    for (size_t i = 0; i < 7200; i++) {
        assert_true(fabs((double)a[i]) <= k);
        sum += (double)a[i];
        squares += (double)a[i] * (double)a[i];
    }
    assert_true(fabs(sum / 7200) < 5 * k / sqrt(3 * 7200.0));
    assert_true(fabs(squares / 7200 / (k * k / 3) - 1) < 0.055); /* five standard errors */
    free(a);
    free(b);
    free(c);
    wm_model_free(model);
}

/* sha256sum of the eight bytes 00 00 80 3f 00 00 00 c0 */
static void the_digest_is_over_little_endian_floats(void **state)
{
    static const float params[] = { 1.0f, -2.0f };
    wm_digest          digest = wm_params_digest(params, 2), bytes;
    char               text[WM_DIGEST_TEXT];
    float             *many = calloc(5000, sizeof *many);

    (void)state;
    assert_non_null(many);
    assert_string_equal(wm_digest_text(&digest, text),
                        "ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b");
    for (size_t i = 0; i < 5000; i++)
        many[i] = (float)i;
    digest = wm_params_digest(many, 5000);
    bytes = wm_sha256_of(many, 5000 * sizeof *many); /* on a little-endian machine the same */
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        assert_true(wm_digest_equal(&digest, &bytes));
    free(many);
}

static void the_table_lines_up(void **state)
{
    /* In batches of 8 an output of 50 floats and its gradient are 3.1 KiB; relu works in place; the parameters' gradients
     * are 28.7 KiB. */
    static const char want[] = "layer                          kind     output  parameters  MFLOP   KiB\n"
                               "-----------------------------  -------  ------  ----------  -----  ----\n"
                               "x                              input    24 x 6           0  0.000   0.0\n"
                               "0.flatten                      flatten     144           0  0.000   9.0\n"
                               "1.dense                        dense        50        7250  0.014   3.1\n"
                               "2.relu                         relu         50           0  0.000   0.0\n"
                               "3.dense                        dense         2         102  0.000   0.1\n"
                               "gradients, optimiser, scratch                                      29.2\n"
                               "all                                                   7352  0.015  41.5\n";
    test_net          net;
    wm_model         *model;
    wm_text           text = WM_TEXT_INIT;
    wm_error          err;

    (void)state;
    two_layered(&net);
    model = net_model(&net);
    assert_ok(wm_model_describe(model, 8, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), want);
    assert_int_equal(wm_model_describe(model, SIZE_MAX / 8, &text, &err), WM_E_RANGE);
    wm_text_release(&text);
    wm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_descriptions_are_refused_at_their_place),
        cmocka_unit_test(two_mistakes_are_told_in_one_go),
        cmocka_unit_test(a_job_file_becomes_a_network),
        cmocka_unit_test(parameters_stand_in_the_order_of_pytorch),
        cmocka_unit_test(parameters_begin_as_in_pytorch_and_repeat_by_seed),
        cmocka_unit_test(the_digest_is_over_little_endian_floats),
        cmocka_unit_test(the_table_lines_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
