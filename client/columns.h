/* client/columns.h
 *
 * From a cell of a file to channels of a row, by the kind of column. A cell first becomes a code, one float: a
 * number itself, degrees for a compass, the index of a category; NaN is missing. The code becomes channels once its
 * time is known: a number is one channel, a compass and a cycle are sine and cosine, a category is one-hot. */
#ifndef WM_CLIENT_COLUMNS_H
#define WM_CLIENT_COLUMNS_H

#include "client/layout.h"

/* What a source reads for a wanted column. */
typedef enum wm_cell_kind { WM_CELL_NUMBER, WM_CELL_WORD } wm_cell_kind;

typedef struct wm_cell {
    const char *text; /* a word: text[n], not zero-terminated; n == 0: missing */
    size_t      n;
    double      number; /* a number; NaN: missing */
} wm_cell;

wm_cell_kind wm_column_cell(const wm_used *used);

/* NaN where the cell is missing, out of range, no direction or none of the categories. */
float wm_column_code(const wm_used *used, const wm_cell *cell);

/* channels[used->channels] <- a reading's; the mask is 0. The code is not NaN. */
void wm_column_channels(const wm_used *used, float code, float *channels);

/* channels[2] <- sine and cosine of the local time within the cycle; and the mask, if there is one, 0. */
void wm_column_cycle(const wm_used *used, int64_t local_ms, float *channels);

/* A step of time as one number of the order of 1, from seconds to months: log(1 + seconds) / 10. */
float wm_column_elapsed(int64_t ms);

/* Where a channel of a row came from. */
typedef enum wm_state {
    WM_STATE_MISSING,
    WM_STATE_READ,
    WM_STATE_FILLED,  /* from readings before it */
    WM_STATE_BETWEEN, /* from a reading after it too: known only once that has come */
} wm_state;

/* Fills gaps of one column in n rows that belong together, in order of time: rows[n][width], states[n][n_used]
 * (column `used` of it is looked at and changed). `last`, `zero`: the first `limit` steps of a gap; `linear`: gaps of
 * up to `limit` steps, numbers only (other kinds take the last value). Returns how many were filled. */
size_t wm_column_fill(const wm_used *used, size_t column, size_t n_used, size_t n, size_t width, float *rows,
                      uint8_t *states);

#endif
