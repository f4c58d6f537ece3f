/* client/columns.c */
#include "client/columns.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double turn = 6.283185307179586;

wm_cell_kind wm_column_cell(const wm_used *used)
{
    if (used->spec == NULL || used->spec->kind == WM_COLUMN_NUMBER)
        return WM_CELL_NUMBER;
    return WM_CELL_WORD;
}

static float number_code(const wm_used *used, double x)
{
    const wm_job_column *spec = used->spec;

    if (spec != NULL)
        x = wm_job_transform(spec, x);
    if (!isfinite(x) || fabs(x) > (double)3.4e38f)
        return NAN;
    if (spec != NULL && spec->has_range && (x < spec->low || x > spec->high))
        return NAN;
    if (used->classes > 0 && (x < 0 || x >= (double)used->classes || floor(x) != x))
        return NAN;
    return (float)x;
}

/* Degrees of N, NNE, ... in capitals or not, or of a plain number of degrees. */
static float compass_code(const wm_job_column *spec, const char *text, size_t n)
{
    static const char *const points[16] = { "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
                                            "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW" };
    size_t                   stride = (size_t)(16 / spec->compass_points);
    char                     copy[40], *end; /* a double with all its digits has 24 */
    double                   degrees;

    for (size_t i = 0; i < 16; i += stride)
        if (strlen(points[i]) == n && strncasecmp(points[i], text, n) == 0)
            return (float)i * 22.5f;
    if (n >= sizeof copy || strspn(text, "0123456789.+-") == 0)
        return NAN;
    memcpy(copy, text, n);
    copy[n] = '\0';
    degrees = strtod(copy, &end);
    return end == copy + n && degrees >= 0 && degrees <= 360 ? (float)degrees : NAN;
}

static float category_code(const wm_job_column *spec, const char *text, size_t n)
{
    for (size_t i = 0; i < spec->categories.count; i++)
        if (strlen(spec->categories.items[i]) == n && memcmp(spec->categories.items[i], text, n) == 0)
            return (float)i;
    return spec->other ? (float)spec->categories.count : NAN;
}

float wm_column_code(const wm_used *used, const wm_cell *cell)
{
    float code;

    if (wm_column_cell(used) == WM_CELL_NUMBER)
        return number_code(used, cell->number);
    if (cell->n == 0)
        return NAN;
    if (used->spec->kind == WM_COLUMN_COMPASS)
        return compass_code(used->spec, cell->text, cell->n);
    code = category_code(used->spec, cell->text, cell->n);
    return used->classes > 0 && code >= (float)used->classes ? NAN : code; /* a word that is none of the classes */
}

void wm_column_channels(const wm_used *used, float code, float *channels)
{
    wm_column_kind kind = used->spec != NULL ? used->spec->kind : WM_COLUMN_NUMBER;

    memset(channels, 0, used->channels * sizeof *channels);
    if (kind == WM_COLUMN_NUMBER) {
        channels[0] = code;
    } else if (kind == WM_COLUMN_COMPASS) {
        channels[0] = (float)sin((double)code / 360 * turn);
        channels[1] = (float)cos((double)code / 360 * turn);
    } else {
        assert(kind == WM_COLUMN_CATEGORIES && (size_t)code < wm_job_categories(used->spec));
        if (used->spec->index)
            channels[0] = code;
        else
            channels[(size_t)code] = 1;
    }
}

void wm_column_cycle(const wm_used *used, int64_t local_ms, float *channels)
{
    int64_t cycle = used->spec->cycle_ms;
    double  phase = (double)((local_ms % cycle + cycle) % cycle) / (double)cycle;

    memset(channels, 0, used->channels * sizeof *channels);
    channels[0] = (float)sin(phase * turn);
    channels[1] = (float)cos(phase * turn);
}

float wm_column_elapsed(int64_t ms)
{
    return (float)(log1p((double)ms / 1000) / 10);
}

/* ---- gaps ---- */

/* One row of a gap; `before` is the last reading's row, or NULL; `after` the next one's, or NULL. */
static bool fill_row(const wm_used *used, size_t step, size_t gap, const float *before, const float *after,
                     float *to, uint8_t *state)
{
    wm_fill_rule rule = used->spec->fill;
    size_t       values = used->channels - used->spec->mask;

    if (rule == WM_FILL_LINEAR && used->spec->kind != WM_COLUMN_NUMBER)
        rule = WM_FILL_LAST;
    if (rule == WM_FILL_ZERO) {
        memset(to, 0, values * sizeof *to);
        *state = WM_STATE_FILLED;
    } else if (rule == WM_FILL_LAST && before != NULL) {
        memcpy(to, before, values * sizeof *to);
        *state = WM_STATE_FILLED;
    } else if (rule == WM_FILL_LINEAR && before != NULL && after != NULL && gap <= (size_t)used->spec->fill_limit) {
        float share = (float)(step + 1) / (float)(gap + 1);

        to[0] = before[0] + (after[0] - before[0]) * share;
        *state = WM_STATE_BETWEEN;
    } else {
        return false;
    }
    if (used->spec->mask)
        to[values] = 1;
    return true;
}

size_t wm_column_fill(const wm_used *used, size_t column, size_t n_used, size_t n, size_t width, float *rows,
                      uint8_t *states)
{
    size_t filled = 0, limit;

    if (used->spec == NULL || !used->read || used->spec->fill == WM_FILL_NONE || used->spec->fill_limit <= 0)
        return 0;
    limit = (size_t)used->spec->fill_limit;
    for (size_t i = 0; i < n;) {
        size_t begin = i, gap;

        if (states[i * n_used + column] != WM_STATE_MISSING) {
            i++;
            continue;
        }
        while (i < n && states[i * n_used + column] == WM_STATE_MISSING)
            i++;
        gap = i - begin;
        for (size_t k = 0; k < gap && k < limit; k++) {
            float *first = rows + used->first; /* this column's channels in row 0 */

            filled += fill_row(used, k, gap, begin > 0 ? first + (begin - 1) * width : NULL,
                               i < n ? first + i * width : NULL, first + (begin + k) * width,
                               &states[(begin + k) * n_used + column]);
        }
    }
    return filled;
}
