/* client/readings.c */
#include "client/readings.h"

#include "common/config/document.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_OWNER = UINT32_MAX, OWNERS_MAX = 100000 };

/* A text as it stands in the data, and the number of what it names. */
typedef struct text_key {
    char    *text; /* NULL: an empty place in the table */
    size_t   n;
    uint32_t id; /* of an owner: NO_OWNER: dropped */
} text_key;

typedef struct text_table {
    text_key *keys;                   /* open addressing; n_places is a power of two, less than 3/4 full */
    size_t    n_places, n_keys, last; /* last: the place found last, since rows of one mostly come together */
} text_table;

struct wm_readings_private {
    wm_ownership ownership;
    text_table   owners;
    text_table   members;       /* of groups: texts, and the owner of each */
    text_table   series;        /* of the current file, where the job has a column for them */
    int64_t     *owner_before;  /* [owners] time of the reading before */
    int64_t     *series_before; /* [series] the same */
    size_t       owners_room, files_room, series_room;
    uint32_t     file, file_owner, n_series; /* n_series: over all files */
    wm_stamp     start;                      /* data.time.start, placed */
    size_t       row, line;                  /* of the current file: rows so far, and the last one's line */
};

/* ---- names ---- */

bool wm_owner_name(const char *text, size_t n, char ret[WM_OWNER_NAME_MAX + 1])
{
    size_t size = 0;

    for (size_t i = 0; i < n && size < WM_OWNER_NAME_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        bool          plain = c < 0x80 && isalnum(c);

        if (plain)
            ret[size++] = (char)tolower(c);
        else if (size > 0 && ret[size - 1] != '-')
            ret[size++] = '-';
    }
    while (size > 0 && ret[size - 1] == '-')
        size--;
    ret[size] = '\0';
    return size > 0;
}

/* Backtracking over the stars; patterns are short and file names too. */
static bool match_part(const char *pattern, const char *name, const char **begin, size_t *n)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (pattern[0] == '{' && pattern[1] == '}') {
        for (size_t size = 1; size <= strlen(name); size++) {
            if (match_part(pattern + 2, name + size, begin, n)) {
                *begin = name;
                *n = size;
                return true;
            }
        }
        return false;
    }
    if (*pattern == '*') {
        for (;; name++) {
            if (match_part(pattern + 1, name, begin, n))
                return true;
            if (*name == '\0')
                return false;
        }
    }
    return *pattern == *name && match_part(pattern + 1, name + 1, begin, n);
}

bool wm_file_part(const char *pattern, const char *name, const char **begin, size_t *n)
{
    static const char *const endings[] = { ".csv", ".gz", ".txt" };

    if (pattern != NULL)
        return strstr(pattern, "{}") != NULL && match_part(pattern, name, begin, n);
    *begin = name;
    *n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const char *end = strstr(name, endings[i]);

        if (end != NULL && (size_t)(end - name) < *n)
            *n = (size_t)(end - name);
    }
    return *n > 0;
}

/* ---- making ---- */

static wm_status want(wm_readings *readings, const wm_ownership *ownership, wm_error *err)
{
    const wm_layout *layout = readings->layout;
    const wm_words  *times = &layout->job->data.time_columns;

    if (layout->images)
        return WM_OK;
    readings->n_times = times->count;
    readings->wanted = calloc(times->count + 2 + layout->n_used, sizeof *readings->wanted);
    readings->used = calloc(layout->n_used + 1, sizeof *readings->used);
    readings->present = calloc(layout->n_used + 1, sizeof *readings->present);
    readings->outside = calloc(layout->n_used + 1, sizeof *readings->outside);
    if (readings->wanted == NULL || readings->used == NULL || readings->present == NULL ||
        readings->outside == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the columns of the readings");
    for (size_t i = 0; i < times->count; i++)
        readings->wanted[readings->n_wanted++] =
            (wm_wanted){ times->items[i], times->count == 1 ? WM_CELL_WORD : WM_CELL_NUMBER, false };
    if (ownership->column != NULL)
        readings->wanted[readings->n_wanted++] = (wm_wanted){ ownership->column, WM_CELL_WORD, false };
    if (layout->job->data.series != NULL)
        readings->wanted[readings->n_wanted++] = (wm_wanted){ layout->job->data.series, WM_CELL_WORD, false };
    for (size_t i = 0; i < layout->n_used; i++) {
        if (!layout->used[i].read)
            continue;
        readings->used[readings->n_codes++] = i;
        readings->wanted[readings->n_wanted++] =
            (wm_wanted){ layout->used[i].name, wm_column_cell(&layout->used[i]), layout->used[i].optional };
    }
    if (readings->n_wanted > WM_READINGS_WANTED_MAX)
        return wm_fail(err, WM_E_INVALID, "the job uses %zu columns, at most %d can be read", readings->n_wanted,
                       WM_READINGS_WANTED_MAX);
    return WM_OK;
}

/* The first row's time, where no column says it. */
static wm_status place_start(wm_readings *readings, wm_error *err)
{
    const char *start = readings->layout->job->data.start;
    wm_stamp   *stamp = &readings->private->start;

    if (start == NULL)
        return WM_OK;
    if (!wm_stamp_parse(start, strlen(start), NULL, stamp))
        return wm_fail(err, WM_E_INVALID, "data.time.start: %s is no date", start);
    stamp->ms = wm_stamp_place(stamp, readings->zone, INT64_MIN);
    return WM_OK;
}

wm_status wm_readings_new(const wm_layout *layout, const wm_ownership *ownership, wm_readings **ret, wm_error *err)
{
    const wm_job_data *data = &layout->job->data;
    wm_readings       *readings = calloc(1, sizeof *readings);
    wm_status          st = WM_OK;

    if (readings == NULL || (readings->private = calloc(1, sizeof *readings->private)) == NULL) {
        free(readings);
        return wm_fail(err, WM_E_NOMEM, "no memory for readings");
    }
    readings->layout = layout;
    readings->private->ownership = *ownership;
    readings->private->file_owner = NO_OWNER;
    if (layout->timed && data->start == NULL && data->time_columns.count != 1 && data->time_columns.count != 4 &&
        data->time_columns.count != 5)
        st = wm_fail(
            err, WM_E_INVALID,
            "data.time: one column with the time, or the columns of year, month, day, hour and perhaps minute");
    if (st == WM_OK)
        st = want(readings, ownership, err);
    if (st == WM_OK && layout->timed)
        st = wm_zone_open(data->zone != NULL ? data->zone : "UTC", &readings->zone, err);
    if (st == WM_OK)
        st = place_start(readings, err);
    if (st == WM_OK && ownership->by_month && !layout->timed)
        st = wm_fail(err, WM_E_INVALID, "data.owner: months need readings with a time: give data.time");
    if (st == WM_OK)
        *ret = readings;
    else
        wm_readings_free(readings);
    return st;
}

static void table_release(text_table *table)
{
    for (size_t i = 0; i < table->n_places; i++)
        free(table->keys[i].text);
    free(table->keys);
    *table = (text_table){ 0 };
}

void wm_readings_free(wm_readings *readings)
{
    if (readings == NULL)
        return;
    table_release(&readings->private->owners);
    table_release(&readings->private->members);
    table_release(&readings->private->series);
    free(readings->private->owner_before);
    free(readings->private->series_before);
    wm_zone_free(readings->zone);
    free(readings->private);
    for (size_t i = 0; i < readings->n_files; i++)
        free(readings->file_names[i]);
    for (size_t i = 0; i < readings->n_owners; i++)
        free(readings->owner_names[i]);
    free(readings->file_names);
    free(readings->owner_names);
    free(readings->wanted);
    free(readings->used);
    free(readings->present);
    free(readings->outside);
    free(readings->times);
    free(readings->owners);
    free(readings->files);
    free(readings->series);
    free(readings->codes);
    free(readings->images.pixels);
    free(readings->images.labels);
    free(readings->images.files);
    free(readings);
}

void wm_readings_fault(wm_readings *readings, const char *fmt, ...)
{
    va_list args;

    if (readings->first_fault[0] != '\0')
        return;
    va_start(args, fmt);
    vsnprintf(readings->first_fault, sizeof readings->first_fault, fmt, args);
    va_end(args);
}

/* ---- texts and their numbers ---- */

static uint64_t hash_text(const char *text, size_t n)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash;
}

/* The place of a text in the table, or the empty one where it belongs. */
static size_t find_place(const text_key *keys, size_t n_places, const char *text, size_t n)
{
    size_t place = hash_text(text, n) & (n_places - 1);

    while (keys[place].text != NULL && (keys[place].n != n || memcmp(keys[place].text, text, n) != 0))
        place = (place + 1) & (n_places - 1);
    return place;
}

static wm_status grow_table(text_table *self, wm_error *err)
{
    size_t    n_places = self->n_places > 0 ? 2 * self->n_places : 64;
    text_key *keys = calloc(n_places, sizeof *keys);

    if (keys == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
    for (size_t i = 0; i < self->n_places; i++)
        if (self->keys[i].text != NULL)
            keys[find_place(keys, n_places, self->keys[i].text, self->keys[i].n)] = self->keys[i];
    free(self->keys);
    self->keys = keys;
    self->n_places = n_places;
    return WM_OK;
}

/* *ret: the text's place, which is empty if it is new: add_text() then fills it. */
static wm_status look_up(text_table *self, const char *text, size_t n, text_key **ret, wm_error *err)
{
    wm_status st;

    if (self->n_keys > 0 && self->keys[self->last].n == n && memcmp(self->keys[self->last].text, text, n) == 0) {
        *ret = &self->keys[self->last];
        return WM_OK;
    }
    if (4 * (self->n_keys + 1) > 3 * self->n_places && (st = grow_table(self, err)) != WM_OK)
        return st;
    *ret = &self->keys[find_place(self->keys, self->n_places, text, n)];
    if ((*ret)->text != NULL)
        self->last = (size_t)(*ret - self->keys);
    return WM_OK;
}

static wm_status add_text(text_table *self, text_key *key, const char *text, size_t n, uint32_t id, wm_error *err)
{
    if ((key->text = malloc(n + 1)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
    memcpy(key->text, text, n); /* whatever bytes: strndup() would end at a zero */
    key->text[n] = '\0';
    key->n = n;
    key->id = id;
    self->last = (size_t)(key - self->keys);
    self->n_keys++;
    return WM_OK;
}

/* ---- owners ---- */

static wm_status add_owner(wm_readings *readings, const char *name, uint32_t *ret, wm_error *err)
{
    struct wm_readings_private *self = readings->private;

    if (readings->n_owners == OWNERS_MAX)
        return wm_fail(err, WM_E_RANGE, "there are more than %d owners: is data.owner the right column?",
                       OWNERS_MAX);
    if (readings->n_owners == self->owners_room) {
        size_t   room = self->owners_room > 0 ? 2 * self->owners_room : 16;
        char   **names = realloc(readings->owner_names, room * sizeof *names);
        int64_t *previous;

        if (names == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
        readings->owner_names = names;
        previous = realloc(self->owner_before, room * sizeof *previous);
        if (previous == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
        self->owner_before = previous;
        self->owners_room = room;
    }
    if ((readings->owner_names[readings->n_owners] = strdup(name)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
    self->owner_before[readings->n_owners] = INT64_MIN;
    *ret = (uint32_t)readings->n_owners++;
    return WM_OK;
}

/* Two texts that become one name would be one client in the certificates and two in the data. */
static wm_status check_collision(const wm_readings *readings, const char *text, size_t n, const char *name,
                                 wm_error *err)
{
    const text_table *self = &readings->private->owners;
    char              other[WM_OWNER_NAME_MAX + 1];

    for (size_t i = 0; i < self->n_places; i++)
        if (self->keys[i].text != NULL && wm_owner_name(self->keys[i].text, self->keys[i].n, other) &&
            strcmp(other, name) == 0)
            return wm_fail(err, WM_E_MALFORMED, "the owners \"%s\" and \"%.*s\" would both be named %s: rename one",
                           self->keys[i].text, (int)(n < 100 ? n : 100), text, name);
    return WM_OK;
}

/* Who a text of the data is; NO_OWNER if that one's readings are not wanted. */
static wm_status owner_of(wm_readings *readings, const char *text, size_t n, uint32_t *ret, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    char                        name[WM_OWNER_NAME_MAX + 1];
    uint32_t                    owner = NO_OWNER;
    text_key                   *key;
    wm_status                   st = look_up(&self->owners, text, n, &key, err);

    if (st != WM_OK)
        return st;
    if (key->text == NULL) {
        if (!wm_owner_name(text, n, name))
            return wm_fail(err, WM_E_MALFORMED, "no name of letters and digits can be made of the owner \"%.*s\"",
                           (int)(n < 100 ? n : 100), text);
        if ((st = check_collision(readings, text, n, name, err)) != WM_OK)
            return st;
        if ((self->ownership.only == NULL || strcmp(self->ownership.only, name) == 0) &&
            (st = add_owner(readings, name, &owner, err)) != WM_OK)
            return st;
        if ((st = add_text(&self->owners, key, text, n, owner, err)) != WM_OK)
            return st;
    }
    *ret = key->id;
    return WM_OK;
}

/* Whose group lists the text; NO_OWNER if none does. */
static wm_status owner_of_member(wm_readings *readings, const char *text, size_t n, uint32_t *ret, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    const wm_yaml              *group = self->ownership.groups->first;
    uint32_t                    owner = NO_OWNER;
    text_key                   *key;
    wm_status                   st = look_up(&self->members, text, n, &key, err);

    if (st != WM_OK || key->text != NULL) {
        *ret = st == WM_OK ? key->id : NO_OWNER;
        return st;
    }
    for (; group != NULL; group = group->next) {
        const wm_yaml *node = group->first;

        while (node != NULL && (strlen(node->text) != n || memcmp(node->text, text, n) != 0))
            node = node->next;
        if (node != NULL)
            break;
    }
    if (group != NULL)
        st = owner_of(readings, group->key, strlen(group->key), &owner, err);
    if (st == WM_OK)
        st = add_text(&self->members, key, text, n, owner, err);
    *ret = owner;
    return st;
}

/* ---- series ---- */

/* A number for the next series, which begins in the current file. */
static wm_status new_series(struct wm_readings_private *self, uint32_t *ret, wm_error *err)
{
    if (self->n_series == self->series_room) {
        size_t   room = self->series_room > 0 ? 2 * self->series_room : 16;
        int64_t *before = room <= INT32_MAX ? realloc(self->series_before, room * sizeof *before) : NULL;

        if (before == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for %zu series", room);
        self->series_before = before;
        self->series_room = room;
    }
    self->series_before[self->n_series] = INT64_MIN;
    *ret = self->n_series++;
    return WM_OK;
}

/* Which series of the current file a row's text names. */
static wm_status series_of(struct wm_readings_private *self, const char *text, size_t n, uint32_t *ret,
                           wm_error *err)
{
    text_key *key;
    uint32_t  id = 0; /* the compiler does not see that it is set */
    wm_status st = look_up(&self->series, text, n, &key, err);

    if (st == WM_OK && key->text == NULL && (st = new_series(self, &id, err)) == WM_OK)
        st = add_text(&self->series, key, text, n, id, err);
    if (st == WM_OK)
        *ret = key->id;
    return st;
}

/* ---- for sources ---- */

wm_status wm_readings_file(wm_readings *readings, const char *name, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    const wm_ownership         *ownership = &self->ownership;
    const char                 *part = ownership->alone != NULL ? ownership->alone : "client";
    size_t                      n = strlen(part);
    uint32_t                    id;
    wm_status                   st;

    if (readings->n_files == self->files_room) {
        size_t room = self->files_room > 0 ? 2 * self->files_room : 16;
        char **names = realloc(readings->file_names, room * sizeof *names);

        if (names == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
        readings->file_names = names;
        self->files_room = room;
    }
    if ((readings->file_names[readings->n_files] = strdup(name)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
    self->file = (uint32_t)readings->n_files++;
    self->row = self->line = 0;
    table_release(&self->series);
    if (readings->layout->job->data.series == NULL && (st = new_series(self, &id, err)) != WM_OK)
        return st;
    if (ownership->column != NULL || ownership->by_month)
        return WM_OK; /* every row says for itself */
    if (ownership->by_file && !wm_file_part(ownership->file_part, name, &part, &n))
        return wm_fail(err, WM_E_MALFORMED, "no owner can be taken from the file name %s%s%s", name,
                       ownership->file_part != NULL ? " by the pattern " : "",
                       ownership->file_part != NULL ? ownership->file_part : "");
    return owner_of(readings, part, n, &self->file_owner, err);
}

static wm_status reserve_rows(wm_readings *readings, wm_error *err)
{
    size_t    room = readings->room > 0 ? 2 * readings->room : 4096, values;
    int64_t  *times;
    uint32_t *owners, *files, *series;
    float    *codes;

    if (readings->n < readings->room)
        return WM_OK;
    if (room > INT32_MAX || !wm_size_mul(room, (readings->n_codes + 1) * sizeof *codes, &values))
        return wm_fail(err, WM_E_RANGE, "there are more than %zu rows of readings", readings->room);
    if ((times = realloc(readings->times, room * sizeof *times)) != NULL)
        readings->times = times;
    if ((owners = realloc(readings->owners, room * sizeof *owners)) != NULL)
        readings->owners = owners;
    if ((files = realloc(readings->files, room * sizeof *files)) != NULL)
        readings->files = files;
    if ((series = realloc(readings->series, room * sizeof *series)) != NULL)
        readings->series = series;
    if ((codes = realloc(readings->codes, values)) != NULL)
        readings->codes = codes;
    if (times == NULL || owners == NULL || files == NULL || series == NULL || codes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu rows of readings", room);
    readings->room = room;
    return WM_OK;
}

/* The time of a row; false if it cannot be read. *before: of the reading before it, which it then is itself. */
static bool time_of(wm_readings *readings, const wm_cell *cells, int64_t *before, int64_t *ret)
{
    struct wm_readings_private *self = readings->private;
    double                      parts[5] = { 0 };
    wm_stamp                    stamp;

    if (readings->n_times == 0) {
        *ret = readings->layout->timed
                   ? self->start.ms + (int64_t)(self->row - 1) * readings->layout->job->data.step_ms
                   : (int64_t)readings->n;
        return true;
    }
    for (size_t i = 0; i < readings->n_times && i < 5; i++)
        parts[i] = cells[i].number;
    if (readings->n_times == 1
            ? !wm_stamp_parse(cells[0].text, cells[0].n, readings->layout->job->data.time_format, &stamp)
            : !wm_stamp_from_parts(parts, readings->n_times, &stamp))
        return false;
    *ret = *before = wm_stamp_place(&stamp, readings->zone, *before);
    return true;
}

static void fault_time(wm_readings *readings, const wm_cell *cells, size_t line)
{
    const char *file = readings->file_names[readings->private->file];
    const char *format = readings->layout->job->data.time_format;

    readings->without_time++;
    if (readings->n_times == 1)
        wm_readings_fault(readings, "%s:%zu: \"%.*s\" in column %s is no time%s%s", file, line,
                          (int)(cells[0].n < 60 ? cells[0].n : 60), cells[0].text, readings->wanted[0].name,
                          format != NULL ? " of the format " : ": give data.time.format",
                          format != NULL ? format : "");
    else
        wm_readings_fault(readings, "%s:%zu: the columns of data.time are no date", file, line);
}

static wm_status owner_by_month(wm_readings *readings, int64_t time, uint32_t *ret, wm_error *err)
{
    int64_t local = time + wm_zone_offset_ms(readings->zone, time), year = wm_civil_year(local), month = 12;
    char    text[32];
    int     n;

    while (month > 1 && wm_civil_day(year, month, 1) * 86400000 > local)
        month--;
    n = snprintf(text, sizeof text, "%04lld-%02lld", (long long)year, (long long)month);
    return owner_of(readings, text, (size_t)n, ret, err);
}

wm_status wm_readings_row(wm_readings *readings, const wm_cell *cells, size_t line, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    const char                 *file = readings->file_names[self->file];
    const wm_cell              *cell = cells + readings->n_times;
    uint32_t                    owner = self->file_owner, series = self->n_series - 1;
    int64_t                     time, *before;
    float                      *codes;
    wm_status                   st;

    self->row += line != self->line || self->row == 0; /* a line of a wide table comes in several rows */
    self->line = line;
    if (self->ownership.column != NULL) {
        if (cell->n == 0) {
            readings->rows_seen++;
            readings->without_owner++;
            wm_readings_fault(readings, "%s:%zu: column %s, which names the owner, is empty", file, line,
                              self->ownership.column);
            return WM_OK;
        }
        st = self->ownership.groups != NULL ? owner_of_member(readings, cell->text, cell->n, &owner, err)
                                            : owner_of(readings, cell->text, cell->n, &owner, err);
        if (st != WM_OK)
            return st;
        cell++;
    }
    if (owner == NO_OWNER && !self->ownership.by_month)
        return WM_OK;
    if (readings->layout->job->data.series != NULL) {
        if ((st = series_of(self, cell->text, cell->n, &series, err)) != WM_OK)
            return st;
        cell++;
    }
    /* Of a file without series there may be many owners in turn, and of an owner many series. */
    before = readings->layout->job->data.series != NULL || owner == NO_OWNER ? &self->series_before[series]
                                                                             : &self->owner_before[owner];
    readings->rows_seen++;
    if (!time_of(readings, cells, before, &time)) {
        fault_time(readings, cells, line);
        return WM_OK;
    }
    if (self->ownership.by_month) {
        if ((st = owner_by_month(readings, time, &owner, err)) != WM_OK)
            return st;
        if (owner == NO_OWNER) {
            readings->rows_seen--;
            return WM_OK;
        }
    }
    if ((st = reserve_rows(readings, err)) != WM_OK)
        return st;
    codes = readings->codes + readings->n * readings->n_codes;
    for (size_t i = 0; i < readings->n_codes; i++) {
        const wm_used *used = &readings->layout->used[readings->used[i]];
        bool           there = wm_column_cell(used) == WM_CELL_NUMBER ? !isnan(cell[i].number) : cell[i].n > 0;

        codes[i] = there ? wm_column_code(used, &cell[i]) : NAN;
        readings->present[i] += there;
        readings->outside[i] += there && isnan(codes[i]);
    }
    readings->times[readings->n] = time;
    readings->owners[readings->n] = owner;
    readings->series[readings->n] = series;
    readings->files[readings->n++] = self->file;
    return WM_OK;
}

wm_status wm_readings_images(wm_readings *readings, const wm_shape *shape, size_t n, uint8_t **pixels,
                             uint8_t **labels, wm_error *err)
{
    wm_images       *images = &readings->images;
    const wm_layout *layout = readings->layout;
    size_t           size, have, want, bytes;
    uint8_t         *more_pixels, *more_labels;
    uint32_t        *more_files;

    if (!layout->images)
        return wm_fail(err, WM_E_SHAPE, "%s holds images, but the job's inputs are no pixels",
                       readings->file_names[readings->private->file]);
    if (!wm_shape_count(shape, &size) || size == 0)
        return wm_fail(err, WM_E_SHAPE, "%s: images of no size", readings->file_names[readings->private->file]);
    for (size_t i = 0; i < layout->job->data.n_inputs; i++)
        if (layout->inputs[i].values != size)
            return wm_fail(err, WM_E_SHAPE, "%s: an image has %zu values, data.inputs.%s is declared with %zu",
                           readings->file_names[readings->private->file], size, layout->job->data.inputs[i].name,
                           layout->inputs[i].values);
    have = images->n;
    if (!wm_size_add(have, n, &want) || want > INT32_MAX || !wm_size_mul(want, size, &bytes))
        return wm_fail(err, WM_E_RANGE, "there are more images than can be counted");
    if ((more_pixels = realloc(images->pixels, bytes + 1)) != NULL)
        images->pixels = more_pixels;
    if ((more_labels = realloc(images->labels, want + 1)) != NULL)
        images->labels = more_labels;
    if ((more_files = realloc(images->files, (want + 1) * sizeof *more_files)) != NULL)
        images->files = more_files;
    if (more_pixels == NULL || more_labels == NULL || more_files == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu images of %zu bytes", want, size);
    for (size_t i = have; i < want; i++)
        images->files[i] = readings->private->file;
    images->shape = *shape;
    images->size = size;
    images->n = want;
    readings->rows_seen += n;
    *pixels = images->pixels + have * size;
    *labels = images->labels + have;
    return WM_OK;
}
