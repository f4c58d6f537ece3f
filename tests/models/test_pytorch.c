/* tests/models/test_pytorch.c
 *
 * Networks against PyTorch: outputs, gradients, and losses and parameters over some steps. What is right is float64; we
 * may be twice as far from it as PyTorch's own float32 is. golden/make.py makes the cases and the numbers: a case is a
 * line of cases.tsv, its results stand in the same order in results.bin. Prints both distances for each. */
#include "tests/models/golden.h"
#include "tests/models/words.h"

#include "models/plan.h"

#include <math.h>

enum { RESULTS = 4, FIELDS = 13 + 2 * RESULTS, STEPS_MAX = 100 };

typedef struct result {
    const char   *name;
    const double *want;
    size_t        n;
    double        distance; /* of PyTorch's float32 */
} result;

typedef struct golden {
    const char *name, *shape, *layers, *loss, *model, *optimiser; /* model: more of it, NULL for nothing */
    double      rate, clip;
    size_t      width, batch, batches, steps;
    bool        classes;
    result      outputs, gradients, losses, parameters;
} golden;

/* ---- reading the cases ---- */

static result result_of(const char *name, char *const *fields, const double **numbers_left)
{
    result r = {
        .name = name, .want = *numbers_left, .n = strtoull(fields[0], NULL, 10), .distance = atof(fields[1])
    };

    *numbers_left += r.n;
    return r;
}

/* Cuts the line into its fields. */
static golden golden_of(char *line, const double **left)
{
    char  *fields[FIELDS] = { 0 }, *rest = line;
    golden g;

    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = strsep(&rest, "\t");
    assert_true(fields[FIELDS - 1] != NULL && rest == NULL);
    g = (golden){ .name = fields[0],
                  .shape = fields[1],
                  .layers = fields[2],
                  .loss = fields[3],
                  .width = strtoull(fields[4], NULL, 10),
                  .classes = atoi(fields[5]) != 0,
                  .model = strcmp(fields[6], "-") != 0 ? fields[6] : NULL,
                  .optimiser = fields[7],
                  .rate = atof(fields[8]),
                  .clip = atof(fields[9]),
                  .batch = strtoull(fields[10], NULL, 10),
                  .batches = strtoull(fields[11], NULL, 10),
                  .steps = strtoull(fields[12], NULL, 10) };
    g.outputs = result_of("outputs", fields + 13, left);
    g.gradients = result_of("gradients", fields + 15, left);
    g.losses = result_of("losses", fields + 17, left);
    g.parameters = result_of("parameters", fields + 19, left);
    return g;
}

/* The case's network; images are rows and columns at least, so the first layer, named x, gives the examples their shape. */
static wm_job *job_of(const golden *g)
{
    wm_text text = WM_TEXT_INIT;
    wm_job *job;

    net_text(&text, &(net_words){ .shape = g->shape,
                                  .layers = g->layers,
                                  .loss = g->loss,
                                  .optimiser = g->optimiser,
                                  .width = g->width,
                                  .classes = g->classes,
                                  .model = g->model });
    job = net_job(g->name, wm_text_chars(&text));
    wm_text_release(&text);
    return job;
}

/* ---- running it ---- */

/* Over 100 steps the bound is twice PyTorch's distance; a result that is 1e-9 off is as good as right, since below that
 * float64 itself, in other orders of addition, differs. The few numbers of a short case scatter: there one unit in the
 * last place of float more is let pass. */
static bool near(const golden *g, const result *want, const float *have, const double *have_double, size_t n)
{
    double sum = 0, squares = 0;

    assert_int_equal(n, want->n);
    for (size_t i = 0; i < n; i++) {
        double d = (have != NULL ? (double)have[i] : have_double[i]) - want->want[i];

        sum += d * d;
        squares += want->want[i] * want->want[i];
    }
    sum = sqrt(sum / (double)n);
    print_message("# %-56s %-10s %8.1e  PyTorch's float32 %8.1e\n", g->name, want->name, sum, want->distance);
    if (sum <= 2 * want->distance + (g->steps == STEPS_MAX ? 1e-9 : 0x1p-23 * sqrt(squares / (double)n)))
        return true;
    print_error("%s: %s are %.3g from float64; PyTorch's float32 is %.3g\n", g->name, want->name, sum,
                want->distance);
    return false;
}

typedef struct examples {
    float   *x, *y;
    int32_t *classes;
    size_t   each;
} examples;

static examples examples_of(const golden *g, const wm_job *job, uint64_t *s)
{
    wm_shape shape;
    examples e = { 0 };
    size_t   n = g->batch * g->batches;

    wm_job_input_shape(job, 0, &shape);
    assert_true(wm_shape_count(&shape, &e.each));
    e.x = golden_numbers(s, n * e.each, 4);
    e.y = golden_numbers(s, n * (g->classes ? 1 : g->width), 1);
    e.classes = malloc(n * sizeof *e.classes);
    assert_non_null(e.classes);
    for (size_t i = 0; i < n; i++)
        e.classes[i] = (int32_t)((e.y[i] + 0.5f) * (float)g->width);
    if (strstr(g->layers, "embedding") != NULL) /* kinds, as make.py's Kinds */
        for (size_t i = 0; i < n * e.each; i++)
            e.x[i] = floorf((e.x[i] / 4 + 0.5f) * 7);
    return e;
}

static wm_batch batch_at(const golden *g, const examples *e, size_t i)
{
    size_t   at = i % g->batches * g->batch;
    wm_batch batch = { .n = g->batch };

    batch.inputs[0] = e->x + at * e->each;
    batch.targets[0] = g->classes ? NULL : net_gives_back(g->loss) ? batch.inputs[0] : e->y + at * g->width;
    batch.classes[0] = g->classes ? e->classes + at : NULL;
    return batch;
}

static bool run(const golden *g)
{
    wm_job      *job = job_of(g);
    wm_model    *model = net_model_of(g->name, job);
    size_t       n_buffers = wm_model_n_buffer_values(model), n_params = wm_model_n_whole(model) - n_buffers;
    uint64_t     s = 1;
    float       *params = golden_numbers(&s, n_params, g->steps == STEPS_MAX ? 0.5f : 1), *whole;
    examples     e = examples_of(g, job, &s);
    wm_step      step = { .rate = g->rate, .clip = g->clip };
    double       losses[STEPS_MAX];
    const float *outputs[WM_TARGETS_MAX], *grads;
    wm_batch     batch = batch_at(g, &e, 0);
    wm_plan     *plan;
    wm_error     err;
    bool         good = true;

    assert_ok(wm_plan_new(model, g->batch, WM_PLAN_TRAIN, &plan, &err), &err);
    if (n_buffers == 0) {
        assert_ok(wm_plan_forward(plan, params, &batch, outputs, NULL, &err), &err);
        good = near(g, &g->outputs, outputs[0], NULL, g->outputs.n);
    }
    assert_ok(wm_plan_gradient(plan, params, &batch, &grads, &losses[0], &err), &err);
    good &= near(g, &g->gradients, grads, NULL, n_params);
    wm_plan_reset(plan, 0);
    for (size_t i = 0; i < g->steps; i++) {
        batch = batch_at(g, &e, i);
        assert_ok(wm_plan_step(plan, params, &batch, &step, &losses[i], &err), &err);
    }
    good &= near(g, &g->losses, NULL, losses, g->steps);
    whole = realloc(params, (n_params + n_buffers + 1) * sizeof *whole);
    assert_non_null(whole);
    params = whole;
    wm_plan_get_buffers(plan, params + n_params);
    good &= near(g, &g->parameters, params, NULL, n_params + n_buffers);
    if (n_buffers > 0) { /* as an evaluation sees it, by the running statistics */
        batch = batch_at(g, &e, 0);
        assert_ok(wm_plan_forward(plan, params, &batch, outputs, NULL, &err), &err);
        good &= near(g, &g->outputs, outputs[0], NULL, g->outputs.n);
    }
    wm_plan_free(plan);
    wm_model_free(model);
    wm_job_free(job);
    free(params);
    free(e.x);
    free(e.y);
    free(e.classes);
    return good;
}

static void networks_are_as_near_to_float64_as_pytorch_is(void **state)
{
    size_t        size, bad = 0, n = 0;
    char         *table = golden_file("cases.tsv", &size), *rest = table;
    double       *results = golden_file("results.bin", &size);
    const double *left = results;

    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; n++) {
        golden g = golden_of(line, &left);

        bad += !run(&g);
    }
    print_message("# %zu networks\n", n);
    assert_true(n > 0 && left == results + size / sizeof *results);
    assert_int_equal(bad, 0);
    free(table);
    free(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_as_near_to_float64_as_pytorch_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
