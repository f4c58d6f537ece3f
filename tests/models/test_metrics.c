/* tests/models/test_metrics.c: metrics are what their inventors say (metrics/make.py), however the examples are divided
 * among clients; and a job's measures are its metrics of the heads that they can be taken of. */
#include "tests/models/words.h"

#include "common/rng.h"
#include "models/measures.h"
#include "tests/models/metrics/expected.h"

#include <math.h>

enum { CLIENTS = 7, DIVISIONS = 200 };

/* A job of the words for its targets, layers, losses and metrics; fails with the faults. */
typedef struct words {
    const char *targets, *layers, *losses, *metrics;
    const char *rest; /* of evaluate: ", anomaly: {...}"; NULL for none */
} words;

static const char head[] = "job: m\ndata:\n  inputs: {past: {window: {columns: [y], length: 2}}}\n"
                           "  time: {column: t}\n  columns: {y: {range: [-9, 9]}}\n";

static wm_text text_of(const words *w)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_printf(&text,
                   "%s  targets: {%s}\n  scale: none\nmodel:\n  layers: [flatten, %s]\n  losses: {%s}\n"
                   "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\nrounds: 1\nstrategy: fedavg\n"
                   "evaluate: {metrics: [%s]%s}\n",
                   head, w->targets, w->layers, w->losses, w->metrics, w->rest != NULL ? w->rest : "");
    return text;
}

static wm_job *job_of(const words *w, wm_measures *ret)
{
    wm_text text = text_of(w);
    wm_job *job = net_job(w->metrics, wm_text_chars(&text));

    wm_measures_of(job, NULL, ret);
    wm_text_release(&text);
    return job;
}

/* ---- figures ---- */

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

static const wm_measure *named(const wm_measures *measures, const char *name)
{
    for (size_t i = 0; i < measures->n; i++)
        if (strcmp(measures->items[i].name, name) == 0)
            return &measures->items[i];
    fail_msg("no measure %s", name);
    return NULL;
}

static const words of_values = { "v: {column: y, ahead: [1h, 2h, 3h]}", "{dense: 3}", "v: mse", "rmse, mae, mase" };
static const words of_quantiles = { "v: {column: y, ahead: [1h]}", "{dense: 3}", "v: {pinball: [0.1, 0.5, 0.9]}",
                                    "coverage, rmse" };
static const words of_one_quantile = { "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: {pinball: [0.5]}",
                                       "coverage" };
static const words of_two = { "c: {column: z, classes: 2}", "{dense: 2}", "c: cross_entropy",
                              "accuracy, balanced_accuracy, f1, {f1: macro}, auroc" };
static const words of_two_by_0 = { "c: {column: z, classes: 2}", "{dense: 2}", "c: cross_entropy",
                                   "{f1: {positive: 0}}" };
static const words of_five = { "c: {column: z, classes: 5}", "{dense: 5}", "c: cross_entropy",
                               "accuracy, balanced_accuracy, {f1: macro}, {auroc: 64}" };

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

static const words of_detector = { "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse",
                                   "detection, {detection: recall}, {detection: precision}, {detection: auroc}, "
                                   "false_alarms",
                                   ", anomaly: {false_alarms: 0.02, label: attack}" };

/* The examples that set the threshold and those that are measured, divided among clients by chance. */
static void a_threshold_lets_through_the_false_alarms_that_are_asked_for(void **state)
{
    enum { SET_BY = 400, SCORES = 160 };
    static const struct {
        const char *name;
        double      want;
    } rows[] = {
        { "threshold", want_threshold },
        { "false_alarms", want_false_alarms },
        { "detection_f1", want_detection_f1 },
        { "detection_recall", want_detection_recall },
        { "detection_precision", want_detection_precision },
        { "detection_auroc", want_detection_auroc },
    };
    wm_measures       measures;
    wm_job           *job = job_of(&of_detector, &measures);
    const wm_measure *m = named(&measures, "threshold");
    wm_rng            rng;

    (void)state;
    assert_int_equal(measures.n, 6);
    assert_int_equal(measures.n_sums, 3 * 256); /* once for all of them */
    assert_int_equal(wm_measures_threshold(&measures), 5);
    wm_rng_init(&rng, 7);
    for (int d = 0; d < DIVISIONS; d++) {
        static double clients[CLIENTS][WM_MEASURE_SUMS_MAX], sums[WM_MEASURE_SUMS_MAX];

        memset(clients, 0, sizeof clients);
        memset(sums, 0, sizeof sums);
        for (size_t i = 0; i < SET_BY + SCORES; i++) {
            bool            calibration = i < SET_BY;
            wm_normality    label = calibration ? WM_NORMAL : (wm_normality)detector_labels[i - SET_BY];
            double          score = calibration ? detector_set_by[i] : detector_scores[i - SET_BY];
            wm_metric_batch one = { .n = 1, .scores = &score, .labels = &label, .calibration = calibration };

            m->ops->add(m->options, &m->head, &one, clients[wm_rng_below(&rng, CLIENTS)]);
        }
        for (size_t k = 0; k < CLIENTS; k++)
            for (size_t s = 0; s < m->n_sums; s++)
                sums[s] += clients[k][s];
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const wm_measure *at = named(&measures, rows[i].name);
            double            have = at->ops->figure(at->options, &at->head, sums, SCORES);

            if (!(fabs(have - rows[i].want) <= 1e-12))
                fail_msg("%s: %.17g, by its definition it is %.17g", rows[i].name, have, rows[i].want);
        }
    }
    wm_job_free(job);
}

static void scores_that_cannot_be_told_are_the_worst(void **state)
{
    static const struct {
        const char  *says;
        double       score;
        wm_normality label;
        bool         calibration;
        size_t       section, bin;
    } rows[] = {
        { "a normal example's NaN is a false alarm", (double)NAN, WM_NORMAL, false, 1, 255 },
        { "and no threshold is above it", (double)NAN, WM_NORMAL, true, 0, 255 },
        { "an anomaly's NaN is missed", (double)NAN, WM_ANOMALY, false, 2, 0 },
        { "infinity is in the last bin", (double)INFINITY, WM_NORMAL, false, 1, 255 },
        { "and 0 in the first", 0, WM_ANOMALY, false, 2, 0 },
        { "what is below the first too", 1e-30, WM_NORMAL, false, 1, 0 },
        { "1 begins the upper half", 1, WM_NORMAL, false, 1, 128 },
    };
    wm_measures       measures;
    wm_job           *job = job_of(&of_detector, &measures);
    const wm_measure *m = named(&measures, "threshold");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double          sums[WM_MEASURE_SUMS_MAX] = { 0 };
        wm_metric_batch one = {
            .n = 1, .scores = &rows[i].score, .labels = &rows[i].label, .calibration = rows[i].calibration
        };

        m->ops->add(m->options, &m->head, &one, sums);
        assert_case(rows[i].says, sums[rows[i].section * 256 + rows[i].bin] == 1);
        assert_case(rows[i].says, !rows[i].calibration || isnan(m->ops->figure(m->options, &m->head, sums, 1)));
    }
    wm_job_free(job);
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

/* ---- measures ---- */

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
        cmocka_unit_test(errors_are_what_they_are_called),
        cmocka_unit_test(coverage_is_how_often_the_truth_lay_between),
        cmocka_unit_test(classes_are_counted_as_scikit_learn_does),
        cmocka_unit_test(auroc_is_off_by_no_more_than_its_bins_say),
        cmocka_unit_test(a_threshold_lets_through_the_false_alarms_that_are_asked_for),
        cmocka_unit_test(scores_that_cannot_be_told_are_the_worst),
        cmocka_unit_test(of_nothing_there_is_no_figure),
        cmocka_unit_test(nan_is_never_a_good_prediction),
        cmocka_unit_test(a_metric_is_taken_of_every_head_that_has_it),
        cmocka_unit_test(sums_lie_side_by_side_and_those_that_are_exact_last),
        cmocka_unit_test(metrics_that_cannot_be_taken_are_faults),
        cmocka_unit_test(a_better_figure_is_less_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
