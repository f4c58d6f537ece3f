/* client/sources/csv.c
 *
 * Readings from CSV files, plain or gzip: a header line with the names of the columns, then a row for each reading. A
 * wide table, with a column for each sensor, is melted: each of its rows becomes one for every sensor.
 * The separator, the decimal sign and the words for "missing" are options; everything else that loggers do differently
 * is the reader's to bear (csv_reader.h). A cell that is no number counts as missing and is reported once with its
 * place; a row with too few or too many cells is an error, since then nobody knows which cell is which. */
#include "client/source.h"

#include "client/sources/csv_reader.h"
#include "client/sources/options.h"
#include "client/sources/patterns.h"
#include "client/sources/seen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const decimals[] = { ".", ",", NULL }; /* by the option's number */

/* One file being read: which of its columns go where. */
typedef struct csv_file {
    const wm_csv_options *options;
    wm_readings          *readings;
    wm_csv               *csv;
    size_t               *column; /* [n_wanted] index in a row, or one of: */
    wm_cell              *cells;  /* [n_wanted] */
    size_t                n_columns;
    size_t               *melted; /* [n_melted] index in a row */
    char                **names;  /* [n_melted] their headings */
    size_t                n_melted;
    wm_seen               seen;
} csv_file;

static const size_t ABSENT = SIZE_MAX - 2, MELTED_NAME = SIZE_MAX - 1, MELTED_VALUE = SIZE_MAX;

/* The character that a separator's word means; 0 for none. */
static char separator_of(const char *word)
{
    if (strcmp(word, "tab") == 0 || strcmp(word, "\\t") == 0)
        return '\t';
    if (strcmp(word, "space") == 0)
        return ' ';
    return strlen(word) == 1 && *word != '"' && *word != '\n' && *word != '\r' ? *word : '\0';
}

static void csv_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_csv_options *self = options;

    if (self->files.count == 0)
        wm_faults_add(faults, place, path, "name at least one file, such as \"*.csv\"");
    if (separator_of(self->separator) == '\0')
        wm_faults_add(faults, place, path, "separator \"%s\" is not one character, nor the word tab or space",
                      self->separator);
    else if (*decimals[self->decimal] == separator_of(self->separator))
        wm_faults_add(faults, place, path, "separator and decimal are both \"%s\"", self->separator);
    if (self->melt.name != NULL && self->melt.value != NULL && strcmp(self->melt.name, self->melt.value) == 0)
        wm_faults_add(faults, place, path, "melt: name and value are both \"%s\"", self->melt.name);
}

static bool is_missing(const wm_csv_options *self, const wm_csv_cell *cell)
{
    if (cell->n == 0)
        return true;
    for (size_t i = 0; i < self->missing.count; i++)
        if (strlen(self->missing.items[i]) == cell->n &&
            strncasecmp(self->missing.items[i], cell->text, cell->n) == 0)
            return true;
    return false;
}

/* The header's names for a message, as many as fit. */
static void list_names(const wm_csv_cell *cells, size_t n, char *text, size_t room)
{
    size_t used = 0;

    *text = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t left = room - used;
        int    size = snprintf(text + used, left, "%s%.*s", i > 0 ? ", " : "",
                               (int)(cells[i].n < 40 ? cells[i].n : 40), cells[i].text);

        if (size < 0 || (size_t)size + 5 >= left) { /* room for " ..." is kept */
            memcpy(text + used, " ...", 5);
            return;
        }
        used += (size_t)size;
    }
}

/* *ret: where a column of that name is. */
static wm_status find_column(const csv_file *self, const wm_csv_cell *cells, size_t n, const char *name,
                             size_t *ret, wm_error *err)
{
    char   names[160];
    size_t i = 0;

    while (i < n && (cells[i].n != strlen(name) || memcmp(cells[i].text, name, cells[i].n) != 0))
        i++;
    if (i == n) {
        list_names(cells, n, names, sizeof names);
        return wm_fail(err, WM_E_MISSING, "%s:%zu: there is no column %s in the header: %s%s",
                       wm_csv_name(self->csv), wm_csv_line(self->csv), name, names,
                       n == 1 ? " (is data.source.csv.separator right?)" : "");
    }
    for (size_t k = i + 1; k < n; k++)
        if (cells[k].n == cells[i].n && memcmp(cells[k].text, name, cells[k].n) == 0)
            return wm_fail(err, WM_E_MALFORMED, "%s:%zu:%zu: there is a second column %s", wm_csv_name(self->csv),
                           wm_csv_line(self->csv), cells[k].column, name);
    *ret = i;
    return WM_OK;
}

static bool has_column(const wm_csv_cell *cells, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (cells[i].n == strlen(name) && memcmp(cells[i].text, name, cells[i].n) == 0)
            return true;
    return false;
}

static wm_status find_columns(csv_file *self, const wm_csv_cell *cells, size_t n, wm_error *err)
{
    const wm_readings     *readings = self->readings;
    const wm_melt_options *melt = &self->options->melt;
    wm_status              st = WM_OK;

    self->n_columns = n;
    for (size_t w = 0; st == WM_OK && w < readings->n_wanted; w++) {
        const char *name = readings->wanted[w].name;

        if (melt->name != NULL && strcmp(name, melt->name) == 0)
            self->column[w] = MELTED_NAME;
        else if (melt->value != NULL && strcmp(name, melt->value) == 0)
            self->column[w] = MELTED_VALUE;
        else if (readings->wanted[w].optional && !has_column(cells, n, name))
            self->column[w] = ABSENT;
        else
            st = find_column(self, cells, n, name, &self->column[w], err);
    }
    return st;
}

static void forget_melted(csv_file *self)
{
    for (size_t i = 0; i < self->n_melted; i++)
        free(self->names[i]);
    free(self->melted);
    free(self->names);
    self->melted = NULL;
    self->names = NULL;
    self->n_melted = 0;
}

static bool is_taken(const csv_file *self, size_t column)
{
    for (size_t w = 0; w < self->readings->n_wanted; w++)
        if (self->column[w] == column)
            return true;
    return false;
}

/* Which columns of a wide table are melted. */
static wm_status find_melted(csv_file *self, const wm_csv_cell *cells, size_t n, wm_error *err)
{
    const wm_words *columns = &self->options->melt.columns;
    size_t          room = columns->count > 0 ? columns->count : n, i;
    wm_status       st = WM_OK;

    forget_melted(self);
    if (self->options->melt.name == NULL)
        return WM_OK;
    self->melted = calloc(room + 1, sizeof *self->melted);
    self->names = calloc(room + 1, sizeof *self->names);
    if (self->melted == NULL || self->names == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu columns", room);
    for (size_t k = 0; st == WM_OK && k < room; k++) {
        i = k;
        if (columns->count > 0)
            st = find_column(self, cells, n, columns->items[k], &i, err);
        else if (is_taken(self, k))
            continue;
        if (st != WM_OK)
            return st;
        self->melted[self->n_melted] = i;
        self->names[self->n_melted] = strndup(cells[i].text, cells[i].n);
        if (self->names[self->n_melted] == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for %zu columns", room);
        self->n_melted++;
    }
    return self->n_melted > 0 ? WM_OK
                              : wm_fail(err, WM_E_MISSING, "%s:%zu: no column is left to melt",
                                        wm_csv_name(self->csv), wm_csv_line(self->csv));
}

static wm_cell read_number(csv_file *self, const wm_csv_cell *from, size_t wanted)
{
    wm_cell to = { .number = NAN };

    if (!is_missing(self->options, from) &&
        !wm_number_parse(from->text, from->n, *decimals[self->options->decimal], &to.number)) {
        to.number = NAN;
        self->readings->unreadable++;
        wm_readings_fault(self->readings, "%s:%zu:%zu: \"%.*s\" in column %s is not a number",
                          wm_csv_name(self->csv), wm_csv_line(self->csv), from->column,
                          (int)(from->n < 40 ? from->n : 40), from->text, self->readings->wanted[wanted].name);
    }
    return to;
}

/* A row that has other cells than the header; *skip: it can be left out. */
static wm_status judge_width(csv_file *self, const wm_csv_cell *cells, size_t n, bool *skip, wm_error *err)
{
    size_t last = n;

    while (last > self->n_columns && cells[last - 1].n == 0)
        last--;
    if (last == self->n_columns)
        return WM_OK; /* separators at the end of the line */
    *skip = wm_csv_cut_off(self->csv) && n < self->n_columns;
    if (!*skip)
        return wm_fail(err, WM_E_MALFORMED, "%s:%zu: %zu cells, the header has %zu: mend the line or take it out",
                       wm_csv_name(self->csv), wm_csv_line(self->csv), n, self->n_columns);
    self->readings->cut_short++; /* a logger was in the middle of writing it */
    wm_readings_fault(self->readings, "%s:%zu: the last line is cut off and was left out", wm_csv_name(self->csv),
                      wm_csv_line(self->csv));
    return WM_OK;
}

/* A reading out of a row; of a wide table's row, that of its melted column m. */
static wm_status add_reading(csv_file *self, const wm_csv_cell *cells, size_t m, wm_error *err)
{
    const wm_readings *readings = self->readings;
    wm_status          st;

    for (size_t w = 0; w < readings->n_wanted; w++) {
        size_t             column = self->column[w] == MELTED_VALUE ? self->melted[m] : self->column[w];
        const wm_csv_cell *from = column < self->n_columns ? &cells[column] : NULL;

        if (column == ABSENT)
            self->cells[w] = (wm_cell){ "", 0, NAN };
        else if (from == NULL)
            self->cells[w] = (wm_cell){ self->names[m], strlen(self->names[m]), NAN };
        else if (readings->wanted[w].kind == WM_CELL_NUMBER)
            self->cells[w] = read_number(self, from, w);
        else
            self->cells[w] = (wm_cell){ from->text, is_missing(self->options, from) ? 0 : from->n, NAN };
    }
    st = wm_readings_row(self->readings, self->cells, wm_csv_line(self->csv), err);
    if (st != WM_OK)
        wm_error_prefix(err, "%s:%zu", wm_csv_name(self->csv), wm_csv_line(self->csv));
    return st;
}

static wm_status read_rows(csv_file *self, wm_error *err)
{
    size_t each = self->options->melt.name != NULL ? self->n_melted : 1;

    for (;;) {
        const wm_csv_cell *cells;
        size_t             n;
        bool               skip = false;
        wm_status          st = wm_csv_next(self->csv, &cells, &n, err);

        if (st != WM_OK || n == 0)
            return st;
        if (n != self->n_columns && (st = judge_width(self, cells, n, &skip, err)) != WM_OK)
            return st;
        if (!skip && self->options->distinct && (st = wm_seen_add(&self->seen, cells, n, &skip, err)) != WM_OK)
            return st;
        for (size_t m = 0; st == WM_OK && !skip && m < each; m++)
            st = add_reading(self, cells, m, err);
        if (st != WM_OK)
            return st;
    }
}

/* The names of the columns: the file's first line, or, where it has none, the options'. */
static wm_status read_header(csv_file *self, wm_error *err)
{
    const wm_words    *names = &self->options->header;
    const wm_csv_cell *header;
    wm_csv_cell       *given;
    size_t             n = names->count;
    wm_status          st = WM_OK;

    if (n == 0) {
        st = wm_csv_next(self->csv, &header, &n, err);
        if (st == WM_OK && n == 0)
            st = wm_fail(err, WM_E_MALFORMED, "%s: the file is empty", wm_csv_name(self->csv));
        if (st == WM_OK)
            st = find_columns(self, header, n, err);
        return st == WM_OK ? find_melted(self, header, n, err) : st;
    }
    given = calloc(n, sizeof *given);
    if (given == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu columns", n);
    for (size_t i = 0; i < n; i++)
        given[i] = (wm_csv_cell){ .text = names->items[i], .n = strlen(names->items[i]) };
    st = find_columns(self, given, n, err);
    if (st == WM_OK)
        st = find_melted(self, given, n, err);
    free(given);
    return st;
}

static wm_status read_file(csv_file *self, const char *path, wm_error *err)
{
    wm_status st;

    st = wm_csv_open(path, separator_of(self->options->separator), &wm_csv_limits_usual, &self->csv, err);
    if (st != WM_OK)
        return st;
    st = read_header(self, err);
    if (st == WM_OK)
        st = wm_readings_file(self->readings, wm_csv_name(self->csv), err);
    if (st == WM_OK)
        st = read_rows(self, err);
    wm_csv_close(self->csv);
    self->csv = NULL;
    return st;
}

static wm_status csv_read(const void *options, const char *folder, wm_readings *readings, wm_error *err)
{
    csv_file  self = { .options = options, .readings = readings };
    wm_paths  paths = { 0 };
    wm_status st;

    self.column = calloc(readings->n_wanted + 1, sizeof *self.column);
    self.cells = calloc(readings->n_wanted + 1, sizeof *self.cells);
    if (self.column == NULL || self.cells == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the columns of CSV files");
    else
        st = wm_paths_find(folder, &self.options->files, &paths, err);
    for (size_t i = 0; st == WM_OK && i < paths.count; i++)
        st = read_file(&self, paths.items[i], err);
    wm_paths_release(&paths);
    wm_seen_release(&self.seen);
    forget_melted(&self);
    free(self.column);
    free(self.cells);
    return st;
}

static const wm_option melt_option_table[] = {
    { .name = "name",
      .kind = WM_WORD,
      .offset = offsetof(wm_melt_options, name),
      .doc = "What the headings of the melted columns become a column of: sensor." },
    { .name = "value",
      .kind = WM_WORD,
      .offset = offsetof(wm_melt_options, value),
      .doc = "What their cells become a column of: speed." },
    { .name = "columns",
      .kind = WM_WORDS,
      .offset = offsetof(wm_melt_options, columns),
      .optional = true,
      .doc = "Which are melted; without it all that the job does not name." },
};

static const wm_member melt_table = {
    .name = "melt",
    .doc = "A wide table, with a column for each sensor, as if it had a row for each sensor's reading.",
    .options = melt_option_table,
    .n_options = sizeof melt_option_table / sizeof *melt_option_table,
    .options_size = sizeof(wm_melt_options),
};

static const wm_option csv_option_table[] = {
    { .name = "files",
      .kind = WM_WORDS,
      .offset = offsetof(wm_csv_options, files),
      .main = true,
      .doc = "Patterns of the files below the data folder, such as \"*.csv.gz\"; gzip is unpacked." },
    { .name = "separator",
      .kind = WM_WORD,
      .offset = offsetof(wm_csv_options, separator),
      .standard = "\",\"",
      .doc = "What stands between cells: one character, or tab or space." },
    { .name = "decimal",
      .kind = WM_CHOICE,
      .offset = offsetof(wm_csv_options, decimal),
      .words = decimals,
      .standard = "\".\"",
      .doc = "The decimal sign of numbers." },
    { .name = "missing",
      .kind = WM_WORDS,
      .offset = offsetof(wm_csv_options, missing),
      .standard = "[NA, N/A, nan, \"null\", none]",
      .doc = "Words for a missing reading, in capitals or not; an empty cell is always one." },
    { .name = "header",
      .kind = WM_WORDS,
      .offset = offsetof(wm_csv_options, header),
      .optional = true,
      .doc = "The names of the columns, in order, for files that have no header line." },
    { .name = "distinct",
      .kind = WM_BOOL,
      .offset = offsetof(wm_csv_options, distinct),
      .standard = "false",
      .doc = "A row that was there before, cell for cell, in this file or another, is left out." },
    { .name = "melt",
      .kind = WM_SECTION,
      .offset = offsetof(wm_csv_options, melt),
      .section = &melt_table,
      .optional = true,
      .doc = "A wide table, with a column for each sensor, as if it had a row for each sensor's reading." },
};

const wm_source_ops wm_source_csv = {
    .member = { .name = "csv",
                .doc = "Rows of readings from CSV files.",
                .options = csv_option_table,
                .n_options = sizeof csv_option_table / sizeof *csv_option_table,
                .options_size = sizeof(wm_csv_options),
                .check = csv_check },
    .read = csv_read,
};
