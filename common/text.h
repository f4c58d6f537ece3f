/* common/text.h
 *
 * A text that grows: for reports, tables and messages of unknown length. It never fails in the middle: when memory
 * runs out it becomes "bad", takes no more, and says so once at the end. */
#ifndef WM_COMMON_TEXT_H
#define WM_COMMON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct wm_text {
    char  *chars; /* zero-terminated once anything was added; NULL before */
    size_t size;  /* without the zero */
    size_t room;
    bool   bad; /* memory ran out; what was added since is missing */
} wm_text;

#define WM_TEXT_INIT { 0 }

void wm_text_release(wm_text *text); /* leaves it empty, ready for use again */

void wm_text_add(wm_text *text, const char *chars);
void wm_text_add_bytes(wm_text *text, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void wm_text_printf(wm_text *text, const char *fmt, ...);
__attribute__((format(printf, 2, 0))) void wm_text_vprintf(wm_text *text, const char *fmt, va_list args);

/* The characters, "" for an empty one; never NULL. */
const char *wm_text_chars(const wm_text *text);

#endif
