/* server/report/html.c */
#include "server/report/html.h"

#include "common/clock.h"
#include "models/measures.h"
#include "server/report/charts.h"
#include "server/report/csv.h"
#include "server/report/style.h"
#include "server/report/svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENT_ROWS_MAX = 100, /* of the table on the page; clients.csv has all */
    METRICS_IN_HALF = 2,   /* so many columns go into half of the width */
};

/* 1,234,567 */
static void add_count(wm_text *to, uint64_t value)
{
    char digits[24];
    int  n = snprintf(digits, sizeof digits, "%" PRIu64, value);

    for (int i = 0; i < n; i++)
        wm_text_printf(to, "%s%c", i > 0 && (n - i) % 3 == 0 ? "," : "", digits[i]);
}

static void add_bytes(wm_text *to, uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double                   value = (double)bytes;
    size_t                   unit = 0;

    while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    wm_text_printf(to, unit == 0 ? "%.0f %s" : "%.3g %s", value, units[unit]);
}

/* ---- the head of the page ---- */

static void add_head(const wm_report *report, wm_text *to)
{
    char time[WM_TIME_TEXT], duration[WM_DURATION_TEXT];
    int  outcome = (int)report->standing->outcome;

    wm_text_add(
        to,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
        "<title>");
    wm_add_escaped(to, report->record->job_name);
    wm_text_printf(to, " – Wardmote</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<header>\n<h1>",
                   wm_report_style);
    wm_add_escaped(to, report->record->job_name);
    wm_text_printf(to, "</h1>\n<span class=\"badge o%d\">%s</span>\n<p class=\"sub\">", outcome,
                   wm_outcome_name(report->standing->outcome));
    if (*report->standing->why != '\0') {
        wm_add_escaped(to, report->standing->why);
        wm_text_add(to, ". ");
    }
    wm_time_text(report->record->started_wall_ms, time);
    wm_text_printf(to, "Started %.10s at %.5s UTC, %s %s.</p>\n</header>\n", time, time + 11,
                   outcome == WM_OUTCOME_NONE ? "going on for" : "took",
                   wm_duration_text(report->wall_ms - report->record->started_wall_ms, duration));
}

/* ---- tiles ---- */

static void open_tile(wm_text *to)
{
    wm_text_add(to, "<div class=\"tile\"><b>");
}

static void close_tile(wm_text *to, const char *label)
{
    wm_text_add(to, "</b><span>");
    wm_add_escaped(to, label);
    wm_text_add(to, "</span></div>\n");
}

/* The first metric: on the test part where it is known, else the last validation. */
static void add_metric_tile(const wm_report *report, wm_text *to)
{
    const wm_history *history = report->history;
    wm_measures       measures;
    const char       *name = measures.items[0].name;
    char              label[WM_MEASURE_NAME + 48];

    wm_measures_of(report->job, NULL, &measures);
    if (measures.n == 0)
        return;
    if (report->final != NULL && report->final->together[WM_FEDERATED].present) {
        open_tile(to);
        wm_add_number(to, report->final->together[WM_FEDERATED].metrics[0]);
        snprintf(label, sizeof label, "%s on the test part", name);
        close_tile(to, label);
        return;
    }
    for (size_t i = history->n_rounds; i-- > 0;)
        if (history->rounds[i].evaluated) {
            open_tile(to);
            wm_add_number(to, history->rounds[i].evaluation.metrics[0]);
            snprintf(label, sizeof label, "%s, %s after round %" PRIu32, name,
                     wm_report_evaluated_part(report->job), history->rounds[i].round);
            close_tile(to, label);
            return;
        }
}

static void add_tiles(const wm_report *report, wm_text *to)
{
    const wm_history *history = report->history;
    uint64_t          up = 0, down = 0, selected = 0, accepted = 0;
    char              label[96];

    for (size_t i = 0; i < history->n_rounds; i++) {
        up += history->rounds[i].bytes_up;
        down += history->rounds[i].bytes_down;
        selected += history->rounds[i].selected;
        accepted += history->rounds[i].accepted;
    }
    wm_text_add(to, "<div class=\"tiles\">\n");
    add_metric_tile(report, to);
    open_tile(to);
    add_count(to, history->n_rounds);
    snprintf(label, sizeof label, "of %" PRId64 " rounds", report->job->rounds);
    close_tile(to, label);
    open_tile(to);
    add_count(to, report->record->n_population);
    close_tile(to, report->record->n_population == 1 ? "client" : "clients");
    open_tile(to);
    if (selected > 0)
        wm_text_printf(to, "%.1f %%", 100 * (double)accepted / (double)selected);
    else
        wm_text_add(to, "–");
    close_tile(to, "of the updates asked for were accepted");
    open_tile(to);
    add_bytes(to, up + down);
    wm_text_add(to, "</b><span>");
    add_bytes(to, up);
    wm_text_add(to, " up, ");
    add_bytes(to, down);
    wm_text_add(to, " down</span></div>\n");
    wm_text_add(to, "</div>\n");
}

/* ---- tables ---- */

/* How many digits after the point show four that matter of the column's largest figure, so that its points line up. */
static int digits_for(double largest)
{
    double power = largest > 0 ? floor(log10(largest)) : 0;

    return power >= 3 ? 0 : power < -3 ? 6 : 3 - (int)power;
}

static void add_figure(wm_text *to, int digits, double value)
{
    if (isfinite(value))
        wm_text_printf(to, "%.*f", digits, value);
    else
        wm_text_add(to, "–");
}

static double larger(double a, double b)
{
    return isfinite(b) && fabs(b) > a ? fabs(b) : a;
}

/* "23.7 % lower than naive": how the federated model compares, in the first metric. */
static void add_comparison(const wm_report *report, wm_text *to)
{
    static const wm_contender others[] = { WM_NAIVE, WM_ALONE, WM_POOLED };
    const wm_result          *together = report->final->together;
    double                    own = together[WM_FEDERATED].metrics[0];
    bool                      first = true;
    wm_measures               measures;

    wm_measures_of(report->job, NULL, &measures);
    if (measures.n == 0 || !together[WM_FEDERATED].present || !isfinite(own))
        return;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const wm_result *other = &together[others[i]];
        double           change;

        if (!other->present || !isfinite(other->metrics[0]) || other->metrics[0] == 0)
            continue;
        change = 100 * (own / other->metrics[0] - 1);
        if (first) {
            wm_text_add(to, "<p class=\"note\">");
            wm_add_escaped(to, measures.items[0].name);
            wm_text_add(to, " of the federated model: ");
        }
        wm_text_printf(to, "%s%.1f %% %s than %s", first ? "" : ", ", fabs(change), change < 0 ? "lower" : "higher",
                       wm_contender_name(others[i]));
        first = false;
    }
    if (!first)
        wm_text_add(to, ". The best figure of each column is bold.</p>\n");
}

static void add_best_class(wm_text *to, const wm_report *report, wm_contender contender, const wm_measure *measure,
                           size_t metric)
{
    double own = report->final->together[contender].metrics[metric];

    for (int c = 0; c < WM_CONTENDERS; c++) {
        const wm_result *other = &report->final->together[c];

        if (other->present && isfinite(other->metrics[metric]) &&
            wm_measure_badness(measure, other->metrics[metric]) < wm_measure_badness(measure, own))
            return;
    }
    if (isfinite(wm_measure_badness(measure, own)))
        wm_text_add(to, " best");
}

static void add_final_table(const wm_report *report, wm_text *to)
{
    const wm_result *together = report->final->together;
    size_t           n_metrics;
    double           loss = 0, metrics[WM_RESULT_METRICS] = { 0 };
    wm_measures      measures;

    wm_measures_of(report->job, NULL, &measures);
    n_metrics = measures.n;
    for (int c = 0; c < WM_CONTENDERS; c++) {
        loss = together[c].present ? larger(loss, together[c].loss) : loss;
        for (size_t m = 0; m < n_metrics; m++)
            metrics[m] = together[c].present ? larger(metrics[m], together[c].metrics[m]) : metrics[m];
    }
    wm_text_printf(to, "<section class=\"card%s\">\n<h2>All clients together, on the test part</h2>\n",
                   n_metrics > METRICS_IN_HALF ? " wide" : "");
    add_comparison(report, to);
    wm_text_add(to, "<div class=\"scroll\"><table>\n<tr><th>model</th><th class=\"n\">examples</th>"
                    "<th class=\"n\">loss</th>");
    for (size_t m = 0; m < n_metrics; m++) {
        char unit[WM_ERROR_TEXT];

        wm_text_add(to, "<th class=\"n\" title=\"");
        wm_add_escaped(to, wm_measure_unit(report->job, &measures.items[m], unit));
        wm_text_add(to, "\">");
        wm_add_escaped(to, measures.items[m].name);
        wm_text_add(to, "</th>");
    }
    wm_text_add(to, "</tr>\n");
    for (int c = 0; c < WM_CONTENDERS; c++) {
        const wm_result *r = &together[c];

        if (!r->present)
            continue;
        wm_text_printf(to, "<tr><td class=\"word\"><i class=\"c%d\"></i>%s</td><td class=\"n\">", c,
                       wm_contender_name((wm_contender)c));
        add_count(to, r->examples);
        wm_text_add(to, "</td><td class=\"n\">");
        add_figure(to, digits_for(loss), r->loss);
        for (size_t m = 0; m < n_metrics; m++) {
            wm_text_add(to, "</td><td class=\"n");
            add_best_class(to, report, (wm_contender)c, &measures.items[m], m);
            wm_text_add(to, "\">");
            add_figure(to, digits_for(metrics[m]), r->metrics[m]);
        }
        wm_text_add(to, "</td></tr>\n");
    }
    wm_text_add(to, "</table></div>\n</section>\n");
}

static void add_refusals(const wm_report *report, wm_text *to)
{
    const wm_history *history = report->history;

    wm_text_add(to, "<section class=\"card\">\n<h2>Refusals</h2>\n");
    if (history->n_refusals == 0) {
        wm_text_add(to, "<p class=\"note\">No update was refused and no client declined.</p>\n</section>\n");
        return;
    }
    wm_text_add(to, "<div class=\"scroll\"><table>\n<tr><th>client</th><th>verdict</th><th>reason</th>"
                    "<th class=\"n\">times</th><th class=\"n\">rounds</th></tr>\n");
    for (size_t i = 0; i < history->n_refusals; i++) {
        const wm_refusal *r = &history->refusals[i];

        wm_text_add(to, "<tr><td>");
        wm_add_escaped(to, report->record->population[r->client]);
        wm_text_printf(to, "</td><td class=\"word\"><i class=\"v%d\"></i>%s</td><td class=\"why\">",
                       (int)r->verdict, wm_verdict_name(r->verdict));
        wm_add_escaped(to, r->reason);
        wm_text_printf(to, "</td><td class=\"n\">%" PRIu32 "</td><td class=\"n\">%" PRIu32, r->count,
                       r->first_round);
        if (r->last_round != r->first_round)
            wm_text_printf(to, "–%" PRIu32, r->last_round);
        wm_text_add(to, "</td></tr>\n");
    }
    wm_text_add(to, "</table></div>\n");
    if (history->refusals_beyond > 0) {
        wm_text_add(to, "<p class=\"note\">And ");
        add_count(to, history->refusals_beyond);
        wm_text_add(to, " more; the server's log has them all.</p>\n");
    }
    wm_text_add(to, "</section>\n");
}

static void add_client_row(const wm_report *report, size_t k, const bool has[WM_CONTENDERS], int digits,
                           wm_text *to)
{
    static const wm_verdict order[] = { WM_VERDICT_ACCEPTED, WM_VERDICT_REFUSED, WM_VERDICT_DECLINED,
                                        WM_VERDICT_LATE, WM_VERDICT_NONE };
    const wm_tally         *t = &report->history->tallies[k];

    wm_text_add(to, "<tr><td>");
    wm_add_escaped(to, report->record->population[k]);
    wm_text_printf(to, "</td><td class=\"n\">%" PRIu32, t->selected);
    for (size_t v = 0; v < sizeof order / sizeof *order; v++)
        wm_text_printf(to, "</td><td class=\"n\">%" PRIu32, t->verdicts[order[v]]);
    wm_text_add(to, "</td><td class=\"n\">");
    add_count(to, t->examples);
    for (size_t c = 0; c < WM_CONTENDERS; c++)
        if (has[c]) {
            const wm_result *r = &report->final->clients[k * WM_CONTENDERS + c];

            wm_text_add(to, "</td><td class=\"n\">");
            add_figure(to, digits, r->present ? r->metrics[0] : (double)NAN);
        }
    wm_text_add(to, "</td></tr>\n");
}

static void add_clients(const wm_report *report, wm_text *to)
{
    size_t      n = report->record->n_population, shown = n < CLIENT_ROWS_MAX ? n : CLIENT_ROWS_MAX;
    bool        has[WM_CONTENDERS] = { false };
    double      largest = 0;
    wm_measures measures;

    wm_measures_of(report->job, NULL, &measures);
    wm_text_add(to, "<section class=\"card\">\n<h2>Clients</h2>\n<div class=\"scroll\"><table>\n<tr><th>client</th>"
                    "<th class=\"n\">selected</th><th class=\"n\">accepted</th><th class=\"n\">refused</th>"
                    "<th class=\"n\">declined</th><th class=\"n\">late</th><th class=\"n\">missed</th>"
                    "<th class=\"n\">examples</th>");
    for (int c = 0; c < WM_CONTENDERS; c++) {
        has[c] = measures.n > 0 && report->final != NULL && report->final->clients != NULL &&
                 wm_final_has(report->final, n, (wm_contender)c);
        if (has[c]) {
            wm_text_add(to, "<th class=\"n\">");
            wm_add_escaped(to, measures.items[0].name);
            wm_text_printf(to, ",<br/>%s</th>", wm_contender_name((wm_contender)c));
        }
        for (size_t k = 0; has[c] && k < shown; k++)
            largest = larger(largest, report->final->clients[k * WM_CONTENDERS + (size_t)c].metrics[0]);
    }
    wm_text_add(to, "</tr>\n");
    for (size_t k = 0; k < shown; k++)
        add_client_row(report, k, has, digits_for(largest), to);
    wm_text_add(to, "</table></div>\n");
    if (shown < n) {
        wm_text_add(to, "<p class=\"note\">The first ");
        add_count(to, shown);
        wm_text_add(to, " of ");
        add_count(to, n);
        wm_text_add(to, "; clients.csv has them all.</p>\n");
    }
    wm_text_add(to, "</section>\n");
}

/* ---- the foot of the page ---- */

static void add_provenance(const wm_report *report, wm_text *to)
{
    char digest[WM_DIGEST_TEXT], id[WM_RUN_TEXT];

    wm_text_printf(
        to,
        "<section class=\"card\">\n<h2>What made this</h2>\n<dl>\n"
        "<dt>model SHA-256</dt><dd><code>%s</code></dd>\n<dt>seed</dt><dd><code>%" PRIu64 "</code></dd>\n"
        "<dt>run</dt><dd><code>%s</code></dd>\n<dt>program</dt><dd><code>wardmote %s</code></dd>\n</dl>\n"
        "<p class=\"note\">The same job, seed and data on the same kind of machine give the same model, bit for "
        "bit. The SHA-256 is that of the parameters as little-endian 32-bit floats.</p>\n</section>\n",
        wm_digest_text(&report->standing->model, digest), report->record->seed,
        wm_run_id_text(report->record->id, id), WM_VERSION);
}

static void add_job(const wm_report *report, wm_text *to)
{
    wm_text_add(to, "<section class=\"card\">\n<details open=\"open\"><summary>The job as it ran</summary>\n<pre>");
    wm_add_escaped(to, report->record->job_text);
    wm_text_add(to, "</pre></details>\n</section>\n");
}

wm_status wm_report_html(const wm_report *report, wm_text *to, wm_error *err)
{
    wm_status st;

    add_head(report, to);
    add_tiles(report, to);
    wm_text_add(to, "<div class=\"cards\">\n");
    if (report->final != NULL)
        add_final_table(report, to);
    st = wm_report_charts(report, to, err);
    if (st != WM_OK)
        return st;
    add_refusals(report, to);
    wm_text_add(to, "</div>\n");
    add_clients(report, to);
    add_provenance(report, to);
    add_job(report, to);
    wm_text_add(to, "</main>\n</body>\n</html>\n");
    return to->bad ? wm_fail(err, WM_E_NOMEM, "no memory for report.html") : WM_OK;
}
