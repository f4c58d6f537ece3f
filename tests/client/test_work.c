/* tests/client/test_work.c
 *
 * The work around training: the contenders of the last evaluation, each worked out by hand (tiny_job.h says how), who of
 * them is asked for and who is left out, the rounds that a baseline trains by, and tasks that cannot be. */
#include "tests/client/trainer_bench.h"

#include "client/work.h"

#include <math.h>

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

enum { PARAMS_MOST = 16 };

/* Who trains alone begins anew, but for the layers that nobody trains: those are the office's. */
static void who_trains_alone_builds_on_the_frozen_layers(void **state)
{
    bench         *b = *state;
    wm_task        task = { .phase = WM_PHASE_FINAL, .round = 3, .passes = 2, .baselines = WM_BASELINE_ALONE };
    float          params[PARAMS_MOST], alone[PARAMS_MOST];
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
        TEST(the_contenders_of_the_last_evaluation),  TEST(who_trains_alone_builds_on_the_frozen_layers),
        TEST(only_who_is_asked_for_contends),         TEST(a_baseline_that_explodes_is_left_out),
        TEST(work_that_cannot_be_is_refused_by_name), TEST(baselines_train_by_whole_rounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
