/* common/log.h
 *
 * What a program tells its operator. A line has a level, the part of the program that speaks ("round", "tls"), a
 * sentence, and named values. Two forms: for people
 *     14:03:05 warning round: update refused client=north reason="not finite"
 * and one JSON object a line (--log json), with the same names. Lower layers return errors; programs log them, once.
 * A line about a peer that comes more than ten times a minute is counted from then on, and its number told when the minute
 * is over (log_repeats.h): nobody fills a disk with refusals.
 * A log is handed in, never global; thread-safe: a line is written whole. NULL is a log that says nothing. */
#ifndef WM_COMMON_LOG_H
#define WM_COMMON_LOG_H

#include "common/clock.h"

#include <stdio.h>

typedef enum wm_log_level { WM_LOG_DEBUG, WM_LOG_INFO, WM_LOG_WARNING, WM_LOG_ERROR } wm_log_level;
typedef enum wm_log_form { WM_LOG_PLAIN, WM_LOG_JSON } wm_log_form;

typedef struct wm_log wm_log;

/* Writes to `out` (borrowed), lines of `least` and above. NULL if out of memory. */
wm_log *wm_log_new(FILE *out, wm_log_form form, wm_log_level least, wm_clock clock);
void    wm_log_free(wm_log *log);

/* One named value of a line; an array of them ends with a NULL name. Text may be anything: it is quoted. */
typedef struct wm_field {
    const char *name;
    const char *text;    /* if not NULL */
    long long   integer; /* if text is NULL and !is_real */
    double      real;
    int         is_real;
} wm_field;

#define WM_TEXT_FIELD(n, t) ((wm_field){ .name = (n), .text = (t) })
#define WM_INT_FIELD(n, i) ((wm_field){ .name = (n), .integer = (long long)(i) })
#define WM_REAL_FIELD(n, r) ((wm_field){ .name = (n), .real = (r), .is_real = 1 })

void wm_log_fields(wm_log *log, wm_log_level level, const char *part, const char *sentence,
                   const wm_field *fields);

/* wm_log_line(log, WM_LOG_INFO, "round", "opened", WM_INT_FIELD("round", 3), ...); no fields are fine too. */
#define wm_log_line(log, level, part, ...) \
    wm_log_line_(log, level, part, __VA_ARGS__, (wm_field){ 0 })
#define wm_log_line_(log, level, part, sentence, ...) \
    wm_log_fields(log, level, part, sentence, (const wm_field[]){ __VA_ARGS__ })

/* Tells how many lines were held back, once their minute is over. The log does this by itself before each line; whoever
 * may be silent for long calls it now and then. */
void wm_log_tick(wm_log *log);

__attribute__((format(printf, 4, 5))) void wm_log_printf(wm_log *log, wm_log_level level, const char *part,
                                                         const char *fmt, ...);

#endif
