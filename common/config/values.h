/* common/config/values.h
 *
 * What a scalar's characters mean: numbers, durations, sizes. The whole text must be the value. Numbers are
 * decimal whatever they begin with (050 is fifty), and do not ask the locale. Each says true and fills *ret,
 * or false and leaves it. */
#ifndef WM_COMMON_CONFIG_VALUES_H
#define WM_COMMON_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool wm_whole_parse(const char *text, int64_t *ret);    /* -3, 050, 1048576 */
bool wm_whole_is_written(const char *text);             /* the same, of any number of digits */
bool wm_real_parse(const char *text, double *ret);      /* 0.05, 1e-5, -.5; finite */
bool wm_duration_parse(const char *text, int64_t *ret); /* ms; 0, 250ms, 1.5h, 15m, 24h, 7d, 2w */
bool wm_bytes_parse(const char *text, int64_t *ret);    /* 4096, 64KiB, 1.5MiB, 500MB */

/* "24h", "90s", "250ms": the largest unit that says it whole. */
enum { WM_DURATION_WORDS = 24 };
const char *wm_duration_words(int64_t ms, char text[WM_DURATION_WORDS]);

/* The name in names[n] that `word` most likely was meant to be, by edit distance (insertions, deletions,
 * substitutions and swapped neighbours count one each); NULL if none is near enough to be worth saying. */
const char *wm_nearest(const char *word, const char *const *names, size_t n);

#endif
