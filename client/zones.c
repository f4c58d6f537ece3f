/* client/zones.c */
#include "client/zones.h"

#include "client/times.h"
#include "common/files.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZONE_BYTES_MAX = 256 << 10, /* the largest in tzdata is under 4 KiB */
    HEADER = 44,
    OFFSET_MAX = 26 * 3600, /* RFC 8536 allows less than 26 hours */
};

/* When summer time begins or ends in a year: POSIX's Mm.w.d, Jn and n. */
typedef struct change_rule {
    enum { BY_WEEK, BY_DAY_WITHOUT_LEAP, BY_DAY } kind;
    int     month, week, day; /* day: of the week from Sunday, or of the year */
    int64_t time;             /* s after local midnight; may be negative */
} change_rule;

struct wm_zone {
    size_t   n_changes;
    int64_t *at;     /* s, UTC, increasing */
    int32_t *offset; /* s, from at[i] on */
    int32_t  before; /* offset before the first change */

    /* After the last change; has_rule is false if the file gives none, and the last offset then stays. */
    bool        has_rule, has_summer;
    int32_t     standard, summer;
    change_rule begin, end;
};

/* ---- the rule after the last change ---- */

static bool parse_whole(const char **text, int least, int most, int *ret)
{
    int value = 0;

    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++)
        if ((value = value * 10 + (**text - '0')) > most)
            return false;
    *ret = value;
    return value >= least;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool parse_clock(const char **text, int hours_max, int64_t *ret)
{
    int sign = 1, hours, minutes = 0, seconds = 0;

    if (**text == '+' || **text == '-')
        sign = *(*text)++ == '-' ? -1 : 1;
    if (!parse_whole(text, 0, hours_max, &hours))
        return false;
    if (**text == ':' && ((*text)++, !parse_whole(text, 0, 59, &minutes)))
        return false;
    if (**text == ':' && ((*text)++, !parse_whole(text, 0, 59, &seconds)))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool skip_name(const char **text)
{
    const char *begin = *text;

    if (**text == '<') {
        while (**text != '\0' && **text != '>')
            (*text)++;
        return *(*text)++ == '>';
    }
    while (isalpha((unsigned char)**text))
        (*text)++;
    return *text - begin >= 3;
}

static bool parse_change(const char **text, change_rule *rule)
{
    rule->time = 2 * 3600;
    if (**text == 'M') {
        rule->kind = BY_WEEK;
        (*text)++;
        if (!parse_whole(text, 1, 12, &rule->month) || *(*text)++ != '.' || !parse_whole(text, 1, 5, &rule->week) ||
            *(*text)++ != '.' || !parse_whole(text, 0, 6, &rule->day))
            return false;
    } else if (**text == 'J') {
        rule->kind = BY_DAY_WITHOUT_LEAP;
        (*text)++;
        if (!parse_whole(text, 1, 365, &rule->day))
            return false;
    } else {
        rule->kind = BY_DAY;
        if (!parse_whole(text, 0, 365, &rule->day))
            return false;
    }
    if (**text != '/')
        return true;
    (*text)++;
    return parse_clock(text, 167, &rule->time);
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; POSIX counts offsets to the west, we to the east. */
static bool parse_rule(wm_zone *zone, const char *text)
{
    int64_t west;

    if (!skip_name(&text) || !parse_clock(&text, 24, &west))
        return false;
    zone->has_rule = true;
    zone->standard = (int32_t)-west;
    if (*text == '\0')
        return true;
    zone->summer = zone->standard + 3600;
    if (!skip_name(&text))
        return false;
    if (*text != ',' && *text != '\0') {
        if (!parse_clock(&text, 24, &west))
            return false;
        zone->summer = (int32_t)-west;
    }
    zone->has_summer = true;
    return *text == ',' && (text++, parse_change(&text, &zone->begin)) && *text == ',' &&
           (text++, parse_change(&text, &zone->end)) && *text == '\0';
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The moment of a change in `year`, in local seconds before the change. */
static int64_t change_in(const change_rule *rule, int64_t year)
{
    int64_t day;

    if (rule->kind == BY_WEEK) {
        int64_t first = wm_civil_day(year, rule->month, 1);
        int64_t next = rule->month == 12 ? wm_civil_day(year + 1, 1, 1) : wm_civil_day(year, rule->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Sunday */

        day = first + (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);
        while (day >= next) /* week 5 is the last one */
            day -= 7;
    } else {
        day = wm_civil_day(year, 1, 1) + rule->day;
        if (rule->kind == BY_DAY_WITHOUT_LEAP && !(is_leap(year) && rule->day >= 60))
            day--;
    }
    return day * 86400 + rule->time;
}

static int32_t offset_by_rule(const wm_zone *zone, int64_t utc)
{
    int64_t year, begin, end;
    bool    summer;

    if (!zone->has_summer)
        return zone->standard;
    year = wm_civil_year((utc + zone->standard) * 1000);
    begin = change_in(&zone->begin, year) - zone->standard;
    end = change_in(&zone->end, year) - zone->summer;
    summer = begin < end ? utc >= begin && utc < end : !(utc >= end && utc < begin);
    return summer ? zone->summer : zone->standard;
}

/* ---- the file ---- */

static uint32_t be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t be64(const uint8_t *b)
{
    return (int64_t)((uint64_t)be32(b) << 32 | be32(b + 4));
}

/* The counts of one block of a TZif file, in the order of its header. */
typedef struct block {
    uint32_t is_utc, is_standard, leaps, changes, types, chars;
    uint64_t bytes; /* after the header */
} block;

static bool read_block(const uint8_t *bytes, size_t n, size_t time_size, block *ret)
{
    if (n < HEADER || memcmp(bytes, "TZif", 4) != 0)
        return false;
    *ret = (block){ be32(bytes + 20),
                    be32(bytes + 24),
                    be32(bytes + 28),
                    be32(bytes + 32),
                    be32(bytes + 36),
                    be32(bytes + 40),
                    0 };
    ret->bytes = (uint64_t)ret->changes * (time_size + 1) + (uint64_t)ret->types * 6 + ret->chars +
                 (uint64_t)ret->leaps * (time_size + 4) + ret->is_standard + ret->is_utc;
    return ret->types > 0 && ret->types <= 256 && ret->bytes <= n - HEADER;
}

/* Room for them is made already. */
static bool read_changes(wm_zone *zone, const uint8_t *data, const block *b, size_t time_size)
{
    const uint8_t *kinds = data + b->changes * time_size, *types = kinds + b->changes;

    zone->before = (int32_t)be32(types);
    if (zone->before > OFFSET_MAX || zone->before < -OFFSET_MAX)
        return false;
    for (uint32_t i = 0; i < b->changes; i++) {
        zone->at[i] = time_size == 8 ? be64(data + 8 * i) : (int32_t)be32(data + 4 * i);
        if (kinds[i] >= b->types || (i > 0 && zone->at[i] <= zone->at[i - 1]))
            return false;
        zone->offset[i] = (int32_t)be32(types + 6 * kinds[i]);
        if (zone->offset[i] > OFFSET_MAX || zone->offset[i] < -OFFSET_MAX)
            return false;
    }
    zone->n_changes = b->changes;
    return true;
}

/* The rule stands between two line ends after the second block. */
static bool read_footer(wm_zone *zone, const uint8_t *bytes, size_t n)
{
    char   text[128];
    size_t size;

    if (n < 2 || bytes[0] != '\n')
        return false;
    for (size = 0; size + 1 < n && bytes[1 + size] != '\n'; size++)
        if (size + 1 >= sizeof text)
            return false;
    if (size + 1 >= n)
        return false;
    memcpy(text, bytes + 1, size);
    text[size] = '\0';
    return size == 0 || parse_rule(zone, text);
}

static wm_zone *new_zone(size_t changes)
{
    wm_zone *zone = calloc(1, sizeof *zone);

    if (zone == NULL)
        return NULL;
    zone->at = calloc(changes + 1, sizeof *zone->at);
    zone->offset = calloc(changes + 1, sizeof *zone->offset);
    if (zone->at != NULL && zone->offset != NULL)
        return zone;
    wm_zone_free(zone);
    return NULL;
}

wm_status wm_zone_read(const char *name, const uint8_t *bytes, size_t n, wm_zone **ret, wm_error *err)
{
    wm_zone *zone = NULL;
    block    first, b;
    size_t   time_size = 4, left = n;
    bool     good = read_block(bytes, n, time_size, &first);

    b = first;
    if (good && bytes[4] >= '2') { /* the second block has the same in 64 bits, and the rule */
        bytes += HEADER + first.bytes;
        left -= HEADER + first.bytes;
        time_size = 8;
        good = read_block(bytes, left, time_size, &b);
    }
    good = good && b.leaps == 0;
    if (good) {
        zone = new_zone(b.changes);
        if (zone == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the time zone %s", name);
        good = read_changes(zone, bytes + HEADER, &b, time_size) &&
               (time_size == 4 || read_footer(zone, bytes + HEADER + b.bytes, left - HEADER - b.bytes));
    }
    if (!good) {
        wm_zone_free(zone);
        return wm_fail(err, WM_E_MALFORMED, "the file of the time zone %s is damaged: install tzdata again", name);
    }
    *ret = zone;
    return WM_OK;
}

void wm_zone_free(wm_zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->at);
    free(zone->offset);
    free(zone);
}

static bool name_stays_inside(const char *name)
{
    if (*name == '\0' || *name == '/' || strstr(name, "..") != NULL || strlen(name) > 100)
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("/_+-.", *name) == NULL)
            return false;
    return true;
}

wm_status wm_zone_open(const char *name, wm_zone **ret, wm_error *err)
{
    static const char folder[] = "/usr/share/zoneinfo";
    const wm_files   *files = wm_files_system();
    char             *path;
    uint8_t          *bytes;
    size_t            n;
    wm_status         st;

    if (strcmp(name, "UTC") == 0) {
        *ret = calloc(1, sizeof **ret); /* no change and offset 0 */
        return *ret != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for the time zone UTC");
    }
    if (!name_stays_inside(name))
        return wm_fail(err, WM_E_INVALID, "\"%s\" is not the name of a time zone, such as Europe/Berlin", name);
    path = wm_path_join(folder, name);
    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the time zone %s", name);
    st = files->read(files, path, ZONE_BYTES_MAX, &bytes, &n, NULL);
    free(path);
    if (st == WM_E_NOMEM)
        return wm_fail(err, st, "no memory for the time zone %s", name);
    if (st != WM_OK)
        return wm_fail(
            err, WM_E_MISSING,
            files->exists(files, folder)
                ? "there is no time zone %s in %s: write it as in Europe/Berlin, or install the package tzdata"
                : "the time zone %s cannot be read, since %s is not there: install the package tzdata",
            name, folder);
    st = wm_zone_read(name, bytes, n, ret, err);
    free(bytes);
    return st;
}

/* ---- use ---- */

int64_t wm_zone_offset_ms(const wm_zone *zone, int64_t utc_ms)
{
    int64_t utc = utc_ms >= 0 ? utc_ms / 1000 : -((999 - utc_ms) / 1000);
    size_t  low = 0, high = zone->n_changes;

    while (low < high) { /* the number of changes at or before utc */
        size_t middle = low + (high - low) / 2;

        if (zone->at[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->n_changes && zone->has_rule)
        return 1000 * (int64_t)offset_by_rule(zone, utc);
    return 1000 * (int64_t)(low == 0 ? zone->before : zone->offset[low - 1]);
}

int64_t wm_zone_to_utc(const wm_zone *zone, int64_t local_ms, int64_t *second)
{
    const int64_t day = 86400000; /* no place changes its offset twice in two days */
    int64_t       before = wm_zone_offset_ms(zone, local_ms - day), after = wm_zone_offset_ms(zone, local_ms + day);
    int64_t       a = local_ms - before, b = local_ms - after;
    bool          a_holds = wm_zone_offset_ms(zone, a) == before, b_holds = wm_zone_offset_ms(zone, b) == after;

    if (a_holds && b_holds) {
        *second = a > b ? a : b;
        return a < b ? a : b;
    }
    *second = b_holds ? b : a;
    return *second;
}
