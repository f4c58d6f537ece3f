/* client/city_files.c: the made-up city as files that a person can open, and a job that runs on them. */
#include "client/city.h"

#include "client/times.h"
#include "common/files.h"
#include "common/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char readme[] =
    "A made-up city\n"
    "\n"
    "These readings are SYNTHETIC: a generator made them (`wardmote sample city`), nothing was measured anywhere.\n"
    "They are for trying Wardmote and for its tests, and say nothing about air, traffic or energy in any real place.\n"
    "\n"
    "One CSV file for each district, an hour a row, %zu districts, %zu days from 2024-01-01, seed %llu:\n"
    "\n"
    "  time            the hour's beginning, ISO 8601 with its offset from UTC (always +01:00, no summer time)\n"
    "  traffic_flow    vehicles an hour                traffic_speed   km/h\n"
    "  pm25            fine dust, ug/m3                no2             nitrogen dioxide, ug/m3\n"
    "  temperature     degrees Celsius                 wind_speed      m/s\n"
    "  wind_direction  where it comes from, 16 points  energy_load     MW\n"
    "\n"
    "As in real life a gateway is off now and then (no rows), readings are missing (empty cells), a sensor sticks at\n"
    "one value, or says what cannot be (pm25 9999, no2 -999, temperature 85, ...).\n"
    "\n"
    "city.yaml is a job: PM2.5 six hours ahead, a client for each file.\n"
    "\n"
    "    wardmote simulate city.yaml --data .\n";

static const char job[] =
    "# PM2.5 six hours ahead in a made-up city (see README.txt): one client for each district's file.\n"
    "#\n"
    "#     wardmote simulate city.yaml --data .\n"
    "job: city\n"
    "data:\n"
    "  source: {csv: {files: \"*.csv\"}}\n"
    "  owner: file\n"
    "  time: {column: time, zone: UTC}\n"
    "  columns:                     # range: what is possible; a reading outside it counts as missing\n"
    "    pm25:           {range: [0, 1000], missing: {fill: last, limit: 6, mask: true}}\n"
    "    no2:            {range: [0, 500], missing: {fill: last, limit: 6}}\n"
    "    traffic_flow:   {range: [0, 10000], missing: {fill: last, limit: 6}}\n"
    "    temperature:    {range: [-40, 60], missing: {fill: last, limit: 6}}\n"
    "    wind_speed:     {range: [0, 60], missing: {fill: last, limit: 6}}\n"
    "    wind_direction: {compass: 16, missing: {fill: last, limit: 6}}\n"
    "    day:            {cycle: 24h}\n"
    "    week:           {cycle: 7d}\n"
    "  inputs:\n"
    "    past: {window: {columns: [pm25, no2, traffic_flow, temperature, wind_speed, wind_direction, day, week], "
    "length: 24}}\n"
    "  targets:\n"
    "    pm25: {column: pm25, ahead: 6h, missing: skip}\n"
    "  scale: federated\n"
    "  split: {time: [0.7, 0.1, 0.2]}\n"
    "model:\n"
    "  layers: [flatten, {dense: 64}, relu, {dense: 32}, relu, {dense: 1}]\n"
    "  loss: mse\n"
    "training: {optimiser: sgd, rate: 0.003, batch: 32, epochs: 1}\n"
    "rounds: 20\n"
    "cohort: {select: all, quorum: 0.7, deadline: 60s}\n"
    "strategy: fedavg\n"
    "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive, alone, pooled, tuned]}\n"
    "seed: 1\n";

static void add_hour(wm_text *text, const wm_city_hour *hour)
{
    const int64_t offset = 3600000; /* +01:00 */
    int64_t       local = hour->time_ms + offset, day = local / 86400000, year = wm_civil_year(local);
    int           month = 12;

    while (wm_civil_day(year, month, 1) > day)
        month--;
    wm_text_printf(text, "%04d-%02d-%02dT%02d:00:00+01:00", (int)year, month,
                   (int)(day - wm_civil_day(year, month, 1)) + 1, (int)(local / 3600000 % 24));
    for (int c = 0; c < WM_CITY_COLUMNS; c++) {
        int decimals = wm_city_column_decimals((wm_city_column)c);

        wm_text_add(text, ",");
        if (isnan(hour->values[c]))
            continue;
        if (decimals < 0)
            wm_text_add(text, wm_city_direction((int)hour->values[c]));
        else
            wm_text_printf(text, "%.*f", decimals, hour->values[c]);
    }
    wm_text_add(text, "\n");
}

static wm_status write_text(const char *folder, const char *name, const char *ending, const wm_text *text,
                            wm_error *err)
{
    const wm_files *files = wm_files_system();
    char            full[WM_CITY_NAME_MAX + 8], *path;
    wm_status       st;

    if (text->bad)
        return wm_fail(err, WM_E_NOMEM, "no memory to write %s%s", name, ending);
    strcpy(full, name); /* of at most WM_CITY_NAME_MAX; the ending has 4 */
    strcat(full, ending);
    path = wm_path_join(folder, full);
    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to write %s%s", name, ending);
    st = files->replace(files, path, wm_text_chars(text), text->size, 0644, err);
    free(path);
    return st;
}

static wm_status write_district(const char *folder, const wm_city_settings *settings, size_t k, wm_error *err)
{
    char         name[WM_CITY_NAME_MAX];
    wm_text      text = WM_TEXT_INIT;
    wm_district *district;
    wm_status    st = wm_district_new(settings->seed, k, &district, err);

    if (st != WM_OK)
        return st;
    wm_text_add(&text, "time");
    for (int c = 0; c < WM_CITY_COLUMNS; c++)
        wm_text_printf(&text, ",%s", wm_city_column_name((wm_city_column)c));
    wm_text_add(&text, "\n");
    for (size_t h = 0; h < 24 * settings->days; h++) {
        wm_city_hour hour;

        wm_district_next(district, &hour);
        if (!hour.absent)
            add_hour(&text, &hour);
    }
    st = write_text(folder, wm_city_district(k, name), ".csv", &text, err);
    wm_district_free(district);
    wm_text_release(&text);
    return st;
}

/* A folder with something in it may hold real readings, which a made-up file among them would spoil. */
static wm_status check_folder(const char *folder, wm_error *err)
{
    char    **names;
    size_t    n;
    wm_status st = wm_folder_names(folder, &names, &n, err);

    if (st != WM_OK)
        return st;
    wm_names_free(names, n);
    return n == 0 ? WM_OK : wm_fail(err, WM_E_EXISTS, "%s is not empty: name a new folder", folder);
}

wm_status wm_city_write(const char *folder, const wm_city_settings *settings, wm_error *err)
{
    const wm_files *files = wm_files_system();
    wm_text         text = WM_TEXT_INIT;
    wm_status       st;

    if (settings->gateways < 1 || settings->gateways > WM_CITY_GATEWAYS_MAX)
        return wm_fail(err, WM_E_INVALID, "a city has 1 to %d gateways", WM_CITY_GATEWAYS_MAX);
    if (settings->days < 1 || settings->days > WM_CITY_DAYS_MAX)
        return wm_fail(err, WM_E_INVALID, "a city has readings of 1 to %d days", WM_CITY_DAYS_MAX);
    if ((st = files->make_folder(files, folder, 0755, err)) != WM_OK || (st = check_folder(folder, err)) != WM_OK)
        return st;
    for (size_t k = 0; st == WM_OK && k < settings->gateways; k++)
        st = write_district(folder, settings, k, err);
    wm_text_printf(&text, readme, settings->gateways, settings->days, (unsigned long long)settings->seed);
    if (st == WM_OK)
        st = write_text(folder, "README", ".txt", &text, err);
    wm_text_release(&text);
    wm_text_add(&text, job);
    if (st == WM_OK)
        st = write_text(folder, "city", ".yaml", &text, err);
    wm_text_release(&text);
    return st;
}
