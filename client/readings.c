/* client/readings.c */
#include "client/readings_struct.h"

#include "client/owner_names.h"
#include "common/grow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    readings->private->file_owner = WM_NO_OWNER;
    if (layout->timed && data->start == NULL && data->time_columns.count != 1 && data->time_columns.count != 4 &&
        data->time_columns.count != 5)
        st = wm_fail(
            err, WM_E_INVALID,
            "data.time: one column with the time, or the columns of year, month, day, hour and perhaps minute");
    if (st == WM_OK)
        st = want(readings, ownership, err);
    if (st == WM_OK && layout->timed &&
        (st = wm_zone_open(data->zone != NULL ? data->zone : "UTC", &readings->zone, err)) != WM_OK)
        wm_error_prefix(err, "data.time.zone");
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

void wm_images_release(wm_images *images)
{
    free(images->pixels);
    free(images->labels);
    free(images->files);
    *images = (wm_images){ 0 };
}

void wm_readings_free(wm_readings *readings)
{
    if (readings == NULL)
        return;
    wm_text_table_release(&readings->private->owners);
    wm_text_table_release(&readings->private->members);
    wm_text_table_release(&readings->private->series);
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
    wm_images_release(&readings->images);
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

/* ---- for sources ---- */

wm_status wm_readings_file(wm_readings *readings, const char *name, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    const wm_ownership         *ownership = &self->ownership;
    const char                 *part = ownership->alone != NULL ? ownership->alone : "client";
    char                      **names;
    size_t                      n = strlen(part);
    uint32_t                    id;
    wm_status                   st;

    names = wm_grow(readings->file_names, readings->n_files, &self->files_room, sizeof *names);
    if (names == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
    readings->file_names = names;
    if ((readings->file_names[readings->n_files] = strdup(name)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
    self->file = (uint32_t)readings->n_files++;
    self->row = self->line = 0;
    wm_text_table_release(&self->series);
    if (readings->layout->job->data.series == NULL && (st = wm_readings_new_series(self, &id, err)) != WM_OK)
        return st;
    if (ownership->column != NULL || ownership->by_month)
        return WM_OK; /* every row says for itself */
    if (ownership->by_file && !wm_file_part(ownership->file_part, name, &part, &n))
        return wm_fail(err, WM_E_MALFORMED, "data.owner: no owner can be taken from the file name %s%s%s", name,
                       ownership->file_part != NULL ? " by the pattern " : "",
                       ownership->file_part != NULL ? ownership->file_part : "");
    return wm_reading_owner(readings, part, n, &self->file_owner, err);
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
        st = self->ownership.groups != NULL ? wm_reading_owner_of_member(readings, cell->text, cell->n, &owner, err)
                                            : wm_reading_owner(readings, cell->text, cell->n, &owner, err);
        if (st != WM_OK)
            return st;
        cell++;
    }
    if (owner == WM_NO_OWNER && !self->ownership.by_month)
        return WM_OK;
    if (readings->layout->job->data.series != NULL) {
        if ((st = wm_reading_series(self, cell->text, cell->n, &series, err)) != WM_OK)
            return st;
        cell++;
    }
    /* Of a file without series there may be many owners in turn, and of an owner many series. */
    before = readings->layout->job->data.series != NULL || owner == WM_NO_OWNER ? &self->series_before[series]
                                                                                : &self->owner_before[owner];
    readings->rows_seen++;
    if (!time_of(readings, cells, before, &time)) {
        fault_time(readings, cells, line);
        return WM_OK;
    }
    if (self->ownership.by_month) {
        if ((st = wm_reading_owner_of_month(readings, time, &owner, err)) != WM_OK)
            return st;
        if (owner == WM_NO_OWNER) {
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
