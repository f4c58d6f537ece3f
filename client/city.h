/* client/city.h
 *
 * A made-up city: plausible hourly readings of traffic, air and energy for a number of districts, for trying Wardmote
 * without data of one's own. Nothing in it was measured. It has what makes real data awkward: rush hours and weekends,
 * weather that all districts share, districts that differ, readings that are missing, stuck or impossible.
 *
 * PM2.5 follows from a budget: sources (traffic, heating, industry upwind) over the height to which the air mixes, and
 * losses by wind. So some of the next hours can be foreseen, and some cannot. The same seed gives the same city; a
 * district's readings do not depend on how many others there are. */
#ifndef WM_CLIENT_CITY_H
#define WM_CLIENT_CITY_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WM_CITY_GATEWAYS_MAX = 10000, WM_CITY_DAYS_MAX = 3660, WM_CITY_NAME_MAX = 32 };

/* What a district's gateway reads, in the order of the files' columns after the time. */
typedef enum wm_city_column {
    WM_CITY_TRAFFIC_FLOW,   /* vehicles an hour over the counting loops */
    WM_CITY_TRAFFIC_SPEED,  /* km/h */
    WM_CITY_PM25,           /* ug/m3 */
    WM_CITY_NO2,            /* ug/m3 */
    WM_CITY_TEMPERATURE,    /* degrees Celsius */
    WM_CITY_WIND_SPEED,     /* m/s */
    WM_CITY_WIND_DIRECTION, /* where it comes from: 0..15, N, NNE, ... */
    WM_CITY_ENERGY_LOAD,    /* MW */
    WM_CITY_COLUMNS,
} wm_city_column;

/* "traffic_flow", ...; decimals: how many are written; -1 for the wind direction, which is a word. */
const char *wm_city_column_name(wm_city_column column);
int         wm_city_column_decimals(wm_city_column column);
const char *wm_city_direction(int point); /* "NNE" of 1 */

/* "harbour", "old-town", ..., "district-13". */
const char *wm_city_district(size_t k, char text[WM_CITY_NAME_MAX]);

typedef struct wm_city_hour {
    int64_t time_ms;                 /* UTC */
    bool    absent;                  /* the gateway was off: no row */
    double  values[WM_CITY_COLUMNS]; /* NaN: missing */
} wm_city_hour;

typedef struct wm_district wm_district;

/* District k, from its first hour on. WM_E_NOMEM. */
wm_status wm_district_new(uint64_t seed, size_t k, wm_district **ret, wm_error *err);
void      wm_district_free(wm_district *district);
void      wm_district_next(wm_district *district, wm_city_hour *ret);

typedef struct wm_city_settings {
    size_t   gateways; /* districts, a gateway each */
    size_t   days;
    uint64_t seed;
} wm_city_settings;

/* Writes a CSV file for each district, README.txt and city.yaml, a job that runs on them, into `folder`, which is made
 * if it is not there. WM_E_INVALID: out of range; WM_E_EXISTS: the folder has files in it; WM_E_IO, WM_E_FULL. */
wm_status wm_city_write(const char *folder, const wm_city_settings *settings, wm_error *err);

#endif
