/* tests/models/test_initialisers.c: weights that begin as the job says; bounds and deviations are torch.nn.init's, which
 * were worked out apart. */
#include "tests/models/words.h"

#include <math.h>

/* A network of one layer between others, which gives its name to the tensor that is looked at. */
static wm_model *model_of(const char *layer, const char *shape, wm_job **job)
{
    wm_text   layers = WM_TEXT_INIT, text = WM_TEXT_INIT;
    wm_model *model;

    wm_text_printf(&layers, "[%s, flatten, {name: y, dense: 2}]", layer);
    net_text(&text, &(net_words){ .shape = shape, .layers = wm_text_chars(&layers), .loss = "mse", .width = 2 });
    *job = net_job(layer, wm_text_chars(&text));
    model = net_model_of(layer, *job);
    wm_text_release(&layers);
    wm_text_release(&text);
    return model;
}

static const wm_tensor *tensor_of(const wm_model *model, const char *name)
{
    for (size_t i = 0; i < wm_model_n_tensors(model); i++)
        if (strcmp(wm_model_tensor(model, i)->name, name) == 0)
            return wm_model_tensor(model, i);
    fail_msg("no tensor named %s", name);
    return NULL;
}

static float *params_of(const wm_model *model, uint64_t seed)
{
    float *params = malloc(wm_model_n_params(model) * sizeof *params);

    assert_non_null(params);
    wm_model_init(model, seed, params);
    return params;
}

typedef struct moments {
    double mean, deviation, least, most, fourth; /* fourth: mean of the fourth powers */
} moments;

static moments moments_of(const float *x, size_t n)
{
    moments m = { .least = (double)x[0], .most = (double)x[0] };

    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];

        m.mean += v / (double)n;
        m.deviation += v * v / (double)n;
        m.fourth += v * v * v * v / (double)n;
        m.least = fmin(m.least, v);
        m.most = fmax(m.most, v);
    }
    m.deviation = sqrt(m.deviation);
    return m;
}

static void weights_begin_as_named(void **state)
{
    static const struct {
        const char *layer, *shape, *tensor;
        double      bound;     /* of a uniform distribution; 0: a normal one */
        double      deviation; /* 0 with `bound` 0: all are `value` */
        double      value;
    } rows[] = {
        { "{name: a, dense: 64, initial: zeros}", "100", "a.weight", 0, 0, 0 },
        { "{name: a, dense: 64, initial: ones}", "100", "a.weight", 0, 0, 1 },
        { "{name: a, dense: 64, initial: {constant: -0.25}}", "100", "a.weight", 0, 0, -0.25 },
        { "{name: a, dense: 64, initial: {uniform: 0.3}}", "100", "a.weight", 0.3, 0.17320508, 0 },
        { "{name: a, dense: 64, initial: {normal: 0.02}}", "100", "a.weight", 0, 0.02, 0 },
        { "{name: a, dense: 64, initial: xavier_uniform}", "100", "a.weight", 0.19127301, 0.11043153, 0 },
        { "{name: a, dense: 64, initial: {xavier_uniform: 1.5}}", "100", "a.weight", 0.28690951, 0.16564729, 0 },
        { "{name: a, dense: 64, initial: xavier_normal}", "100", "a.weight", 0, 0.11043153, 0 },
        { "{name: a, dense: 64, initial: kaiming_uniform}", "100", "a.weight", 0.24494897, 0.14142136, 0 },
        { "{name: a, dense: 64, initial: {kaiming_uniform: {fan: out}}}", "100", "a.weight", 0.30618622, 0.17677670,
          0 },
        { "{name: a, dense: 64, initial: kaiming_normal}", "100", "a.weight", 0, 0.14142136, 0 },
        { "{name: a, dense: 64, initial: {kaiming_normal: 0.5}}", "100", "a.weight", 0, 0.12649111, 0 },
        { "{name: a, conv2d: {channels: 48, kernel: [3, 5]}, initial: kaiming_uniform}", "9 9 8", "a.weight",
          0.22360680, 0.12909944, 0 }, /* fan in 8 x 15 */
        { "{name: a, conv2d: {channels: 48, kernel: [3, 5]}, initial: xavier_normal}", "9 9 8", "a.weight", 0,
          0.04879500, 0 }, /* 2 / (120 + 720) */
        { "{name: a, conv1d: {channels: 64, kernel: 9, groups: 4}, initial: kaiming_normal}", "20 32", "a.weight",
          0, 0.16666667, 0 }, /* fan in 8 x 9 */
        { "{name: a, lstm: 32, initial: xavier_uniform}", "5 60", "a.weight_ih_l0", 0.17864741, 0.10314212, 0 },
        { "{name: a, lstm: 32, initial: xavier_uniform}", "5 60", "a.weight_hh_l0", 0.19364917, 0.11180340, 0 },
        { "{name: a, attention: 2, initial: xavier_uniform}", "5 64", "a.in_proj_weight", 0.15309311, 0.08838835,
          0 },
        { "{name: a, residual: [{dense: 64}, relu, {dense: 100}], initial: kaiming_normal}", "100",
          "a.0.dense.weight", 0, 0.14142136, 0 },
        { "{name: a, residual: [{dense: 64}, relu, {dense: 100}], initial: kaiming_normal}", "100",
          "a.2.dense.weight", 0, 0.17677670, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_job          *job;
        wm_model        *model = model_of(rows[i].layer, rows[i].shape, &job);
        const wm_tensor *tensor = tensor_of(model, rows[i].tensor);
        float           *params = params_of(model, 5);
        moments          m = moments_of(params + tensor->offset, tensor->n);
        double           d = rows[i].deviation, n = (double)tensor->n;

        if (d == 0) {
            assert_case(rows[i].layer, m.least == rows[i].value && m.most == rows[i].value);
        } else {
            /* five standard errors; that of the deviation follows from the fourth moment, 9/5 or 3 times d^4 */
            double fourth = rows[i].bound > 0 ? 9.0 / 5 : 3;

            assert_case(rows[i].layer, fabs(m.mean) < 5 * d / sqrt(n));
            assert_case(rows[i].layer, fabs(m.deviation / d - 1) < 5 * sqrt((fourth - 1) / n) / 2);
            assert_case(rows[i].layer, fabs(m.fourth / (d * d * d * d) / fourth - 1) < 0.2);
        }
        if (rows[i].bound > 0) {
            assert_case(rows[i].layer,
                        m.most <= rows[i].bound * (1 + 1e-7) && m.least >= -rows[i].bound * (1 + 1e-7));
            assert_case(rows[i].layer, m.most > 0.99 * rows[i].bound && m.least < -0.99 * rows[i].bound);
        }
        free(params);
        wm_model_free(model);
        wm_job_free(job);
    }
}

/* The largest difference of W W^T, or W^T W if that is smaller, from gain^2 times the identity. */
static double from_orthogonal(const float *w, size_t rows, size_t columns, double gain)
{
    bool   wide = rows <= columns;
    size_t n = wide ? rows : columns, length = wide ? columns : rows;
    double worst = 0;

    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            double dot = 0;

            for (size_t i = 0; i < length; i++)
                dot += wide ? (double)w[a * columns + i] * (double)w[b * columns + i]
                            : (double)w[i * columns + a] * (double)w[i * columns + b];
            worst = fmax(worst, fabs(dot - (a == b ? gain * gain : 0)));
        }
    return worst;
}

static void orthogonal_weights_are_orthogonal(void **state)
{
    static const struct {
        const char *layer, *shape, *tensor;
        double      gain;
    } rows[] = {
        { "{name: a, dense: 40, initial: orthogonal}", "100", "a.weight", 1 },
        { "{name: a, dense: 100, initial: {orthogonal: 1.5}}", "40", "a.weight", 1.5 },
        { "{name: a, dense: 64, initial: orthogonal}", "64", "a.weight", 1 },
        { "{name: a, dense: 1, initial: orthogonal}", "1", "a.weight", 1 },
        { "{name: a, conv2d: {channels: 12, kernel: 3}, initial: orthogonal}", "5 5 4", "a.weight", 1 },
        { "{name: a, gru: 24, initial: orthogonal}", "5 6", "a.weight_hh_l0", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_job          *job;
        wm_model        *model = model_of(rows[i].layer, rows[i].shape, &job);
        const wm_tensor *tensor = tensor_of(model, rows[i].tensor);
        float           *params = params_of(model, 5);
        size_t           height = tensor->shape.dim[0];

        assert_case(rows[i].layer, from_orthogonal(params + tensor->offset, height, tensor->n / height,
                                                   rows[i].gain) < 1e-6 * rows[i].gain * rows[i].gain);
        free(params);
        wm_model_free(model);
        wm_job_free(job);
    }
}

static void a_seed_gives_the_same_weights_and_another_gives_others(void **state)
{
    static const char *const names[] = { "{normal: 1}",     "{uniform: 1}",   "xavier_uniform", "xavier_normal",
                                         "kaiming_uniform", "kaiming_normal", "orthogonal" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char      layer[128];
        wm_job   *job;
        wm_model *model;
        float    *one, *again, *other;
        size_t    bytes;

        snprintf(layer, sizeof layer, "{name: a, dense: 8, initial: %s}", names[i]);
        model = model_of(layer, "6", &job);
        bytes = tensor_of(model, "a.weight")->n * sizeof(float);
        one = params_of(model, 5);
        again = params_of(model, 5);
        other = params_of(model, 6);
        assert_case(names[i], memcmp(one, again, wm_model_n_params(model) * sizeof(float)) == 0);
        assert_case(names[i], memcmp(one, other, bytes) != 0);
        free(one);
        free(again);
        free(other);
        wm_model_free(model);
        wm_job_free(job);
    }
}

/* Only the weights of the layer that names one are others than without. */
static void what_is_not_named_begins_as_before(void **state)
{
    wm_job          *plain_job, *job;
    wm_model        *plain = model_of("{name: a, dense: 8}", "6", &plain_job);
    wm_model        *model = model_of("{name: a, dense: 8, initial: orthogonal}", "6", &job);
    const wm_tensor *bias = tensor_of(model, "a.bias"), *head = tensor_of(model, "y.weight");
    float           *before = params_of(plain, 5), *now = params_of(model, 5);

    (void)state;
    assert_true(memcmp(before, now, tensor_of(model, "a.weight")->n * sizeof(float)) != 0);
    assert_memory_equal(before + bias->offset, now + bias->offset, bias->n * sizeof(float));
    assert_memory_equal(before + head->offset, now + head->offset, head->n * sizeof(float));
    free(before);
    free(now);
    wm_model_free(plain);
    wm_model_free(model);
    wm_job_free(plain_job);
    wm_job_free(job);
}

static void what_cannot_be_is_refused_at_its_place(void **state)
{
    static const net_mistake rows[] = {
        { "{dense: 4, initial: kaiming}, flatten, {dense: 2}", "kaiming", "\"kaiming\"" },
        { "{dense: 4, initial: {normal: 0}}, flatten, {dense: 2}", "0}", "0" },
        { "{dense: 4, initial: normal}, flatten, {dense: 2}", "normal", "deviation" },
        { "{dense: 4, initial: {uniform: -1}}, flatten, {dense: 2}", "-1", "-1" },
        { "{relu: {}, initial: zeros}, flatten, {dense: 2}", "zeros",
          "relu has no weights that zeros could begin" },
        { "layer_norm, {layer_norm: {}, initial: ones}, flatten, {dense: 2}", "ones",
          "layer_norm has no weights that ones could begin" },
        { "flatten, {dense: 3000, initial: orthogonal}, {dense: 3000, initial: orthogonal}, {dense: 2}",
          "orthogonal}, {dense: 2}", "orthogonal takes too long for weights of 3000 x 3000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        net_assert_mistake(&rows[i], "3 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_begin_as_named),
        cmocka_unit_test(orthogonal_weights_are_orthogonal),
        cmocka_unit_test(a_seed_gives_the_same_weights_and_another_gives_others),
        cmocka_unit_test(what_is_not_named_begins_as_before),
        cmocka_unit_test(what_cannot_be_is_refused_at_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
