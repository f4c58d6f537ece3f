/* client/times.c */
#include "client/times.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STAMP_TEXT_MAX = 80 };

int64_t wm_civil_day(int64_t year, int64_t month, int64_t day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2; /* the year begins in March, so that the leap day is its last */
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t wm_civil_year(int64_t ms)
{
    int64_t days = ms >= 0 ? ms / 86400000 : -((86399999 - ms) / 86400000);
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, day = z - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);

    return year + era * 400 + (day_of_year >= 306); /* January and February belong to the next one */
}

/* ms of a civil time; false if there is no such date. */
static bool civil_ms(int64_t year, int64_t month, int64_t day, int64_t ms_of_day, int64_t *ret)
{
    int64_t first, next;

    if (year < 1 || year > 9999 || month < 1 || month > 12 || ms_of_day < 0 || ms_of_day > 86400000 + 1000)
        return false;
    first = wm_civil_day(year, month, 1);
    next = month == 12 ? wm_civil_day(year + 1, 1, 1) : wm_civil_day(year, month + 1, 1);
    if (day < 1 || day > next - first)
        return false;
    *ret = (first + day - 1) * 86400000 + ms_of_day;
    return true;
}

/* ---- ISO 8601 ---- */

/* Exactly `digits` digits at *at. */
static bool take_digits(const char **at, const char *end, int digits, int64_t *ret)
{
    int64_t value = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at == end || !isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return true;
}

static bool take_char(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    (*at)++;
    return true;
}

static bool take_fraction(const char **at, const char *end, int64_t *ms)
{
    int64_t scale = 100;

    *ms = 0;
    if (*at == end || (**at != '.' && **at != ','))
        return true;
    (*at)++;
    if (*at == end || !isdigit((unsigned char)**at))
        return false;
    for (; *at != end && isdigit((unsigned char)**at); (*at)++, scale /= 10)
        *ms += (**at - '0') * scale;
    return true;
}

/* Z, +hh, +hhmm, +hh:mm, or nothing. */
static bool take_offset(const char **at, const char *end, bool *there, int64_t *ms)
{
    int64_t hours, minutes = 0;
    int     sign;

    *there = *at != end;
    *ms = 0;
    if (*at == end || take_char(at, end, 'Z') || take_char(at, end, 'z'))
        return true;
    if (**at != '+' && **at != '-')
        return false;
    sign = *(*at)++ == '-' ? -1 : 1;
    if (!take_digits(at, end, 2, &hours))
        return false;
    if (*at != end && (take_char(at, end, ':'), !take_digits(at, end, 2, &minutes)))
        return false;
    *ms = sign * (hours * 3600000 + minutes * 60000);
    return hours <= 18 && minutes < 60;
}

static bool parse_iso(const char *at, const char *end, wm_stamp *ret)
{
    int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0, offset = 0, ms;
    bool    has_offset = false;

    if (!take_digits(&at, end, 4, &year) || !take_char(&at, end, '-') || !take_digits(&at, end, 2, &month) ||
        !take_char(&at, end, '-') || !take_digits(&at, end, 2, &day))
        return false;
    if (at != end) {
        if (!take_char(&at, end, 'T') && !take_char(&at, end, 't') && !take_char(&at, end, ' '))
            return false;
        if (!take_digits(&at, end, 2, &hour))
            return false;
        if (take_char(&at, end, ':')) {
            if (!take_digits(&at, end, 2, &minute))
                return false;
            if (take_char(&at, end, ':') &&
                (!take_digits(&at, end, 2, &second) || !take_fraction(&at, end, &fraction)))
                return false;
        }
        take_char(&at, end, ' '); /* "... 05:00 +0100" is common */
        if (!take_offset(&at, end, &has_offset, &offset))
            return false;
    }
    if (at != end || hour > 24 || minute > 59 || second > 60 || (hour == 24 && minute + second + fraction > 0) ||
        !civil_ms(year, month, day, ((hour * 60 + minute) * 60 + second) * 1000 + fraction, &ms))
        return false;
    *ret = (wm_stamp){ .ms = ms - offset, .local = !has_offset };
    return true;
}

/* ---- the other ways ---- */

static bool parse_count(const char *text, size_t n, wm_stamp *ret)
{
    char   copy[STAMP_TEXT_MAX], *end;
    double value;

    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)text[i]) && text[i] != '.' && !(i == 0 && text[i] == '-'))
            return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    value = strtod(copy, &end);
    if (end != copy + n || !(fabs(value) < 2.6e14)) /* about the year 10,000 in ms */
        return false;
    *ret = (wm_stamp){ .ms = llrint(fabs(value) < 1e11 ? value * 1000 : value) };
    return true;
}

static bool parse_format(const char *text, size_t n, const char *format, wm_stamp *ret)
{
    char        copy[STAMP_TEXT_MAX];
    struct tm   tm = { .tm_mday = 1, .tm_year = 70, .tm_gmtoff = LONG_MIN };
    const char *end;
    int64_t     ms;

    memcpy(copy, text, n);
    copy[n] = '\0';
    end = strptime(copy, format, &tm);
    if (end == NULL || *end != '\0' ||
        !civil_ms(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  ((tm.tm_hour * 60 + tm.tm_min) * 60 + tm.tm_sec) * 1000, &ms))
        return false;
    *ret = (wm_stamp){ .ms = ms, .local = tm.tm_gmtoff == LONG_MIN };
    if (!ret->local) /* the format had %z */
        ret->ms -= (int64_t)tm.tm_gmtoff * 1000;
    return true;
}

bool wm_stamp_parse(const char *text, size_t n, const char *format, wm_stamp *ret)
{
    if (n == 0 || n >= STAMP_TEXT_MAX)
        return false;
    if (format != NULL)
        return parse_format(text, n, format, ret);
    return parse_iso(text, text + n, ret) || parse_count(text, n, ret);
}

bool wm_stamp_from_parts(const double *parts, size_t n, wm_stamp *ret)
{
    double minute = n > 4 ? parts[4] : 0;

    /* Through the range check first: a double beyond an integer's range must not be converted. */
    if (!(parts[0] >= 1 && parts[0] <= 9999) || !(parts[1] >= 1 && parts[1] <= 12) ||
        !(parts[2] >= 1 && parts[2] <= 31) || !(parts[3] >= 0 && parts[3] <= 24) || !(minute >= 0 && minute < 60) ||
        floor(parts[0]) != parts[0] || floor(parts[1]) != parts[1] || floor(parts[2]) != parts[2])
        return false;
    ret->local = true;
    return civil_ms((int64_t)parts[0], (int64_t)parts[1], (int64_t)parts[2],
                    llrint(parts[3] * 3600000 + minute * 60000), &ret->ms);
}

int64_t wm_stamp_place(const wm_stamp *stamp, const wm_zone *zone, int64_t previous)
{
    int64_t first, second;

    if (!stamp->local)
        return stamp->ms;
    first = wm_zone_to_utc(zone, stamp->ms, &second);
    return first <= previous ? second : first;
}
