/* server/report/svg.h
 *
 * Charts as inline SVG: lines over rounds, bars by client, the strip of who took part. They bring no script: what a
 * point says is its <title>, colours are classes of the page's style sheet (light and dark), and sizes are units of a
 * view box of WM_SVG_WIDTH, so that text stays readable on a telephone. Names are escaped here. */
#ifndef WM_SERVER_REPORT_SVG_H
#define WM_SERVER_REPORT_SVG_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

enum { WM_SVG_WIDTH = 440 };

/* A scale with round numbers at its ticks, that holds all of [least, most]. */
typedef struct wm_axis {
    double low, high, step;
    int    digits; /* after the point, that tell the ticks apart */
} wm_axis;

void wm_axis_init(wm_axis *axis, double least, double most, int ticks_max);

typedef struct wm_series {
    const char   *name;   /* for titles and the legend */
    const char   *colour; /* a class: "s0" */
    const double *values; /* [n]; what is not finite is not drawn */
} wm_series;

typedef struct wm_line_chart {
    const char      *x_name; /* "round" */
    const char      *y_name; /* with its unit */
    const double    *x;      /* [n], rising */
    size_t           n;
    const wm_series *series;
    size_t           n_series;
    bool             from_zero; /* the y axis begins at 0 */
} wm_line_chart;

void wm_svg_lines(wm_text *to, const wm_line_chart *chart);

/* For each row a bar of every series, side by side; the x axis begins at 0. */
typedef struct wm_bar_chart {
    const char        *x_name;
    const char *const *rows; /* [n] */
    size_t             n;
    const wm_series   *series; /* values[n] */
    size_t             n_series;
} wm_bar_chart;

void wm_svg_bars(wm_text *to, const wm_bar_chart *chart);

/* A cell for each row and column. Runs of equal cells in a row are drawn as one. */
typedef struct wm_strip {
    const char        *x_name;
    const double      *x; /* [n_columns]: what the columns are called */
    size_t             n_columns;
    const char *const *rows; /* [n_rows] */
    size_t             n_rows;
    uint8_t (*cell)(const void *context, size_t row, size_t column); /* index into the two below; 0xff: nothing */
    const void        *context;
    const char *const *colours; /* of what a cell says */
    const char *const *names;
} wm_strip;

void wm_svg_strip(wm_text *to, const wm_strip *strip);

/* A column of stacked shares for each x: values of series 0 at the bottom. */
void wm_svg_stack(wm_text *to, const wm_line_chart *chart);

/* A number for people: four digits that matter. */
void wm_add_number(wm_text *to, double value);

/* text with & < > " ' and what is not valid in a page made harmless. */
void wm_add_escaped(wm_text *to, const char *text);

#endif
