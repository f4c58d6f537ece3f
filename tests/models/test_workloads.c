/* tests/models/test_workloads.c
 *
 * The networks that the training engine is measured by, in full size, against PyTorch over 100 steps: losses, and parameters
 * after 1, 10 and 100. What is right is float64; we may be twice as far from it as PyTorch's own float32 is.
 * golden/workloads.py makes the numbers, and says how the parameters are stored. Prints the table. WM_STEPS=1: a hundredth
 * of the run, for an emulated processor. */
#include "tests/models/golden.h"
#include "tests/models/words.h"

#include "models/plan.h"

#include <math.h>

enum { STEPS = 100, MARKS = 3, PROJECTIONS = 128, BATCHES = 20, FIELDS = 9 + MARKS };

static const size_t marks[MARKS] = { 1, 10, STEPS };
static const double rate = 0.01;

typedef struct workload {
    const char   *name;
    net_words     words;
    size_t        batch, n_params;
    double        allowed[1 + MARKS]; /* PyTorch's distances: of losses, of parameters at each mark */
    const double *losses, *projections;
} workload;

static workload workload_of(char *line, const double **left)
{
    char    *fields[FIELDS] = { 0 }, *rest = line;
    workload w;

    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = strsep(&rest, "\t");
    assert_true(fields[FIELDS - 1] != NULL && rest == NULL);
    w = (workload){ .name = fields[0],
                    .words = { .shape = fields[1],
                               .layers = fields[2],
                               .loss = fields[3],
                               .width = strtoull(fields[4], NULL, 10),
                               .classes = atoi(fields[5]) != 0 },
                    .batch = strtoull(fields[6], NULL, 10),
                    .n_params = strtoull(fields[7], NULL, 10),
                    .losses = *left,
                    .projections = *left + STEPS };
    for (size_t i = 0; i <= MARKS; i++)
        w.allowed[i] = atof(fields[8 + i]);
    *left += STEPS + MARKS * PROJECTIONS;
    return w;
}

/* workloads.py's begin */
static float *params_of(const wm_model *model, uint64_t *s)
{
    float *params = malloc(wm_model_n_params(model) * sizeof *params);

    assert_non_null(params);
    for (size_t i = 0; i < wm_model_n_tensors(model); i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);
        double           fan = tensor->shape.rank > 1 ? (double)(tensor->n / tensor->shape.dim[0]) : 1024;
        float            factor = (float)exp2(floor(log2(2 / sqrt(fan))));
        bool norm = strstr(tensor->name, "norm") != NULL, weight = strstr(tensor->name, ".weight") != NULL;

        for (size_t p = 0; p < tensor->n; p++)
            params[tensor->offset + p] = norm ? weight : factor * golden_number(s);
    }
    return params;
}

static uint64_t hash(uint64_t z)
{
    z *= 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The distance of params[n], root mean square, from what was projected to want[PROJECTIONS]. */
static double distance(const float *params, size_t n, const double *want)
{
    double sums[PROJECTIONS] = { 0 }, squares = 0;

    for (size_t which = 0; which < 2; which++)
        for (size_t p = 0; p < n; p++) {
            uint64_t bits = hash(p + n * which + 1);
            double   x = (double)params[p];

            for (size_t k = 0; k < 64; k++)
                sums[64 * which + k] += (bits >> k & 1) != 0 ? x : -x;
        }
    for (size_t k = 0; k < PROJECTIONS; k++)
        squares += (sums[k] - want[k]) * (sums[k] - want[k]);
    return sqrt(squares / PROJECTIONS / (double)n);
}

/* Losses are few and can be equal to the last bit of a float: one unit in its last place more is let pass. */
static bool is_near(const workload *w, const char *what, double is, double allowed, double slack)
{
    print_message("# %s %-20s %9.3g  PyTorch's float32 %9.3g  ratio %.2f\n", w->name, what, is, allowed,
                  is / allowed);
    return is <= 2 * allowed + slack;
}

static size_t steps_wished(void)
{
    const char *wish = getenv("WM_STEPS");
    size_t      n = wish != NULL ? strtoull(wish, NULL, 10) : STEPS;

    return n < STEPS ? n : STEPS;
}

static bool run_steps(const workload *w, const wm_model *model, float *params, const float *x, const float *y,
                      const int32_t *classes, size_t each)
{
    size_t   steps = steps_wished();
    double   squares = 0, loss, size = 0;
    bool     good = true;
    wm_plan *plan;
    wm_error err;
    char     what[32];

    assert_ok(wm_plan_new(model, w->batch, WM_PLAN_TRAIN, &plan, &err), &err);
    for (size_t i = 0, mark = 0; i < steps; i++) {
        size_t   at = i % BATCHES * w->batch;
        wm_batch batch = { .n = w->batch, .inputs = { x + at * each } };

        batch.targets[0] = w->words.classes ? NULL : y + at * w->words.width;
        batch.classes[0] = w->words.classes ? classes + at : NULL;
        assert_ok(wm_plan_step(plan, params, &batch, &(wm_step){ .rate = rate }, &loss, &err), &err);
        squares += (loss - w->losses[i]) * (loss - w->losses[i]);
        size += w->losses[i] * w->losses[i];
        if (i + 1 == marks[mark]) {
            snprintf(what, sizeof what, "parameters, step %zu", i + 1);
            good &= is_near(w, what, distance(params, w->n_params, w->projections + mark * PROJECTIONS),
                            w->allowed[1 + mark], 0);
            mark++;
        }
    }
    good &=
        is_near(w, "losses", sqrt(squares / (double)steps), w->allowed[0], 0x1p-24 * sqrt(size / (double)steps));
    wm_plan_free(plan);
    return good;
}

static bool run(const workload *w)
{
    wm_text   text = WM_TEXT_INIT;
    wm_job   *job;
    wm_model *model;
    wm_shape  shape;
    uint64_t  s = 1;
    size_t    each = 0, n = w->batch * BATCHES;
    float    *params, *x, *y;
    int32_t  *classes = calloc(n, sizeof *classes);
    bool      good;

    net_text(&text, &w->words);
    job = net_job(w->name, wm_text_chars(&text));
    model = net_model_of(w->name, job);
    assert_int_equal(wm_model_n_params(model), w->n_params);
    wm_job_input_shape(job, 0, &shape);
    assert_true(wm_shape_count(&shape, &each) && classes != NULL);
    params = params_of(model, &s);
    x = golden_numbers(&s, n * each, 4);
    if (!w->words.classes && w->words.width == each) { /* an autoencoder */
        y = malloc(n * each * sizeof *y);
        assert_non_null(y);
        memcpy(y, x, n * each * sizeof *y);
    } else {
        y = golden_numbers(&s, n * (w->words.classes ? 1 : w->words.width), 1);
    }
    for (size_t i = 0; i < n; i++)
        classes[i] = (int32_t)((y[i] + 0.5f) * (float)w->words.width);
    good = run_steps(w, model, params, x, y, classes, each);
    wm_model_free(model);
    wm_job_free(job);
    wm_text_release(&text);
    free(params);
    free(x);
    free(y);
    free(classes);
    return good;
}

static void whole_runs_are_as_near_to_float64_as_pytorchs_are(void **state)
{
    size_t        size, bad = 0, n = 0;
    char         *table = golden_file("workloads.tsv", &size), *rest = table;
    double       *results = golden_file("workloads.bin", &size);
    const double *left = results;

    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; n++) {
        workload w = workload_of(line, &left);

        bad += !run(&w);
    }
    assert_int_equal(n, 6);
    assert_true(left == results + size / sizeof *results);
    assert_int_equal(bad, 0);
    free(table);
    free(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_runs_are_as_near_to_float64_as_pytorchs_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
