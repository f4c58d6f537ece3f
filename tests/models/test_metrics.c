/* tests/models/test_metrics.c: metrics are what their inventors say (metrics/make.py), however the examples are divided
 * among clients. Those of a detector of anomalies are in test_detection.c. */
#include "tests/models/metric_words.h"

#include "common/rng.h"
#include "tests/models/metrics/expected.h"

#include <math.h>

typedef struct data {
    size_t         n;
    const float   *predicted, *truth, *quantiles;
    const int32_t *classes;
    const double  *yardsticks; /* [n] */
} data;

/* One example into one client's sums. */
static void add_one(const wm_measure *m, const data *all, size_t i, double *sums)
{
    size_t          width = m->head.width;
    wm_metric_batch one = {
        .n = 1,
        .predicted = all->predicted + i * width,
        .truth = all->truth != NULL ? all->truth + i * width : NULL,
        .quantiles = all->quantiles != NULL ? all->quantiles + i * width * m->head.n_levels : NULL,
        .classes = all->classes != NULL ? all->classes + i : NULL,
        .yardstick = all->yardsticks != NULL ? all->yardsticks + i : NULL,
    };

    m->ops->add(m->options, &m->head, &one, sums);
}

/* The figure of all examples in one batch, and of the sums of clients among whom they were divided by chance. */
static double figure_of(const wm_measure *m, const data *all, wm_rng *rng)
{
    static double   clients[CLIENTS][WM_MEASURE_SUMS_MAX];
    static double   sums[WM_MEASURE_SUMS_MAX];
    double          count = (double)(all->n * (m->head.classes ? 1 : m->head.width));
    wm_metric_batch batch = { .n = all->n,
                              .predicted = all->predicted,
                              .truth = all->truth,
                              .quantiles = all->quantiles,
                              .classes = all->classes,
                              .yardstick = all->yardsticks };

    memset(sums, 0, sizeof sums);
    if (rng == NULL) {
        m->ops->add(m->options, &m->head, &batch, sums);
        return m->ops->figure(m->options, &m->head, sums, count);
    }
    memset(clients, 0, sizeof clients);
    for (size_t i = 0; i < all->n; i++)
        add_one(m, all, i, clients[wm_rng_below(rng, CLIENTS)]);
    for (size_t k = 0; k < CLIENTS; k++)
        for (size_t s = 0; s < m->n_sums; s++)
            sums[s] += clients[k][s];
    return m->ops->figure(m->options, &m->head, sums, count);
}

static void expect(const char *says, const wm_measure *m, const data *all, double want)
{
    double pooled = figure_of(m, all, NULL);
    wm_rng rng;

    if (!(fabs(pooled - want) <= 1e-12 * fabs(want)))
        fail_msg("%s: %.17g, by its definition it is %.17g", says, pooled, want);
    wm_rng_init(&rng, 5);
    for (int d = 0; d < DIVISIONS; d++) {
        double federated = figure_of(m, all, &rng);

        /* Counts add up to the same bits; errors to the same number but for their last bits. */
        if (m->ops->exact ? federated != pooled : !(fabs(federated - pooled) <= 1e-12 * fabs(pooled)))
            fail_msg("%s: %.17g together and %.17g over clients", says, pooled, federated);
    }
}

static void errors_are_what_they_are_called(void **state)
{
    double      yardsticks[40];
    data        all = { 40, values_predicted, values_truth, NULL, NULL, yardsticks };
    wm_measures measures;
    wm_job     *job = job_of(&of_values, &measures);

    (void)state;
    for (size_t i = 0; i < 40; i++)
        yardsticks[i] = values_scales[i / 10];
    expect("rmse", named(&measures, "rmse"), &all, want_rmse);
    expect("mae", named(&measures, "mae"), &all, want_mae);
    expect("mase of four clients, one of whom has no yardstick", named(&measures, "mase"), &all, want_mase);
    wm_job_free(job);
}

static void coverage_is_how_often_the_truth_lay_between(void **state)
{
    data        all = { 60, quantiles_truth, quantiles_truth, quantiles_predicted, NULL, NULL };
    data        one = { 60, quantiles_truth, quantiles_truth, quantile_predicted, NULL, NULL };
    data        naive = { 60, quantiles_truth, quantiles_truth, NULL, NULL, NULL };
    wm_measures measures;
    wm_job     *job = job_of(&of_quantiles, &measures);

    (void)state;
    expect("between the lowest and the highest", named(&measures, "coverage"), &all, want_coverage);
    assert_true(isnan(figure_of(named(&measures, "coverage"), &naive, NULL)));
    wm_job_free(job);
    job = job_of(&of_one_quantile, &measures);
    expect("of one quantile, at or below it", named(&measures, "coverage"), &one, want_coverage_of_one);
    wm_job_free(job);
}

static void classes_are_counted_as_scikit_learn_does(void **state)
{
    data        two = { 90, two_logits, NULL, NULL, two_classes, NULL };
    data        five = { 80, five_logits, NULL, NULL, five_classes, NULL };
    wm_measures measures;
    wm_job     *job = job_of(&of_two, &measures);

    (void)state;
    expect("accuracy", named(&measures, "accuracy"), &two, want_two_accuracy);
    expect("balanced accuracy", named(&measures, "balanced_accuracy"), &two, want_two_balanced);
    expect("F1 of class 1", named(&measures, "f1"), &two, want_two_f1);
    expect("F1 over both", named(&measures, "f1_macro"), &two, want_two_f1_macro);
    expect("AUROC of scores that are a bin apart", named(&measures, "auroc"), &two, want_two_auroc);
    wm_job_free(job);
    job = job_of(&of_two_by_0, &measures);
    expect("F1 of class 0", named(&measures, "f1"), &two, want_two_f1_of_0);
    wm_job_free(job);
    job = job_of(&of_five, &measures);
    expect("accuracy of five", named(&measures, "accuracy"), &five, want_five_accuracy);
    expect("a class that is not there does not count", named(&measures, "balanced_accuracy"), &five,
           want_five_balanced);
    expect("one that is only predicted does", named(&measures, "f1_macro"), &five, want_five_f1_macro);
    wm_job_free(job);
}

/* How far an area can be off: models/metrics/auroc.c. */
static double bound_of(const double *histogram, size_t bins)
{
    double within = 0, negatives = 0, positives = 0;

    for (size_t b = 0; b < bins; b++) {
        within += histogram[2 * b] * histogram[2 * b + 1];
        negatives += histogram[2 * b];
        positives += histogram[2 * b + 1];
    }
    return negatives > 0 && positives > 0 ? within / (2 * negatives * positives) : 0;
}

static void auroc_is_off_by_no_more_than_its_bins_say(void **state)
{
    static const char *const bins[] = { "{auroc: 2}", "{auroc: 8}", "{auroc: 64}", "{auroc: 100}" };
    double                   last = 1;

    (void)state;
    for (size_t b = 0; b < sizeof bins / sizeof *bins; b++) {
        words             w = of_five;
        double            sums[WM_MEASURE_SUMS_MAX] = { 0 }, bound = 0, have;
        wm_metric_batch   batch = { .n = 80, .predicted = five_logits, .classes = five_classes };
        wm_measures       measures;
        wm_job           *job;
        const wm_measure *m;
        size_t            n;

        w.metrics = bins[b];
        job = job_of(&w, &measures);
        m = &measures.items[0];
        n = m->n_sums / 10;
        m->ops->add(m->options, &m->head, &batch, sums);
        for (size_t c = 0; c < 3; c++) /* the other two have no example */
            bound += bound_of(sums + c * n * 2, n) / 3;
        have = m->ops->figure(m->options, &m->head, sums, 80);
        assert_case(bins[b], fabs(have - want_five_auroc) <= bound + 1e-12);
        assert_case("more bins tell more pairs apart", bound < last);
        last = bound;
        wm_job_free(job);
    }
    assert_true(last < 0.02);
}

static void of_nothing_there_is_no_figure(void **state)
{
    const words *const all[] = { &of_values, &of_quantiles, &of_two, &of_five, &of_detector };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        wm_measures measures;
        wm_job     *job = job_of(all[i], &measures);

        for (size_t m = 0; m < measures.n; m++)
            assert_case(measures.items[m].name, isnan(figure_of(&measures.items[m], &(data){ 0 }, NULL)));
        wm_job_free(job);
    }
}

static void nan_is_never_a_good_prediction(void **state)
{
    static const float   nans[10] = { NAN, 1, NAN, NAN, 2, 3, 1, NAN, NAN, 0 }, truth[10] = { 1 };
    static const int32_t classes[] = { 1, 0 };
    const words *const   all[] = { &of_values, &of_quantiles, &of_two, &of_five };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double      yardsticks[] = { 1, 1 };
        wm_measures measures;
        wm_job     *job = job_of(all[i], &measures);

        for (size_t m = 0; m < measures.n; m++) {
            const wm_measure *at = &measures.items[m];
            bool              classed = at->head.classes;
            data              bad = { 2, nans, truth, nans, classes, yardsticks };
            double            have = figure_of(at, &bad, NULL);

            assert_case(at->name, strcmp(at->name, "auroc") == 0 ? have == 0
                                  : classed || at->ops->exact    ? have == 0
                                                                 : isnan(have));
        }
        wm_job_free(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_what_they_are_called),
        cmocka_unit_test(coverage_is_how_often_the_truth_lay_between),
        cmocka_unit_test(classes_are_counted_as_scikit_learn_does),
        cmocka_unit_test(auroc_is_off_by_no_more_than_its_bins_say),
        cmocka_unit_test(of_nothing_there_is_no_figure),
        cmocka_unit_test(nan_is_never_a_good_prediction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
