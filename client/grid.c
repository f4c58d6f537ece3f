/* client/grid.c */
#include "client/grid.h"

#include "common/clock.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS_MAX = 1000000, /* in a window or to a horizon */
    SPARSE_MAX = 50,     /* rows of the grid for each reading; beyond that the step is not the data's */
};

/* ---- order and step ---- */

static int by_series_and_time(const void *a, const void *b, void *context)
{
    const wm_readings *readings = context;
    uint32_t           i = *(const uint32_t *)a, k = *(const uint32_t *)b;

    if (readings->series[i] != readings->series[k])
        return readings->series[i] < readings->series[k] ? -1 : 1;
    if (readings->times[i] != readings->times[k])
        return readings->times[i] < readings->times[k] ? -1 : 1;
    return i < k ? -1 : 1; /* as in the file, so that the last one wins */
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The value that comes most often, the smallest of these; sorts. n > 0. */
static int64_t most_frequent(int64_t *values, size_t n)
{
    int64_t best = values[0];
    size_t  most = 0;

    qsort(values, n, sizeof *values, by_value);
    for (size_t i = 0; i < n;) {
        size_t k = i;

        while (k < n && values[k] == values[i])
            k++;
        if (k - i > most) {
            most = k - i;
            best = values[i];
        }
        i = k;
    }
    return best;
}

static int64_t remainder_of(int64_t a, int64_t b)
{
    int64_t r = a % b;

    return r < 0 ? r + b : r;
}

/* Where the points of the grid lie: a step, and the phase within it. */
typedef struct tick_rule {
    int64_t step, phase;
} tick_rule;

static int64_t slot_of(const tick_rule *ticks, int64_t time)
{
    int64_t t = time - ticks->phase + ticks->step / 2;

    return (t - remainder_of(t, ticks->step)) / ticks->step;
}

static wm_status find_ticks(const wm_readings *readings, const uint32_t *order, size_t n, tick_rule *ret,
                            wm_error *err)
{
    int64_t *values, step = readings->layout->job->data.step_ms;
    size_t   count = 0;

    if (!readings->layout->paced) {
        *ret = (tick_rule){ 1, 0 };
        return WM_OK;
    }
    values = malloc(n * sizeof *values);
    if (values == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to find the step of %zu readings", n);
    for (size_t i = 1; step == 0 && i < n; i++)
        if (readings->series[order[i]] == readings->series[order[i - 1]] &&
            readings->times[order[i]] > readings->times[order[i - 1]])
            values[count++] = readings->times[order[i]] - readings->times[order[i - 1]];
    if (step == 0)
        step = count > 0 ? most_frequent(values, count) : 1;
    for (size_t i = 0; i < n; i++)
        values[i] = remainder_of(readings->times[order[i]], step);
    *ret = (tick_rule){ step, most_frequent(values, n) };
    free(values);
    return WM_OK;
}

/* ---- the pace ---- */

/* ms as rows. */
static wm_status in_steps(int64_t ms, int64_t step, const char *part, const char *name, size_t *ret, wm_error *err)
{
    char want[WM_DURATION_TEXT], have[WM_DURATION_TEXT];

    if (ms % step != 0)
        return wm_fail(
            err, WM_E_INVALID,
            "data.%s.%s: %s is no whole number of steps of the data, which are %s apart (data.time.step sets "
            "another step)",
            part, name, wm_duration_text(ms, want), wm_duration_text(step, have));
    if (ms / step > STEPS_MAX)
        return wm_fail(err, WM_E_INVALID, "data.%s.%s: %s is %lld steps of the data, at most %d can be used", part,
                       name, wm_duration_text(ms, want), (long long)(ms / step), STEPS_MAX);
    *ret = (size_t)(ms / step);
    return WM_OK;
}

static wm_status pace_of_inputs(const wm_layout *layout, wm_pace *pace, wm_error *err)
{
    for (size_t i = 0; i < layout->job->data.n_inputs; i++) {
        const wm_job_input *input = &layout->job->data.inputs[i];
        size_t              back;
        wm_status           st;

        if (input->kind != WM_INPUT_WINDOW)
            continue;
        pace->stride[i] = 1;
        if (input->every_ms > 0) {
            if (pace->step_ms == 0)
                return wm_fail(err, WM_E_INVALID,
                               "data.inputs.%s: `every` needs readings with a time: give data.time", input->name);
            st = in_steps(input->every_ms, pace->step_ms, "inputs", input->name, &pace->stride[i], err);
            if (st != WM_OK)
                return st;
        }
        if (input->length < 1 || input->length > STEPS_MAX || pace->stride[i] == 0)
            return wm_fail(err, WM_E_INVALID, "data.inputs.%s: a window has 1 to %d steps", input->name, STEPS_MAX);
        if (input->ago_ms > 0) {
            st = in_steps(input->ago_ms, pace->step_ms, "inputs", input->name, &pace->ago[i], err);
            if (st != WM_OK)
                return st;
        }
        back = ((size_t)input->length - 1) * pace->stride[i] + pace->ago[i];
        pace->back = back > pace->back ? back : pace->back;
    }
    return WM_OK;
}

static wm_status pace_of_targets(const wm_layout *layout, wm_pace *pace, wm_error *err)
{
    size_t total = 0, *next;

    for (size_t t = 0; t < layout->job->data.n_targets; t++)
        total += layout->job->data.targets[t].ahead.count;
    next = pace->memory = calloc(total + 1, sizeof *pace->memory);
    if (next == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the horizons");
    for (size_t t = 0; t < layout->job->data.n_targets; t++) {
        const wm_job_target *target = &layout->job->data.targets[t];

        if (target->ahead.count == 0)
            continue;
        if (target->classes > 0 && target->ahead.count > 1)
            return wm_fail(err, WM_E_INVALID,
                           "data.targets.%s: a class has one horizon, not %zu: make a target of each", target->name,
                           target->ahead.count);
        pace->ahead[t] = next;
        for (size_t h = 0; h < target->ahead.count; h++, next++) {
            wm_status st = in_steps(target->ahead.items[h], target->rows_ahead ? 1 : pace->step_ms, "targets",
                                    target->name, next, err);

            if (st != WM_OK)
                return st;
            pace->at = *next > pace->at ? *next : pace->at;
        }
    }
    return WM_OK;
}

static wm_status find_pace(const wm_layout *layout, int64_t step, wm_pace *pace, wm_error *err)
{
    wm_status st;

    pace->step_ms = layout->paced ? step : 0;
    if ((st = pace_of_inputs(layout, pace, err)) != WM_OK || (st = pace_of_targets(layout, pace, err)) != WM_OK)
        return st;
    pace->reach = pace->back + pace->at;
    for (size_t i = 0; i < layout->n_used; i++) {
        const wm_job_column *spec = layout->used[i].spec;

        if (spec != NULL && spec->fill != WM_FILL_NONE && spec->fill_limit > 0 &&
            (size_t)spec->fill_limit > pace->reach)
            pace->reach = (size_t)spec->fill_limit < STEPS_MAX ? (size_t)spec->fill_limit : STEPS_MAX;
    }
    return WM_OK;
}

/* ---- rows ---- */

/* How the next reading lies to the one before it. */
typedef enum follow { FOLLOWS, REPEATS, BREAKS } follow;

static follow follows(const wm_readings *readings, const wm_grid *grid, const tick_rule *ticks, uint32_t before,
                      uint32_t now, size_t *distance)
{
    int64_t slots;

    if (readings->series[before] != readings->series[now])
        return BREAKS;
    if (!readings->layout->paced) {
        *distance = 1;
        return FOLLOWS;
    }
    slots = slot_of(ticks, readings->times[now]) - slot_of(ticks, readings->times[before]);
    if (slots == 0)
        return REPEATS;
    if ((uint64_t)slots - 1 > grid->pace.reach)
        return BREAKS;
    *distance = (size_t)slots;
    return FOLLOWS;
}

static wm_status count_rows(const wm_readings *readings, wm_grid *grid, const tick_rule *ticks,
                            const uint32_t *order, size_t n, wm_error *err)
{
    char step[WM_DURATION_TEXT];

    grid->n = 1;
    grid->n_series = 1;
    for (size_t i = 1; i < n; i++) {
        size_t distance = 1;

        switch (follows(readings, grid, ticks, order[i - 1], order[i], &distance)) {
        case FOLLOWS:
            grid->n += distance;
            break;
        case BREAKS:
            grid->n++;
            grid->n_series++;
            break;
        case REPEATS:
            grid->duplicates++;
            break;
        }
    }
    if (grid->n > SPARSE_MAX * n + 1000 || grid->n > INT32_MAX)
        return wm_fail(
            err, WM_E_INVALID,
            "%zu readings would make %zu rows a step of %s apart: set data.time.step to the distance of the "
            "readings",
            n, grid->n, wm_duration_text(ticks->step, step));
    return WM_OK;
}

static wm_status allocate(wm_grid *grid, wm_error *err)
{
    const wm_layout *layout = grid->layout;
    size_t           values, cells;

    if (wm_size_mul(grid->n, layout->width + 1, &values) && wm_size_mul(grid->n, layout->n_used + 1, &cells)) {
        grid->rows = calloc(values, sizeof *grid->rows);
        grid->states = calloc(cells, 1);
        grid->times = malloc(grid->n * sizeof *grid->times);
        grid->series = malloc(grid->n_series * sizeof *grid->series);
    }
    if (grid->rows == NULL || grid->states == NULL || grid->times == NULL || grid->series == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a grid of %zu rows", grid->n);
    return WM_OK;
}

static void put_reading(const wm_readings *readings, wm_grid *grid, uint32_t reading, size_t row)
{
    const wm_layout *layout = grid->layout;
    const float     *codes = readings->codes + (size_t)reading * readings->n_codes;

    for (size_t c = 0; c < readings->n_codes; c++) {
        size_t         u = readings->used[c];
        const wm_used *used = &layout->used[u];
        float         *channels = grid->rows + row * layout->width + used->first;
        bool           there = !isnan(codes[c]);

        if (there)
            wm_column_channels(used, codes[c], channels);
        else
            memset(channels, 0, used->channels * sizeof *channels);
        grid->states[row * layout->n_used + u] = there ? WM_STATE_READ : WM_STATE_MISSING;
    }
}

static void put_readings(const wm_readings *readings, wm_grid *grid, const tick_rule *ticks, const uint32_t *order,
                         size_t n)
{
    size_t row = 0, s = 0, begin = 0; /* begin: the first reading of the current file or series */

    for (size_t i = 0; i < n; i++) {
        int64_t time = !readings->layout->paced
                           ? readings->times[order[i]]
                           : slot_of(ticks, readings->times[order[i]]) * ticks->step + ticks->phase;
        size_t  distance = 0;
        follow  how = i == 0 ? BREAKS : follows(readings, grid, ticks, order[i - 1], order[i], &distance);

        if (how == FOLLOWS) {
            for (size_t k = 1; k < distance; k++)
                grid->times[row + k] = grid->times[row] + (int64_t)k * ticks->step;
            row += distance;
        } else if (how == BREAKS) {
            bool same = i > 0 && readings->series[order[i]] == readings->series[order[i - 1]];

            row += i > 0;
            if (i > 0)
                grid->series[s++].end = row;
            if (!same)
                begin = i;
            grid->series[s] = (wm_series){ .begin = row, .first = i - begin, .file = readings->files[order[i]] };
        }
        grid->times[row] = time;
        put_reading(readings, grid, order[i], row);
    }
    assert(row + 1 == grid->n && s + 1 == grid->n_series);
    grid->series[s].end = grid->n;
}

/* Columns that come from the time alone. */
static void put_cycles(const wm_readings *readings, wm_grid *grid)
{
    const wm_layout *layout = grid->layout;

    for (size_t u = 0; u < layout->n_used; u++) {
        const wm_used *used = &layout->used[u];

        if (used->read || u == layout->elapsed)
            continue;
        for (size_t row = 0; row < grid->n; row++) {
            int64_t local = grid->times[row] + wm_zone_offset_ms(readings->zone, grid->times[row]);

            wm_column_cycle(used, local, grid->rows + row * layout->width + used->first);
            grid->states[row * layout->n_used + u] = WM_STATE_READ;
        }
    }
}

/* How long after the row before it each was; the first of a series comes out of nothing. */
static void put_elapsed(wm_grid *grid)
{
    size_t u = grid->layout->elapsed;

    for (size_t s = 0; u != SIZE_MAX && s < grid->n_series; s++)
        for (size_t row = grid->series[s].begin; row < grid->series[s].end; row++) {
            int64_t since = row > grid->series[s].begin ? grid->times[row] - grid->times[row - 1] : 0;

            grid->rows[row * grid->layout->width + grid->layout->used[u].first] = wm_column_elapsed(since);
            grid->states[row * grid->layout->n_used + u] = WM_STATE_READ;
        }
}

static void fill_gaps(wm_grid *grid)
{
    const wm_layout *layout = grid->layout;

    for (size_t i = 0; i < grid->n * layout->n_used; i++)
        grid->missing += grid->states[i] == WM_STATE_MISSING;
    for (size_t s = 0; s < grid->n_series; s++) {
        size_t begin = grid->series[s].begin, n = grid->series[s].end - begin;

        for (size_t u = 0; u < layout->n_used; u++)
            grid->filled +=
                wm_column_fill(&layout->used[u], u, layout->n_used, n, layout->width,
                               grid->rows + begin * layout->width, grid->states + begin * layout->n_used);
    }
}

wm_status wm_grid_new(const wm_readings *readings, uint32_t *order, size_t n, wm_grid **ret, wm_error *err)
{
    wm_grid  *grid = calloc(1, sizeof *grid);
    tick_rule ticks = { 1, 0 };
    wm_status st;

    assert(n > 0);
    if (grid == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a grid");
    grid->layout = readings->layout;
    grid->readings = n;
    for (size_t i = 1; i < n; i++) {
        if (by_series_and_time(&order[i - 1], &order[i], (void *)readings) > 0) {
            qsort_r(order, n, sizeof *order, by_series_and_time, (void *)readings);
            break;
        }
    }
    if ((st = find_ticks(readings, order, n, &ticks, err)) != WM_OK ||
        (st = find_pace(grid->layout, ticks.step, &grid->pace, err)) != WM_OK ||
        (st = count_rows(readings, grid, &ticks, order, n, err)) != WM_OK || (st = allocate(grid, err)) != WM_OK)
        goto out;
    put_readings(readings, grid, &ticks, order, n);
    put_cycles(readings, grid);
    put_elapsed(grid);
    fill_gaps(grid);
    *ret = grid;
    grid = NULL;
out:
    wm_grid_free(grid);
    return st;
}

void wm_grid_free(wm_grid *grid)
{
    if (grid == NULL)
        return;
    free(grid->pace.memory);
    free(grid->rows);
    free(grid->states);
    free(grid->times);
    free(grid->series);
    free(grid);
}

const wm_series *wm_grid_series(const wm_grid *grid, size_t row)
{
    size_t low = 0, high = grid->n_series;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (grid->series[middle].begin <= row)
            low = middle;
        else
            high = middle;
    }
    return &grid->series[low];
}

wm_normality wm_grid_normality(const wm_grid *grid, size_t row)
{
    const wm_layout *layout = grid->layout;
    const wm_reals  *normal = &layout->job->evaluate.anomaly.normal;
    double           value;

    if (layout->label == SIZE_MAX)
        return WM_NORMAL;
    if (wm_grid_state(grid, row, layout->label) != WM_STATE_READ)
        return WM_NOT_KNOWN;
    value = (double)wm_grid_row(grid, row)[layout->used[layout->label].first];
    for (size_t i = 0; i < normal->count; i++)
        if (value == normal->items[i])
            return WM_NORMAL;
    return WM_ANOMALY;
}
