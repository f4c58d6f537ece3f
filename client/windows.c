/* client/windows.c */
#include "client/windows.h"

#include "client/owner_names.h"
#include "common/rng.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void wm_laid_release(wm_laid *laid)
{
    for (size_t p = 0; p < WM_PARTS; p++)
        free(laid->at[p]);
    *laid = (wm_laid){ 0 };
}

wm_status wm_file_parts(const wm_job *job, char *const *names, size_t n, uint8_t **ret, wm_error *err)
{
    const wm_job_split *split = &job->data.split;
    uint8_t            *parts = calloc(n + 1, 1);

    if (parts == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the parts of %zu files", n);
    for (size_t i = 0; split->kind == WM_SPLIT_FILES && i < n; i++) {
        if (split->test_files != NULL && fnmatch(split->test_files, names[i], 0) == 0)
            parts[i] = WM_TEST;
        else if (split->validate_files != NULL && fnmatch(split->validate_files, names[i], 0) == 0)
            parts[i] = WM_VALIDATE;
    }
    *ret = parts;
    return WM_OK;
}

/* ---- which rows ---- */

/* Has the input, at row r, all that it takes? A cell that is BETWEEN is known at r only if the gap is over by then,
 * which it is unless r itself is in it. */
static bool row_holds(const wm_grid *grid, const wm_layout_input *input, size_t row)
{
    for (size_t c = 0; c < input->n_used; c++)
        if (wm_grid_state(grid, row, input->used[c]) == WM_STATE_MISSING)
            return false;
    return true;
}

static bool row_is_known(const wm_grid *grid, const wm_layout_input *input, size_t row)
{
    for (size_t c = 0; c < input->n_used; c++)
        if (wm_grid_state(grid, row, input->used[c]) == WM_STATE_BETWEEN)
            return false;
    return true;
}

/* ok[row] stays true only where a window of input i that belongs to it is whole. run[row]: steps in a row, so far,
 * that are. */
static void check_window(const wm_grid *grid, size_t i, uint32_t *run, bool *ok)
{
    const wm_layout_input *input = &grid->layout->inputs[i];
    size_t                 length = (size_t)grid->layout->job->data.inputs[i].length, stride = grid->pace.stride[i];
    size_t                 ago = grid->pace.ago[i];

    for (size_t s = 0; s < grid->n_series; s++) {
        for (size_t row = grid->series[s].begin; row < grid->series[s].end; row++) {
            bool has_before = row - grid->series[s].begin >= stride;

            run[row] = row_holds(grid, input, row) ? (has_before ? run[row - stride] : 0) + 1 : 0;
        }
        for (size_t row = grid->series[s].begin; row < grid->series[s].end; row++)
            ok[row] = ok[row] && row - grid->series[s].begin >= ago && run[row - ago] >= length &&
                      row_is_known(grid, input, row - ago);
    }
}

static bool same_reading(const wm_grid *grid, size_t used, size_t row)
{
    const wm_used *column = &grid->layout->used[used];
    const float *now = wm_grid_row(grid, row) + column->first, *before = wm_grid_row(grid, row - 1) + column->first;

    return wm_grid_state(grid, row - 1, used) == WM_STATE_READ &&
           memcmp(now, before, column->channels * sizeof *now) == 0;
}

/* chosen[row]: may an example end here, whatever its window holds? Each so many-th row may, counted from the first
 * that has rows enough behind it: of its series, or of the stretch in which the job's column `within` says the same. */
static void choose_rows(const wm_grid *grid, bool *chosen)
{
    const wm_job_data *data = &grid->layout->job->data;
    size_t             within = grid->layout->within, every = data->every > 0 ? (size_t)data->every : 1;

    for (size_t s = 0; s < grid->n_series; s++) {
        size_t begin = grid->series[s].begin; /* of the stretch */

        for (size_t row = begin; row < grid->series[s].end; row++) {
            if (within != SIZE_MAX && wm_grid_state(grid, row, within) != WM_STATE_READ)
                begin = row + 1;
            else if (within != SIZE_MAX && row > begin && !same_reading(grid, within, row))
                begin = row;
            chosen[row] = row >= begin + grid->pace.back && (row - begin - grid->pace.back) % every == 0;
        }
    }
}

static bool targets_hold(const wm_grid *grid, size_t row)
{
    const wm_layout *layout = grid->layout;

    for (size_t t = 0; t < layout->job->data.n_targets; t++) {
        const wm_job_target *target = &layout->job->data.targets[t];
        size_t               used = layout->target_used[t];

        if (target->of_input)
            continue; /* all of it holds, or this is no example */
        if (target->ahead.count == 0) {
            if (wm_grid_state(grid, row, used) != WM_STATE_READ)
                return false;
            continue;
        }
        if (wm_grid_state(grid, row, used) == WM_STATE_MISSING ||
            wm_grid_state(grid, row, used) == WM_STATE_BETWEEN)
            return false;
        for (size_t h = 0; h < target->ahead.count; h++)
            if (wm_grid_state(grid, row + grid->pace.ahead[t][h], used) != WM_STATE_READ)
                return false;
    }
    return true;
}

/* To be predicted a target need not be known; but a change is told from the value now. */
static bool targets_can_be_told(const wm_grid *grid, size_t row)
{
    const wm_layout *layout = grid->layout;

    for (size_t t = 0; t < layout->job->data.n_targets; t++) {
        wm_state now;

        if (!layout->job->data.targets[t].difference)
            continue;
        now = wm_grid_state(grid, row, layout->target_used[t]);
        if (now == WM_STATE_MISSING || now == WM_STATE_BETWEEN)
            return false;
    }
    return true;
}

static bool has_at_inputs(const wm_job *job)
{
    for (size_t i = 0; i < job->data.n_inputs; i++)
        if (job->data.inputs[i].kind == WM_INPUT_AT)
            return true;
    return false;
}

static bool at_inputs_hold(const wm_grid *grid, size_t row)
{
    for (size_t i = 0; i < grid->layout->job->data.n_inputs; i++)
        if (grid->layout->job->data.inputs[i].kind == WM_INPUT_AT &&
            (!row_holds(grid, &grid->layout->inputs[i], row + grid->pace.at) ||
             !row_is_known(grid, &grid->layout->inputs[i], row + grid->pace.at)))
            return false;
    return true;
}

/* rows[0..*n-1] <- the rows that are examples. Counts the readings that might have been and are not. */
static wm_status find_examples(const wm_grid *grid, uint32_t *rows, size_t *n, size_t *dropped, wm_error *err)
{
    const wm_pace *pace = &grid->pace;
    uint32_t      *run = malloc(grid->n * sizeof *run);
    bool          *ok = malloc(grid->n * sizeof *ok), *chosen = malloc(grid->n * sizeof *chosen);
    bool           predicts = grid->layout->predicts;
    size_t    ahead = predicts && !has_at_inputs(grid->layout->job) ? 0 : pace->at; /* rows that must be there */
    wm_status st = WM_OK;

    if (run == NULL || ok == NULL || chosen == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to lay windows over %zu rows", grid->n);
        goto out;
    }
    memset(ok, true, grid->n * sizeof *ok);
    choose_rows(grid, chosen);
    for (size_t i = 0; i < grid->layout->job->data.n_inputs; i++)
        if (grid->layout->job->data.inputs[i].kind == WM_INPUT_WINDOW)
            check_window(grid, i, run, ok);
    *n = *dropped = 0;
    for (size_t s = 0; s < grid->n_series; s++) {
        const wm_series *series = &grid->series[s];

        for (size_t row = series->begin + pace->back; row + ahead < series->end; row++) {
            if (!chosen[row])
                continue;
            if (ok[row] && at_inputs_hold(grid, row) &&
                (predicts ? targets_can_be_told(grid, row) : targets_hold(grid, row)))
                rows[(*n)++] = (uint32_t)row;
            else
                ++*dropped;
        }
    }
out:
    free(run);
    free(ok);
    free(chosen);
    return st;
}

/* ---- which part ---- */

static wm_status add_part(wm_laid *laid, wm_part part, const uint32_t *rows, size_t n, wm_error *err)
{
    uint32_t *copy = malloc((n + 1) * sizeof *copy);

    if (copy == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu examples", n);
    if (n > 0)
        memcpy(copy, rows, n * sizeof *copy);
    free(laid->at[part]);
    laid->at[part] = copy;
    laid->counts[part] = n;
    return WM_OK;
}

/* Deals rows[n] into parts by part_of; keeps their order. part_of WM_PARTS: none. */
static wm_status add_by(wm_laid *laid, const uint32_t *rows, size_t n, const uint8_t *part_of, wm_error *err)
{
    uint32_t *some = malloc((n + 1) * sizeof *some);
    wm_status st = some != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for %zu examples", n);

    for (int p = 0; st == WM_OK && p < WM_PARTS; p++) {
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
            if (part_of[i] == p)
                some[count++] = rows[i];
        st = add_part(laid, (wm_part)p, some, count, err);
    }
    free(some);
    return st;
}

/* The places in an order of n where training ends and where validation ends. A job that gives no shares trains on all
 * (a split by owners). */
static void cuts(const wm_job_split *split, size_t n, size_t *train, size_t *validate)
{
    double all = split->train + split->validate + split->test;

    *train = all > 0 ? (size_t)((double)n * (split->train / all) + 0.5) : n;
    *validate = all > 0 ? (size_t)((double)n * ((split->train + split->validate) / all) + 0.5) : n;
    *train = *train > n ? n : *train;
    *validate = *validate > n ? n : *validate < *train ? *train : *validate;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Divides those examples that part_of has in training so far; the others stay where they are. */
static wm_status part_by_time(const wm_grid *grid, const uint32_t *rows, size_t n, uint8_t *part_of, wm_error *err)
{
    int64_t *times = malloc((n + 1) * sizeof *times), first, second; /* of validation, of test */
    size_t   n_times = 0, train, validate;

    if (times == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to split %zu examples", n);
    for (size_t i = 0; i < n; i++)
        if (part_of[i] == WM_TRAIN)
            times[n_times++] = grid->times[rows[i]];
    qsort(times, n_times, sizeof *times, by_value);
    cuts(&grid->layout->job->data.split, n_times, &train, &validate);
    first = train < n_times ? times[train] : INT64_MAX;
    second = validate < n_times ? times[validate] : INT64_MAX;
    free(times);
    for (size_t i = 0; i < n; i++) {
        int64_t begin = grid->times[rows[i] - grid->pace.back], end = grid->times[rows[i] + grid->pace.at];

        if (part_of[i] != WM_TRAIN)
            continue;
        part_of[i] = end < first                      ? WM_TRAIN
                     : begin >= first && end < second ? WM_VALIDATE
                     : begin >= second                ? WM_TEST
                                                      : WM_PARTS;
    }
    return WM_OK;
}

static wm_status part_at_random(const wm_job *job, const char *owner, size_t n, uint8_t *part_of, wm_error *err)
{
    uint32_t *order = malloc((n + 1) * sizeof *order);
    size_t    train, validate;
    wm_rng    rng;

    if (order == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to split %zu examples", n);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    wm_rng_init_keyed(&rng, job->seed, "split", 0, owner);
    wm_rng_shuffle(&rng, order, n);
    cuts(&job->data.split, n, &train, &validate);
    for (size_t i = 0; i < n; i++)
        part_of[order[i]] = i < train ? WM_TRAIN : i < validate ? WM_VALIDATE : WM_TEST;
    free(order);
    return WM_OK;
}

/* The split's owners are written as in the data; ours is fit for a certificate. */
static bool owner_is_listed(const wm_words *owners, const char *owner)
{
    char name[WM_OWNER_NAME_MAX + 1];

    for (size_t i = 0; i < owners->count; i++)
        if (wm_owner_name(owners->items[i], strlen(owners->items[i]), name) && strcmp(name, owner) == 0)
            return true;
    return false;
}

/* An example is of a part only if all that it looks at and predicts is. */
static void part_by_rows(const wm_grid *grid, const uint32_t *rows, size_t n, uint8_t *part_of)
{
    const wm_job_split *split = &grid->layout->job->data.split;
    size_t              train = (size_t)split->rows, validate = train + (size_t)split->rows_validate;

    for (size_t i = 0; i < n; i++) {
        const wm_series *series = wm_grid_series(grid, rows[i]);
        size_t           first = series->first + rows[i] - series->begin - grid->pace.back;
        size_t           last = series->first + rows[i] - series->begin + grid->pace.at;

        part_of[i] = last < train                        ? WM_TRAIN
                     : first >= train && last < validate ? WM_VALIDATE
                     : first >= validate                 ? WM_TEST
                                                         : WM_PARTS;
    }
}

static wm_status part_rows(const wm_grid *grid, const uint8_t *file_parts, const char *owner, const uint32_t *rows,
                           size_t n, uint8_t *part_of, wm_error *err)
{
    const wm_job *job = grid->layout->job;

    memset(part_of, WM_TRAIN, n);
    switch (job->data.split.kind) {
    case WM_SPLIT_RANDOM:
        if (grid->pace.back > 0 || grid->pace.at > 0)
            return wm_fail(
                err, WM_E_INVALID,
                "data.split: a random split would show readings of the test part in training, since windows "
                "overlap: split by time");
        return part_at_random(job, owner, n, part_of, err);
    case WM_SPLIT_FILES:
        for (size_t i = 0; i < n; i++)
            part_of[i] = file_parts[wm_grid_series(grid, rows[i])->file];
        break;
    case WM_SPLIT_OWNERS:
        if (owner_is_listed(&job->data.split.owners, owner)) {
            memset(part_of, WM_TEST, n);
            return WM_OK;
        }
        break;
    case WM_SPLIT_ROWS:
        part_by_rows(grid, rows, n, part_of);
        return WM_OK;
    case WM_SPLIT_TIME:
        break;
    }
    return part_by_time(grid, rows, n, part_of, err);
}

/* A detector learns what is normal: an example that looks at a reading which is known to be an anomaly does not train
 * it. In the other parts such examples stay, to measure by. */
static void leave_out_anomalies(const wm_grid *grid, const uint32_t *rows, size_t n, uint8_t *part_of)
{
    for (size_t i = 0; i < n; i++)
        for (size_t row = rows[i] - grid->pace.back; part_of[i] == WM_TRAIN && row <= rows[i] + grid->pace.at;
             row++)
            if (wm_grid_normality(grid, row) == WM_ANOMALY)
                part_of[i] = WM_PARTS;
}

static wm_status all_to_test(uint8_t *part_of, size_t n)
{
    memset(part_of, WM_TEST, n);
    return WM_OK;
}

wm_status wm_windows_lay(const wm_grid *grid, const uint8_t *file_parts, const char *owner, wm_laid *ret,
                         wm_error *err)
{
    wm_laid   laid = { 0 };
    uint32_t *rows = malloc(grid->n * sizeof *rows);
    uint8_t  *part_of = malloc(grid->n);
    size_t    n = 0;
    wm_status st;

    if (rows == NULL || part_of == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory to lay windows over %zu rows", grid->n);
    else if ((st = find_examples(grid, rows, &n, &laid.dropped, err)) == WM_OK &&
             (st = grid->layout->predicts ? all_to_test(part_of, n)
                                          : part_rows(grid, file_parts, owner, rows, n, part_of, err)) == WM_OK) {
        if (grid->layout->label != SIZE_MAX)
            leave_out_anomalies(grid, rows, n, part_of);
        st = add_by(&laid, rows, n, part_of, err);
    }
    free(rows);
    free(part_of);
    if (st == WM_OK)
        *ret = laid;
    else
        wm_laid_release(&laid);
    return st;
}

wm_status wm_images_lay(const wm_layout *layout, const wm_images *images, const uint8_t *file_parts,
                        const char *owner, wm_laid *ret, wm_error *err)
{
    const wm_job_split *split = &layout->job->data.split;
    wm_laid             laid = { 0 };
    uint32_t           *rows = malloc((images->n + 1) * sizeof *rows);
    uint8_t            *part_of = malloc(images->n + 1);
    size_t              n = 0, place = 0, train, validate;
    wm_status           st = WM_OK;

    if (rows == NULL || part_of == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for %zu images", images->n);
        goto out;
    }
    for (size_t i = 0; i < images->n; i++) {
        rows[i] = (uint32_t)i;
        part_of[i] = split->kind == WM_SPLIT_FILES ? file_parts[images->files[i]] : WM_TRAIN;
        n += part_of[i] == WM_TRAIN;
    }
    cuts(split, n, &train, &validate);
    for (size_t i = 0; i < images->n; i++) {
        if (part_of[i] != WM_TRAIN)
            continue;
        part_of[i] = place < train ? WM_TRAIN : place < validate ? WM_VALIDATE : WM_TEST;
        place++;
    }
    if (split->kind == WM_SPLIT_RANDOM)
        st = part_at_random(layout->job, owner, images->n, part_of, err);
    else if (split->kind == WM_SPLIT_OWNERS && owner_is_listed(&split->owners, owner))
        memset(part_of, WM_TEST, images->n);
    if (layout->predicts)
        memset(part_of, WM_TEST, images->n);
    if (st == WM_OK)
        st = add_by(&laid, rows, images->n, part_of, err);
out:
    free(rows);
    free(part_of);
    if (st == WM_OK)
        *ret = laid;
    else
        wm_laid_release(&laid);
    return st;
}
