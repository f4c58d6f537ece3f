/* client/scale.c
 *
 * Statistics of the training part, and the scaling that comes of them: over the run's clients (federated), over one
 * client's own readings, or none. Training rows are those that a training example looks at or predicts; only readings
 * count, not what was filled. */
#include "client/examples_struct.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* marks[n] <- is the row in a training example? By the differences of a running count, so that overlapping windows
 * cost nothing. Returns how many are. */
static wm_status mark_training_rows(const wm_examples *leaf, uint8_t **ret, size_t *n, wm_error *err)
{
    const wm_grid *grid = leaf->grid;
    uint8_t       *marks = calloc(grid->n + 1, 1);
    int32_t       *change = calloc(grid->n + 1, sizeof *change), depth = 0;
    wm_status      st = WM_OK;

    if (marks == NULL || change == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the statistics of %zu rows", grid->n);
        goto out;
    }
    for (size_t i = 0; i < leaf->laid.counts[WM_TRAIN]; i++) {
        uint32_t now = leaf->laid.at[WM_TRAIN][i];

        change[now - grid->pace.back]++;
        change[now + grid->pace.at + 1]--;
    }
    *n = 0;
    for (size_t row = 0; row < grid->n; row++) {
        depth += change[row];
        *n += marks[row] = depth > 0;
    }
    *ret = marks;
    marks = NULL;
out:
    free(marks);
    free(change);
    return st;
}

static bool counts(const wm_examples *leaf, const uint8_t *marks, size_t row, size_t used)
{
    return marks[row] && wm_grid_state(leaf->grid, row, used) == WM_STATE_READ;
}

/* ---- for all clients together ---- */

static void add_column(const wm_examples *leaf, const uint8_t *marks, size_t u, wm_update *update)
{
    const wm_used *used = &leaf->layout->used[u];
    int64_t        n = 0, sum = 0;
    uint64_t       high = 0, low = 0; /* of the squares: 2^24 of up to 2^40 do not fit 64 bits in one */

    for (size_t row = 0; row < leaf->grid->n && n < WM_STATISTICS_ROWS_MAX; row++) {
        double   x;
        int64_t  fixed;
        uint64_t square;

        if (!counts(leaf, marks, row, u))
            continue;
        /* As a float it may lie a rounding outside. */
        x = (double)wm_grid_row(leaf->grid, row)[used->first];
        x = fmin(fmax(x, used->spec->low), used->spec->high);
        fixed = wm_statistics_fixed(used->spec, x);
        square = (uint64_t)(fixed * fixed);
        n++;
        sum += fixed;
        high += square >> WM_STATISTICS_SQUARE_BITS;
        low += square & ((1u << WM_STATISTICS_SQUARE_BITS) - 1);
    }
    ((int64_t *)update->values[WM_STATISTICS_COUNT])[used->index] = n;
    ((int64_t *)update->values[WM_STATISTICS_SUM])[used->index] = sum;
    ((int64_t *)update->values[WM_STATISTICS_SQUARES])[used->index] =
        (int64_t)(high + (low >> WM_STATISTICS_SQUARE_BITS));
}

wm_status wm_examples_statistics(const wm_examples *examples, wm_update *update, wm_error *err)
{
    const wm_layout *layout = examples->layout;
    int64_t          least = layout->job->data.rows_min;
    uint8_t         *marks;
    size_t           rows;
    wm_status        st;

    if (examples->grid == NULL)
        return wm_fail(err, WM_E_INVALID, "statistics are taken of one client's readings");
    st = mark_training_rows(examples, &marks, &rows, err);
    if (st != WM_OK)
        return st;
    if (rows < 1 || rows < (uint64_t)least) {
        free(marks);
        return wm_fail(
            err, WM_E_REFUSED,
            "%zu rows of readings in training, data.rows_min asks for %lld: statistics of fewer would say "
            "too much about single readings",
            rows, (long long)(least > 1 ? least : 1));
    }
    for (size_t u = 0; u < layout->n_used; u++)
        if (layout->used[u].spec != NULL && wm_scaling_covers(layout->job, layout->used[u].index))
            add_column(examples, marks, u, update);
    free(marks);
    update->weight = rows < WM_STATISTICS_ROWS_MAX ? rows : WM_STATISTICS_ROWS_MAX;
    return WM_OK;
}

/* ---- for one client ---- */

/* A sensor that says the same all the time is scaled by 1: it becomes zeros. */
static void scale_by_client(wm_examples *leaf, const uint8_t *marks, size_t u)
{
    size_t first = leaf->layout->used[u].first, n = 0;
    double sum = 0, squares = 0, mean;

    for (size_t row = 0; row < leaf->grid->n; row++) {
        if (counts(leaf, marks, row, u)) {
            sum += (double)wm_grid_row(leaf->grid, row)[first];
            n++;
        }
    }
    if (n == 0)
        return;
    mean = sum / (double)n;
    for (size_t row = 0; row < leaf->grid->n; row++) {
        if (counts(leaf, marks, row, u)) {
            double off = (double)wm_grid_row(leaf->grid, row)[first] - mean;

            squares += off * off;
        }
    }
    leaf->mean[u] = mean;
    if (squares / (double)n > 1e-12 * mean * mean)
        leaf->deviation[u] = sqrt(squares / (double)n);
}

/* The divisor of Hyndman and Koehler 2006: the mean of |Y_i - Y_{i-season}| over the readings of target t's column that
 * are trained on, within a series. 0 if there is none. */
static double persistence_error(const wm_examples *leaf, const uint8_t *marks, size_t t, size_t season)
{
    size_t used = leaf->layout->target_used[t], channel = leaf->layout->used[used].first, n = 0;
    double sum = 0;

    for (size_t s = 0; s < leaf->grid->n_series; s++) {
        const wm_series *series = &leaf->grid->series[s];

        for (size_t row = series->begin; row < series->end; row++) {
            if (row - series->begin < season || !counts(leaf, marks, row, used) ||
                !counts(leaf, marks, row - season, used))
                continue;
            sum += fabs((double)wm_grid_row(leaf->grid, row)[channel] -
                        (double)wm_grid_row(leaf->grid, row - season)[channel]);
            n++;
        }
    }
    return n > 0 ? sum / (double)n : 0;
}

static void find_yardsticks(wm_examples *leaf, const uint8_t *marks)
{
    wm_measures measures;

    wm_measures_of(leaf->layout->job, NULL, &measures);
    for (size_t m = 0; marks != NULL && m < measures.n; m++) {
        const wm_measure *measure = &measures.items[m];

        if (measure->ops->season != NULL)
            leaf->yardstick[m] =
                persistence_error(leaf, marks, measure->target, measure->ops->season(measure->options));
    }
}

static wm_status scale_leaf(wm_examples *leaf, const wm_scaling *scaling, wm_error *err)
{
    const wm_layout *layout = leaf->layout;
    uint8_t         *marks = NULL;
    size_t           rows;
    wm_status        st = WM_OK;

    if (leaf->grid != NULL)
        st = mark_training_rows(leaf, &marks, &rows, err);
    if (marks != NULL && leaf->laid.counts[WM_TRAIN] == 0)
        memset(marks, 1, leaf->grid->n); /* it was left out of training: its own scale is all that it has */
    for (size_t u = 0; st == WM_OK && u < layout->n_used; u++) {
        const wm_used *used = &layout->used[u];
        bool           number = used->spec != NULL && used->spec->kind == WM_COLUMN_NUMBER;

        leaf->mean[u] = 0;
        leaf->deviation[u] = 1;
        if (number && wm_scaling_covers(layout->job, used->index)) {
            if (scaling == NULL || used->index >= scaling->n_columns) {
                st = wm_fail(err, WM_E_INVALID,
                             "column %s is scaled alike by all clients, and there is no such scaling", used->name);
                break;
            }
            leaf->mean[u] = scaling->mean[used->index];
            leaf->deviation[u] = scaling->deviation[used->index];
        } else if (number && used->spec->scale == WM_SCALE_CLIENT && marks != NULL) {
            scale_by_client(leaf, marks, u);
        }
        for (size_t c = 0; c < used->channels; c++) {
            bool value = number && c == 0; /* the other channels are masks, sines, ones: as they are */

            leaf->channel_mean[used->first + c] = value ? (float)leaf->mean[u] : 0;
            leaf->channel_gain[used->first + c] = value ? (float)(1 / leaf->deviation[u]) : 1;
        }
    }
    find_yardsticks(leaf, marks);
    free(marks);
    leaf->scaled = st == WM_OK;
    return st;
}

void wm_examples_scale_like(wm_examples *examples, const wm_examples *like)
{
    const wm_layout *layout = examples->layout;

    assert(examples->members == NULL && like->members == NULL && layout->width == like->layout->width);
    memcpy(examples->mean, like->mean, layout->n_used * sizeof *examples->mean);
    memcpy(examples->deviation, like->deviation, layout->n_used * sizeof *examples->deviation);
    memcpy(examples->channel_mean, like->channel_mean, layout->width * sizeof *examples->channel_mean);
    memcpy(examples->channel_gain, like->channel_gain, layout->width * sizeof *examples->channel_gain);
    examples->scaled = true;
}

wm_status wm_examples_scale(wm_examples *examples, const wm_scaling *scaling, wm_error *err)
{
    if (examples->members == NULL)
        return scale_leaf(examples, scaling, err);
    /* Members may be in use by other threads: those that are scaled stay untouched. */
    for (size_t m = 0; m < examples->n_members; m++) {
        wm_status st = examples->members[m]->scaled ? WM_OK : scale_leaf(examples->members[m], scaling, err);

        if (st != WM_OK)
            return st;
    }
    examples->scaled = true;
    return WM_OK;
}
