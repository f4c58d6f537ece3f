/* tests/models/test_autoencoders.c: networks that give back an input: what fits and what does not, what is thrown dice for
 * and when. That the numbers are right is test_layers.c's and test_pytorch.c's. */
#include "tests/models/words.h"

#include "common/rng.h"
#include "models/layer.h"
#include "models/plan.h"

#include <math.h>

enum { EXAMPLES = 5, WIDTH = 6 };

typedef struct scene {
    wm_job   *job;
    wm_model *model;
    wm_plan  *train, *evaluate;
    float    *params, x[EXAMPLES * WIDTH];
    wm_batch  batch;
} scene;

static void open_scene(scene *s, const char *layers)
{
    wm_text  text = WM_TEXT_INIT;
    wm_error err;
    wm_rng   rng;

    memset(s, 0, sizeof *s);
    net_text(&text, &(net_words){ .shape = "6", .layers = layers, .loss = "reconstruction" });
    s->job = net_job("net.yaml", wm_text_chars(&text));
    wm_text_release(&text);
    s->model = net_model_of("net.yaml", s->job);
    s->params = malloc(wm_model_n_params(s->model) * sizeof *s->params);
    assert_non_null(s->params);
    wm_model_init(s->model, 3, s->params);
    wm_rng_init(&rng, 5);
    for (size_t i = 0; i < EXAMPLES * WIDTH; i++)
        s->x[i] = (float)wm_rng_normal(&rng);
    s->batch = (wm_batch){ .n = EXAMPLES, .inputs = { s->x }, .targets = { s->x } };
    assert_ok(wm_plan_new(s->model, EXAMPLES, WM_PLAN_TRAIN, &s->train, &err), &err);
    assert_ok(wm_plan_new(s->model, EXAMPLES, WM_PLAN_EVALUATE, &s->evaluate, &err), &err);
}

static void close_scene(scene *s)
{
    wm_plan_free(s->train);
    wm_plan_free(s->evaluate);
    wm_model_free(s->model);
    wm_job_free(s->job);
    free(s->params);
}

static double trained_loss(scene *s, uint64_t seed)
{
    const float *grads;
    double       loss;
    wm_error     err;

    wm_plan_reset(s->train, seed);
    assert_ok(wm_plan_gradient(s->train, s->params, &s->batch, &grads, &loss, &err), &err);
    return loss;
}

static double evaluated_loss(const scene *s, wm_plan *plan)
{
    const float *outputs[WM_TARGETS_MAX];
    double       sum;
    wm_error     err;

    assert_ok(wm_plan_forward(plan, s->params, &s->batch, outputs, &sum, &err), &err);
    return sum / EXAMPLES;
}

static void the_target_is_the_input_and_needs_no_words(void **state)
{
    scene s;

    (void)state;
    open_scene(&s, "[{dense: 6}]");
    assert_int_equal(s.job->data.n_targets, 1);
    assert_string_equal(s.job->data.targets[0].name, "reconstruction");
    assert_true(s.job->data.targets[0].of_input && s.job->data.targets[0].column == NULL);
    assert_int_equal(wm_job_target_width(s.job, 0), WIDTH);
    close_scene(&s);
}

/* Dice: the same from the same seed, others from another, none in an evaluation; and the input is left as it is. */
static void dice_are_thrown_in_training_and_from_the_seed(void **state)
{
    static const char *const nets[] = {
        "[{noise: 0.5}, {dense: 6}]",
        "[{noise: {masked: 0.5}}, {dense: 6}]",
        "[{dense: 4}, {sample: 0.5}, {dense: 6}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        scene  s;
        float  before[EXAMPLES * WIDTH];
        double once, other, seen;

        open_scene(&s, nets[i]);
        memcpy(before, s.x, sizeof before);
        once = trained_loss(&s, 1);
        other = trained_loss(&s, 2);
        assert_case(nets[i], once == trained_loss(&s, 1) && once != other);
        seen = evaluated_loss(&s, s.train);
        wm_plan_reset(s.train, 9);
        assert_case(nets[i], seen == evaluated_loss(&s, s.train) && seen == evaluated_loss(&s, s.evaluate));
        assert_memory_equal(before, s.x, sizeof before);
        close_scene(&s);
    }
}

/* With the divergence counting a hundred thousand times, training knows it and an evaluation does not. */
static void the_divergence_counts_in_training_alone(void **state)
{
    scene s;

    (void)state;
    open_scene(&s, "[{dense: 4}, {sample: 100000}, {dense: 6}]");
    assert_true(trained_loss(&s, 1) > 1000);
    assert_true(evaluated_loss(&s, s.train) < 100);
    close_scene(&s);
}

static void noise_leaves_as_much_as_it_says(void **state)
{
    enum { N = 20000 };
    static float x[N], y[N], kept[N];
    static const struct {
        const char *words;
        double      mean, deviation, zeros;
    } rows[] = {
        { "{noise: 0.5}", 2, 0.5, 0 },
        { "{noise: {masked: 0.25}}", 1.5, 0.8660254, 0.25 },
    };

    (void)state;
    for (size_t i = 0; i < N; i++)
        x[i] = 2;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char                layers[100];
        scene               s;
        const wm_layer_ops *ops;
        wm_layer_run        run = { .B = N, .training = true, .n_inputs = 1 };
        wm_shape            one = { .rank = 1, .dim = { 1 } };
        const float        *inputs[] = { x };
        double              sum = 0, squares = 0, zeros = 0;
        wm_rng              rng;

        snprintf(layers, sizeof layers, "[%s, {dense: 6}]", rows[r].words);
        open_scene(&s, layers);
        ops = (const wm_layer_ops *)s.job->model.layers[1].layer.member;
        wm_rng_init(&rng, 1);
        run.input_shapes = &one;
        run.output_shape = one;
        run.inputs = inputs;
        run.output = y;
        run.saved = kept;
        run.rng = &rng;
        ops->forward(s.job->model.layers[1].layer.options, &run);
        for (size_t i = 0; i < N; i++) {
            sum += (double)y[i] / N;
            squares += (double)y[i] * (double)y[i] / N;
            zeros += (y[i] == 0) / (double)N;
        }
        assert_case(rows[r].words, fabs(sum - rows[r].mean) < 0.02);
        assert_case(rows[r].words, fabs(sqrt(squares - sum * sum) - rows[r].deviation) < 0.02);
        assert_case(rows[r].words, fabs(zeros - rows[r].zeros) < 0.02);
        close_scene(&s);
    }
}

static void mistakes_have_a_place(void **state)
{
    static const struct {
        const char *layers, *loss, *at, *says;
    } rows[] = {
        { "[flatten, {dense: 5}]", "reconstruction", "dense: 5",
          "layer 2.dense gives 5, and the input image, which it is to give back with reconstruction, is 4 x 3: 12 "
          "values" },
        { "[flatten, {dense: 5}, {sample: 1}, {dense: 12}]", "reconstruction", "sample: 1",
          "takes means and as many log variances side by side, and gets 5; 6 would do" },
        { "[flatten, {noise: {}}, {dense: 12}]", "reconstruction", "{}}",
          "makes no noise: give a deviation, or the share that is masked" },
        { "[flatten, {noise: {masked: 1}}, {dense: 12}]", "reconstruction", "1}}", "it must be from 0 to 0.99" },
        { "[flatten, {dense: 12}]", "{reconstruction: cubic}", "cubic", "\"cubic\" is not squared or absolute" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_text text = WM_TEXT_INIT;

        net_text(&text, &(net_words){ .shape = "4 3", .layers = rows[i].layers, .loss = rows[i].loss });
        net_assert_mistake_in(wm_text_chars(&text), rows[i].at, rows[i].says);
        wm_text_release(&text);
    }
}

/* Two inputs, each given back by a head of its own, and a third head that is none. */
static const char several[] = "job: several\n"
                              "data:\n"
                              "  inputs: {a: {pixels: [2, 3]}, b: {pixels: [1, 4]}}\n"
                              "  targets: {c: {column: c, classes: 2}, back_a: {input: a}, back_b: {input: b}}\n"
                              "model:\n"
                              "  layers:\n"
                              "    - {name: fa, from: a, flatten: {}}\n"
                              "    - {name: fb, from: b, flatten: {}}\n"
                              "    - {name: trunk, from: [fa, fb], concat: {}}\n"
                              "    - {name: code, from: trunk, dense: 3}\n"
                              "    - {name: back_a, from: code, dense: 6}\n"
                              "    - {name: back_b, from: code, dense: 4}\n"
                              "    - {name: c, from: code, dense: 2}\n"
                              "  losses: {back_a: reconstruction, back_b: huber, c: hinge}\n"
                              "training: {rate: 0.1}\n"
                              "rounds: 5\n"
                              "evaluate: {metrics: rmse}\n";

static void several_inputs_are_given_back_by_a_head_each(void **state)
{
    wm_job   *job = net_job("several.yaml", several);
    wm_model *model = net_model_of("several.yaml", job);

    (void)state;
    assert_int_equal(wm_job_target_width(job, 1), 6);
    assert_int_equal(wm_job_target_width(job, 2), 4);
    assert_int_equal(job->data.targets[2].input, 1);
    wm_model_free(model);
    wm_job_free(job);
}

static void faults_of_targets_have_a_place(void **state)
{
    static const struct {
        const char *says, *passage, *instead, *want;
    } rows[] = {
        { "an input that there is not", "{input: b}", "{input: bb}",
          "several.yaml:4:69: data.targets.back_b: \"bb\" is not one of data.inputs; known here: a, b" },
        { "a column and an input", "{input: b}", "{input: b, column: c}",
          "several.yaml:4:69: data.targets.back_b: is of a `column`, or of an `input` that is to be given back" },
        { "neither", "{input: b}", "{missing: skip}",
          "several.yaml:4:69: data.targets.back_b: is of a `column`, or of an `input` that is to be given back" },
        { "an input ahead", "{input: b}", "{input: b, steps: 1}",
          "several.yaml:4:69: data.targets.back_b: an input is given back as it is, now; leave the rest out" },
        { "classes of an input", "back_b: huber", "back_b: cross_entropy",
          "several.yaml:14:44: model.losses.back_b: cross_entropy is a loss of classes, and back_b is a target of values" },
        { "the reconstruction of classes", "c: hinge", "c: reconstruction",
          "several.yaml:14:54: model.losses.c: reconstruction is a loss of values, and c is a target of classes" },
        { "weights that are more than the classes", "c: hinge", "c: {hinge: {class_weights: [1, 2, 3]}}",
          "several.yaml:14:55: model.losses.c: 3 class_weights for 2 classes; give each class one" },
        { "a class that counts nothing", "c: hinge", "c: {hinge: {class_weights: [1, 0]}}",
          "several.yaml:14:62: model.losses.c.hinge: class_weights[1] is 0: a weight is above 0" },
        { "no targets and several inputs",
          "  targets: {c: {column: c, classes: 2}, back_a: {input: a}, back_b: {input: b}}\n", "",
          "several.yaml:3:3: data.targets: must be given: What it is to predict; only `loss: reconstruction` needs none" },
        { "a season of what is given back", "metrics: rmse", "metrics: mase",
          "several.yaml:17:21: evaluate.metrics: mase is of a forecast, and an input that is given back is none" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char        text[2048];
        const char *at = strstr(several, rows[i].passage);
        wm_faults   faults;
        wm_job     *job;
        wm_model   *model = NULL;
        wm_error    err;

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - several), several, rows[i].instead,
                 at + strlen(rows[i].passage));
        wm_faults_init(&faults, "several.yaml");
        job = net_parse("several.yaml", text, &faults);
        if (job != NULL)
            assert_int_equal(wm_model_new(job, &faults, &model, &err), WM_E_INVALID);
        if (strncmp(wm_text_chars(&faults.lines), rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s:\n got: %swant: %s", rows[i].says, wm_text_chars(&faults.lines), rows[i].want);
        wm_job_free(job);
        wm_faults_release(&faults);
    }
}

/* One input's reconstruction goes without saying; of several it does not. */
static void several_inputs_need_words(void **state)
{
    wm_faults faults;

    (void)state;
    wm_faults_init(&faults, "two.yaml");
    assert_null(net_parse("two.yaml",
                          "job: two\n"
                          "data: {inputs: {a: {pixels: [2, 3]}, b: {pixels: [1, 4]}}}\n"
                          "model: {layers: [{from: [a, b], concat: {}}, {dense: 6}], loss: reconstruction}\n"
                          "training: {rate: 0.1}\nrounds: 5\nevaluate: {metrics: rmse}\n",
                          &faults));
    assert_string_equal(
        wm_text_chars(&faults.lines),
        "two.yaml:3:65: model.loss: there are 2 inputs: write data.targets: {NAME: {input: a}} for each "
        "that is to be given back, and losses: {NAME: reconstruction, ...}\n");
    wm_faults_release(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_the_input_and_needs_no_words),
        cmocka_unit_test(dice_are_thrown_in_training_and_from_the_seed),
        cmocka_unit_test(the_divergence_counts_in_training_alone),
        cmocka_unit_test(noise_leaves_as_much_as_it_says),
        cmocka_unit_test(mistakes_have_a_place),
        cmocka_unit_test(several_inputs_are_given_back_by_a_head_each),
        cmocka_unit_test(several_inputs_need_words),
        cmocka_unit_test(faults_of_targets_have_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
