/* client/sources/synthetic.c
 *
 * The made-up city (client/city.h) as a source, without files: a district is a file, named as `wardmote sample city`
 * would name it, and its readings are rounded as they would be written. SYNTHETIC: nothing in it was measured. */
#include "client/source.h"

#include "client/city.h"
#include "client/times.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME = -1, TIME_TEXT = 24 };

/* Which column of the city each wanted cell is. */
static wm_status find_columns(const wm_readings *readings, int *columns, wm_error *err)
{
    for (size_t w = 0; w < readings->n_wanted; w++) {
        const char *name = readings->wanted[w].name;
        int         c = TIME;

        if (strcmp(name, "time") != 0)
            for (c = 0; c < WM_CITY_COLUMNS && strcmp(name, wm_city_column_name((wm_city_column)c)) != 0; c++)
                ;
        if (c == WM_CITY_COLUMNS)
            return wm_fail(err, WM_E_MISSING,
                           "there is no column %s in the synthetic city: it has time, traffic_flow, traffic_speed, "
                           "pm25, no2, temperature, wind_speed, wind_direction, energy_load",
                           name);
        columns[w] = c;
    }
    return WM_OK;
}

/* As the file's text would be read back. */
static double rounded(double value, int decimals)
{
    char text[40];

    snprintf(text, sizeof text, "%.*f", decimals, value);
    return strtod(text, NULL);
}

static wm_cell cell_of(const wm_city_hour *hour, int column, char time[TIME_TEXT])
{
    double value;

    if (column == TIME) {
        snprintf(time, TIME_TEXT, "%lld", (long long)hour->time_ms);
        return (wm_cell){ time, strlen(time), (double)hour->time_ms };
    }
    value = hour->values[column];
    if (column == WM_CITY_WIND_DIRECTION) {
        const char *word = isnan(value) ? "" : wm_city_direction((int)value);

        return (wm_cell){ word, strlen(word), NAN };
    }
    return (wm_cell){ .number =
                          isnan(value) ? NAN : rounded(value, wm_city_column_decimals((wm_city_column)column)) };
}

static wm_status read_district(const wm_synthetic_options *self, size_t k, const int *columns, wm_cell *cells,
                               wm_readings *readings, wm_error *err)
{
    char         name[WM_CITY_NAME_MAX], file[WM_CITY_NAME_MAX + 8], time[TIME_TEXT];
    wm_district *district;
    wm_status    st = wm_district_new((uint64_t)self->seed, k, &district, err);

    if (st != WM_OK)
        return st;
    snprintf(file, sizeof file, "%s.csv", wm_city_district(k, name));
    st = wm_readings_file(readings, file, err);
    for (int64_t h = 0, line = 1; st == WM_OK && h < 24 * self->days; h++) {
        wm_city_hour hour;

        wm_district_next(district, &hour);
        if (hour.absent)
            continue;
        for (size_t w = 0; w < readings->n_wanted; w++)
            cells[w] = cell_of(&hour, columns[w], time);
        st = wm_readings_row(readings, cells, (size_t)++line, err);
    }
    wm_district_free(district);
    return st;
}

static wm_status synthetic_read(const void *options, const char *folder, wm_readings *readings, wm_error *err)
{
    const wm_synthetic_options *self = options;
    int                        *columns = calloc(readings->n_wanted + 1, sizeof *columns);
    wm_cell                    *cells = calloc(readings->n_wanted + 1, sizeof *cells);
    wm_status                   st;

    (void)folder;
    if (columns == NULL || cells == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the columns of the synthetic city");
    else
        st = find_columns(readings, columns, err);
    for (int64_t k = 0; st == WM_OK && k < self->gateways; k++)
        st = read_district(self, (size_t)k, columns, cells, readings, err);
    free(columns);
    free(cells);
    return st;
}

static const wm_option synthetic_option_table[] = {
    { .name = "gateways",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_synthetic_options, gateways),
      .least = 1,
      .most = WM_CITY_GATEWAYS_MAX,
      .standard = "4",
      .main = true,
      .doc = "Districts of the made-up city; each is a file of its own, so `owner: file` makes a client of each." },
    { .name = "days",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_synthetic_options, days),
      .least = 1,
      .most = WM_CITY_DAYS_MAX,
      .standard = "180",
      .doc = "Days of hourly readings, from 2024-01-01 on." },
    { .name = "seed",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_synthetic_options, seed),
      .least = 0,
      .most = 9e15,
      .standard = "1",
      .doc = "The same seed makes the same city." },
};

const wm_source_ops wm_source_synthetic = {
    .member = { .name = "synthetic",
                .doc = "A made-up city's hourly traffic, air and energy; nothing in it was measured.",
                .options = synthetic_option_table,
                .n_options = sizeof synthetic_option_table / sizeof *synthetic_option_table,
                .options_size = sizeof(wm_synthetic_options) },
    .read = synthetic_read,
};
