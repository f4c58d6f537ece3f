/* common/table.h
 *
 * Tables for a terminal, whose columns line up whatever the script: widths are those of UTF-8 characters on a
 * screen, not bytes. What comes from outside may be put in as it is: control characters and broken UTF-8 are
 * shown as "?", so that a name cannot move the cursor. */
#ifndef WM_COMMON_TABLE_H
#define WM_COMMON_TABLE_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

typedef struct wm_table_column {
    const char *title;
    bool        right; /* numbers */
} wm_table_column;

typedef struct wm_table {
    const wm_table_column *columns; /* borrowed */
    size_t                 n_columns;
    wm_text                cells; /* each ends with a zero */
    size_t                 n_cells;
} wm_table;

void wm_table_init(wm_table *table, const wm_table_column *columns, size_t n_columns);
void wm_table_release(wm_table *table);

/* The next cell, from left to right and down. */
__attribute__((format(printf, 2, 3))) void wm_table_cell(wm_table *table, const char *fmt, ...);

/* The cell for a number of `digits` after the point; "-" for NaN. */
void wm_table_number(wm_table *table, int digits, double value);

/* Titles, a line under them, the rows; the last one is filled up if cells are missing. */
void wm_table_write(const wm_table *table, wm_text *ret);

/* One character of UTF-8: its code point (or -1 if it is not valid) and how many bytes it takes, at least 1; n > 0.
 * Overlong forms and surrogates are not valid. */
int32_t wm_utf8_next(const char *text, size_t n, size_t *n_bytes);

/* How many columns text[n] takes on a screen: combining marks 0, East Asian wide characters and emoji 2. */
size_t wm_screen_width(const char *text, size_t n);

/* How many bytes of text[n] fit in `columns`, in whole characters. */
size_t wm_screen_fit(const char *text, size_t n, size_t columns);

/* Adds text[n], with what is not printable as "?". */
void wm_text_add_printable(wm_text *to, const char *text, size_t n);

#endif
