/* tests/client/test_evaluations.c
 *
 * Evaluations as arithmetic: sums of clients' evaluations are those of all the data together, and not means of their
 * figures; what errors are scaled by; the prediction of a head of quantiles; what sets a detector's threshold, and what it
 * is measured on. */
#include "tests/client/trainer_bench.h"

#include <math.h>

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
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
