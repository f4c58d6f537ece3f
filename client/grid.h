/* client/grid.h
 *
 * One owner's readings: rows of channels on a regular grid in time, gaps filled by the columns' rules.
 * Every file, and within it every text of the job's series column, is a series of its own, and a gap that no example
 * could reach across ends a series too, so that years of silence cost nothing. Within a series the row after the next is
 * two steps later.
 *
 * A reading falls on the nearest step; where two fall on the same, the last one in the file wins. Without time, rows
 * are a step apart in the order of the file; events are so in order of time. Immutable once made. */
#ifndef WM_CLIENT_GRID_H
#define WM_CLIENT_GRID_H

#include "client/readings.h"
#include "models/metric.h"

/* How the job's durations count in rows of this owner's data. */
typedef struct wm_pace {
    int64_t step_ms;               /* 0: no time */
    size_t  stride[WM_INPUTS_MAX]; /* rows between the steps of a window */
    size_t  ago[WM_INPUTS_MAX];    /* rows from a window's end to now */
    size_t *ahead[WM_TARGETS_MAX]; /* [target_width] rows from now to each horizon; NULL: the target is at now */
    size_t  at;                    /* rows from now to where `at` inputs are taken: the farthest horizon */
    size_t  back;                  /* rows from now back to the first that an example uses */
    size_t  reach;                 /* rows a gap can be long and yet inside an example */
    size_t *memory;
} wm_pace;

typedef struct wm_series {
    size_t   begin, end; /* rows */
    size_t   first;      /* readings of the same series of the data before this one: a long gap begins a new one */
    uint32_t file;
} wm_series;

typedef struct wm_grid {
    const wm_layout *layout; /* borrowed */
    wm_pace          pace;
    size_t           n;
    float           *rows;   /* [n][layout->width], in the data's units */
    uint8_t         *states; /* [n][layout->n_used], wm_state */
    int64_t         *times;  /* [n] UTC ms, or the number of the row */
    wm_series       *series;
    size_t           n_series;

    size_t readings;   /* rows as they were read */
    size_t missing;    /* cells of columns that come from the source */
    size_t filled;     /* of these */
    size_t duplicates; /* readings that another one replaced */
} wm_grid;

/* From the rows order[0..n-1] of the readings, which are one owner's; `order` is sorted on the way. n > 0.
 * WM_E_INVALID: the job's durations are no whole steps of these data; WM_E_NOMEM. */
wm_status wm_grid_new(const wm_readings *readings, uint32_t *order, size_t n, wm_grid **ret, wm_error *err);
void      wm_grid_free(wm_grid *grid);

/* The series that a row is in. */
const wm_series *wm_grid_series(const wm_grid *grid, size_t row);

/* What the job's label (evaluate.anomaly.label) says of a row; WM_NORMAL if the job has none. */
wm_normality wm_grid_normality(const wm_grid *grid, size_t row);

static inline const float *wm_grid_row(const wm_grid *grid, size_t row)
{
    return grid->rows + row * grid->layout->width;
}

static inline wm_state wm_grid_state(const wm_grid *grid, size_t row, size_t used)
{
    return (wm_state)grid->states[row * grid->layout->n_used + used];
}

#endif
