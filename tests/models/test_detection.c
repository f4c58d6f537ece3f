/* tests/models/test_detection.c: the threshold of a detector of anomalies and the figures of it are what their inventors say
 * (metrics/make.py), however the examples are divided among clients. */
#include "tests/models/metric_words.h"

#include "common/rng.h"
#include "tests/models/metrics/expected.h"

#include <math.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_threshold_lets_through_the_false_alarms_that_are_asked_for),
        cmocka_unit_test(scores_that_cannot_be_told_are_the_worst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
