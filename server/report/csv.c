/* server/report/csv.c */
#include "server/report/csv.h"

#include "common/table.h"
#include "models/measures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char wm_rounds_csv_header[] =
    "round,seconds,selected,accepted,refused,late,train_loss,eval_loss,metric,bytes_up,bytes_down\n";

const char *wm_contender_key(wm_contender contender)
{
    static const char *const keys[] = { [WM_FEDERATED] = "federated",
                                        [WM_TUNED] = "tuned",
                                        [WM_ALONE] = "alone",
                                        [WM_POOLED] = "pooled",
                                        [WM_NAIVE] = "naive" };

    return keys[contender];
}

bool wm_final_has(const wm_final_record *final, size_t n_clients, wm_contender contender)
{
    if (final == NULL)
        return false;
    if (final->together[contender].present)
        return true;
    for (size_t k = 0; final->clients != NULL && k < n_clients; k++)
        if (final->clients[k * WM_CONTENDERS + contender].present)
            return true;
    return false;
}

void wm_csv_text(wm_text *to, const char *text)
{
    wm_text clean = WM_TEXT_INIT;
    bool    quote;

    /* A spreadsheet takes these for a formula, and runs it. */
    if (*text != '\0' && strchr("=+-@", *text) != NULL)
        wm_text_add(&clean, "'");
    wm_text_add_printable(&clean, text, strlen(text));
    quote = strpbrk(wm_text_chars(&clean), ",\"") != NULL;
    if (quote)
        wm_text_add(to, "\"");
    for (const char *c = wm_text_chars(&clean); *c != '\0'; c++)
        wm_text_add_bytes(to, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    if (quote)
        wm_text_add(to, "\"");
    to->bad |= clean.bad;
    wm_text_release(&clean);
}

static void add_figure(wm_text *to, double value)
{
    if (isfinite(value))
        wm_text_printf(to, ",%.9g", value);
    else
        wm_text_add(to, ",");
}

void wm_rounds_csv_row(const wm_history_round *round, wm_text *to)
{
    wm_text_printf(to, "%" PRIu32 ",%.3f,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32, round->round,
                   isfinite(round->seconds) ? round->seconds : 0.0, round->selected, round->accepted,
                   round->refused, round->late);
    add_figure(to, round->train_loss);
    add_figure(to, round->evaluated ? round->evaluation.loss : (double)NAN);
    add_figure(to, round->evaluated ? round->evaluation.metrics[0] : (double)NAN);
    wm_text_printf(to, ",%" PRIu64 ",%" PRIu64 "\n", round->bytes_up, round->bytes_down);
}

/* "federated_rmse" */
static void add_column(wm_text *to, wm_contender contender, const wm_measure *measure)
{
    char name[WM_MEASURE_NAME + 16];

    snprintf(name, sizeof name, "%s_%s", wm_contender_key(contender), measure->name);
    wm_text_add(to, ",");
    wm_csv_text(to, name);
}

static void clients_header(const wm_measures *measures, size_t n_clients, const wm_final_record *final, wm_text *to)
{
    wm_text_add(to, "client,selected,accepted,refused,late,declined,missed,examples,last_refusal");
    for (int c = 0; c < WM_CONTENDERS; c++)
        for (size_t m = 0; wm_final_has(final, n_clients, (wm_contender)c) && m < measures->n; m++)
            add_column(to, (wm_contender)c, &measures->items[m]);
    wm_text_add(to, "\n");
}

void wm_clients_csv(const wm_job *job, const wm_run_record *record, const wm_history *history,
                    const wm_final_record *final, wm_text *to)
{
    wm_measures measures;

    wm_measures_of(job, NULL, &measures);
    clients_header(&measures, record->n_population, final, to);
    for (size_t k = 0; k < record->n_population; k++) {
        const wm_tally *t = &history->tallies[k];

        wm_csv_text(to, record->population[k]);
        wm_text_printf(to, ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",",
                       t->selected, t->verdicts[WM_VERDICT_ACCEPTED], t->verdicts[WM_VERDICT_REFUSED],
                       t->verdicts[WM_VERDICT_LATE], t->verdicts[WM_VERDICT_DECLINED], t->verdicts[WM_VERDICT_NONE],
                       t->examples);
        wm_csv_text(to, t->last_refusal);
        for (int c = 0; c < WM_CONTENDERS; c++)
            for (size_t m = 0; wm_final_has(final, record->n_population, (wm_contender)c) && m < measures.n; m++) {
                const wm_result *r = final->clients != NULL ? &final->clients[k * WM_CONTENDERS + (size_t)c] : NULL;

                add_figure(to, r != NULL && r->present ? r->metrics[m] : (double)NAN);
            }
        wm_text_add(to, "\n");
    }
}
