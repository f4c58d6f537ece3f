/* client/table.c */
#include "client/table.h"

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

static int by_file_and_time(const void *a, const void *b, void *context)
{
    const wm_readings *readings = context;
    uint32_t           i = *(const uint32_t *)a, k = *(const uint32_t *)b;

    if (readings->files[i] != readings->files[k])
        return readings->files[i] < readings->files[k] ? -1 : 1;
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

/* The grid: a step, and where in the step its points lie. */
typedef struct time_grid {
    int64_t step, phase;
} time_grid;

static int64_t slot_of(const time_grid *grid, int64_t time)
{
    int64_t t = time - grid->phase + grid->step / 2;

    return (t - remainder_of(t, grid->step)) / grid->step;
}

static wm_status find_grid(const wm_readings *readings, const uint32_t *order, size_t n, time_grid *ret,
                           wm_error *err)
{
    int64_t *values, step = readings->layout->job->data.step_ms;
    size_t   count = 0;

    if (readings->n_times == 0) {
        *ret = (time_grid){ 1, 0 };
        return WM_OK;
    }
    values = malloc(n * sizeof *values);
    if (values == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to find the step of %zu readings", n);
    for (size_t i = 1; step == 0 && i < n; i++)
        if (readings->files[order[i]] == readings->files[order[i - 1]] &&
            readings->times[order[i]] > readings->times[order[i - 1]])
            values[count++] = readings->times[order[i]] - readings->times[order[i - 1]];
    if (step == 0)
        step = count > 0 ? most_frequent(values, count) : 1;
    for (size_t i = 0; i < n; i++)
        values[i] = remainder_of(readings->times[order[i]], step);
    *ret = (time_grid){ step, most_frequent(values, n) };
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
        back = ((size_t)input->length - 1) * pace->stride[i];
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
            wm_status st = in_steps(target->ahead.items[h], pace->step_ms, "targets", target->name, next, err);

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

    pace->step_ms = layout->timed ? step : 0;
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

static follow follows(const wm_readings *readings, const wm_table *table, const time_grid *grid, uint32_t before,
                      uint32_t now, size_t *distance)
{
    int64_t slots;

    if (readings->files[before] != readings->files[now])
        return BREAKS;
    if (readings->n_times == 0) {
        *distance = 1;
        return FOLLOWS;
    }
    slots = slot_of(grid, readings->times[now]) - slot_of(grid, readings->times[before]);
    if (slots == 0)
        return REPEATS;
    if ((uint64_t)slots - 1 > table->pace.reach)
        return BREAKS;
    *distance = (size_t)slots;
    return FOLLOWS;
}

static wm_status count_rows(const wm_readings *readings, wm_table *table, const time_grid *grid,
                            const uint32_t *order, size_t n, wm_error *err)
{
    char step[WM_DURATION_TEXT];

    table->n = 1;
    table->n_series = 1;
    for (size_t i = 1; i < n; i++) {
        size_t distance = 1;

        switch (follows(readings, table, grid, order[i - 1], order[i], &distance)) {
        case FOLLOWS:
            table->n += distance;
            break;
        case BREAKS:
            table->n++;
            table->n_series++;
            break;
        case REPEATS:
            table->duplicates++;
            break;
        }
    }
    if (table->n > SPARSE_MAX * n + 1000 || table->n > INT32_MAX)
        return wm_fail(
            err, WM_E_INVALID,
            "%zu readings would make %zu rows a step of %s apart: set data.time.step to the distance of the "
            "readings",
            n, table->n, wm_duration_text(grid->step, step));
    return WM_OK;
}

static wm_status allocate(wm_table *table, wm_error *err)
{
    const wm_layout *layout = table->layout;
    size_t           values, cells;

    if (wm_size_mul(table->n, layout->width + 1, &values) && wm_size_mul(table->n, layout->n_used + 1, &cells)) {
        table->rows = calloc(values, sizeof *table->rows);
        table->states = calloc(cells, 1);
        table->times = malloc(table->n * sizeof *table->times);
        table->series = malloc(table->n_series * sizeof *table->series);
    }
    if (table->rows == NULL || table->states == NULL || table->times == NULL || table->series == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a table of %zu rows", table->n);
    return WM_OK;
}

static void put_reading(const wm_readings *readings, wm_table *table, uint32_t reading, size_t row)
{
    const wm_layout *layout = table->layout;
    const float     *codes = readings->codes + (size_t)reading * readings->n_codes;

    for (size_t c = 0; c < readings->n_codes; c++) {
        size_t         u = readings->used[c];
        const wm_used *used = &layout->used[u];
        float         *channels = table->rows + row * layout->width + used->first;
        bool           there = !isnan(codes[c]);

        if (there)
            wm_column_channels(used, codes[c], channels);
        else
            memset(channels, 0, used->channels * sizeof *channels);
        table->states[row * layout->n_used + u] = there ? WM_STATE_READ : WM_STATE_MISSING;
    }
}

static void put_readings(const wm_readings *readings, wm_table *table, const time_grid *grid, const uint32_t *order,
                         size_t n)
{
    size_t row = 0, s = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t time = readings->n_times == 0 ? readings->times[order[i]]
                                              : slot_of(grid, readings->times[order[i]]) * grid->step + grid->phase;
        size_t  distance = 0;
        follow  how = i == 0 ? BREAKS : follows(readings, table, grid, order[i - 1], order[i], &distance);

        if (how == FOLLOWS) {
            for (size_t k = 1; k < distance; k++)
                table->times[row + k] = table->times[row] + (int64_t)k * grid->step;
            row += distance;
        } else if (how == BREAKS) {
            row += i > 0;
            if (i > 0)
                table->series[s++].end = row;
            table->series[s] = (wm_series){ .begin = row, .file = readings->files[order[i]] };
        }
        table->times[row] = time;
        put_reading(readings, table, order[i], row);
    }
    assert(row + 1 == table->n && s + 1 == table->n_series);
    table->series[s].end = table->n;
}

/* Columns that come from the time alone. */
static void put_cycles(const wm_readings *readings, wm_table *table)
{
    const wm_layout *layout = table->layout;

    for (size_t u = 0; u < layout->n_used; u++) {
        const wm_used *used = &layout->used[u];

        if (used->read)
            continue;
        for (size_t row = 0; row < table->n; row++) {
            int64_t local = table->times[row] + wm_zone_offset_ms(readings->zone, table->times[row]);

            wm_column_cycle(used, local, table->rows + row * layout->width + used->first);
            table->states[row * layout->n_used + u] = WM_STATE_READ;
        }
    }
}

static void fill_gaps(wm_table *table)
{
    const wm_layout *layout = table->layout;

    for (size_t i = 0; i < table->n * layout->n_used; i++)
        table->missing += table->states[i] == WM_STATE_MISSING;
    for (size_t s = 0; s < table->n_series; s++) {
        size_t begin = table->series[s].begin, n = table->series[s].end - begin;

        for (size_t u = 0; u < layout->n_used; u++)
            table->filled +=
                wm_column_fill(&layout->used[u], u, layout->n_used, n, layout->width,
                               table->rows + begin * layout->width, table->states + begin * layout->n_used);
    }
}

wm_status wm_table_new(const wm_readings *readings, uint32_t *order, size_t n, wm_table **ret, wm_error *err)
{
    wm_table *table = calloc(1, sizeof *table);
    time_grid grid = { 1, 0 };
    wm_status st;

    assert(n > 0);
    if (table == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a table");
    table->layout = readings->layout;
    table->readings = n;
    for (size_t i = 1; i < n; i++) {
        if (by_file_and_time(&order[i - 1], &order[i], (void *)readings) > 0) {
            qsort_r(order, n, sizeof *order, by_file_and_time, (void *)readings);
            break;
        }
    }
    if ((st = find_grid(readings, order, n, &grid, err)) != WM_OK ||
        (st = find_pace(table->layout, grid.step, &table->pace, err)) != WM_OK ||
        (st = count_rows(readings, table, &grid, order, n, err)) != WM_OK || (st = allocate(table, err)) != WM_OK)
        goto out;
    put_readings(readings, table, &grid, order, n);
    put_cycles(readings, table);
    fill_gaps(table);
    *ret = table;
    table = NULL;
out:
    wm_table_free(table);
    return st;
}

void wm_table_free(wm_table *table)
{
    if (table == NULL)
        return;
    free(table->pace.memory);
    free(table->rows);
    free(table->states);
    free(table->times);
    free(table->series);
    free(table);
}
