/* common/text.c */
#include "common/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wm_text_release(wm_text *text)
{
    free(text->chars);
    *text = (wm_text)WM_TEXT_INIT;
}

static bool reserve(wm_text *text, size_t more)
{
    size_t room = text->room > 0 ? text->room : 128;
    char  *chars;

    if (text->bad)
        return false;
    if (more >= SIZE_MAX / 4 - text->size) {
        text->bad = true;
        return false;
    }
    if (text->size + more + 1 <= text->room)
        return true;
    while (room < text->size + more + 1)
        room *= 2;
    chars = realloc(text->chars, room);
    if (chars == NULL) {
        text->bad = true;
        return false;
    }
    text->chars = chars;
    text->room = room;
    return true;
}

void wm_text_add_bytes(wm_text *text, const void *bytes, size_t n)
{
    if (!reserve(text, n))
        return;
    if (n > 0)
        memcpy(text->chars + text->size, bytes, n);
    text->size += n;
    text->chars[text->size] = '\0';
}

void wm_text_add(wm_text *text, const char *chars)
{
    wm_text_add_bytes(text, chars, strlen(chars));
}

void wm_text_vprintf(wm_text *text, const char *fmt, va_list args)
{
    va_list again;
    int     n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0 && reserve(text, (size_t)n)) {
        vsnprintf(text->chars + text->size, (size_t)n + 1, fmt, again);
        text->size += (size_t)n;
    }
    va_end(again);
}

void wm_text_printf(wm_text *text, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    wm_text_vprintf(text, fmt, args);
    va_end(args);
}

const char *wm_text_chars(const wm_text *text)
{
    return text->chars != NULL ? text->chars : "";
}
