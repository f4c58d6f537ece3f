/* common/job/scaling.c
 *
 * The variance is taken in the integers' own unit, 2^-20 of half the declared range, about the middle of that
 * range: with sums that small in magnitude double arithmetic loses nothing that matters (cancellation costs
 * at most 2^-13 of a unit), and the result is the same bits on every machine, since it is a handful of IEEE
 * operations on exact sums. */
#include "common/job/scaling.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A deviation below one unit of the fixed point is rounding, not spread. */
static const double variance_least = 1.0;

void wm_scaling_release(wm_scaling *scaling)
{
    free(scaling->mean);
    free(scaling->deviation);
    *scaling = (wm_scaling){ 0 };
}

static bool has_word(const wm_words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

bool wm_scaling_covers(const wm_job *job, size_t column)
{
    const wm_job_column *c = &job->data.columns[column];

    if (c->kind != WM_COLUMN_NUMBER || c->scale != WM_SCALE_FEDERATED)
        return false;
    for (size_t i = 0; i < job->data.n_inputs; i++)
        if (has_word(&job->data.inputs[i].columns, c->name))
            return true;
    for (size_t i = 0; i < job->data.n_targets; i++)
        if (job->data.targets[i].classes == 0 && job->data.targets[i].column != NULL &&
            strcmp(job->data.targets[i].column, c->name) == 0)
            return true;
    return false;
}

void wm_statistics_spec(const wm_job *job, wm_update_spec *spec)
{
    static const struct {
        const char *name;
        int         bits; /* of one row's largest value */
    } parts[WM_STATISTICS_PARTS] = {
        [WM_STATISTICS_COUNT] = { "count", 0 },
        [WM_STATISTICS_SUM] = { "sum", WM_STATISTICS_BITS },
        [WM_STATISTICS_SQUARES] = { "squares", 2 * WM_STATISTICS_BITS - WM_STATISTICS_SQUARE_BITS },
    };

    *spec = (wm_update_spec){ .n_parts = WM_STATISTICS_PARTS, .weight_cap = WM_STATISTICS_ROWS_MAX };
    for (size_t i = 0; i < WM_STATISTICS_PARTS; i++) {
        wm_part_spec *part = &spec->parts[i];

        *part = (wm_part_spec){
            .kind = WM_PART_I64,
            .n = job->data.n_columns,
            .bound = ldexp(WM_STATISTICS_ROWS_MAX, parts[i].bits),
            .weight = WM_WEIGHT_ONE,
        };
        strcpy(part->name, parts[i].name);
    }
}

int64_t wm_statistics_fixed(const wm_job_column *column, double reading)
{
    double middle = (column->low + column->high) / 2, half = (column->high - column->low) / 2;

    assert(reading >= column->low && reading <= column->high && half > 0);
    return llrint((reading - middle) / half * (1 << WM_STATISTICS_BITS));
}

static wm_status scaling_new(size_t n, wm_scaling *ret, wm_error *err)
{
    wm_scaling made = { .n_columns = n };

    /* One more, since calloc(0) may be NULL. */
    made.mean = calloc(n + 1, sizeof *made.mean);
    made.deviation = calloc(n + 1, sizeof *made.deviation);
    if (made.mean == NULL || made.deviation == NULL) {
        wm_scaling_release(&made);
        return wm_fail(err, WM_E_NOMEM, "no memory for the scaling of %zu columns", n);
    }
    *ret = made;
    return WM_OK;
}

static wm_status scale_column(const wm_job_column *column, int64_t count, int64_t sum, int64_t squares,
                              double *mean, double *deviation, wm_error *err)
{
    const double unit = 1 << WM_STATISTICS_BITS;
    double       middle = (column->low + column->high) / 2, half = (column->high - column->low) / 2;
    double       u_mean, u_variance;

    if (count <= 0)
        return wm_fail(
            err, WM_E_RANGE,
            "statistics: no client has a reading of column %s within [%g, %g]: check its range or its name",
            column->name, column->low, column->high);
    u_mean = (double)sum / (double)count;
    u_variance = ldexp((double)squares, WM_STATISTICS_SQUARE_BITS) / (double)count - u_mean * u_mean;
    if (!(u_variance >= variance_least))
        return wm_fail(
            err, WM_E_RANGE,
            "statistics: column %s is the same everywhere (about %.4g): leave it out, or set its scale to none",
            column->name, middle + half * u_mean / unit);
    *mean = middle + half * (u_mean / unit);
    *deviation = half * (sqrt(u_variance) / unit);
    return WM_OK;
}

wm_status wm_scaling_from_statistics(const wm_job *job, const int64_t *const *sums, wm_scaling *ret, wm_error *err)
{
    wm_scaling made;
    wm_status  st = scaling_new(job->data.n_columns, &made, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < made.n_columns; i++) {
        made.deviation[i] = 1;
        if (wm_scaling_covers(job, i))
            st = scale_column(&job->data.columns[i], sums[WM_STATISTICS_COUNT][i], sums[WM_STATISTICS_SUM][i],
                              sums[WM_STATISTICS_SQUARES][i], &made.mean[i], &made.deviation[i], err);
    }
    if (st == WM_OK)
        *ret = made;
    else
        wm_scaling_release(&made);
    return st;
}

static void put_double(uint8_t *to, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(bits >> (8 * i));
}

static double get_double(const uint8_t *from)
{
    uint64_t bits = 0;
    double   value;

    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)from[i] << (8 * i);
    memcpy(&value, &bits, sizeof value);
    return value;
}

wm_status wm_scaling_encode(const wm_scaling *scaling, uint8_t **ret, size_t *n, wm_error *err)
{
    uint8_t *bytes = malloc(16 * scaling->n_columns + 1);

    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to write the scaling of %zu columns", scaling->n_columns);
    for (size_t i = 0; i < scaling->n_columns; i++) {
        put_double(bytes + 16 * i, scaling->mean[i]);
        put_double(bytes + 16 * i + 8, scaling->deviation[i]);
    }
    *ret = bytes;
    *n = 16 * scaling->n_columns;
    return WM_OK;
}

wm_status wm_scaling_decode(const wm_job *job, const uint8_t *bytes, size_t n, wm_scaling *ret, wm_error *err)
{
    wm_scaling made;
    wm_status  st;

    if (n % 16 != 0 || n / 16 != job->data.n_columns)
        return wm_fail(err, WM_E_MALFORMED, "scaling: %zu bytes for %zu columns, %zu would be right", n,
                       job->data.n_columns, 16 * job->data.n_columns);
    st = scaling_new(job->data.n_columns, &made, err);
    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < made.n_columns; i++) {
        made.mean[i] = get_double(bytes + 16 * i);
        made.deviation[i] = get_double(bytes + 16 * i + 8);
        if (!isfinite(made.mean[i]) || !isfinite(made.deviation[i]) || made.deviation[i] <= 0)
            st = wm_fail(err, WM_E_MALFORMED, "scaling: mean %g and deviation %g of column %s cannot be used",
                         made.mean[i], made.deviation[i], job->data.columns[i].name);
    }
    if (st == WM_OK)
        *ret = made;
    else
        wm_scaling_release(&made);
    return st;
}
