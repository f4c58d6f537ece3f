/* server/run/results.c
 *
 * Evaluations: what clients report is kept per client until the evaluation closes, and added up in order of name, since
 * sums of doubles are not the same bits in another order. Sums that are counts are: they are added at once, and of a
 * histogram there is one for all clients. A few hundred bytes a client. */
#include "server/run/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

wm_status wm_results_check(const wm_run *run, unsigned present, const wm_evaluation *results, wm_error *err)
{
    const wm_job *job = run->settings.job;
    wm_status     st = WM_OK;

    if ((present & (1u << WM_FEDERATED)) == 0)
        return wm_fail(err, WM_E_INVALID, "report: without a result of the federated model");
    for (int c = 0; st == WM_OK && c < WM_CONTENDERS; c++)
        if ((present & (1u << c)) != 0)
            st = wm_evaluation_check(job, &run->measures, (wm_contender)c, &results[c],
                                     (uint64_t)job->cohort.weight_cap, err);
    return st;
}

static wm_result figures(const wm_measures *measures, const wm_evaluation *sums)
{
    wm_result result = { .present = sums->examples > 0, .examples = sums->examples };

    result.loss = wm_evaluation_loss(sums);
    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        result.metrics[m] =
            m < measures->n && result.present ? wm_evaluation_figure(&measures->items[m], sums) : NAN;
    return result;
}

static double *inexact_of(const wm_run *run, size_t client, size_t contender)
{
    return run->inexact + (client * WM_CONTENDERS + contender) * run->measures.inexact;
}

void wm_results_keep(wm_run *run, uint32_t client, unsigned present, const wm_evaluation *results)
{
    const wm_measures *measures = &run->measures;

    run->present[client] = present & ((1u << WM_CONTENDERS) - 1);
    for (size_t c = 0; c < WM_CONTENDERS; c++) {
        double *exact = run->exact + c * measures->n_sums;

        if ((present & (1u << c)) == 0)
            continue;
        run->results[client][c] = (wm_kept_result){ .loss_sum = results[c].loss_sum,
                                                    .count = results[c].count,
                                                    .figures = figures(measures, &results[c]) };
        memcpy(inexact_of(run, client, c), results[c].sums, measures->inexact * sizeof(double));
        for (size_t s = measures->inexact; s < measures->n_sums; s++)
            exact[s] += results[c].sums[s];
    }
}

void wm_results_clear(wm_run *run)
{
    memset(run->present, 0, run->n_population * sizeof *run->present);
    memset(run->exact, 0, WM_CONTENDERS * run->measures.n_sums * sizeof *run->exact);
}

wm_result wm_results_together(const wm_run *run, wm_contender contender)
{
    const wm_measures *measures = &run->measures;
    wm_evaluation      sums = { 0 };

    memcpy(sums.sums, run->exact + contender * measures->n_sums, measures->n_sums * sizeof(double));
    for (size_t k = 0; k < run->n_population; k++) {
        const wm_kept_result *kept = &run->results[k][contender];
        const double         *inexact = inexact_of(run, k, contender);

        if ((run->present[k] & (1u << contender)) == 0)
            continue;
        sums.examples += kept->figures.examples;
        sums.loss_sum += kept->loss_sum;
        sums.count += kept->count;
        for (size_t s = 0; s < measures->inexact; s++)
            sums.sums[s] += inexact[s];
    }
    return figures(measures, &sums);
}

void wm_final_record_free(wm_final_record *final)
{
    if (final == NULL)
        return;
    free(final->clients);
    free(final);
}

/* Of who reported nothing. */
static wm_result nobody(void)
{
    wm_result result = { .loss = NAN };

    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        result.metrics[m] = NAN;
    return result;
}

wm_status wm_results_final(const wm_run *run, wm_final_record **ret, wm_error *err)
{
    wm_final_record *final;
    unsigned         any = 0;

    for (size_t k = 0; k < run->n_population; k++)
        any |= run->present[k];
    if (any == 0) {
        *ret = NULL;
        return WM_OK;
    }
    final = calloc(1, sizeof *final);
    if (final == NULL ||
        (final->clients = calloc(run->n_population * WM_CONTENDERS, sizeof *final->clients)) == NULL) {
        free(final);
        return wm_fail(err, WM_E_NOMEM, "no memory for the last evaluation of %zu clients", run->n_population);
    }
    for (int c = 0; c < WM_CONTENDERS; c++) {
        final->together[c] = wm_results_together(run, (wm_contender)c);
        for (size_t k = 0; k < run->n_population; k++)
            final->clients[k * WM_CONTENDERS + (size_t)c] =
                (run->present[k] & (1u << c)) != 0 ? run->results[k][c].figures : nobody();
    }
    *ret = final;
    return WM_OK;
}
