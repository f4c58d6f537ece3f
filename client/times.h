/* client/times.h
 *
 * Civil dates as numbers, and the time of a reading as it stands in a file. The calendar is the proleptic Gregorian
 * one; leap seconds do not exist (a 60th second is the next minute's first). */
#ifndef WM_CLIENT_TIMES_H
#define WM_CLIENT_TIMES_H

#include "client/zones.h"

#include <stdbool.h>

/* Days since 1970-01-01; month 1..12, day 1..31. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".) */
int64_t wm_civil_day(int64_t year, int64_t month, int64_t day);
int64_t wm_civil_year(int64_t ms);

/* A time as read: either a moment, or a local time that a zone has yet to place. */
typedef struct wm_stamp {
    int64_t ms;
    bool    local;
} wm_stamp;

/* text[n]. format NULL: ISO 8601 ("2013-03-01 05:00", "2013-03-01T05:00:00.250+01:00", "2013-03-01"), or a number of
 * seconds since 1970, or of milliseconds from 10^11 on (which as seconds would be the year 5138). Else a format of
 * strptime. false if it is not that, or not a date. */
bool wm_stamp_parse(const char *text, size_t n, const char *format, wm_stamp *ret);

/* From year, month, day, hour [, minute] as numbers; false if that is not a date. Hour 24 is the next day's 0. */
bool wm_stamp_from_parts(const double *parts, size_t n, wm_stamp *ret);

/* The moment. Where a local time comes twice, the first, unless the reading before (`previous`, INT64_MIN for none)
 * was there already: files are in order of time. */
int64_t wm_stamp_place(const wm_stamp *stamp, const wm_zone *zone, int64_t previous);

#endif
