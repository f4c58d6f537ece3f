/* server/run/results.c
 *
 * Evaluations: what clients report is kept per client until the evaluation closes, and added up in order of name, since
 * sums of doubles are not the same bits in another order. A few hundred bytes a client. */
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
            st = wm_evaluation_check(job, (wm_contender)c, &results[c], (uint64_t)job->cohort.weight_cap, err);
    return st;
}

void wm_results_keep(wm_run *run, uint32_t client, unsigned present, const wm_evaluation *results)
{
    memcpy(run->results[client], results, sizeof run->results[client]);
    run->present[client] = present & ((1u << WM_CONTENDERS) - 1);
}

void wm_results_clear(wm_run *run)
{
    memset(run->present, 0, run->n_population * sizeof *run->present);
}

static wm_result figures(const wm_job *job, const wm_evaluation *sums)
{
    wm_result result = { .present = sums->examples > 0, .examples = sums->examples };

    result.loss = wm_evaluation_loss(sums);
    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        result.metrics[m] =
            m < job->evaluate.n_metrics && result.present ? wm_evaluation_metric(job, sums, m) : NAN;
    return result;
}

wm_result wm_results_together(const wm_run *run, wm_contender contender)
{
    wm_evaluation sums = { 0 };

    for (size_t k = 0; k < run->n_population; k++)
        if ((run->present[k] & (1u << contender)) != 0)
            wm_evaluation_add(&sums, &run->results[k][contender]);
    return figures(run->settings.job, &sums);
}

void wm_final_record_free(wm_final_record *final)
{
    if (final == NULL)
        return;
    free(final->clients);
    free(final);
}

wm_status wm_results_final(const wm_run *run, wm_final_record **ret, wm_error *err)
{
    static const wm_evaluation nothing = { 0 };
    wm_final_record           *final;
    unsigned                   any = 0;

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
                figures(run->settings.job, (run->present[k] & (1u << c)) != 0 ? &run->results[k][c] : &nothing);
    }
    *ret = final;
    return WM_OK;
}
