/* common/config/faults.c
 *
 * Kept sorted by place as they come: there are at most WM_FAULTS_SHOWN. The words of a fault may come from a hostile file, and are shown on a terminal and in logs: bytes that
 * could steer either are replaced, and one line stays one line of bounded length. */
#include "common/config/faults.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1000 };

void wm_faults_init(wm_faults *faults, const char *file)
{
    *faults = (wm_faults){ .lines = WM_TEXT_INIT };
    wm_faults_name(faults, file);
}

void wm_faults_name(wm_faults *faults, const char *file)
{
    snprintf(faults->file, sizeof faults->file, "%s", file);
}

void wm_faults_release(wm_faults *faults)
{
    wm_text_release(&faults->lines);
    faults->count = faults->n_shown = 0;
}

/* Control bytes become '?': C0, DEL, and C1 as UTF-8 writes them (0xC2 0x80 to 0xC2 0x9F). */
static void tame(char *chars, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)chars[i];
        unsigned char next = i + 1 < n ? (unsigned char)chars[i + 1] : 0;

        if (c < 0x20 || c == 0x7f)
            chars[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            chars[i] = chars[i + 1] = '?';
    }
}

/* Shortens the text to `size` bytes at most, never inside a UTF-8 character. */
static void cut(wm_text *text, size_t size)
{
    if (text->size <= size)
        return;
    while (size > 0 && ((unsigned char)text->chars[size] & 0xc0) == 0x80)
        size--;
    text->chars[size] = '\0';
    text->size = size;
    wm_text_add(text, "...");
}

static void add_place(wm_text *line, const wm_faults *faults, wm_place place)
{
    if (place.line > 0)
        wm_text_printf(line, "%s:%u:%u: ", faults->file, place.line, place.column);
    else if (place.column > 0)
        wm_text_add(line, "--set: ");
    else
        wm_text_printf(line, "%s: ", faults->file);
}

static bool is_before(wm_place a, wm_place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* Files are read in the order of our tables; a person mends them from top to bottom. */
static void insert(wm_faults *faults, wm_place place, const char *line, size_t n)
{
    size_t at = faults->n_shown, start;

    wm_text_add_bytes(&faults->lines, line, n);
    if (faults->lines.bad)
        return;
    while (at > 0 && is_before(place, faults->shown[at - 1].place))
        at--;
    start = at > 0 ? faults->shown[at - 1].end : 0;
    memmove(faults->lines.chars + start + n, faults->lines.chars + start, faults->lines.size - n - start);
    memcpy(faults->lines.chars + start, line, n);
    for (size_t i = faults->n_shown; i > at; i--) {
        faults->shown[i] = faults->shown[i - 1];
        faults->shown[i].end += n;
    }
    faults->shown[at].place = place;
    faults->shown[at].end = start + n;
    faults->n_shown++;
}

void wm_faults_add(wm_faults *faults, wm_place place, const char *path, const char *fmt, ...)
{
    wm_text line = WM_TEXT_INIT;
    va_list args;

    faults->count++;
    if (faults->n_shown == WM_FAULTS_SHOWN || faults->lines.bad)
        return;
    add_place(&line, faults, place);
    if (path[0] != '\0')
        wm_text_printf(&line, "%s: ", path);
    va_start(args, fmt);
    wm_text_vprintf(&line, fmt, args);
    va_end(args);
    if (line.chars != NULL) {
        tame(line.chars, line.size);
        cut(&line, LINE_MAX_BYTES);
        wm_text_add(&line, "\n");
    }
    if (line.bad)
        faults->lines.bad = true;
    else
        insert(faults, place, line.chars, line.size);
    wm_text_release(&line);
}

void wm_faults_report(const wm_faults *faults, wm_text *ret)
{
    wm_text_add(ret, wm_text_chars(&faults->lines));
    if (faults->count > faults->n_shown)
        wm_text_printf(ret, "%s: and %zu more faults\n", faults->file, faults->count - faults->n_shown);
}

wm_status wm_faults_result(const wm_faults *faults, wm_error *err)
{
    const char *lines = wm_text_chars(&faults->lines);
    int         n = (int)strcspn(lines, "\n"); /* at most LINE_MAX_BYTES and a mark */

    if (faults->count == 0)
        return WM_OK;
    if (n == 0)
        return wm_fail(err, WM_E_INVALID, "%s: %zu faults, and no memory to say which", faults->file,
                       faults->count);
    if (faults->count == 1)
        return wm_fail(err, WM_E_INVALID, "%.*s", n, lines);
    /* The sentence has bounded room: the count must not be what is cut off. */
    if (n > WM_ERROR_TEXT - 40)
        n = WM_ERROR_TEXT - 40;
    return wm_fail(err, WM_E_INVALID, "%.*s (and %zu more)", n, lines, faults->count - 1);
}
