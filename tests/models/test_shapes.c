/* tests/models/test_shapes.c
 *
 * Sizes: what comes out of a layer that slides, worked out by hand; shapes that do not fit and sizes that nobody has, each a
 * sentence at its place with both sides in it; and thousands of layers at random, of which each is refused or trains a
 * step, whatever its numbers. */
#include "tests/models/net.h"
#include "tests/models/words.h"

#include "models/graph.h"
#include "models/plan.h"

#include <math.h>

/* ---- by hand ---- */

static void what_slides_stands_where_it_fits(void **state)
{
    static const struct {
        const char *layer, *from, *to;
    } rows[] = {
        { "{conv1d: {channels: 5, kernel: 3}}", "8 2", "6 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, stride: 2}}", "7 2", "3 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, stride: 2}}", "8 2", "3 x 5" }, /* the last step is left over */
        { "{conv1d: {channels: 5, kernel: 3, stride: 3}}", "8 2", "2 x 5" },
        { "{conv1d: {channels: 5, kernel: 8}}", "8 2", "1 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, dilation: 3}}", "8 2", "2 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, stride: 100}}", "8 2", "1 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, padding: same}}", "8 2", "8 x 5" },
        { "{conv1d: {channels: 5, kernel: 3, stride: 2, padding: same}}", "7 2", "4 x 5" },
        { "{conv1d: {channels: 5, kernel: 20, padding: same}}", "8 2", "8 x 5" },
        { "{conv2d: {channels: 5, kernel: [3, 2], stride: [2, 3]}}", "8 6 2", "3 x 2 x 5" },
        { "{conv2d: {channels: 5, kernel: 3, stride: 2, padding: same}}", "7 6 2", "4 x 3 x 5" },
        { "{max_pool1d: 3}", "8 2", "2 x 2" },
        { "{max_pool1d: {kernel: 3, stride: 2}}", "8 2", "3 x 2" },
        { "{avg_pool1d: {kernel: 3, padding: same}}", "8 2", "3 x 2" },
        { "{avg_pool2d: [2, 3]}", "5 8 2", "2 x 2 x 2" },
        { "global_max_pool", "5 8 2", "2" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_text   layers = WM_TEXT_INIT, text = WM_TEXT_INIT;
        wm_job   *job;
        wm_model *model;
        char      shape[WM_SHAPE_TEXT];

        wm_text_printf(&layers, "[%s, flatten, {dense: 2}]", rows[i].layer);
        net_text(&text, &(net_words){
                            .shape = rows[i].from, .layers = wm_text_chars(&layers), .loss = "mse", .width = 2 });
        job = net_job(rows[i].layer, wm_text_chars(&text));
        model = net_model_of(rows[i].layer, job);
        wm_shape_text(&model->nodes[model->n_inputs + 1].shape, shape);
        if (strcmp(shape, rows[i].to) != 0)
            fail_msg("%s of %s is %s, not %s", rows[i].layer, rows[i].from, shape, rows[i].to);
        wm_model_free(model);
        wm_job_free(job);
        wm_text_release(&layers);
        wm_text_release(&text);
    }
}

/* ---- what does not fit ---- */

static void layers_that_do_not_fit_are_refused_with_both_sides(void **state)
{
    static const struct {
        const char *shape;
        net_mistake its;
    } rows[] = {
        { "24 4",
          { "{lstm: 5}, {lstm: 5}, {dense: 2}", "lstm: 5}, {dense",
            "lstm: takes time x channels, and gets 5; a recurrence before it keeps its steps with `sequence: true`" } },
        { "24 4 1", { "{gru: 5}, {dense: 2}", "gru", "gru: takes time x channels, and gets 24 x 4 x 1" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 25}}, flatten, {dense: 2}", "conv1d",
            "conv1d: a kernel that reaches over 25 steps does not fit into 24 x 4" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, dilation: 12}}, flatten, {dense: 2}", "conv1d",
            "reaches over 25 steps does not fit into 24 x 4" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, dilation: 24, padding: same}}, flatten, {dense: 2}", "conv1d",
            "conv1d: places 24 apart are not both in 24 x 4" } },
        { "6 24 1",
          { "{conv2d: {channels: 3, kernel: 2, dilation: [6, 1], padding: same}}, flatten, {dense: 2}", "conv2d",
            "conv2d: places 6 apart are not both in 6 x 24 x 1" } },
        { "6 24 1",
          { "{conv2d: {channels: 3, kernel: [7, 2]}}, flatten, {dense: 2}", "conv2d",
            "reaches over 7 x 2 does not fit into 6 x 24 x 1" } },
        { "24 4",
          { "{conv2d: {channels: 3, kernel: 3}}, flatten, {dense: 2}", "conv2d",
            "takes height x width x channels, and gets 24 x 4; for a window take the layer that ends in 1d" } },
        { "6 24 1",
          { "{conv1d: {channels: 3, kernel: 3}}, flatten, {dense: 2}", "conv1d",
            "takes time x channels, and gets 6 x 24 x 1; for an image take the layer that ends in 2d" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, groups: 2}}, flatten, {dense: 2}", "conv1d",
            "conv1d: 4 channels in and 3 out do not both divide into 2 groups" } },
        { "24 4",
          { "{max_pool1d: 25}, flatten, {dense: 2}", "max_pool1d",
            "reaches over 25 steps does not fit into 24 x 4" } },
        { "24 4",
          { "{attention: 3}, flatten, {dense: 2}", "attention",
            "attention: takes time x channels, the channels divisible by 3 heads, and gets 24 x 4" } },
        { "96", { "{attention: 3}, flatten, {dense: 2}", "attention", "divisible by 3 heads, and gets 96" } },
        { "24 4",
          { "{group_norm: 3}, flatten, {dense: 2}", "group_norm",
            "group_norm: 4 channels do not divide into 3 groups" } },
        { "24 4",
          { "{reshape: [10, 10]}, flatten, {dense: 2}", "reshape: [10",
            "reshape: gets 24 x 4, which is 96 values, and cannot make 10 x 10 of them" } },
        { "24 4",
          { "{residual: {layers: [{dense: 5}]}}, flatten, {dense: 2}", "dense: 5",
            "cannot add 24 x 5 and 24 x 4" } },
        { "24 4",
          { "{name: a, from: x, flatten: {}}, {from: [x, a], concat: {}}, flatten, {dense: 2}", "concat",
            "24 x 4 and 96 do not go side by side" } },
        { "24 4",
          { "{name: a, from: x, flatten: {}}, {from: [x, a], dense: 2}", "dense: 2",
            "dense: takes 1 input, and `from` gives 2" } },
        { "2 3 4",
          { "{reshape: [2, 3, 2, 2]}, {embedding: {kinds: 3, units: 2}}, flatten, {dense: 2}", "embedding",
            "embedding: 2 x 3 x 2 x 2 has no room for one more dimension" } },
        { "24 4",
          { "{dense: 1}, flatten, {dense: 1}, softmax", "softmax",
            "softmax: the share of one value is always 1" } },
        { "24 4",
          { "{dense: 2}", "dense",
            "layer 1.dense gives 24 x 2, and target y with mse takes 2 values; is a flatten missing?" } },
        { "24 4",
          { "{residual: []}, flatten, {dense: 2}", "[]}",
            "model.layers[1].residual: the list is empty; at least one is needed" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        net_assert_mistake(&rows[i].its, rows[i].shape);
}

static void sizes_that_nobody_has_are_refused_where_they_stand(void **state)
{
    static const struct {
        const char *shape;
        net_mistake its;
    } rows[] = {
        { "24 4", { "flatten, {dense: 1099511627776}, {dense: 2}", "1099511627776", "is out of range" } },
        { "24 4",
          { "flatten, {dense: 99999999999999999999999}, {dense: 2}", "99999999999999999999999",
            "is out of range: it must be from 1 to 2147483647" } },
        { "24 4", { "flatten, {dense: 0}, {dense: 2}", "0}, {dense: 2", "is out of range" } },
        { "24 4", { "flatten, {dense: -5}, {dense: 2}", "-5", "is out of range" } },
        { "24 4",
          { "flatten, {dense: 2147483647}, {dense: 2}", "dense: 2147483647", "over 2147483648 parameters" } },
        { "1000 1000 3",
          { "{dense: 1000000}, flatten, {dense: 2}", "dense: 1000000",
            "dense: its output of 1000 x 1000 x 1000000 is too large" } },
        { "24 4", { "{lstm: 65536}, {dense: 2}", "lstm", "over 2147483648 parameters" } },
        { "24 4", { "{lstm: 1099511627776}, {dense: 2}", "1099511627776", "is out of range" } },
        { "24 4",
          { "{dense: 60000}, {attention: 1}, flatten, {dense: 2}", "attention", "over 2147483648 parameters" } },
        { "24 4",
          { "{embedding: {kinds: 16777216, units: 1048576}}, flatten, {dense: 2}", "embedding",
            "embedding: a weight of 16777216 x 1048576 brings the model over 2147483648 parameters" } },
        { "16000 4",
          { "{conv1d: {channels: 1048576, kernel: 16000}}, flatten, {dense: 2}", "conv1d",
            "over 2147483648 parameters" } },
        { "6 24 16384",
          { "{conv2d: {channels: 1048576, kernel: 65536, padding: same}}, flatten, {dense: 2}", "conv2d",
            "over 2147483648 parameters" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, stride: 0}}, flatten, {dense: 2}", "0}}, flatten",
            "is out of range" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, stride: -1}}, flatten, {dense: 2}", "-1}}", "is out of range" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 0}}, flatten, {dense: 2}", "0}}, flatten", "is out of range" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: 3, dilation: 0}}, flatten, {dense: 2}", "0}}, flatten",
            "is out of range" } },
        { "24 4", { "{max_pool1d: -3}, flatten, {dense: 2}", "-3", "is out of range" } },
        { "24 4",
          { "{conv1d: {channels: 3, kernel: [3, 3]}}, flatten, {dense: 2}", "conv1d",
            "conv1d: kernel, stride and dilation are one number" } },
        { "24 4",
          { "{reshape: [4294967295, 4294967295, 4294967295]}, flatten, {dense: 2}", "reshape: [4294967295",
            "cannot make 4294967295 x 4294967295 x 4294967295 of them" } },
        { "24 4", { "{attention: 0}, flatten, {dense: 2}", "0}, flatten", "is out of range" } },
        { "24 4", { "{dropout: nan}, flatten, {dense: 2}", "nan", "is not a number" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        net_assert_mistake(&rows[i].its, rows[i].shape);
}

/* ---- at random ---- */

enum { WORDS = 512, ROUNDS = 4000, BYTES_MOST = 4 << 20 };

/* Mostly small, at times the edges of what a file may say. */
static unsigned some(wm_rng *rng)
{
    static const unsigned edges[] = { 1, 16, 255, 65535, 65536 };

    return wm_rng_below(rng, 12) == 0 ? edges[wm_rng_below(rng, 5)] : 1 + (unsigned)wm_rng_below(rng, 7);
}

static const char *same(wm_rng *rng)
{
    return wm_rng_below(rng, 2) == 0 ? "same" : "valid";
}

static void slide_at_random(wm_rng *rng, unsigned dims, char *to)
{
    unsigned k = some(rng), s = some(rng), d = some(rng), c = some(rng);

    switch (wm_rng_below(rng, 3)) {
    case 0:
        snprintf(to, WORDS,
                 "{conv%ud: {channels: %u, kernel: %u, stride: %u, dilation: %u, padding: %s, groups: %u}}", dims,
                 c, k, s, d, same(rng), wm_rng_below(rng, 2) == 0 ? 1 : some(rng));
        break;
    case 1:
        snprintf(to, WORDS, "{max_pool%ud: {kernel: %u, stride: %u, padding: %s}}", dims, k, s, same(rng));
        break;
    default:
        snprintf(to, WORDS, "{avg_pool%ud: {kernel: %u, stride: %u, padding: %s}}", dims, k, s, same(rng));
        break;
    }
}

static void layer_at_random(wm_rng *rng, char *to)
{
    static const char *const cells[] = { "lstm", "gru", "rnn" };
    static const char *const plain[] = { "flatten",
                                         "relu",
                                         "softmax",
                                         "layer_norm",
                                         "global_max_pool",
                                         "global_avg_pool",
                                         "positional_encoding",
                                         "{positional_encoding: learned}",
                                         "{dropout: 0.5}",
                                         "gelu" };

    switch (wm_rng_below(rng, 8)) {
    case 0:
    case 1:
        slide_at_random(rng, 1, to);
        break;
    case 2:
        slide_at_random(rng, 2, to);
        break;
    case 3:
        snprintf(to, WORDS, "{%s: {units: %u, sequence: %s, bidirectional: %s}}", cells[wm_rng_below(rng, 3)],
                 some(rng), wm_rng_below(rng, 2) == 0 ? "true" : "false",
                 wm_rng_below(rng, 2) == 0 ? "true" : "false");
        break;
    case 4:
        snprintf(to, WORDS, "{attention: {heads: %u, causal: %s}}", 1 + (unsigned)wm_rng_below(rng, 4),
                 wm_rng_below(rng, 2) == 0 ? "true" : "false");
        break;
    case 5:
        snprintf(to, WORDS, "{group_norm: %u}", some(rng));
        break;
    case 6:
        snprintf(to, WORDS, wm_rng_below(rng, 2) == 0 ? "{dense: %u}" : "{embedding: {kinds: %u, units: 3}}",
                 some(rng));
        break;
    default:
        snprintf(to, WORDS, "%s", plain[wm_rng_below(rng, sizeof plain / sizeof *plain)]);
        break;
    }
}

/* A step on random readings, unless it would take too much memory; the sanitizers look on. */
static void train_a_step(const wm_model *model, const wm_job *job, wm_rng *rng)
{
    wm_plan  *plan;
    wm_shape  shape;
    wm_batch  batch = { .n = 2 };
    size_t    bytes, each = 0;
    double    loss;
    float    *params, *x, *y;
    wm_error  err;
    wm_status st = wm_plan_bytes(model, batch.n, WM_PLAN_TRAIN, &bytes, &err);

    assert_true(st == WM_OK || (st == WM_E_RANGE && err.text[0] != '\0'));
    if (st != WM_OK || bytes > BYTES_MOST)
        return;
    wm_job_input_shape(job, 0, &shape);
    assert_true(wm_shape_count(&shape, &each));
    params = net_params(model, 1);
    x = net_floats(rng, batch.n * each);
    y = net_floats(rng, batch.n * 2);
    batch.inputs[0] = x;
    batch.targets[0] = y;
    assert_ok(wm_plan_new(model, batch.n, WM_PLAN_TRAIN, &plan, &err), &err);
    st = wm_plan_step(plan, params, &batch, &(wm_step){ .rate = 0.01, .clip = 1 }, &loss, &err);
    assert_true(st == WM_OK ? isfinite(loss)
                            : st == WM_E_NONFINITE); /* no kind of an embedding has a negative number */
    wm_plan_free(plan);
    free(params);
    free(x);
    free(y);
}

static void any_layers_are_refused_with_a_sentence_or_train(void **state)
{
    size_t trained = 0, refused = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        wm_text   layers = WM_TEXT_INIT, text = WM_TEXT_INIT;
        wm_job   *job;
        wm_model *model = NULL;
        wm_faults faults;
        wm_rng    rng;
        char      shape[64], layer[WORDS];
        wm_error  err;

        wm_rng_init(&rng, seed);
        if (wm_rng_below(&rng, 3) == 0)
            snprintf(shape, sizeof shape, "%u %u %u", 1 + (unsigned)wm_rng_below(&rng, 9),
                     1 + (unsigned)wm_rng_below(&rng, 9), 1 + (unsigned)wm_rng_below(&rng, 4));
        else
            snprintf(shape, sizeof shape, "%u %u", 1 + (unsigned)wm_rng_below(&rng, 30),
                     1 + (unsigned)wm_rng_below(&rng, 6));
        wm_text_printf(&layers, "[");
        for (size_t n = 1 + wm_rng_below(&rng, 3); n > 0; n--) {
            layer_at_random(&rng, layer);
            wm_text_printf(&layers, "%s, ", layer);
        }
        wm_text_printf(&layers, "flatten, {dense: 2}]");
        net_text(&text,
                 &(net_words){ .shape = shape, .layers = wm_text_chars(&layers), .loss = "mse", .width = 2 });
        wm_faults_init(&faults, "net.yaml");
        job = net_parse("net.yaml", wm_text_chars(&text), &faults);
        if (job != NULL && wm_model_new(job, &faults, &model, &err) == WM_OK) {
            train_a_step(model, job, &rng);
            trained++;
        } else {
            if (strncmp(wm_text_chars(&faults.lines), "net.yaml:", 9) != 0)
                fail_msg("seed %llu: no place: %s", (unsigned long long)seed, wm_text_chars(&faults.lines));
            refused++;
        }
        wm_model_free(model);
        wm_job_free(job);
        wm_faults_release(&faults);
        wm_text_release(&layers);
        wm_text_release(&text);
    }
    print_message("# %zu trained, %zu refused\n", trained, refused);
    assert_true(trained > ROUNDS / 10 && refused > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_slides_stands_where_it_fits),
        cmocka_unit_test(layers_that_do_not_fit_are_refused_with_both_sides),
        cmocka_unit_test(sizes_that_nobody_has_are_refused_where_they_stand),
        cmocka_unit_test(any_layers_are_refused_with_a_sentence_or_train),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
