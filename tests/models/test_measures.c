/* tests/models/test_measures.c: a job's measures are its metrics of the heads that they can be taken of. */
#include "tests/models/metric_words.h"

#include <math.h>

static void a_metric_is_taken_of_every_head_that_has_it(void **state)
{
    static const struct {
        const char *says;
        words       w;
        const char *names; /* with their units */
    } rows[] = {
        { "one head: under the metric's own name",
          { "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse", "rmse, {mase: {season: 24}}" },
          "rmse (in units of y), mase (persistence is 1; lower is better)" },
        { "two heads of values: under theirs",
          { "a: {column: y, ahead: [1h]}, b: {column: y, ahead: [2h]}",
            "{name: a, from: 0.flatten, dense: 1}, {name: b, from: 0.flatten, dense: 1}", "a: mse, b: mae", "mae" },
          "a.mae (in units of y), b.mae (in units of y)" },
        { "one of values and one of classes: each has its own",
          { "rise: {column: y, ahead: [1h]}, alarm: {column: z, classes: 2}",
            "{name: rise, from: 0.flatten, dense: 3}, {name: alarm, from: 0.flatten, dense: 2}",
            "rise: {pinball: [0.1, 0.5, 0.9]}, alarm: cross_entropy", "coverage, f1, rmse, {f1: macro}" },
          "coverage (share; 0.8 is right), f1 (share, 0 to 1; higher is better), rmse (in units of y), "
          "f1_macro (share, 0 to 1; higher is better)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_measures measures;
        wm_job     *job = job_of(&rows[i].w, &measures);
        wm_text     names = WM_TEXT_INIT;
        char        unit[WM_ERROR_TEXT];

        for (size_t m = 0; m < measures.n; m++)
            wm_text_printf(&names, "%s%s (%s)", m > 0 ? ", " : "", measures.items[m].name,
                           wm_measure_unit(job, &measures.items[m], unit));
        if (strcmp(wm_text_chars(&names), rows[i].names) != 0)
            fail_msg("%s: %s", rows[i].says, wm_text_chars(&names));
        wm_text_release(&names);
        wm_job_free(job);
    }
}

static void sums_lie_side_by_side_and_those_that_are_exact_last(void **state)
{
    static const words w = { "rise: {column: y, ahead: [1h]}, alarm: {column: z, classes: 2}",
                             "{name: rise, from: 0.flatten, dense: 1}, {name: alarm, from: 0.flatten, dense: 2}",
                             "rise: mse, alarm: cross_entropy", "auroc, mase, f1, rmse" };
    bool               taken[WM_MEASURE_SUMS_MAX] = { false };
    wm_measures        measures;
    wm_job            *job = job_of(&w, &measures);

    (void)state;
    assert_int_equal(measures.n_sums, 512 + 2 + 6 + 1);
    assert_int_equal(measures.inexact, 3);
    for (size_t m = 0; m < measures.n; m++)
        for (size_t s = measures.items[m].first; s < measures.items[m].first + measures.items[m].n_sums; s++) {
            assert_false(taken[s]);
            taken[s] = true;
            assert_true(s < measures.n_sums && measures.items[m].ops->exact == (s >= measures.inexact));
        }
    wm_job_free(job);
}

static void metrics_that_cannot_be_taken_are_faults(void **state)
{
    static const struct {
        const char *says, *targets, *layers, *losses, *metrics, *fault, *rest;
    } rows[] = {
        { "a share of classes of a head of values", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse",
          "accuracy", "evaluate.metrics[0]: accuracy is of classes, and no target is one" },
        { "an error of a head of classes", "c: {column: z, classes: 2}", "{dense: 2}", "c: cross_entropy",
          "accuracy, mase", "evaluate.metrics[1]: mase is of values, and no target is one" },
        { "coverage without quantiles", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse", "coverage",
          "coverage is of quantiles, and there is no head with the loss pinball" },
        { "one F1 of three classes", "c: {column: z, classes: 3}", "{dense: 3}", "c: cross_entropy", "f1",
          "f1 is of one class of two, and there are 3; write f1: macro for the mean" },
        { "the same twice", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse", "rmse, rmse",
          "evaluate.metrics[1]: rmse is listed already" },
        { "more sums than a report has", "c: {column: z, classes: 3}", "{dense: 3}", "c: cross_entropy",
          "accuracy, auroc", "auroc needs 1536 sums, 1023 of 1024 are left; give it fewer bins, or leave one out" },
        { "a figure of a detector that nobody made", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse",
          "detection", "detection is of a detector, which evaluate.anomaly makes of a target of values" },
        { "a figure of anomalies that nobody knows", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse",
          "detection", "detection needs to know which examples are anomalies; give evaluate.anomaly a label",
          ", anomaly: {false_alarms: 0.01}" },
        { "a detector by a class", "c: {column: z, classes: 2}", "{dense: 2}", "c: cross_entropy", "f1",
          "evaluate.anomaly: threshold is of values, and no target is one", ", anomaly: {false_alarms: 0.01}" },
        { "a detector by a target that is not there", "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse", "rmse",
          "evaluate.anomaly: threshold is of a detector, which evaluate.anomaly makes of a target of values",
          ", anomaly: {false_alarms: 0.01, of: w}" },
        { "more figures than are kept",
          "a: {column: y, ahead: [1h]}, b: {column: y, ahead: [1h]}, c: {column: y, ahead: [1h]}",
          "{name: a, from: 0.flatten, dense: 1}, {name: b, from: 0.flatten, dense: 1}, "
          "{name: c, from: 0.flatten, dense: 1}",
          "a: mse, b: mse, c: mse", "rmse, mae, mase",
          "evaluate.metrics[2]: c.mase makes more than 8 figures; leave one out" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        words     w = { rows[i].targets, rows[i].layers, rows[i].losses, rows[i].metrics, rows[i].rest };
        wm_text   text = text_of(&w);
        wm_faults faults;
        wm_job   *job = net_job(rows[i].says, wm_text_chars(&text));
        wm_model *model = NULL;
        wm_error  err;

        wm_faults_init(&faults, "m.yaml");
        assert_case(rows[i].says, wm_model_new(job, &faults, &model, &err) == WM_E_INVALID);
        if (faults.count != 1 || strstr(wm_text_chars(&faults.lines), rows[i].fault) == NULL)
            fail_msg("%s: %s", rows[i].says, wm_text_chars(&faults.lines));
        wm_faults_release(&faults);
        wm_job_free(job);
        wm_text_release(&text);
    }
}

static void a_better_figure_is_less_bad(void **state)
{
    static const struct {
        const char  *metric;
        const words *w;
        double       better, worse;
    } rows[] = {
        { "rmse", &of_values, 1, 2 },
        { "mase", &of_values, 0.5, 1.5 },
        { "accuracy", &of_two, 0.9, 0.8 },
        { "auroc", &of_two, 0.7, 0.5 },
        { "coverage", &of_quantiles, 0.8, 1 },
        { "coverage", &of_quantiles, 0.75, 0.7 },
        { "coverage", &of_quantiles, 0.85, 0.7 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_measures       measures;
        wm_job           *job = job_of(rows[i].w, &measures);
        const wm_measure *m = named(&measures, rows[i].metric);

        assert_case(rows[i].metric, wm_measure_badness(m, rows[i].better) < wm_measure_badness(m, rows[i].worse));
        assert_true(isnan(wm_measure_badness(m, NAN)));
        wm_job_free(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_is_taken_of_every_head_that_has_it),
        cmocka_unit_test(sums_lie_side_by_side_and_those_that_are_exact_last),
        cmocka_unit_test(metrics_that_cannot_be_taken_are_faults),
        cmocka_unit_test(a_better_figure_is_less_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
