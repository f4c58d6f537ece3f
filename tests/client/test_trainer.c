/* tests/client/test_trainer.c
 *
 * Training as arithmetic: epochs, batches, steps, the loss figure and the weight of an update, by hand (tiny_job.h says
 * how); what follows from the seed, the round and the name, and what does not; what an explosion, a stop and a client
 * without examples come to. Then the work around it: the contenders of the last evaluation, and sums of evaluations that
 * are those of all the data together. */
#include "tests/client/tiny_job.h"

#include "client/work.h"
#include "common/sanitized.h"
#include "models/evaluation.h"
#include "models/plan.h"

#include <math.h>
#include <unistd.h>

/* One client's things. */
typedef struct bench {
    char         folder[4096];
    wm_job      *job;
    wm_model    *model;
    wm_owners   *owners;
    wm_examples *examples;
    wm_trainer  *trainer;
    wm_error     err;
} bench;

enum { SETTINGS_MAX = 6 };

/* The tiny job, changed by `sets` ("key=value", ends with NULL), on what lies in the folder. */
static void open_bench(bench *b, const char *const *sets)
{
    wm_setting         settings[SETTINGS_MAX];
    char               keys[SETTINGS_MAX][64];
    size_t             n = 0;
    wm_choice          source = tiny_source(), rule = test_choice(&wm_owner_rules, "file", &(wm_words){ NULL, 0 });
    wm_owners_settings from = { .folder = b->folder, .source = &source, .owner = &rule };

    for (; sets != NULL && sets[n] != NULL; n++) {
        const char *equals = strchr(sets[n], '=');

        snprintf(keys[n], sizeof keys[n], "%.*s", (int)(equals - sets[n]), sets[n]);
        settings[n] = (wm_setting){ .key = keys[n], .value = equals + 1 };
    }
    test_write(b->folder, "tiny.yaml", TINY_JOB, strlen(TINY_JOB));
    b->job = test_parse(b->folder, "tiny.yaml", settings, n);
    rule = (wm_choice){ .member = rule.member, .options = calloc(1, rule.member->options_size), .path = "" };
    assert_ok(wm_model_new(b->job, NULL, &b->model, &b->err), &b->err);
    assert_ok(wm_owners_open(b->job, &from, &b->owners, &b->err), &b->err);
    free((void *)(uintptr_t)rule.options);
    for (size_t i = 0; i < wm_owners_count(b->owners); i++)
        assert_ok(wm_examples_scale(wm_owners_examples(b->owners, i), NULL, &b->err), &b->err);
    b->examples = wm_owners_examples(b->owners, 0);
    assert_ok(wm_trainer_new(b->job, b->model, &b->trainer, &b->err), &b->err);
    assert_int_equal(wm_trainer_n_params(b->trainer), wm_model_n_params(b->model));
}

static void close_bench(bench *b)
{
    wm_trainer_free(b->trainer);
    wm_owners_free(b->owners);
    wm_model_free(b->model);
    wm_job_free(b->job);
}

static int setup(void **state)
{
    bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    wm_test_folder(b->folder);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench *b = *state;

    assert_ok(wm_folder_remove(b->folder, &b->err), &b->err);
    free(b);
    return 0;
}

/* folder/name <- rows whose y goes up and down. */
static void wavy_rows(const char *folder, const char *name, size_t rows, size_t kind)
{
    char   text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "t,x,y\n");

    for (size_t i = 0; i < rows; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-01-%02zu %02zu:00,%zu,%zu\n", 1 + i / 24, i % 24,
                              (i * 5 + kind) % 3, (i * 7 + kind) % 11);
    test_write(folder, name, text, n);
}

/* folder/name <- hours of x = 0 and these y. */
static void rows_of(const char *folder, const char *name, const char *ys)
{
    char   text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "t,x,y\n"), hour = 0;

    for (const char *y = ys; *y != '\0'; hour++) {
        size_t digits = strcspn(y, ",");

        n += (size_t)snprintf(text + n, sizeof text - n, "2024-01-01 %02zu:00,0,%.*s\n", hour, (int)digits, y);
        y += digits + (y[digits] == ',');
    }
    test_write(folder, name, text, n);
}

static const float zeros[2] = { 0, 0 };

static wm_status train(bench *b, const char *client, uint32_t round, const atomic_bool *stop, wm_update *update,
                       double *loss)
{
    wm_train_task task = { .key = { .kind = WM_TASK_TRAIN, .round = round },
                           .client = client,
                           .examples = b->examples,
                           .start = zeros,
                           .stop = stop };

    return wm_train(b->trainer, &task, update, loss, &b->err);
}

static const float *delta_of(const bench *b, const wm_update *update)
{
    wm_update_spec spec = { 0 };

    wm_strategy_spec(b->job, wm_trainer_n_params(b->trainer), &spec);
    return update->values[wm_update_part(&spec, "delta")];
}

/* ---- by hand ---- */

static void steps_and_losses_are_those_worked_out_by_hand(void **state)
{
    /* 21 hours give 9 training examples; y = 4. */
    static const struct {
        const char *says, *sets[4];
        uint32_t    round;
        float       b;
        double      loss;
    } rows[] = {
        { "nine examples by threes are three steps: 2, 3, 3.5", { NULL }, 1, 3.5f, (16 + 4 + 1) / 3.0 },
        { "by fours they are three too, and the last is of one",
          { "training.batch=4", NULL },
          1,
          3.5f,
          (4 * 16 + 4 * 4 + 1) / 9.0 },
        { "one batch holds them all", { "training.batch=100", NULL }, 1, 2, 16 },
        { "singly they are nine steps",
          { "training.batch=1", NULL },
          1,
          4 - 4.0f / 512,
          16 * (1 - 0x1p-18) / (1 - 0.25) / 9 },
        { "two epochs are six steps, and the loss is the second's",
          { "training.epochs=2", NULL },
          1,
          4 - 4.0f / 64,
          (0.25 + 0.0625 + 0.015625) / 3 },
        { "half the rate", { "training.rate=0.125", "training.batch=100", NULL }, 1, 1, 16 },
        { "the round picks the rate: half-way down the cosine of three rounds",
          { "training.rate={cosine: {from: 0.5, to: 0.0}}", "training.batch=100", NULL },
          2,
          2,
          16 },
        { "momentum: steps of 2, then 1 and half of 2",
          { "training.optimiser={sgd: {momentum: 0.5}}", "training.batch=5", NULL },
          1,
          4,
          (5 * 16 + 4 * 4) / 9.0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench    *b = *state;
        wm_update update;
        double    loss;

        tiny_rows(b->folder, "north.csv", 21, 0, 4);
        open_bench(b, rows[i].sets);
        assert_ok(train(b, "north", rows[i].round, NULL, &update, &loss), &b->err);
        if (fabsf(delta_of(b, &update)[1] - rows[i].b) > 1e-6f || fabs(loss - rows[i].loss) > 1e-6)
            print_error("b %.9g, loss %.9g\n", (double)delta_of(b, &update)[1], loss);
        assert_case(rows[i].says, fabsf(delta_of(b, &update)[1] - rows[i].b) <= 1e-6f);
        assert_case(rows[i].says, delta_of(b, &update)[0] == 0);
        assert_case(rows[i].says, fabs(loss - rows[i].loss) <= 1e-6);
        assert_case("it weighs as much as it has examples", update.weight == 9);
        wm_update_release(&update);
        close_bench(b);
    }
}

static void an_update_passes_the_checks_of_the_server(void **state)
{
    bench         *b = *state;
    wm_update      update, opened;
    wm_update_spec spec = { 0 };
    wm_update_key  key = { .kind = WM_TASK_TRAIN, .round = 2 };
    double         loss;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, NULL);
    assert_ok(train(b, "north", 2, NULL, &update, &loss), &b->err);
    wm_strategy_spec(b->job, 2, &spec);
    assert_ok(wm_update_open(&spec, &key, update.bytes, update.n_bytes, &opened, &b->err), &b->err);
    assert_int_equal(opened.weight, 9);
    assert_true(fabs((double)*(float *)opened.values[wm_update_part(&spec, WM_PART_TRAIN_LOSS)] - loss) < 1e-6);
    wm_update_release(&opened);
    close_bench(b);
}

/* ---- what follows from what ---- */

static wm_digest digest_of(bench *b, const char *client, uint32_t round)
{
    wm_update update;
    double    loss;
    wm_digest digest;

    assert_ok(train(b, client, round, NULL, &update, &loss), &b->err);
    digest = wm_sha256_of(delta_of(b, &update), 2 * sizeof(float));
    wm_update_release(&update);
    return digest;
}

static bool same(wm_digest x, wm_digest y)
{
    return wm_digest_equal(&x, &y);
}

static void the_same_seed_round_and_name_give_the_same_bits(void **state)
{
    static const char *const sets[] = { "training.optimiser={sgd: {momentum: 0.9}}", "training.rate=0.01", NULL };
    bench                   *b = *state;
    wm_digest                first;

    wavy_rows(b->folder, "north.csv", 120, 0);
    open_bench(b, sets);
    first = digest_of(b, "north", 1);
    assert_case("another round has another order", !same(digest_of(b, "north", 2), first));
    assert_case("and another client", !same(digest_of(b, "south", 1), first));
    assert_case("what the trainer did in between leaves no trace", same(digest_of(b, "north", 1), first));
    close_bench(b);
    open_bench(b, sets);
    assert_case("a new trainer, as after a restart", same(digest_of(b, "north", 1), first));
    close_bench(b);
    open_bench(b, (const char *const[]){ sets[0], sets[1], "seed=2", NULL });
    assert_case("another seed", !same(digest_of(b, "north", 1), first));
    close_bench(b);
}

static double metric_of(const bench *b, const wm_evaluation *evaluation, size_t m)
{
    return wm_evaluation_figure(&wm_trainer_measures(b->trainer)->items[m], evaluation);
}

/* A network whose activations are large, in batches of four and of all: the same figures, and no more memory than training. */
static void an_evaluation_takes_no_more_memory_than_training(void **state)
{
    static const char *const layers = "model.layers=[{dense: 300}, relu, {dense: 30}, flatten, {dense: 1}]";
    bench                   *b = *state;
    double                   figures[2];

    for (int large = 0; large < 2; large++) {
        wm_evaluation evaluation;
        size_t        all, train, n;
        float        *params;

        wavy_rows(b->folder, "north.csv", 300, 1);
        open_bench(b, (const char *const[]){ layers, large ? "training.batch=512" : "training.batch=4", NULL });
        n = wm_model_n_params(b->model);
        assert_ok(wm_trainer_bytes(b->job, b->model, &all, &b->err), &b->err);
        assert_ok(wm_plan_bytes(b->model, large ? 512 : 4, WM_PLAN_TRAIN, &train, &b->err), &b->err);
        assert_int_equal(all, train + n * sizeof(float));
        params = malloc(n * sizeof *params);
        assert_non_null(params);
        wm_model_init(b->model, 1, params);
        assert_true(wm_examples_count(b->examples, WM_TRAIN) > 100);
        assert_ok(wm_evaluate(b->trainer, b->examples, WM_TRAIN, params, NULL, &evaluation, &b->err), &b->err);
        figures[large] = metric_of(b, &evaluation, 0);
        free(params);
        close_bench(b);
    }
    assert_true(fabs(figures[0] / figures[1] - 1) < 1e-6);
}

/* Bytes of this process that are in the machine's memory. */
static size_t resident(void)
{
    FILE         *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* One evaluation, one epoch, one evaluation of what came of it. figures: of the two. */
static void work_in_turns(bench *b, float *params, double figures[2])
{
    wm_evaluation evaluation;

    wm_model_init(b->model, 1, params);
    for (int i = 0; i < 2; i++) {
        if (i > 0)
            assert_ok(wm_train_in_place(b->trainer, b->examples, "north", "alone", 1, 1, params, NULL, &b->err),
                      &b->err);
        assert_ok(wm_evaluate(b->trainer, b->examples, WM_TRAIN, params, NULL, &evaluation, &b->err), &b->err);
        figures[i] = metric_of(b, &evaluation, 0);
    }
}

static void a_trainer_that_saves_memory_gives_back_all_of_its_plans_and_no_other_bits(void **state)
{
    bench *b = *state;
    float *params[2];
    double figures[2][2];
    size_t bytes, before, between;

    wavy_rows(b->folder, "north.csv", 300, 1);
    open_bench(b, (const char *const[]){ "model.layers=[{dense: 4000}, relu, {dense: 300}, flatten, {dense: 1}]",
                                         "training.optimiser={sgd: {momentum: 0.9}}", "training.rate=0.01",
                                         "training.batch=64", NULL });
    assert_ok(wm_plan_bytes(b->model, 64, WM_PLAN_TRAIN, &bytes, &b->err), &b->err);
    assert_true(bytes > 8 << 20);
    for (int i = 0; i < 2; i++) {
        params[i] = malloc(wm_model_n_params(b->model) * sizeof **params);
        assert_non_null(params[i]);
        memset(params[i], 0, wm_model_n_params(b->model) * sizeof **params);
    }
    work_in_turns(b, params[0], figures[0]);
    before = resident();
    wm_trainer_save_memory(b->trainer);
    work_in_turns(b, params[1], figures[1]);
    between = resident();
    assert_memory_equal(params[0], params[1], wm_model_n_params(b->model) * sizeof **params);
    assert_memory_equal(figures[0], figures[1], sizeof figures[0]);
    assert_true(WM_SANITIZED || between + bytes < before + (2 << 20));
    free(params[0]);
    free(params[1]);
    close_bench(b);
}

/* ---- whose layers ---- */

enum { SHARED_MOST = 64 };

/* whole <- one step on all of the training part, by the plan alone. */
static void step_on_all(bench *b, float *whole)
{
    size_t         n = wm_examples_count(b->examples, WM_TRAIN);
    uint32_t       order[64];
    wm_batch_room *room;
    wm_batch       batch;
    wm_plan       *plan;
    double         loss;

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    assert_ok(wm_plan_new(b->model, n, WM_PLAN_TRAIN, &plan, &b->err), &b->err);
    assert_ok(wm_batch_room_new(b->job, n, &room, &b->err), &b->err);
    wm_examples_gather(b->examples, WM_TRAIN, order, n, room, &batch);
    assert_ok(wm_plan_step(plan, whole, &batch, &(wm_step){ .rate = 0.01 }, &loss, &b->err), &b->err);
    wm_batch_room_free(room);
    wm_plan_free(plan);
}

static bool are_near(const float *a, const float *b, size_t n)
{
    bool near = true;

    for (size_t i = 0; i < n; i++)
        near = near && fabsf(a[i] - b[i]) <= 1e-6f * (1 + fabsf(b[i]));
    return near;
}

/* Three rounds, each from the same model and from what the client kept of the round before. */
static void an_update_is_of_what_is_trained_together_and_the_rest_stays_at_home(void **state)
{
    bench *b = *state;
    float  start[SHARED_MOST], own[SHARED_MOST], whole[SHARED_MOST];
    size_t n, n_own, frozen;

    wavy_rows(b->folder, "north.csv", 60, 1);
    open_bench(b, (const char *const[]){
                      "training.batch=512", "training.rate=0.01", "model.freeze=[s]", "model.personal=[p]",
                      "model.layers=[{name: a, dense: 3}, {name: s, dense: 2}, flatten, {name: p, "
                      "dense: 2}, tanh, {name: y, dense: 1}]",
                      NULL });
    n = wm_model_n_params(b->model);
    n_own = wm_model_n_own(b->model);
    frozen = n - wm_model_n_trained(b->model);
    assert_true(n == 6 + 8 + 3 && n_own == 6 && frozen == 8);
    wm_model_init(b->model, 1, start);
    wm_model_init_own(b->model, 1, own);
    for (uint32_t round = 1; round <= 3; round++) {
        wm_train_task task = { .key = { .kind = WM_TASK_TRAIN, .round = round },
                               .client = "north",
                               .examples = b->examples,
                               .start = start,
                               .own = own };
        wm_update     update;
        float         before[SHARED_MOST], want[SHARED_MOST];
        double        loss;

        memcpy(whole, start, n * sizeof *whole);
        memcpy(whole + n, own, n_own * sizeof *whole);
        memcpy(before, own, n_own * sizeof *own);
        step_on_all(b, whole);
        for (size_t p = frozen; p < n; p++)
            want[p - frozen] = whole[p] - start[p];
        assert_ok(wm_train(b->trainer, &task, &update, &loss, &b->err), &b->err);
        assert_true(are_near(delta_of(b, &update), want, n - frozen));
        assert_true(are_near(own, whole + n, n_own) && memcmp(own, before, n_own * sizeof *own) != 0);
        wm_update_release(&update);
    }
    close_bench(b);
}

/* ---- what goes wrong ---- */

static void an_explosion_is_withheld(void **state)
{
    bench    *b = *state;
    wm_update untouched = { .weight = 77 }, update = untouched;
    double    loss;

    tiny_rows(b->folder, "north.csv", 200, 90, 90);
    open_bench(b, (const char *const[]){ "training.rate=10", "training.batch=1", NULL });
    assert_int_equal(train(b, "north", 1, NULL, &update, &loss), WM_E_NONFINITE);
    assert_non_null(strstr(b->err.text, "layer 1.dense (dense) is the first whose output is not; a lower rate"));
    assert_memory_equal(&update, &untouched, sizeof update);
    assert_case("and the trainer is none the worse", train(b, "north", 1, NULL, &update, &loss) == WM_E_NONFINITE);
    close_bench(b);
}

/* One step, behind which there is no loss that would tell: that of the step is still a number. */
static void an_explosion_in_the_last_step_is_withheld_and_named(void **state)
{
    bench        *b = *state;
    const float   start[2] = { 0, 3e38f };
    wm_train_task task = { .key = { .kind = WM_TASK_TRAIN, .round = 1 }, .client = "north", .start = start };
    wm_update     untouched = { .weight = 77 }, update = untouched;
    double        loss;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, (const char *const[]){ "training.rate=10", "training.batch=512", NULL });
    task.examples = b->examples;
    assert_int_equal(wm_train(b->trainer, &task, &update, &loss, &b->err), WM_E_NONFINITE);
    assert_string_equal(b->err.text, "1.dense.bias is not finite after training: try a lower rate or a clip");
    assert_memory_equal(&update, &untouched, sizeof update);
    close_bench(b);
}

static void refusals_to_train(void **state)
{
    static const struct {
        const char *says, *set, *why;
        size_t      rows;
        bool        stop;
        wm_status   status;
    } rows[] = {
        { "without an example", NULL, "there is no example to train on", 3, false, WM_E_RANGE },
        { "with more than an update may claim", "cohort.weight_cap=8",
          "9 training examples are more than the job's cohort.weight_cap of 8", 21, false, WM_E_RANGE },
        { "when it is stopped", NULL, "training was stopped", 21, true, WM_E_CLOSED },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench      *b = *state;
        const char *sets[] = { rows[i].set, NULL };
        atomic_bool stop = rows[i].stop;
        wm_update   update;
        double      loss;

        tiny_rows(b->folder, "north.csv", rows[i].rows, 0, 4);
        open_bench(b, sets);
        assert_case(rows[i].says, train(b, "north", 1, &stop, &update, &loss) == rows[i].status);
        if (strcmp(b->err.text, rows[i].why) != 0)
            print_error("%s\n", b->err.text);
        assert_case(rows[i].says, strcmp(b->err.text, rows[i].why) == 0);
        close_bench(b);
    }
}

/* ---- the work around it ---- */

static wm_status do_work(bench *b, const wm_task *task, const float *params, const float *pooled,
                         wm_work_result *ret)
{
    static const uint8_t run[WM_RUN_ID_SIZE] = { 3 };
    wm_work_order        order = {
               .task = task, .run = run, .client = "north", .examples = b->examples, .params = params, .pooled = pooled
    };

    return wm_work(b->trainer, &order, ret, &b->err);
}

static double rmse_of(const bench *b, const wm_work_result *result, wm_contender who)
{
    return metric_of(b, &result->results[who], 0);
}

static void the_contenders_of_the_last_evaluation(void **state)
{
    bench         *b = *state;
    float          pooled[2] = { 0, 5 }, fresh[2];
    wm_task        task = { .phase = WM_PHASE_FINAL,
                            .round = 3,
                            .passes = 2,
                            .baselines = WM_BASELINE_NAIVE | WM_BASELINE_ALONE | WM_BASELINE_TUNED };
    wm_work_result result;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, NULL);
    assert_ok(do_work(b, &task, zeros, pooled, &result), &b->err);
    assert_false(result.has_update);
    assert_int_equal(result.present,
                     1u << WM_FEDERATED | 1u << WM_NAIVE | 1u << WM_ALONE | 1u << WM_TUNED | 1u << WM_POOLED);
    assert_true(fabs(rmse_of(b, &result, WM_FEDERATED) - 4) < 1e-6);
    assert_true(fabs(wm_evaluation_loss(&result.results[WM_FEDERATED]) - 16) < 1e-5);
    assert_true(fabs(rmse_of(b, &result, WM_NAIVE)) < 1e-6); /* y stays as it is */
    assert_true(isnan(wm_evaluation_loss(&result.results[WM_NAIVE])));
    assert_true(fabs(rmse_of(b, &result, WM_POOLED) - 1) < 1e-6);
    assert_true(fabs(rmse_of(b, &result, WM_TUNED) - 0.5) < 1e-6); /* three steps from 0 */
    wm_model_init(b->model, b->job->seed, fresh);
    assert_true(fabs(rmse_of(b, &result, WM_ALONE) - fabs(4 - (double)fresh[1]) / 64) < 1e-6); /* six from fresh */
    assert_int_equal(result.results[WM_ALONE].examples, wm_examples_count(b->examples, WM_TEST));
    close_bench(b);
}

/* Who trains alone begins anew, but for the layers that nobody trains: those are the office's. */
static void who_trains_alone_builds_on_the_frozen_layers(void **state)
{
    bench         *b = *state;
    wm_task        task = { .phase = WM_PHASE_FINAL, .round = 3, .passes = 2, .baselines = WM_BASELINE_ALONE };
    float          params[SHARED_MOST], alone[SHARED_MOST];
    size_t         n, frozen;
    wm_evaluation  want;
    wm_work_result result;

    wavy_rows(b->folder, "north.csv", 60, 1);
    open_bench(b,
               (const char *const[]){ "model.freeze=[s]", "training.rate=0.01",
                                      "model.layers=[{name: s, dense: 4}, flatten, {name: y, dense: 1}]", NULL });
    n = wm_model_n_params(b->model);
    frozen = n - wm_model_n_trained(b->model);
    assert_true(n == 13 && frozen == 8);
    wm_model_init(b->model, 99, params);
    wm_model_init(b->model, b->job->seed, alone);
    memcpy(alone, params, frozen * sizeof *alone);
    assert_ok(wm_train_in_place(b->trainer, b->examples, "north", "alone", 1, task.passes, alone, NULL, &b->err),
              &b->err);
    assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, alone, NULL, &want, &b->err), &b->err);
    assert_ok(do_work(b, &task, params, NULL, &result), &b->err);
    assert_true(result.results[WM_ALONE].loss_sum == want.loss_sum);
    assert_true(result.results[WM_FEDERATED].loss_sum != want.loss_sum);
    close_bench(b);
}

static void only_who_is_asked_for_contends(void **state)
{
    static const struct {
        const char *says;
        unsigned    baselines, present;
    } rows[] = {
        { "the model alone", 0, 1u << WM_FEDERATED },
        { "and persistence", WM_BASELINE_NAIVE, 1u << WM_FEDERATED | 1u << WM_NAIVE },
        { "and each gateway alone", WM_BASELINE_ALONE, 1u << WM_FEDERATED | 1u << WM_ALONE },
        { "and one more epoch", WM_BASELINE_TUNED, 1u << WM_FEDERATED | 1u << WM_TUNED },
        { "pooled is the office's: a gateway has no others' data", WM_BASELINE_POOLED, 1u << WM_FEDERATED },
    };
    bench *b = *state;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_task        task = { .phase = WM_PHASE_FINAL, .round = 3, .passes = 1, .baselines = rows[i].baselines };
        wm_work_result result;

        assert_ok(do_work(b, &task, zeros, NULL, &result), &b->err);
        assert_case(rows[i].says, result.present == rows[i].present);
    }
    close_bench(b);
}

static void a_baseline_that_explodes_is_left_out(void **state)
{
    bench         *b = *state;
    wm_task        task = { .phase = WM_PHASE_FINAL,
                            .round = 3,
                            .passes = 1,
                            .baselines = WM_BASELINE_NAIVE | WM_BASELINE_ALONE | WM_BASELINE_TUNED };
    wm_work_result result;

    tiny_rows(b->folder, "north.csv", 200, 90, 90);
    open_bench(b, (const char *const[]){ "training.rate=10", "training.batch=1", NULL });
    assert_ok(do_work(b, &task, zeros, NULL, &result), &b->err);
    assert_int_equal(result.present, 1u << WM_FEDERATED | 1u << WM_NAIVE);
    close_bench(b);
}

static void work_that_cannot_be_is_refused_by_name(void **state)
{
    static const struct {
        wm_task     task;
        const char *why;
    } rows[] = {
        { { .phase = WM_PHASE_NONE }, "there is no work in the phase \"starting\"" },
        { { .phase = WM_PHASE_CLOSED }, "there is no work in the phase \"closed\"" },
        { { .phase = WM_PHASE_TRAIN, .round = 0 }, "round 0 of a job of 3 rounds" },
        { { .phase = WM_PHASE_TRAIN, .round = 4 }, "round 4 of a job of 3 rounds" },
        { { .phase = WM_PHASE_FINAL, .round = 3, .passes = 4, .baselines = WM_BASELINE_ALONE },
          "a baseline of 4 epochs, where the whole job has 3" },
    };
    bench *b = *state;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_work_result result = { .present = 99 };

        assert_case(rows[i].why, do_work(b, &rows[i].task, zeros, NULL, &result) == WM_E_INVALID);
        assert_string_equal(b->err.text, rows[i].why);
        assert_int_equal(result.present, 99);
    }
    close_bench(b);
}

static void baselines_train_by_whole_rounds(void **state)
{
    bench *b = *state;
    float  params[2] = { 0, 0 };

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b,
               (const char *const[]){ "training.rate={cosine: {from: 0.5, to: 0.0}}", "training.batch=100", NULL });
    /* Rates 0.5, 0.25, 0: the first step goes all the way, and what comes after has nothing left to do. */
    assert_ok(wm_train_in_place(b->trainer, b->examples, "north", "alone", 2, 2, params, NULL, &b->err), &b->err);
    assert_true(fabsf(params[1] - 2) < 1e-6f); /* rounds 2 and 3: half the way, and none */
    assert_ok(wm_train_in_place(b->trainer, b->examples, "north", "alone", 1, 1, params, NULL, &b->err), &b->err);
    assert_true(fabsf(params[1] - 4) < 1e-6f);
    close_bench(b);
}

/* ---- evaluations ---- */

static void evaluations_of_clients_add_up_to_that_of_all_data(void **state)
{
    static const float params[2] = { 0.5f, 1 };
    bench             *b = *state;
    wm_evaluation      sum = { 0 }, one, all;
    wm_examples       *pooled;

    wavy_rows(b->folder, "east.csv", 30, 0);
    wavy_rows(b->folder, "north.csv", 500, 1);
    wavy_rows(b->folder, "south.csv", 111, 2);
    open_bench(b, NULL);
    assert_int_equal(wm_owners_count(b->owners), 3);
    assert_ok(wm_owners_pooled(b->owners, &pooled, &b->err), &b->err);
    for (int naive = 0; naive < 2; naive++) {
        sum = (wm_evaluation){ 0 };
        for (size_t i = 0; i < 3; i++) {
            assert_ok(wm_evaluate(b->trainer, wm_owners_examples(b->owners, i), WM_TEST, naive ? NULL : params,
                                  NULL, &one, &b->err),
                      &b->err);
            wm_evaluation_add(&sum, &one);
        }
        assert_ok(wm_evaluate(b->trainer, pooled, WM_TEST, naive ? NULL : params, NULL, &all, &b->err), &b->err);
        assert_int_equal(sum.examples, all.examples);
        assert_true(sum.count == all.count);
        for (size_t m = 0; m < wm_trainer_measures(b->trainer)->n; m++)
            assert_true(fabs(metric_of(b, &sum, m) - metric_of(b, &all, m)) < 1e-9);
        if (!naive)
            assert_true(fabs(wm_evaluation_loss(&sum) - wm_evaluation_loss(&all)) < 1e-9);
    }
    close_bench(b);
}

/* The divisor is each client's own, from the readings that it trained on; y goes up by the same step each hour there, so
 * it is worked out at once. Of ten hours with one-hour horizons nine are examples: five to train on, which see the hours 0
 * to 5, and later ones to test on. The model says 0. */
static void errors_are_scaled_by_what_persistence_was_out_in_training(void **state)
{
    static const struct {
        const char *says, *metrics, *a, *b; /* y by the hour */
        double      want;
    } rows[] = {
        { "steps of 1: the test's truths 7, 8 and 9 over 1", "evaluate.metrics=mase", "0,1,2,3,4,5,6,7,8,9", NULL,
          8 },
        { "steps of 2: they count half", "evaluate.metrics=mase", "0,2,4,6,8,10,12,7,8,9", NULL, 4 },
        { "two clients, each by its own", "evaluate.metrics=mase", "0,1,2,3,4,5,6,7,8,9", "0,2,4,6,8,10,12,7,8,9",
          6 },
        { "one whose readings are all equal does not count", "evaluate.metrics=mase", "0,1,2,3,4,5,6,7,8,9",
          "5,5,5,5,5,5,5,7,8,9", 8 },
        { "a season of two steps", "evaluate.metrics=[{mase: {season: 2}}]", "0,1,2,3,4,5,6,7,8,9", NULL, 4 },
        { "a season that is longer than what there is", "evaluate.metrics=[{mase: 50}]", "0,1,2,3,4,5,6,7,8,9",
          NULL, (double)NAN },
    };
    bench *b = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char   *sets[] = { rows[i].metrics, NULL };
        wm_evaluation sum = { 0 }, one;
        double        have;

        assert_ok(wm_folder_remove(b->folder, &b->err), &b->err);
        wm_test_folder(b->folder);
        rows_of(b->folder, "a.csv", rows[i].a);
        if (rows[i].b != NULL)
            rows_of(b->folder, "b.csv", rows[i].b);
        open_bench(b, sets);
        for (size_t k = 0; k < wm_owners_count(b->owners); k++) {
            assert_ok(
                wm_evaluate(b->trainer, wm_owners_examples(b->owners, k), WM_TEST, zeros, NULL, &one, &b->err),
                &b->err);
            assert_int_equal(one.examples, 3);
            wm_evaluation_add(&sum, &one);
        }
        have = metric_of(b, &sum, 0);
        if (isnan(rows[i].want) ? !isnan(have) : !(fabs(have - rows[i].want) < 1e-9))
            fail_msg("%s: %g", rows[i].says, have);
        close_bench(b);
    }
}

/* w x + b for each level, x is 0 throughout: the biases are the quantiles. */
static void of_a_head_of_quantiles_the_median_is_the_prediction(void **state)
{
    static const char *const sets[] = { "model.loss={pinball: [0.1, 0.45, 0.9]}",
                                        "model.layers=[flatten, {dense: 3}]", "evaluate.metrics=[mae, coverage]",
                                        NULL };
    static const float       params[6] = { 0, 0, 0, 7.5f, 8, 20 };
    bench                   *b = *state;
    wm_evaluation            one;

    rows_of(b->folder, "a.csv", "0,1,2,3,4,5,6,7,8,9");
    open_bench(b, sets);
    assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, params, NULL, &one, &b->err), &b->err);
    assert_true(fabs(metric_of(b, &one, 0) - 2.0 / 3) < 1e-6); /* 8 of 7, 8 and 9 */
    assert_true(fabs(metric_of(b, &one, 1) - 2.0 / 3) < 1e-6); /* 8 and 9 are within 7.5 and 20 */
    assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, NULL, NULL, &one, &b->err), &b->err);
    assert_true(fabs(metric_of(b, &one, 0) - 1) < 1e-6 && isnan(metric_of(b, &one, 1)));
    close_bench(b);
}

/* The model says 0, so the score of an hour is y squared. Hours 4 to 6 hold the validation part and set the threshold: 1, whose
 * bin ends at 2^(1/8). Hours 7 to 9 are the test part. */
static void a_detector_is_set_by_the_validation_part_and_measured_on_another(void **state)
{
    static const struct {
        const char *says, *rows;
        double      false_alarms, f1, threshold;
    } cases[] = {
        { "an attack that is seen and an hour without a word", "4,1,0\n5,1,0\n6,1,0\n7,1,0\n8,9,1\n9,9,\n", 0, 1,
          1.0905077326652577 },
        { "an attack that is not seen", "4,1,0\n5,1,0\n6,1,0\n7,1,0\n8,1,-999\n9,1,0\n", 0, 0, 1.0905077326652577 },
        { "a false alarm and an attack that is seen", "4,1,0\n5,1,0\n6,1,0\n7,2,0\n8,2,1\n9,1,0\n", 0.5, 2.0 / 3,
          1.0905077326652577 },
        { "what is no normal hour sets no threshold", "4,1,1\n5,1,1\n6,1,1\n7,2,0\n8,2,1\n9,1,0\n", (double)NAN,
          (double)NAN, (double)NAN },
    };
    static const char *const sets[] = { "evaluate.anomaly={false_alarms: 0.4, label: attack}",
                                        "evaluate.metrics=[false_alarms, detection]",
                                        "data.split={time: [0.3, 0.4, 0.3]}", NULL };
    bench                   *b = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char          text[1024];
        size_t        n = (size_t)snprintf(text, sizeof text, "t,x,y,attack\n");
        double        want[] = { cases[i].false_alarms, cases[i].f1, cases[i].threshold };
        wm_evaluation one;

        for (int hour = 0; hour < 4; hour++)
            n += (size_t)snprintf(text + n, sizeof text - n, "2024-01-01 %02d:00,0,7,0\n", hour);
        for (const char *row = cases[i].rows; *row != '\0'; row = strchr(row, '\n') + 1)
            n += (size_t)snprintf(text + n, sizeof text - n, "2024-01-01 0%c:00,0%.*s\n", row[0],
                                  (int)(strchr(row, '\n') - row - 1), row + 1);
        test_write(b->folder, "a.csv", text, n);
        open_bench(b, sets);
        assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, zeros, NULL, &one, &b->err), &b->err);
        for (size_t m = 0; m < 3; m++) {
            double have = metric_of(b, &one, m);

            if (isnan(want[m]) ? !isnan(have) : !(fabs(have - want[m]) < 1e-12))
                fail_msg("%s: figure %zu is %.17g", cases[i].says, m, have);
        }
        close_bench(b);
    }
}

/* Hours have x = 1, the validation part; then 1, 8 and 1, of which 8 is the anomaly. A network of zeros gives 0 back, and so
 * does the naive prediction: both have its square as their score, and the naive one is measured as a detector too. */
static void an_autoencoder_is_a_detector_by_how_badly_it_gives_its_input_back(void **state)
{
    static const char *const sets[] = { "data.targets={again: {input: past}}",
                                        "model.loss=reconstruction",
                                        "evaluate.anomaly={false_alarms: 0.4, label: attack}",
                                        "evaluate.metrics=[rmse, detection]",
                                        "data.split={time: [0.3, 0.4, 0.3]}",
                                        NULL };
    static const char        rows[] = "t,x,y,attack\n"
                                      "2024-01-01 00:00,1,,0\n2024-01-01 01:00,1,,0\n2024-01-01 02:00,1,,0\n"
                                      "2024-01-01 03:00,1,,0\n2024-01-01 04:00,1,,0\n2024-01-01 05:00,1,,0\n"
                                      "2024-01-01 06:00,1,,0\n2024-01-01 07:00,1,,0\n2024-01-01 08:00,8,,1\n"
                                      "2024-01-01 09:00,1,,0\n";
    static const float       half[] = { 0.5f, 0 };
    bench                   *b = *state;
    wm_evaluation            one;

    test_write(b->folder, "a.csv", rows, strlen(rows));
    open_bench(b, sets);
    for (int naive = 0; naive < 2; naive++) {
        assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, naive ? NULL : zeros, NULL, &one, &b->err),
                  &b->err);
        assert_int_equal(one.examples, 3);
        assert_true(fabs(metric_of(b, &one, 0) - sqrt(66.0 / 3)) < 1e-6);
        assert_true(metric_of(b, &one, 1) == 1);                               /* F1: only the 8 is an alarm */
        assert_true(fabs(metric_of(b, &one, 2) - 1.0905077326652577) < 1e-12); /* the bin of 1 ends there */
        assert_true(naive ? isnan(one.loss_sum) : fabs(one.loss_sum - 66) < 1e-6);
    }
    assert_ok(wm_evaluate(b->trainer, b->examples, WM_TEST, half, NULL, &one, &b->err), &b->err);
    assert_true(fabs(metric_of(b, &one, 0) - sqrt(66.0 / 12)) < 1e-6); /* half of it is missing */
    close_bench(b);
}

static void a_sum_is_not_the_mean_of_the_clients_figures(void **state)
{
    bench        *b = *state;
    wm_evaluation sum = { 0 }, one;
    double        n[2];

    tiny_rows(b->folder, "a.csv", 30, 0, 1);
    tiny_rows(b->folder, "b.csv", 300, 0, 4);
    open_bench(b, NULL);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(wm_evaluate(b->trainer, wm_owners_examples(b->owners, i), WM_TEST, zeros, NULL, &one, &b->err),
                  &b->err);
        n[i] = (double)one.examples;
        wm_evaluation_add(&sum, &one);
    }
    assert_true(n[1] > 5 * n[0]);
    assert_true(fabs(metric_of(b, &sum, 0) - sqrt((n[0] + 16 * n[1]) / (n[0] + n[1]))) < 1e-6);
    assert_true(fabs(metric_of(b, &sum, 1) - (n[0] + 4 * n[1]) / (n[0] + n[1])) < 1e-6);
    assert_true(fabs(wm_evaluation_loss(&sum) - (n[0] + 16 * n[1]) / (n[0] + n[1])) < 1e-6);
    close_bench(b);
}

static void nothing_to_evaluate_has_no_figure(void **state)
{
    bench        *b = *state;
    wm_evaluation none = { 0 }, one;
    atomic_bool   stop = true;

    tiny_rows(b->folder, "north.csv", 21, 0, 4);
    open_bench(b, NULL);
    assert_true(isnan(wm_evaluation_loss(&none)));
    assert_true(isnan(metric_of(b, &none, 0)));
    assert_int_equal(wm_evaluate(b->trainer, b->examples, WM_TEST, zeros, &stop, &one, &b->err), WM_E_CLOSED);
    close_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(steps_and_losses_are_those_worked_out_by_hand),
        TEST(an_update_passes_the_checks_of_the_server),
        TEST(the_same_seed_round_and_name_give_the_same_bits),
        TEST(a_trainer_that_saves_memory_gives_back_all_of_its_plans_and_no_other_bits),
        TEST(an_evaluation_takes_no_more_memory_than_training),
        TEST(an_update_is_of_what_is_trained_together_and_the_rest_stays_at_home),
        TEST(an_explosion_is_withheld),
        TEST(an_explosion_in_the_last_step_is_withheld_and_named),
        TEST(refusals_to_train),
        TEST(the_contenders_of_the_last_evaluation),
        TEST(who_trains_alone_builds_on_the_frozen_layers),
        TEST(only_who_is_asked_for_contends),
        TEST(a_baseline_that_explodes_is_left_out),
        TEST(work_that_cannot_be_is_refused_by_name),
        TEST(baselines_train_by_whole_rounds),
        TEST(evaluations_of_clients_add_up_to_that_of_all_data),
        TEST(errors_are_scaled_by_what_persistence_was_out_in_training),
        TEST(of_a_head_of_quantiles_the_median_is_the_prediction),
        TEST(a_detector_is_set_by_the_validation_part_and_measured_on_another),
        TEST(an_autoencoder_is_a_detector_by_how_badly_it_gives_its_input_back),
        TEST(a_sum_is_not_the_mean_of_the_clients_figures),
        TEST(nothing_to_evaluate_has_no_figure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
