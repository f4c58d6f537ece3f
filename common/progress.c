/* common/progress.c */
#include "common/progress.h"

#include "common/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

void wm_progress_init(wm_progress *progress, FILE *out)
{
    *progress = (wm_progress){ .out = out, .terminal = isatty(fileno(out)) != 0 };
}

/* One less than there are: writing in the last column makes some terminals go to the next line. */
static size_t width_of(const wm_progress *progress)
{
    struct winsize size = { 0 };
    size_t         columns = progress->columns;

    if (columns == 0 && ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns == 0)
        columns = 80;
    return columns > 1 ? columns - 1 : 1;
}

/* Spaces, since not every terminal knows how to clear a line. */
static void clear(wm_progress *progress)
{
    if (progress->shown == 0)
        return;
    fprintf(progress->out, "\r%*s\r", (int)progress->shown, "");
    progress->shown = 0;
}

static void rewrite(wm_progress *progress, const wm_text *line)
{
    size_t n = wm_screen_fit(wm_text_chars(line), line->size, width_of(progress));
    size_t width = wm_screen_width(wm_text_chars(line), n);
    size_t rest = progress->shown > width ? progress->shown - width : 0;

    fprintf(progress->out, "\r%.*s%*s", (int)n, wm_text_chars(line), (int)rest, "");
    progress->shown = width;
}

typedef enum manner { SHOW, GLANCE, SAY } manner;

static void put(wm_progress *progress, manner how, const char *fmt, va_list args)
{
    wm_text raw = WM_TEXT_INIT, line = WM_TEXT_INIT;

    wm_text_vprintf(&raw, fmt, args);
    wm_text_add_printable(&line, wm_text_chars(&raw), raw.size);
    if (progress->terminal && how != SAY)
        rewrite(progress, &line);
    else if (how != GLANCE) {
        clear(progress);
        fprintf(progress->out, "%s\n", wm_text_chars(&line));
    }
    fflush(progress->out);
    wm_text_release(&raw);
    wm_text_release(&line);
}

void wm_progress_show(wm_progress *progress, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(progress, SHOW, fmt, args);
    va_end(args);
}

void wm_progress_glance(wm_progress *progress, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(progress, GLANCE, fmt, args);
    va_end(args);
}

void wm_progress_say(wm_progress *progress, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(progress, SAY, fmt, args);
    va_end(args);
}

void wm_progress_end(wm_progress *progress)
{
    if (progress->shown > 0)
        fputc('\n', progress->out);
    fflush(progress->out);
    progress->shown = 0;
}
