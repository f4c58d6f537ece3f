/* common/progress.h
 *
 * The line at the bottom of a long command. On a terminal it is rewritten in place, cut to the terminal's width; into
 * a file or a pipe it becomes plain lines, without the fleeting ones. One thread's. */
#ifndef WM_COMMON_PROGRESS_H
#define WM_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct wm_progress {
    FILE  *out; /* borrowed */
    bool   terminal;
    size_t columns; /* 0: the terminal is asked each time */
    size_t shown;   /* columns of the line that stands there now */
} wm_progress;

void wm_progress_init(wm_progress *progress, FILE *out);

/* A step that is worth a line in a file: a round that was done. */
__attribute__((format(printf, 2, 3))) void wm_progress_show(wm_progress *progress, const char *fmt, ...);

/* Something for the eye only: clients of the round that goes on. Says nothing if there is no terminal. */
__attribute__((format(printf, 2, 3))) void wm_progress_glance(wm_progress *progress, const char *fmt, ...);

/* A line that stays: a warning between two steps. The progress line is shown again by the next call. */
__attribute__((format(printf, 2, 3))) void wm_progress_say(wm_progress *progress, const char *fmt, ...);

/* Leaves the last line standing and goes below it. */
void wm_progress_end(wm_progress *progress);

#endif
