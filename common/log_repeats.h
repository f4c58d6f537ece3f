/* common/log_repeats.h
 *
 * What keeps a flood of refusals from becoming a flood of the log. A line that names a peer (a field "name", "client",
 * "from" or "source") is of a kind: part, sentence, the peer's name, the reason; numbers in a reason do not count, nor
 * does the port that somebody came from. The first few lines of a kind are told, those that follow within the minute are
 * counted, and at its end one line says how many there were. Nothing is dropped in silence, and nothing grows: when there
 * are too many kinds, those that are new share one.
 *
 * Part of the log, under its lock. */
#ifndef WM_COMMON_LOG_REPEATS_H
#define WM_COMMON_LOG_REPEATS_H

#include "common/log.h"

#include <stdbool.h>
#include <stdint.h>

enum { WM_REPEATS_FIRST = 10, WM_REPEATS_KINDS = 256, WM_REPEATS_MS = 60 * 1000 };

/* A kind of line, by its first one. */
typedef struct wm_repeat {
    int64_t      since_ms; /* the minute's beginning; 0: an empty place */
    uint64_t     n;        /* lines in it */
    wm_log_level level;
    char         part[24], sentence[104], name[72], why[200];
} wm_repeat;

typedef struct wm_repeats wm_repeats;

wm_repeats *wm_repeats_new(void); /* NULL if out of memory */
void        wm_repeats_free(wm_repeats *repeats);

/* Whether this line is to be told now. now_ms is monotonic, and above zero. */
bool wm_repeats_tell(wm_repeats *repeats, wm_log_level level, const char *part, const char *sentence,
                     const wm_field *fields, int64_t now_ms);

/* Takes out a kind whose minute is over and of which lines were held back: ret->n is how many. false: there is none (any
 * more). INT64_MAX: all minutes are over. */
bool wm_repeats_due(wm_repeats *repeats, int64_t now_ms, wm_repeat *ret);

#endif
