/* client/city.c: how the made-up city behaves, hour by hour. */
#include "client/city.h"

#include "client/times.h"
#include "common/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double turn = 6.283185307179586;

/* 2024-01-01 00:00 at UTC+1, a Monday. */
enum { LOCAL_HOURS_AHEAD = 1, YEAR_BEGINS = 2024 };

static const struct {
    const char *name;
    int         decimals;
    double      impossible; /* what a broken sensor says */
} columns[WM_CITY_COLUMNS] = {
    [WM_CITY_TRAFFIC_FLOW] = { "traffic_flow", 0, -1 },
    [WM_CITY_TRAFFIC_SPEED] = { "traffic_speed", 1, 255 },
    [WM_CITY_PM25] = { "pm25", 1, 9999 },
    [WM_CITY_NO2] = { "no2", 1, -999 },
    [WM_CITY_TEMPERATURE] = { "temperature", 1, 85 }, /* the power-on value of a well-known sensor chip */
    [WM_CITY_WIND_SPEED] = { "wind_speed", 1, 99.9 },
    [WM_CITY_WIND_DIRECTION] = { "wind_direction", -1, -1 },
    [WM_CITY_ENERGY_LOAD] = { "energy_load", 2, -1 },
};

const char *wm_city_column_name(wm_city_column column)
{
    return columns[column].name;
}

int wm_city_column_decimals(wm_city_column column)
{
    return columns[column].decimals;
}

const char *wm_city_direction(int point)
{
    static const char *const points[16] = { "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
                                            "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW" };

    assert(point >= 0 && point < 16);
    return points[point];
}

const char *wm_city_district(size_t k, char text[WM_CITY_NAME_MAX])
{
    static const char *const names[] = { "harbour",    "old-town", "university",  "riverside",
                                         "north-gate", "hillside", "garden-city", "mills",
                                         "airport",    "market",   "west-park",   "arsenal" };

    if (k < sizeof names / sizeof *names)
        return names[k];
    snprintf(text, WM_CITY_NAME_MAX, "district-%zu", k + 1);
    return text;
}

/* What tells one district from another; drawn once. */
typedef struct character {
    double vehicles; /* at the busiest hour */
    double business; /* 0: people live here, 1: they work here */
    double emission; /* of PM2.5 for the traffic it has */
    double heating;  /* stoves */
    double industry; /* works outside the city, */
    double works_at; /* in this direction, radians */
    double shelter;  /* how much of the wind arrives */
    double load;     /* MW */
    double warmer;   /* degrees above the city's mean */
    double electric; /* MW for each degree of heating or cooling */
} character;

/* What all districts share. Every district draws it from the same stream. */
typedef struct weather {
    wm_rng rng;
    double synoptic;   /* degrees, over days */
    double stagnation; /* over two days: still air when high */
    double angle;      /* radians, where the wind comes from */
    double temperature, wind;
} weather;

/* What goes wrong, and until when. */
typedef struct faults {
    wm_rng rng;
    int    off;                    /* hours that the gateway is still off */
    int    stuck[WM_CITY_COLUMNS]; /* hours that a sensor still repeats itself */
    double held[WM_CITY_COLUMNS];
} faults;

struct wm_district {
    character self;
    weather   weather;
    faults    faults;
    wm_rng    rng;
    int64_t   hour; /* since the beginning */
    double    mood; /* of the traffic: slow and small */
    double    pm25, no2;
};

static double between(wm_rng *rng, double low, double high)
{
    return low + (high - low) * wm_rng_unit(rng);
}

/* The next value of a process that forgets in about `hours` and has deviation 1. */
static double forgetful(wm_rng *rng, double value, double hours)
{
    double keep = exp(-1 / hours);

    return keep * value + sqrt(1 - keep * keep) * wm_rng_normal(rng);
}

/* A bump of height 1 and width `width` hours about `at`, on the circle of a day. */
static double bump(double hour, double at, double width)
{
    double off = fabs(hour - at);

    off = off > 12 ? 24 - off : off;
    return exp(-0.5 * off * off / (width * width));
}

wm_status wm_district_new(uint64_t seed, size_t k, wm_district **ret, wm_error *err)
{
    wm_district *district = calloc(1, sizeof *district);
    char         text[WM_CITY_NAME_MAX];
    const char  *name = wm_city_district(k, text);
    wm_rng       rng;

    if (district == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a district");
    wm_rng_init_keyed(&rng, seed, "city-character", 0, name);
    district->self = (character){
        .vehicles = between(&rng, 700, 2600),
        .business = between(&rng, 0.05, 0.95),
        .emission = between(&rng, 0.7, 1.4),
        .heating = between(&rng, 0.3, 1.5),
        .industry = between(&rng, 0, 1.2),
        .works_at = between(&rng, 0, turn),
        .shelter = between(&rng, 0.65, 1.05),
        .load = between(&rng, 12, 45),
        .warmer = between(&rng, -1, 1.5),
        .electric = between(&rng, 0.15, 0.6),
    };
    wm_rng_init_keyed(&district->weather.rng, seed, "city-weather", 0, "");
    wm_rng_init_keyed(&district->faults.rng, seed, "city-faults", 0, name);
    wm_rng_init_keyed(&district->rng, seed, "city-noise", 0, name);
    district->weather.angle = 4; /* south-west */
    district->pm25 = 40;
    district->no2 = 30;
    *ret = district;
    return WM_OK;
}

void wm_district_free(wm_district *district)
{
    free(district);
}

/* ---- the city's hour ---- */

static void next_weather(weather *w, double hour, double day)
{
    w->synoptic = forgetful(&w->rng, w->synoptic, 70);
    w->stagnation = forgetful(&w->rng, w->stagnation, 45);
    /* The wind turns as weather passes, and is drawn back to the south-west. */
    w->angle += 0.02 * (4 - w->angle) + 0.16 * wm_rng_normal(&w->rng);
    w->temperature = 11 - 11 * cos(turn * (day - 20) / 365.25) + 3.5 * sin(turn * (hour - 9) / 24) +
                     4 * w->synoptic + 0.3 * wm_rng_normal(&w->rng);
    w->wind = 3.1 * exp(-0.5 * w->stagnation) * (1 + 0.3 * sin(turn * (hour - 8) / 24)) *
              exp(0.12 * wm_rng_normal(&w->rng));
}

/* Vehicles as a share of the busiest hour. */
static double traffic_share(const character *self, double hour, bool weekend)
{
    double work = 0.95 * bump(hour, 8, 1.4) + 0.6 * bump(hour, 12.5, 2.5) + 0.85 * bump(hour, 17.3, 1.8);
    double home = 0.8 * bump(hour, 7.3, 1.2) + 0.45 * bump(hour, 13, 3) + bump(hour, 18.3, 2.2);
    double free = 0.55 * bump(hour, 14, 3.8) + 0.2 * bump(hour, 21, 2.5);

    return 0.06 +
           (weekend ? free * (1 - 0.3 * self->business) : self->business * work + (1 - self->business) * home);
}

/* The layer of air into which everything is let out: low at night and when it is still, high on a windy afternoon. */
static double mixing(double hour, double wind)
{
    return (0.4 + 0.75 * bump(hour, 14, 3.6)) * (0.55 + 0.16 * wind);
}

static void next_air(wm_district *d, double share, double hour, double wind)
{
    const character *self = &d->self;
    double           layer = mixing(hour, wind);
    double           stoves = self->heating * fmax(0, 13 - d->weather.temperature) / 10 * (0.5 + bump(hour, 20, 3));
    double           upwind = fmax(0, cos(d->weather.angle - self->works_at));
    double           sources = 2.6 * self->emission * share * self->vehicles / 1600 + 2.2 * stoves +
                     3.5 * self->industry * upwind * upwind + 0.9;

    d->pm25 += (sources / layer - (0.05 + 0.055 * wind) * d->pm25) * exp(0.08 * wm_rng_normal(&d->rng));
    d->pm25 = fmax(1.5, d->pm25 * exp(0.035 * wm_rng_normal(&d->rng)));
    d->no2 += 11 * share * self->vehicles / 1600 / layer - (0.2 + 0.05 * wind) * d->no2 + 1.2;
    d->no2 = fmax(1, d->no2 * exp(0.05 * wm_rng_normal(&d->rng)));
}

static void read_sensors(wm_district *d, double share, double hour, bool weekend, double wind, double *values)
{
    const character *self = &d->self;
    double           flow = share * self->vehicles * exp(0.07 * d->mood), crowded = flow / (0.95 * self->vehicles);
    double           warm = d->weather.temperature + self->warmer;
    double           awake = weekend ? 0.5 * bump(hour, 13, 4.5) + 0.5 * bump(hour, 20, 2.5)
                                     : self->business * bump(hour, 12, 4) +
                                 (1 - self->business) * (0.5 * bump(hour, 7.5, 1.5) + bump(hour, 20, 2.8));

    values[WM_CITY_TRAFFIC_FLOW] = fmax(0, flow + sqrt(flow) * wm_rng_normal(&d->rng));
    values[WM_CITY_TRAFFIC_SPEED] = fmax(4, 51 - 24 * crowded * crowded + 1.2 * wm_rng_normal(&d->rng));
    values[WM_CITY_PM25] = fmax(0, d->pm25 * (1 + 0.03 * wm_rng_normal(&d->rng)));
    values[WM_CITY_NO2] = fmax(0, d->no2 * (1 + 0.03 * wm_rng_normal(&d->rng)));
    values[WM_CITY_TEMPERATURE] = warm + 0.2 * wm_rng_normal(&d->rng);
    values[WM_CITY_WIND_SPEED] = fmax(0, wind + 0.15 * wm_rng_normal(&d->rng));
    values[WM_CITY_WIND_DIRECTION] =
        (double)((lrint((d->weather.angle + 0.1 * wm_rng_normal(&d->rng)) / turn * 16) % 16 + 16) % 16);
    values[WM_CITY_ENERGY_LOAD] = self->load * (0.55 + 0.45 * awake) +
                                  self->electric * (fmax(0, 15 - warm) + 1.4 * fmax(0, warm - 22)) +
                                  0.02 * self->load * wm_rng_normal(&d->rng);
}

/* ---- and what becomes of it on the way ---- */

/* Gateways fall silent about once in five weeks; a sensor sticks about twice a year, says something impossible about
 * once in two months, and misses one reading in 120. */
static void spoil(faults *f, wm_city_hour *hour)
{
    if (f->off == 0 && wm_rng_below(&f->rng, 840) == 0)
        f->off = 1 + (int)wm_rng_below(&f->rng, 14);
    hour->absent = f->off > 0;
    f->off -= f->off > 0;
    for (int c = 0; c < WM_CITY_COLUMNS; c++) {
        uint64_t dice = wm_rng_below(&f->rng, 12000);

        if (f->stuck[c] > 0) {
            f->stuck[c]--;
            hour->values[c] = f->held[c];
        } else if (dice < 3) {
            f->stuck[c] = 5 + (int)wm_rng_below(&f->rng, 24);
            f->held[c] = hour->values[c];
        } else if (dice < 11 && columns[c].decimals >= 0) {
            hour->values[c] = columns[c].impossible;
        } else if (dice < 111) {
            hour->values[c] = NAN;
        }
    }
}

void wm_district_next(wm_district *d, wm_city_hour *ret)
{
    int64_t days = d->hour / 24;
    double  hour = (double)(d->hour % 24), wind, share;
    bool    weekend = days % 7 >= 5;

    next_weather(&d->weather, hour, (double)days);
    wind = d->weather.wind * d->self.shelter;
    share = traffic_share(&d->self, hour, weekend);
    d->mood = forgetful(&d->rng, d->mood, 8);
    next_air(d, share, hour, wind);
    ret->time_ms = (wm_civil_day(YEAR_BEGINS, 1, 1) * 24 + d->hour - LOCAL_HOURS_AHEAD) * 3600000;
    read_sensors(d, share, hour, weekend, wind, ret->values);
    spoil(&d->faults, ret);
    d->hour++;
}
