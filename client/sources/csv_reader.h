/* client/sources/csv_reader.h
 *
 * Rows and cells of a CSV file as people and loggers write them: RFC 4180, and beyond it any separator, LF or CRLF or
 * both, a byte-order mark, spaces around cells, quotes only where needed, a line end inside quotes, empty lines. What
 * cannot be meant is an error with file:line:column: a quote that is not closed, text after a closing quote, bytes
 * that are no text, a line beyond the limit. One thread. */
#ifndef WM_CLIENT_SOURCES_CSV_READER_H
#define WM_CLIENT_SOURCES_CSV_READER_H

#include "client/sources/stream.h"

#include <stdbool.h>

typedef struct wm_csv wm_csv;

typedef struct wm_csv_limits {
    uint64_t file_bytes; /* unpacked */
    size_t   line_bytes; /* of a row */
    size_t   cells;      /* in a row */
} wm_csv_limits;

extern const wm_csv_limits wm_csv_limits_usual; /* 4 GiB, 1 MiB, 16,384 */

typedef struct wm_csv_cell {
    const char *text; /* without quotes and the spaces around; not zero-terminated; valid until the next row */
    size_t      n;
    size_t      column; /* from 1, in bytes of the line; for messages */
} wm_csv_cell;

wm_status wm_csv_open(const char *path, char separator, const wm_csv_limits *limits, wm_csv **ret, wm_error *err);
void      wm_csv_close(wm_csv *csv);

/* The next row that is not empty; *n is 0 at the end. WM_E_MALFORMED, WM_E_IO, WM_E_NOMEM. */
wm_status wm_csv_next(wm_csv *csv, const wm_csv_cell **cells, size_t *n, wm_error *err);

size_t      wm_csv_line(const wm_csv *csv);    /* where the last row began, from 1 */
bool        wm_csv_cut_off(const wm_csv *csv); /* the last row had no line end: the file may still be written */
const char *wm_csv_name(const wm_csv *csv);    /* of the file, without its folder */

/* A decimal number, in full: digits, one `decimal` sign, an exponent. Correctly rounded. false if text[n] is not one;
 * "inf" and "0x10" are not. */
bool wm_number_parse(const char *text, size_t n, char decimal, double *ret);

#endif
