/* server/tool/results.c */
#include "server/tool/results.h"

#include "common/files.h"
#include "common/table.h"
#include "server/report/csv.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SUMMARY_MAX = 256 << 20 };

/* Figures of one metric: a row a client, the last row all of them together; a column a contender. */
typedef struct figures {
    const char *metric;
    size_t      n_rows;
    double (*values)[WM_CONTENDERS]; /* NaN: none */
} figures;

static bool has_column(const figures *f, int contender)
{
    for (size_t r = 0; r < f->n_rows; r++)
        if (!isnan(f->values[r][contender]))
            return true;
    return false;
}

/* name(context, r): of row r. */
static void print_figures(const wm_cli_call *call, const figures *f, const char *(*name)(void *, size_t),
                          void *context)
{
    wm_table_column columns[WM_CONTENDERS + 1] = { { f->metric, false } };
    int             contenders[WM_CONTENDERS];
    size_t          n = 0;
    wm_table        table;
    wm_text         text = WM_TEXT_INIT;

    for (int c = 0; c < WM_CONTENDERS; c++)
        if (has_column(f, c)) {
            contenders[n++] = c;
            columns[n] = (wm_table_column){ wm_contender_name((wm_contender)c), true };
        }
    if (n == 0)
        return;
    wm_table_init(&table, columns, n + 1);
    for (size_t r = 0; r < f->n_rows; r++) {
        wm_table_cell(&table, "%s", name(context, r));
        for (size_t i = 0; i < n; i++)
            wm_table_number(&table, 4, f->values[r][contenders[i]]);
    }
    wm_table_write(&table, &text);
    fprintf(call->out, "\n%s", wm_text_chars(&text));
    wm_text_release(&text);
    wm_table_release(&table);
}

static double (*new_values(size_t n_rows))[WM_CONTENDERS]
{
    double(*values)[WM_CONTENDERS] = calloc(n_rows, sizeof *values);

    for (size_t r = 0; values != NULL && r < n_rows; r++)
        for (int c = 0; c < WM_CONTENDERS; c++)
            values[r][c] = NAN;
    return values;
}

/* ---- out of summary.json ---- */

enum {
    ROWS_SHOWN = 40
}; /* with more clients only the figures of all together are printed; clients.csv has the rest */

static void read_row(const json_t *contenders, const char *metric, double row[WM_CONTENDERS])
{
    for (int c = 0; c < WM_CONTENDERS; c++) {
        const json_t *value =
            json_object_get(json_object_get(contenders, wm_contender_key((wm_contender)c)), metric);

        if (json_is_number(value))
            row[c] = json_number_value(value);
    }
}

typedef struct json_rows {
    const char **names; /* [n_rows] */
} json_rows;

static const char *json_row_name(void *context, size_t r)
{
    return ((const json_rows *)context)->names[r];
}

static wm_status print_metric(const wm_cli_call *call, const json_t *summary, const char *metric, wm_error *err)
{
    json_t     *clients = json_object_get(summary, "final_per_client"), *one;
    size_t      n = json_object_size(clients), r = 0;
    bool        all = n <= ROWS_SHOWN;
    figures     f = { .metric = metric, .n_rows = (all ? n : 0) + 1 };
    json_rows   rows = { calloc(f.n_rows, sizeof *rows.names) };
    const char *name;

    f.values = new_values(f.n_rows);
    if (f.values == NULL || rows.names == NULL) {
        free(f.values);
        free(rows.names);
        return wm_fail(err, WM_E_NOMEM, "no memory for the results");
    }
    json_object_foreach(clients, name, one)
    {
        if (!all)
            break;
        rows.names[r] = name;
        read_row(one, metric, f.values[r++]);
    }
    rows.names[r] = "together";
    read_row(json_object_get(summary, "final"), metric, f.values[r]);
    print_figures(call, &f, json_row_name, &rows);
    free(f.values);
    free(rows.names);
    return WM_OK;
}

static wm_status print_summary(const wm_cli_call *call, const json_t *summary, const char *folder, wm_error *err)
{
    const json_t *federated = json_object_get(json_object_get(summary, "final"), "federated");
    const char   *why = json_string_value(json_object_get(summary, "why"));
    long long     rounds = json_integer_value(json_object_get(summary, "rounds"));
    const char   *metric;
    json_t       *value;
    wm_status     st = WM_OK;

    json_object_foreach((json_t *)(uintptr_t)federated, metric, value)
    {
        if (st == WM_OK && strcmp(metric, "examples") != 0 && strcmp(metric, "loss") != 0)
            st = print_metric(call, summary, metric, err);
    }
    fprintf(call->out, "\n%s after %lld round%s, %.1f s%s%s\n",
            json_string_value(json_object_get(summary, "outcome")), rounds, rounds == 1 ? "" : "s",
            json_number_value(json_object_get(summary, "wall_seconds")), why != NULL && *why != '\0' ? ": " : "",
            why != NULL ? why : "");
    fprintf(call->out, "model   %s/model.safetensors\n", folder);
    fprintf(call->out, "sha256  %s\n", json_string_value(json_object_get(summary, "model_sha256")));
    fprintf(call->out, "report  %s/report.html\n", folder);
    return st;
}

wm_status wm_results_print(const wm_cli_call *call, const char *folder, bool json, wm_error *err)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(folder, "summary.json");
    uint8_t        *text = NULL;
    size_t          n;
    json_t         *summary;
    wm_status       st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the results");
    st = files->read(files, path, SUMMARY_MAX, &text, &n, err);
    free(path);
    if (st != WM_OK)
        return st;
    if (json) {
        fwrite(text, 1, n, call->out);
    } else {
        summary = json_loadb((const char *)text, n, 0, NULL);
        st = summary != NULL ? print_summary(call, summary, folder, err)
                             : wm_fail(err, WM_E_DAMAGED, "%s/summary.json is damaged", folder);
        json_decref(summary);
    }
    free(text);
    return st;
}

/* ---- out of a contest ---- */

static const char *owner_name(void *context, size_t r)
{
    const wm_owners *owners = context;

    return r < wm_owners_count(owners) ? wm_owners_name(owners, r) : "together";
}

/* Whether contender c has a figure at client i. */
static bool has_figure(const wm_model *model, const wm_measure *measure, const wm_contest_result *result, int c)
{
    return (result->present & 1u << c) != 0 && !(c == WM_FEDERATED && wm_model_is_own(model, measure->target));
}

static void contest_measure(const wm_model *model, const wm_measure *measure, const wm_contest_result *results,
                            size_t n, figures *f)
{
    for (int c = 0; c < WM_CONTENDERS; c++) {
        wm_evaluation sum = { 0 };
        bool          any = false;

        for (size_t i = 0; i < n; i++) {
            if (!has_figure(model, measure, &results[i], c))
                continue;
            f->values[i][c] = wm_evaluation_figure(measure, &results[i].evaluations[c]);
            wm_evaluation_add(&sum, &results[i].evaluations[c]);
            any = true;
        }
        if (any)
            f->values[n][c] = wm_evaluation_figure(measure, &sum);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Over the clients whose own model was judged elsewhere; NaN if none was. */
static double median_elsewhere(const wm_measure *measure, const wm_contest_result *results, size_t n)
{
    double *values = malloc((n + 1) * sizeof *values), median = NAN;
    size_t  count = 0;

    for (size_t i = 0; values != NULL && i < n; i++)
        if (results[i].has_elsewhere) {
            values[count] = wm_evaluation_figure(measure, &results[i].elsewhere);
            if (!isnan(values[count]))
                count++;
        }
    if (count > 0) {
        qsort(values, count, sizeof *values, by_value);
        median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    }
    free(values);
    return median;
}

typedef struct places {
    const char *names[2];
} places;

static const char *place_name(void *context, size_t r)
{
    return ((const places *)context)->names[r];
}

/* Two rows: all clients at home, each on its own test part; and elsewhere. */
static void print_places(const wm_cli_call *call, const wm_job *job, const wm_model *model, wm_owners *owners,
                         const wm_measures *measures, const wm_measure *measure, const wm_contest_result *results)
{
    size_t  n = wm_owners_count(owners), n_left_out = 0;
    double  values[2][WM_CONTENDERS];
    figures f = { .metric = measure->name, .n_rows = n > 1 ? 2 : 1, .values = values };
    places  rows = { { "own test parts", "other clients" } };

    for (size_t i = 0; i < n; i++)
        if (wm_contest_left_out(job, owners, i))
            n_left_out++;
    if (n_left_out > 0)
        rows.names[1] = "owners left out";
    for (int c = 0; c < WM_CONTENDERS; c++) {
        wm_evaluation at[2] = { { 0 }, { 0 } };
        bool          any[2] = { false, false };

        for (size_t i = 0; i < n; i++) {
            bool   left_out = wm_contest_left_out(job, owners, i);
            size_t place = left_out ? 1 : 0;

            if (!has_figure(model, measure, &results[i], c))
                continue;
            wm_evaluation_add(&at[place], &results[i].evaluations[c]);
            any[place] = true;
        }
        wm_evaluation_take_threshold(measures, &at[1], &at[0]); /* who is left out has no say in it */
        values[0][c] = any[0] ? wm_evaluation_figure(measure, &at[0]) : NAN;
        /* Without owners that were left out, a model of all is elsewhere everywhere, and nowhere. */
        values[1][c] = c == WM_ALONE     ? median_elsewhere(measure, results, n)
                       : n_left_out == 0 ? (c == WM_TUNED ? NAN : values[0][c])
                       : any[1]          ? wm_evaluation_figure(measure, &at[1])
                                         : NAN;
    }
    print_figures(call, &f, place_name, &rows);
}

void wm_contest_print(const wm_cli_call *call, const wm_job *job, const wm_model *model, wm_owners *owners,
                      const wm_contest_result *results, bool elsewhere)
{
    size_t      n = wm_owners_count(owners);
    wm_measures measures;

    wm_measures_of(job, NULL, &measures);
    for (size_t m = 0; m < measures.n; m++) {
        figures f = { .metric = measures.items[m].name, .n_rows = n + 1, .values = new_values(n + 1) };

        if (f.values == NULL)
            return;
        contest_measure(model, &measures.items[m], results, n, &f);
        print_figures(call, &f, owner_name, owners);
        free(f.values);
        if (elsewhere)
            print_places(call, job, model, owners, &measures, &measures.items[m], results);
    }
}
