/* client/sources/text.c
 *
 * Characters of plays and transcripts, one a row: speeches are blocks between empty lines, and the first line of a block
 * is the speaker's name and a colon. So a speaker can be a client, as in LEAF's Shakespeare (Caldas et al. 2018). A row
 * has the columns `speaker`, `speech` (its number in the file) and `character`; lines end with a line feed, which is a
 * character too. A block without a speaker is left out and reported. */
#include "client/source.h"

#include "client/sources/patterns.h"
#include "client/sources/stream.h"
#include "common/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_BYTES_MAX = 256 << 20, /* of a file; each byte becomes a row */
    READ_STEP = 1 << 20,
    SPEAKER_MAX = 100, /* bytes of a name; a longer first line is no name */
};

typedef struct text_options {
    wm_words files;
    int64_t  speeches_min;
} text_options;

/* Where a row's wanted cell comes from. */
typedef enum text_cell { CELL_SPEAKER, CELL_SPEECH, CELL_CHARACTER } text_cell;
static const char *const cell_names[] = { "speaker", "speech", "character" };
enum { CELLS = sizeof cell_names / sizeof *cell_names };

typedef struct speech {
    const char *speaker, *text;
    size_t      n_speaker, n;
    size_t      line; /* where it begins, from 1 */
    size_t      same; /* speeches of that speaker, once counted */
} speech;

typedef struct text_file {
    char   *text; /* [n] */
    size_t  n;
    speech *speeches;
    size_t  n_speeches, room;
} text_file;

static void release(text_file *file)
{
    free(file->text);
    free(file->speeches);
    *file = (text_file){ 0 };
}

static wm_status read_all(const char *path, text_file *file, wm_error *err)
{
    wm_stream *stream;
    size_t     room = 0, got = 1;
    wm_status  st = wm_stream_open(path, TEXT_BYTES_MAX, &stream, err);

    if (st != WM_OK)
        return st;
    while (st == WM_OK && got > 0) {
        if (room - file->n < READ_STEP) {
            char *more = realloc(file->text, room = 2 * room + READ_STEP);

            if (more == NULL) {
                st = wm_fail(err, WM_E_NOMEM, "no memory for the text of %s", wm_path_name(path));
                break;
            }
            file->text = more;
        }
        st = wm_stream_read(stream, file->text + file->n, READ_STEP, &got, err);
        if (st == WM_OK)
            file->n += got;
    }
    wm_stream_close(stream);
    if (st == WM_OK && file->n > 0 && memchr(file->text, '\0', file->n) != NULL)
        st = wm_fail(err, WM_E_MALFORMED, "%s: byte %zu is a zero: is it a text?", wm_path_name(path),
                     (size_t)((char *)memchr(file->text, '\0', file->n) - file->text) + 1);
    return st;
}

static wm_status add_speech(text_file *file, const speech *one, wm_error *err)
{
    speech *more = wm_grow(file->speeches, file->n_speeches, &file->room, sizeof *more);

    if (more == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for more than %zu speeches", file->n_speeches);
    file->speeches = more;
    file->speeches[file->n_speeches++] = *one;
    return WM_OK;
}

/* The end of the line that begins at `at`: its line feed, or the end of the text. */
static size_t line_end(const text_file *file, size_t at)
{
    const char *end = memchr(file->text + at, '\n', file->n - at);

    return end != NULL ? (size_t)(end - file->text) : file->n;
}

/* Blocks between empty lines. */
static wm_status find_speeches(const char *name, text_file *file, wm_readings *readings, wm_error *err)
{
    size_t    line = 1;
    wm_status st = WM_OK;

    for (size_t at = 0; st == WM_OK && at < file->n;) {
        size_t begin = at, first_line = line, head = line_end(file, at);

        if (head == at) { /* an empty line between blocks */
            at++;
            line++;
            continue;
        }
        while (at < file->n && line_end(file, at) > at) {
            at = line_end(file, at) + 1;
            line++;
        }
        at = at < file->n ? at : file->n;
        if (file->text[head - 1] == ':' && head - 1 > begin && head - 1 - begin <= SPEAKER_MAX && head < at) {
            speech one = { .speaker = file->text + begin,
                           .n_speaker = head - 1 - begin,
                           .text = file->text + head + 1,
                           .n = at - head - 1,
                           .line = first_line };

            st = add_speech(file, &one, err);
        } else {
            readings->rows_seen++;
            readings->without_owner++;
            wm_readings_fault(readings, "%s:%zu: the block begins with no speaker and colon, and was left out",
                              name, first_line);
        }
    }
    return st;
}

static int by_speaker(const void *a, const void *b)
{
    const speech *x = *(const speech *const *)a, *y = *(const speech *const *)b;
    int           order = memcmp(x->speaker, y->speaker, x->n_speaker < y->n_speaker ? x->n_speaker : y->n_speaker);

    return order != 0 ? order : (x->n_speaker > y->n_speaker) - (x->n_speaker < y->n_speaker);
}

/* How many speeches each speech's speaker has in this file. */
static wm_status count_speeches(text_file *file, wm_error *err)
{
    speech **order = malloc((file->n_speeches + 1) * sizeof *order);

    if (order == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to count %zu speeches", file->n_speeches);
    for (size_t i = 0; i < file->n_speeches; i++)
        order[i] = &file->speeches[i];
    qsort(order, file->n_speeches, sizeof *order, by_speaker);
    for (size_t i = 0, k; i < file->n_speeches; i = k) {
        for (k = i; k < file->n_speeches && by_speaker(&order[i], &order[k]) == 0;)
            k++;
        for (size_t s = i; s < k; s++)
            order[s]->same = k - i;
    }
    free(order);
    return WM_OK;
}

static wm_status add_rows(const speech *one, size_t number, const text_cell *from, wm_cell *cells,
                          wm_readings *readings, wm_error *err)
{
    char      digits[24];
    size_t    line = one->line;
    wm_status st = WM_OK;

    snprintf(digits, sizeof digits, "%zu", number);
    for (size_t i = 0; st == WM_OK && i < one->n; i++) {
        line += i == 0 || one->text[i - 1] == '\n';
        for (size_t w = 0; w < readings->n_wanted; w++)
            cells[w] = from[w] == CELL_SPEAKER  ? (wm_cell){ .text = one->speaker, .n = one->n_speaker }
                       : from[w] == CELL_SPEECH ? (wm_cell){ .text = digits, .n = strlen(digits) }
                                                : (wm_cell){ .text = one->text + i, .n = 1 };
        st = wm_readings_row(readings, cells, line, err);
    }
    return st;
}

static wm_status read_file(const text_options *self, const char *path, const text_cell *from, wm_cell *cells,
                           wm_readings *readings, wm_error *err)
{
    text_file file = { 0 };
    wm_status st;

    if ((st = read_all(path, &file, err)) != WM_OK ||
        (st = wm_readings_file(readings, wm_path_name(path), err)) != WM_OK ||
        (st = find_speeches(wm_path_name(path), &file, readings, err)) != WM_OK ||
        (st = count_speeches(&file, err)) != WM_OK)
        goto out;
    for (size_t i = 0; st == WM_OK && i < file.n_speeches; i++)
        if (file.speeches[i].same >= (size_t)self->speeches_min)
            st = add_rows(&file.speeches[i], i + 1, from, cells, readings, err);
out:
    release(&file);
    return st;
}

static wm_status find_cells(const wm_readings *readings, text_cell *from, wm_error *err)
{
    for (size_t w = 0; w < readings->n_wanted; w++) {
        int c = 0;

        while (c < CELLS && strcmp(readings->wanted[w].name, cell_names[c]) != 0)
            c++;
        if (c == CELLS || readings->wanted[w].kind != WM_CELL_WORD)
            return wm_fail(err, WM_E_MISSING,
                           "data.source: a text has the columns speaker, speech and character, which are words%s%s",
                           c == CELLS ? "; none is named " : ", as must be ", readings->wanted[w].name);
        from[w] = (text_cell)c;
    }
    return WM_OK;
}

static wm_status text_read(const void *options, const char *folder, wm_readings *readings, wm_error *err)
{
    const text_options *self = options;
    text_cell          *from = calloc(readings->n_wanted + 1, sizeof *from);
    wm_cell            *cells = calloc(readings->n_wanted + 1, sizeof *cells);
    wm_paths            paths = { 0 };
    wm_status           st;

    if (from == NULL || cells == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the columns of texts");
    else if ((st = find_cells(readings, from, err)) == WM_OK)
        st = wm_paths_find(folder, &self->files, &paths, err);
    for (size_t i = 0; st == WM_OK && i < paths.count; i++)
        st = read_file(self, paths.items[i], from, cells, readings, err);
    wm_paths_release(&paths);
    free(from);
    free(cells);
    return st;
}

static const wm_option text_option_table[] = {
    { .name = "files",
      .kind = WM_WORDS,
      .offset = offsetof(text_options, files),
      .main = true,
      .doc = "Patterns of the files below the data folder, such as \"*.txt.gz\"; gzip is unpacked." },
    { .name = "speeches_min",
      .kind = WM_WHOLE,
      .offset = offsetof(text_options, speeches_min),
      .least = 1,
      .most = 1000000,
      .standard = "1",
      .doc = "A speaker with fewer speeches in a file is left out of it." },
};

const wm_source_ops wm_source_text = {
    .member = { .name = "text",
                .doc = "Plays and transcripts, a character a row: columns speaker, speech and character.",
                .options = text_option_table,
                .n_options = sizeof text_option_table / sizeof *text_option_table,
                .options_size = sizeof(text_options) },
    .read = text_read,
};
