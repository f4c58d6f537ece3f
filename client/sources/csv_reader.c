/* client/sources/csv_reader.c */
#include "client/sources/csv_reader.h"

#include "client/sources/patterns.h"
#include "common/grow.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 << 10 };

const wm_csv_limits wm_csv_limits_usual = { .file_bytes = 4ull << 30, .line_bytes = 1 << 20, .cells = 16384 };

struct wm_csv {
    wm_stream    *stream;
    char         *name;
    char          separator;
    wm_csv_limits limits;

    /* bytes[begin..end) is read and not yet given out; a row's cells point into it, so it moves only between rows. */
    char  *bytes;
    size_t begin, end, room;
    bool   at_end, cut_off, started;

    wm_csv_cell *cells;
    size_t       cells_room;
    size_t       line, next_line;
};

wm_status wm_csv_open(const char *path, char separator, const wm_csv_limits *limits, wm_csv **ret, wm_error *err)
{
    wm_csv   *csv = calloc(1, sizeof *csv);
    wm_status st;

    if (csv == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to read %s", path);
    csv->separator = separator;
    csv->limits = *limits;
    csv->room = 2 * BLOCK;
    csv->next_line = 1;
    csv->name = strdup(wm_path_name(path));
    csv->bytes = malloc(csv->room);
    if (csv->name == NULL || csv->bytes == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory to read %s", path);
    else
        st = wm_stream_open(path, limits->file_bytes, &csv->stream, err);
    if (st == WM_OK)
        *ret = csv;
    else
        wm_csv_close(csv);
    return st;
}

void wm_csv_close(wm_csv *csv)
{
    if (csv == NULL)
        return;
    wm_stream_close(csv->stream);
    free(csv->name);
    free(csv->bytes);
    free(csv->cells);
    free(csv);
}

size_t wm_csv_line(const wm_csv *csv)
{
    return csv->line;
}

bool wm_csv_cut_off(const wm_csv *csv)
{
    return csv->cut_off;
}

const char *wm_csv_name(const wm_csv *csv)
{
    return csv->name;
}

static wm_status too_long(const wm_csv *csv, size_t line, wm_error *err)
{
    return wm_fail(err, WM_E_MALFORMED, "%s:%zu: a row of more than %zu bytes: is a quote not closed?", csv->name,
                   line, csv->limits.line_bytes);
}

/* More bytes behind those that are there; at_end is set when there are none. */
static wm_status read_more(wm_csv *csv, wm_error *err)
{
    size_t    got;
    wm_status st;

    if (csv->begin > 0) {
        memmove(csv->bytes, csv->bytes + csv->begin, csv->end - csv->begin);
        csv->end -= csv->begin;
        csv->begin = 0;
    }
    if (csv->end > csv->limits.line_bytes + BLOCK)
        return too_long(csv, csv->next_line, err);
    if (csv->room - csv->end < BLOCK) {
        char *bytes = realloc(csv->bytes, 2 * csv->room);

        if (bytes == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for a line of %s", csv->name);
        csv->bytes = bytes;
        csv->room *= 2;
    }
    st = wm_stream_read(csv->stream, csv->bytes + csv->end, BLOCK, &got, err);
    if (st != WM_OK)
        return st;
    csv->end += got;
    csv->at_end = got == 0;
    return WM_OK;
}

/* The byte-order mark of UTF-8 is skipped; UTF-16's are named, since what follows would be a riddle. */
static wm_status begin_file(wm_csv *csv, wm_error *err)
{
    const unsigned char *b;
    wm_status            st = read_more(csv, err);

    csv->started = true;
    if (st != WM_OK)
        return st;
    b = (const unsigned char *)csv->bytes;
    if (csv->end >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff)))
        return wm_fail(err, WM_E_MALFORMED, "%s:1:1: the file is in UTF-16: save it as CSV in UTF-8", csv->name);
    if (csv->end >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf)
        csv->begin = 3;
    return WM_OK;
}

/* Where in a row a character stands. Quotes count only where a cell begins with one, so that 5" pipe and 5"" pipe are
 * cells; split_row below must see every one of them as this does. */
typedef enum place_in_row {
    CELL_BEGINS, /* blanks before the cell included */
    IN_PLAIN,
    IN_QUOTES,
    QUOTE_SEEN, /* the closing one, or the first of a doubled one */
    AFTER_QUOTES,
} place_in_row;

static place_in_row place_after(place_in_row place, char c, char separator)
{
    if (place == IN_QUOTES)
        return c == '"' ? QUOTE_SEEN : IN_QUOTES;
    if (place == QUOTE_SEEN && c == '"')
        return IN_QUOTES;
    if (c == separator)
        return CELL_BEGINS;
    if (place == CELL_BEGINS)
        return c == ' ' ? CELL_BEGINS : c == '"' ? IN_QUOTES : IN_PLAIN;
    return place == IN_PLAIN ? IN_PLAIN : AFTER_QUOTES;
}

/* The end of the row that begins at `begin`: the place of its line end, outside quotes. *lines: how many lines it has. */
static wm_status find_row_end(wm_csv *csv, size_t *row_end, size_t *lines, wm_error *err)
{
    size_t       i = 0; /* from begin, which moves when more is read */
    place_in_row place = CELL_BEGINS;

    *lines = 1;
    for (;;) {
        for (; csv->begin + i < csv->end; i++) {
            char c = csv->bytes[csv->begin + i];

            if (c == '\n' && place != IN_QUOTES) {
                *row_end = csv->begin + i;
                return WM_OK;
            }
            *lines += c == '\n';
            place = place_after(place, c, csv->separator);
        }
        if (csv->at_end)
            break;
        wm_status st = read_more(csv, err);

        if (st != WM_OK)
            return st;
    }
    if (place == IN_QUOTES)
        return wm_fail(err, WM_E_MALFORMED, "%s:%zu: a quote that begins here is not closed", csv->name,
                       csv->next_line);
    csv->cut_off = i > 0;
    *row_end = csv->end;
    return WM_OK;
}

static wm_status add_cell(wm_csv *csv, size_t i, wm_csv_cell cell, wm_error *err)
{
    wm_csv_cell *cells;

    if (i == csv->limits.cells)
        return wm_fail(err, WM_E_MALFORMED, "%s:%zu: more than %zu cells in a row", csv->name, csv->line,
                       csv->limits.cells);
    cells = wm_grow(csv->cells, i, &csv->cells_room, sizeof *cells);
    if (cells == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the cells of %s", csv->name);
    csv->cells = cells;
    csv->cells[i] = cell;
    return WM_OK;
}

/* A cell in quotes at *at, which is left behind it; doubled quotes become one, in place. */
static wm_status take_quoted(wm_csv *csv, char *row, char **at, char *end, wm_csv_cell *cell, wm_error *err)
{
    char *from = *at + 1, *to = from;

    cell->text = from;
    for (; from < end; from++) {
        if (*from == '"') {
            if (from + 1 < end && from[1] == '"')
                from++;
            else
                break;
        }
        *to++ = *from;
    }
    assert(from < end); /* find_row_end has seen the closing quote */
    cell->n = (size_t)(to - cell->text);
    for (from++; from < end && *from == ' ' && csv->separator != ' '; from++)
        ;
    if (from < end && *from != csv->separator)
        return wm_fail(err, WM_E_MALFORMED,
                       "%s:%zu:%zu: text after a closing quote (a quote in a cell is written \"\")", csv->name,
                       csv->line, (size_t)(from - row) + 1);
    *at = from;
    return WM_OK;
}

static void take_plain(const wm_csv *csv, char **at, char *end, wm_csv_cell *cell)
{
    char *stop = memchr(*at, csv->separator, (size_t)(end - *at)), *last;

    if (stop == NULL)
        stop = end;
    for (last = stop; last > *at && (last[-1] == ' ' || last[-1] == '\t'); last--)
        ;
    cell->text = *at;
    cell->n = (size_t)(last - *at);
    *at = stop;
}

static wm_status split_row(wm_csv *csv, char *row, char *end, size_t *n, wm_error *err)
{
    char  *at = row;
    size_t count = 0;

    for (;;) {
        wm_csv_cell cell;
        wm_status   st = WM_OK;

        while (at < end && *at == ' ' && csv->separator != ' ')
            at++;
        cell.column = (size_t)(at - row) + 1;
        if (at < end && *at == '"')
            st = take_quoted(csv, row, &at, end, &cell, err);
        else
            take_plain(csv, &at, end, &cell);
        if (st == WM_OK)
            st = add_cell(csv, count++, cell, err);
        if (st != WM_OK)
            return st;
        if (at == end)
            break;
        at++; /* the separator */
    }
    *n = count;
    return WM_OK;
}

static bool is_blank(const char *row, const char *end)
{
    while (row < end && (*row == ' ' || *row == '\t' || *row == '\r'))
        row++;
    return row == end;
}

wm_status wm_csv_next(wm_csv *csv, const wm_csv_cell **cells, size_t *n, wm_error *err)
{
    wm_status st = csv->started ? WM_OK : begin_file(csv, err);

    while (st == WM_OK) {
        size_t row_end = 0, lines;
        char  *row, *end;
        void  *zero;

        st = find_row_end(csv, &row_end, &lines, err);
        if (st != WM_OK)
            break;
        row = csv->bytes + csv->begin;
        end = csv->bytes + row_end;
        if (row == end && row_end == csv->end && csv->at_end) {
            *n = 0;
            return WM_OK;
        }
        csv->line = csv->next_line;
        csv->next_line += lines;
        csv->begin = row_end < csv->end ? row_end + 1 : row_end;
        if (end > row && end[-1] == '\r')
            end--;
        if (is_blank(row, end))
            continue;
        if ((size_t)(end - row) > csv->limits.line_bytes)
            return too_long(csv, csv->line, err);
        zero = memchr(row, '\0', (size_t)(end - row));
        if (zero != NULL)
            return wm_fail(err, WM_E_MALFORMED, "%s:%zu:%zu: a zero byte: this is no text file", csv->name,
                           csv->line, (size_t)((char *)zero - row) + 1);
        st = split_row(csv, row, end, n, err);
        *cells = csv->cells;
        return st;
    }
    return st;
}

/* ---- numbers ---- */

bool wm_number_parse(const char *text, size_t n, char decimal, double *ret)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const char         *at = text, *end = text + n;
    uint64_t            digits = 0;
    int                 n_digits = 0, seen = 0, places = 0;
    char                copy[64], *stop;

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; at < end && isdigit((unsigned char)*at); at++, seen++)
        if (digits > 0 || *at != '0') {
            digits = n_digits < 18 ? digits * 10 + (uint64_t)(*at - '0') : digits;
            n_digits++;
        }
    if (at < end && *at == decimal)
        for (at++; at < end && isdigit((unsigned char)*at); at++, seen++, places++)
            if (digits > 0 || *at != '0') {
                digits = n_digits < 18 ? digits * 10 + (uint64_t)(*at - '0') : digits;
                n_digits++;
            }
    if (seen == 0)
        return false;
    /* Up to 2^53 and 10^22 both sides are exact, and so one division rounds correctly (Clinger 1990). */
    if (at == end && n_digits <= 15 && places <= 22) {
        *ret = (*text == '-' ? -1.0 : 1.0) * ((double)digits / tens[places]);
        return true;
    }
    if (at < end) {
        if (*at != 'e' && *at != 'E')
            return false;
        at++;
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        if (at == end)
            return false;
        for (; at < end; at++)
            if (!isdigit((unsigned char)*at))
                return false;
    }
    if (n >= sizeof copy)
        return false;
    for (size_t i = 0; i < n; i++)
        copy[i] = text[i] == decimal ? '.' : text[i];
    copy[n] = '\0';
    *ret = strtod(copy, &stop);
    return stop == copy + n;
}
