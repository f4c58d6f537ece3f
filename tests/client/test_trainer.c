/* tests/client/test_trainer.c
 *
 * Training as arithmetic: epochs, batches, steps, the loss figure and the weight of an update, by hand (tiny_job.h says
 * how); what follows from the seed, the round and the name, and what does not; what an explosion, a stop and a client
 * without examples come to; what memory a trainer takes and gives back. */
#include "tests/client/trainer_bench.h"

#include "common/sanitized.h"
#include "models/plan.h"

#include <math.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
        TEST(steps_and_losses_are_those_worked_out_by_hand),
        TEST(an_update_passes_the_checks_of_the_server),
        TEST(the_same_seed_round_and_name_give_the_same_bits),
        TEST(a_trainer_that_saves_memory_gives_back_all_of_its_plans_and_no_other_bits),
        TEST(an_evaluation_takes_no_more_memory_than_training),
        TEST(an_update_is_of_what_is_trained_together_and_the_rest_stays_at_home),
        TEST(an_explosion_is_withheld),
        TEST(an_explosion_in_the_last_step_is_withheld_and_named),
        TEST(refusals_to_train),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
