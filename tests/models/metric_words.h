/* tests/models/metric_words.h: jobs for the tests of metrics, in the words that these are chosen by, and the measures of them. */
#ifndef WM_TESTS_MODELS_METRIC_WORDS_H
#define WM_TESTS_MODELS_METRIC_WORDS_H

#include "tests/models/words.h"

#include "models/measures.h"

/* Among how many examples are divided, and how often anew. */
enum { CLIENTS = 7, DIVISIONS = 200 };

/* What a job says of these. */
typedef struct words {
    const char *targets, *layers, *losses, *metrics;
    const char *rest; /* of evaluate: ", anomaly: {...}"; NULL for none */
} words;

static inline wm_text text_of(const words *w)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_printf(&text,
                   "job: m\ndata:\n  inputs: {past: {window: {columns: [y], length: 2}}}\n"
                   "  time: {column: t}\n  columns: {y: {range: [-9, 9]}}\n"
                   "  targets: {%s}\n  scale: none\nmodel:\n  layers: [flatten, %s]\n  losses: {%s}\n"
                   "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\nrounds: 1\nstrategy: fedavg\n"
                   "evaluate: {metrics: [%s]%s}\n",
                   w->targets, w->layers, w->losses, w->metrics, w->rest != NULL ? w->rest : "");
    return text;
}

/* The job, and its measures. */
static inline wm_job *job_of(const words *w, wm_measures *ret)
{
    wm_text text = text_of(w);
    wm_job *job = net_job(w->metrics, wm_text_chars(&text));

    wm_measures_of(job, NULL, ret);
    wm_text_release(&text);
    return job;
}

static inline const wm_measure *named(const wm_measures *measures, const char *name)
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

static const words of_detector = { "v: {column: y, ahead: [1h]}", "{dense: 1}", "v: mse",
                                   "detection, {detection: recall}, {detection: precision}, {detection: auroc}, "
                                   "false_alarms",
                                   ", anomaly: {false_alarms: 0.02, label: attack}" };

#endif
