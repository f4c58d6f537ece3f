/* common/table.c */
#include "common/table.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- characters ---- */

int32_t wm_utf8_next(const char *text, size_t n, size_t *n_bytes)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* a shorter form would do below it */
    const uint8_t       *bytes = (const uint8_t *)text;
    size_t  size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc0 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    int32_t point;

    assert(n > 0);
    *n_bytes = 1;
    if (size == 1)
        return bytes[0];
    if (size == 0 || size > n || bytes[0] > 0xf4)
        return -1;
    point = bytes[0] & (0x7f >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return -1;
        point = point << 6 | (bytes[i] & 0x3f);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return -1;
    *n_bytes = size;
    return point;
}

typedef struct span {
    int32_t first, last;
} span;

static bool is_in(int32_t point, const span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (point >= spans[i].first && point <= spans[i].last)
            return true;
    return false;
}

/* The blocks that matter for names of places and people; a full table would be larger than this file. */
static size_t point_width(int32_t point)
{
    static const span marks[] = { { 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },
                                  { 0x64b, 0x65f },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
                                  { 0x202a, 0x202e }, { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
                                  { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff } };
    static const span wide[] = { { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },
                                 { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },
                                 { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },
                                 { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
                                 { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd } };

    if (point < 0x300)
        return 1;
    if (is_in(point, marks, sizeof marks / sizeof *marks))
        return 0;
    return is_in(point, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

size_t wm_screen_width(const char *text, size_t n)
{
    size_t width = 0, size;

    for (size_t i = 0; i < n; i += size) {
        int32_t point = wm_utf8_next(text + i, n - i, &size);

        width += point < 0 ? 1 : point_width(point);
    }
    return width;
}

size_t wm_screen_fit(const char *text, size_t n, size_t columns)
{
    size_t width = 0, size, i;

    for (i = 0; i < n; i += size) {
        int32_t point = wm_utf8_next(text + i, n - i, &size);

        width += point < 0 ? 1 : point_width(point);
        if (width > columns)
            break;
    }
    return i;
}

void wm_text_add_printable(wm_text *to, const char *text, size_t n)
{
    size_t size;

    for (size_t i = 0; i < n; i += size) {
        int32_t point = wm_utf8_next(text + i, n - i, &size);
        /* C0 and C1 controls, and the marks that turn the direction of writing. */
        bool bad = point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x202a && point <= 0x202e) ||
                   (point >= 0x2066 && point <= 0x2069);

        if (bad)
            wm_text_add(to, "?");
        else
            wm_text_add_bytes(to, text + i, size);
    }
}

/* ---- tables ---- */

void wm_table_init(wm_table *table, const wm_table_column *columns, size_t n_columns)
{
    assert(n_columns > 0);
    *table = (wm_table){ .columns = columns, .n_columns = n_columns };
}

void wm_table_release(wm_table *table)
{
    wm_text_release(&table->cells);
    table->n_cells = 0;
}

void wm_table_cell(wm_table *table, const char *fmt, ...)
{
    wm_text cell = WM_TEXT_INIT;
    va_list args;

    va_start(args, fmt);
    wm_text_vprintf(&cell, fmt, args);
    va_end(args);
    wm_text_add_printable(&table->cells, wm_text_chars(&cell), cell.size);
    wm_text_add_bytes(&table->cells, "", 1);
    table->cells.bad |= cell.bad;
    table->n_cells++;
    wm_text_release(&cell);
}

void wm_table_number(wm_table *table, int digits, double value)
{
    if (isnan(value))
        wm_table_cell(table, "-");
    else
        wm_table_cell(table, "%.*f", digits, value);
}

/* Pads to `width`; nothing behind the last cell of a line. */
static void add_cell(wm_text *to, const char *cell, size_t width, bool right, bool last)
{
    size_t n = strlen(cell), pad = width - wm_screen_width(cell, n);

    for (size_t i = 0; right && i < pad; i++)
        wm_text_add(to, " ");
    wm_text_add_bytes(to, cell, n);
    for (size_t i = 0; !right && !last && i < pad; i++)
        wm_text_add(to, " ");
    wm_text_add(to, last ? "\n" : "  ");
}

static void measure(const wm_table *table, size_t *widths)
{
    const char *cell = table->cells.chars;

    for (size_t c = 0; c < table->n_columns; c++)
        widths[c] = wm_screen_width(table->columns[c].title, strlen(table->columns[c].title));
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t n = strlen(cell), width = wm_screen_width(cell, n);

        if (width > widths[i % table->n_columns])
            widths[i % table->n_columns] = width;
        cell += n + 1;
    }
}

void wm_table_write(const wm_table *table, wm_text *ret)
{
    size_t     *widths = calloc(table->n_columns, sizeof *widths), n = table->n_columns;
    size_t      n_rows = (table->n_cells + n - 1) / n;
    const char *cell = table->cells.chars;

    if (widths == NULL || table->cells.bad) {
        ret->bad = true;
        free(widths);
        return;
    }
    measure(table, widths);
    for (size_t c = 0; c < n; c++)
        add_cell(ret, table->columns[c].title, widths[c], table->columns[c].right, c + 1 == n);
    for (size_t c = 0; c < n; c++) {
        for (size_t i = 0; i < widths[c]; i++)
            wm_text_add(ret, "-");
        wm_text_add(ret, c + 1 == n ? "\n" : "  ");
    }
    for (size_t i = 0; i < n_rows * n; i++) {
        bool there = i < table->n_cells;

        add_cell(ret, there ? cell : "", widths[i % n], table->columns[i % n].right, i % n + 1 == n);
        cell += there ? strlen(cell) + 1 : 0;
    }
    free(widths);
}
