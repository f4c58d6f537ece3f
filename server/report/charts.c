/* server/report/charts.c */
#include "server/report/charts.h"

#include "models/measures.h"
#include "server/report/csv.h"
#include "server/report/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_CLIENTS_MAX = 24 }; /* drawn as bars; with more, the worst ones */

enum { N_VERDICTS = WM_VERDICT_LATE + 1 };

/* Columns of figures, taken out of the history once for all charts. */
typedef struct columns {
    size_t  n;
    double *x, *train_loss, *eval_loss, *seconds, *up, *down;
    double *metrics[WM_RESULT_METRICS];
    double *verdicts[N_VERDICTS];
    double *all; /* what all of them lie in */
} columns;

enum { N_COLUMNS = 6 + WM_RESULT_METRICS + N_VERDICTS };

static wm_status columns_init(columns *c, const wm_history *history, wm_error *err)
{
    double *next;

    *c = (columns){ .n = history->n_rounds, .all = calloc(history->n_rounds + 1, N_COLUMNS * sizeof(double)) };
    if (c->all == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the charts of the report");
    next = c->all;
    c->x = next, next += c->n;
    c->train_loss = next, next += c->n;
    c->eval_loss = next, next += c->n;
    c->seconds = next, next += c->n;
    c->up = next, next += c->n;
    c->down = next, next += c->n;
    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        c->metrics[m] = next, next += c->n;
    for (size_t v = 0; v < N_VERDICTS; v++)
        c->verdicts[v] = next, next += c->n;
    for (size_t i = 0; i < c->n; i++) {
        const wm_history_round *r = &history->rounds[i];

        c->x[i] = r->round;
        c->train_loss[i] = r->train_loss;
        c->eval_loss[i] = r->evaluated ? r->evaluation.loss : (double)NAN;
        c->seconds[i] = r->seconds;
        c->up[i] = (double)r->bytes_up / 1e6;
        c->down[i] = (double)r->bytes_down / 1e6;
        for (size_t m = 0; m < WM_RESULT_METRICS; m++)
            c->metrics[m][i] = r->evaluated ? r->evaluation.metrics[m] : (double)NAN;
        for (size_t v = 0; v < N_VERDICTS; v++)
            c->verdicts[v][i] = r->verdicts[v];
    }
    return WM_OK;
}

/* ---- cards ---- */

static void open_card(wm_text *to, const char *title)
{
    wm_text_add(to, "<section class=\"card\">\n<h2>");
    wm_add_escaped(to, title);
    wm_text_add(to, "</h2>\n");
}

static void close_card(wm_text *to)
{
    wm_text_add(to, "</section>\n");
}

static void add_legend_entry(wm_text *to, const char *colour, const char *name, double last)
{
    wm_text_printf(to, "<li><i class=\"%s\"></i>", colour);
    wm_add_escaped(to, name);
    if (isfinite(last)) {
        wm_text_add(to, " <b>");
        wm_add_number(to, last);
        wm_text_add(to, "</b>");
    }
    wm_text_add(to, "</li>");
}

static double last_of(const wm_series *series, size_t n)
{
    while (n > 0 && !isfinite(series->values[n - 1]))
        n--;
    return n > 0 ? series->values[n - 1] : (double)NAN;
}

/* note: a line below the title, "" for none. The name of the axis stands upright and has to be short. */
static void add_lines(wm_text *to, const char *title, const char *note, const char *y_name, const columns *c,
                      const wm_series *series, size_t n_series, bool from_zero)
{
    open_card(to, title);
    if (note[0] != '\0') {
        wm_text_add(to, "<p class=\"note\">");
        wm_add_escaped(to, note);
        wm_text_add(to, "</p>\n");
    }
    wm_text_add(to, "<ul class=\"legend\">");
    for (size_t s = 0; s < n_series; s++)
        add_legend_entry(to, series[s].colour, series[s].name, last_of(&series[s], c->n));
    wm_text_add(to, "</ul>\n");
    wm_svg_lines(to, &(wm_line_chart){ .x_name = "round",
                                       .y_name = y_name,
                                       .x = c->x,
                                       .n = c->n,
                                       .series = series,
                                       .n_series = n_series,
                                       .from_zero = from_zero });
    close_card(to);
}

const char *wm_report_evaluated_part(const wm_job *job)
{
    return wm_job_validates(job) ? "validation" : "test part";
}

/* "rmse (in units of PM2.5)", "accuracy (share, 0 to 1; higher is better)" */
static void name_measure(const wm_job *job, const wm_measure *measure, wm_text *ret)
{
    char unit[WM_ERROR_TEXT];

    wm_text_printf(ret, "%s (%s)", measure->name, wm_measure_unit(job, measure, unit));
}

static void add_loss(const wm_report *report, const columns *c, wm_text *to)
{
    const wm_series series[] = { { "training", "s0", c->train_loss },
                                 { wm_report_evaluated_part(report->job), "s1", c->eval_loss } };
    wm_text         y_name = WM_TEXT_INIT;

    wm_text_add(&y_name, "loss");
    if (report->job->model.n_losses == 1)
        wm_text_printf(&y_name, " (%s)", report->job->model.losses[0].loss.member->name);
    add_lines(to, "Loss", "", wm_text_chars(&y_name), c, series, 2, false);
    to->bad |= y_name.bad;
    wm_text_release(&y_name);
}

static void add_metrics(const wm_report *report, const columns *c, wm_text *to)
{
    wm_measures measures;

    wm_measures_of(report->job, NULL, &measures);
    for (size_t m = 0; m < measures.n; m++) {
        const wm_series series = { wm_report_evaluated_part(report->job), "s1", c->metrics[m] };
        wm_text         title = WM_TEXT_INIT;
        char            unit[WM_ERROR_TEXT];

        if (!isfinite(last_of(&series, c->n)))
            continue; /* never evaluated */
        wm_text_printf(&title, "%s of the federated model", measures.items[m].name);
        add_lines(to, wm_text_chars(&title), wm_measure_unit(report->job, &measures.items[m], unit),
                  measures.items[m].name, c, &series, 1, false);
        to->bad |= title.bad;
        wm_text_release(&title);
    }
}

/* ---- who took part ---- */

static uint8_t strip_cell(const void *context, size_t row, size_t column)
{
    return wm_history_verdicts(context, column)[row];
}

static void add_participation(const wm_report *report, const columns *c, wm_text *to)
{
    static const char *const colours[] = { "v0", "v1", "v2", "v3", "v4" };
    static const wm_verdict  order[] = { WM_VERDICT_ACCEPTED, WM_VERDICT_REFUSED, WM_VERDICT_DECLINED,
                                         WM_VERDICT_LATE, WM_VERDICT_NONE };
    const char              *names[N_VERDICTS];
    wm_series                series[N_VERDICTS];

    open_card(to, "Who took part");
    wm_text_add(to, "<ul class=\"legend\">");
    for (size_t v = 0; v < N_VERDICTS; v++) {
        double sum = 0;

        names[v] = wm_verdict_name((wm_verdict)v);
        series[v] = (wm_series){ wm_verdict_name(order[v]), colours[order[v]], c->verdicts[order[v]] };
        for (size_t i = 0; i < c->n; i++)
            sum += series[v].values[i];
        add_legend_entry(to, series[v].colour, series[v].name, sum);
    }
    wm_text_add(to, "</ul>\n");
    if (wm_history_has_strip(report->history))
        wm_svg_strip(to, &(wm_strip){ .x_name = "round",
                                      .x = c->x,
                                      .n_columns = c->n,
                                      .rows = (const char *const *)report->record->population,
                                      .n_rows = report->record->n_population,
                                      .cell = strip_cell,
                                      .context = report->history,
                                      .colours = colours,
                                      .names = names });
    else
        wm_svg_stack(to, &(wm_line_chart){ .x_name = "round",
                                           .y_name = "clients",
                                           .x = c->x,
                                           .n = c->n,
                                           .series = series,
                                           .n_series = N_VERDICTS,
                                           .from_zero = true });
    close_card(to);
}

/* ---- each client ---- */

typedef struct ranked {
    size_t client;
    double badness; /* the federated model's metric, so that more is worse */
} ranked;

static int worst_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->badness != y->badness)
        return x->badness > y->badness ? -1 : 1;
    return x->client < y->client ? -1 : 1;
}

/* order[n]: by name if all are drawn, else the worst first; clients without a figure come last. */
static void rank_clients(const wm_report *report, ranked *order)
{
    size_t      n = report->record->n_population;
    wm_measures measures;

    wm_measures_of(report->job, NULL, &measures);
    for (size_t k = 0; k < n; k++) {
        const wm_result *r = &report->final->clients[k * WM_CONTENDERS + WM_FEDERATED];
        double           figure = r->present && isfinite(r->metrics[0]) ? r->metrics[0] : (double)NAN;

        order[k] = (ranked){ k, isnan(figure) ? -INFINITY : wm_measure_badness(&measures.items[0], figure) };
    }
    if (n > BAR_CLIENTS_MAX)
        qsort(order, n, sizeof *order, worst_first);
}

static void draw_bars(const wm_report *report, const ranked *order, size_t shown, double *values, const char **rows,
                      wm_text *to)
{
    static const char *const colours[] = { "c0", "c1", "c2", "c3", "c4" };
    wm_series                series[WM_CONTENDERS];
    size_t                   n_series = 0;
    wm_text                  x_name = WM_TEXT_INIT;
    wm_measures              measures;

    wm_text_add(to, "<ul class=\"legend\">");
    for (size_t c = 0; c < WM_CONTENDERS; c++) {
        double *column = values + c * shown;

        if (!wm_final_has(report->final, report->record->n_population, (wm_contender)c))
            continue;
        for (size_t i = 0; i < shown; i++) {
            const wm_result *r = &report->final->clients[order[i].client * WM_CONTENDERS + c];

            column[i] = r->present ? r->metrics[0] : (double)NAN;
            rows[i] = report->record->population[order[i].client];
        }
        series[n_series++] = (wm_series){ wm_contender_name((wm_contender)c), colours[c], column };
        add_legend_entry(to, colours[c], wm_contender_name((wm_contender)c), (double)NAN);
    }
    wm_text_add(to, "</ul>\n");
    wm_measures_of(report->job, NULL, &measures);
    name_measure(report->job, &measures.items[0], &x_name);
    wm_svg_bars(
        to,
        &(wm_bar_chart){
            .x_name = wm_text_chars(&x_name), .rows = rows, .n = shown, .series = series, .n_series = n_series });
    to->bad |= x_name.bad;
    wm_text_release(&x_name);
}

static wm_status add_bars(const wm_report *report, wm_text *to, wm_error *err)
{
    size_t       n = report->record->n_population, shown = n < BAR_CLIENTS_MAX ? n : BAR_CLIENTS_MAX;
    ranked      *order;
    double      *values;
    const char **rows;
    wm_status    st = WM_OK;

    if (report->final == NULL || report->final->clients == NULL || report->job->evaluate.n_metrics == 0 || n == 0)
        return WM_OK;
    order = calloc(n, sizeof *order);
    values = calloc(shown, WM_CONTENDERS * sizeof *values);
    rows = calloc(shown, sizeof *rows);
    if (order == NULL || values == NULL || rows == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the bars of %zu clients", n);
        goto out;
    }
    rank_clients(report, order);
    open_card(to, "Each client, on its test part");
    if (shown < n)
        wm_text_printf(to,
                       "<p class=\"note\">The %zu clients, of %zu, for which the federated model is worst.</p>\n",
                       shown, n);
    draw_bars(report, order, shown, values, rows, to);
    close_card(to);
out:
    free(order);
    free(values);
    free(rows);
    return st;
}

wm_status wm_report_charts(const wm_report *report, wm_text *to, wm_error *err)
{
    columns   c;
    wm_status st = columns_init(&c, report->history, err);

    if (st != WM_OK)
        return st;
    if (c.n > 0) {
        const wm_series seconds = { "a round", "s3", c.seconds };
        const wm_series bytes[] = { { "up", "s2", c.up }, { "down", "s3", c.down } };

        add_loss(report, &c, to);
        add_metrics(report, &c, to);
        add_participation(report, &c, to);
        st = add_bars(report, to, err);
        add_lines(to, "Time", "", "seconds a round", &c, &seconds, 1, true);
        add_lines(to, "Traffic", "", "MB a round", &c, bytes, 2, true);
    } else
        wm_text_add(to, "<section class=\"card\"><h2>No round is done yet</h2></section>\n");
    free(c.all);
    return st;
}
