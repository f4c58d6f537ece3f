/* server/report/svg.c */
#include "server/report/svg.h"

#include "common/table.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The frame of a chart with axes, in units of the view box. */
enum { LEFT = 46, RIGHT = 10, TOP = 10, PLOT_HEIGHT = 170, BOTTOM = 36, PLOT_WIDTH = WM_SVG_WIDTH - LEFT - RIGHT };
enum { BAR = 7, BAR_GAP = 1, ROW_GAP = 9, ROW_LABEL = 104, CELL = 13 };
enum { POINTS_MAX = 1200, TITLES_MAX = 200 }; /* of one line; beyond, a page would only grow and not show more */

/* ---- text ---- */

void wm_add_escaped(wm_text *to, const char *text)
{
    size_t n = strlen(text), size;

    for (size_t i = 0; i < n; i += size) {
        int32_t point = wm_utf8_next(text + i, n - i, &size);

        if (point == '&')
            wm_text_add(to, "&amp;");
        else if (point == '<')
            wm_text_add(to, "&lt;");
        else if (point == '>')
            wm_text_add(to, "&gt;");
        else if (point == '"')
            wm_text_add(to, "&quot;");
        else if (point == '\'')
            wm_text_add(to, "&#39;");
        else if (point == '\n' || point == '\t')
            wm_text_add_bytes(to, text + i, 1);
        else if (point < 0 || point < 0x20 || (point >= 0x7f && point < 0xa0) ||
                 (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
                 (point & 0xfffe) == 0xfffe)
            wm_text_add(to, "\xef\xbf\xbd"); /* not a character, a control, or one that turns the line around */
        else
            wm_text_add_bytes(to, text + i, size);
    }
}

void wm_add_number(wm_text *to, double value)
{
    double size = fabs(value);

    if (!isfinite(value))
        wm_text_add(to, "–");
    else if (size >= 1000 && size < 1e15)
        wm_text_printf(to, "%.0f", value);
    else if (size >= 1e-4 || size == 0)
        wm_text_printf(to, "%.4g", value);
    else
        wm_text_printf(to, "%.2e", value);
}

/* ---- axes ---- */

/* Heckbert, "Nice Numbers for Graph Labels", Graphics Gems 1990: steps of 1, 2 or 5 times a power of ten. */
void wm_axis_init(wm_axis *axis, double least, double most, int ticks_max)
{
    double span, power, part;

    assert(ticks_max > 1);
    if (!isfinite(least) || !isfinite(most) || least > most)
        least = 0, most = 1;
    span = most - least;
    if (span <= fabs(most) * 1e-12)
        span = most != 0 ? fabs(most) * 0.1 : 1;
    power = pow(10, floor(log10(span / ticks_max)));
    part = span / ticks_max / power;
    axis->step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    axis->low = floor(least / axis->step + 1e-9) * axis->step;
    axis->high = ceil(most / axis->step - 1e-9) * axis->step;
    if (axis->high <= axis->low)
        axis->high = axis->low + axis->step;
    axis->digits = (int)ceil(-log10(axis->step) - 1e-9);
    if (axis->digits < 0)
        axis->digits = 0;
}

static double place(const wm_axis *axis, double value, double length)
{
    return (value - axis->low) / (axis->high - axis->low) * length;
}

static void add_tick_number(wm_text *to, const wm_axis *axis, double value)
{
    if (fabs(value) < axis->step / 2)
        wm_text_add(to, "0");
    else if (axis->digits > 6 || fabs(value) >= 1e6)
        wm_text_printf(to, "%.3g", value);
    else
        wm_text_printf(to, "%.*f", axis->digits, value);
}

static int tick_count(const wm_axis *axis)
{
    return (int)lround((axis->high - axis->low) / axis->step) + 1;
}

static void open_svg(wm_text *to, double height, const char *label)
{
    wm_text_printf(to, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WM_SVG_WIDTH, height);
    wm_add_escaped(to, label);
    wm_text_add(to, "\">\n");
}

static void add_y_axis(wm_text *to, const wm_axis *axis, const char *name)
{
    for (int i = 0; i < tick_count(axis); i++) {
        double value = axis->low + i * axis->step, y = TOP + PLOT_HEIGHT - place(axis, value, PLOT_HEIGHT);

        wm_text_printf(to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                       WM_SVG_WIDTH - RIGHT, y, y);
        wm_text_printf(to, "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">", LEFT - 6, y + 3.5);
        add_tick_number(to, axis, value);
        wm_text_add(to, "</text>\n");
    }
    wm_text_printf(to, "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(10 %d) rotate(-90)\">",
                   TOP + PLOT_HEIGHT / 2);
    wm_add_escaped(to, name);
    wm_text_add(to, "</text>\n");
}

/* Ticks of rounds are whole numbers. */
static void add_x_axis(wm_text *to, const wm_axis *axis, double left, double width, double y, const char *name)
{
    wm_axis ticks;

    wm_axis_init(&ticks, axis->low, axis->high, 8);
    if (ticks.step < 1)
        ticks.step = 1;
    for (double value = ceil(axis->low / ticks.step) * ticks.step; value <= axis->high; value += ticks.step)
        wm_text_printf(to, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.0f</text>",
                       left + place(axis, value, width), y + 14, value);
    wm_text_printf(to, "\n<text class=\"axis\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", left + width / 2,
                   y + 29);
    wm_add_escaped(to, name);
    wm_text_add(to, "</text>\n");
}

/* ---- lines ---- */

static void value_range(const wm_line_chart *chart, double *least, double *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (size_t s = 0; s < chart->n_series; s++)
        for (size_t i = 0; i < chart->n; i++) {
            double value = chart->series[s].values[i];

            if (isfinite(value) && value < *least)
                *least = value;
            if (isfinite(value) && value > *most)
                *most = value;
        }
    if (chart->from_zero && *least > 0)
        *least = 0;
}

typedef struct frame {
    wm_axis x, y;
} frame;

static void add_point(wm_text *to, const frame *f, double x, double y)
{
    wm_text_printf(to, "%.1f,%.1f ", LEFT + place(&f->x, x, PLOT_WIDTH),
                   TOP + PLOT_HEIGHT - place(&f->y, y, PLOT_HEIGHT));
}

/* Long lines are drawn by the least and the most of each bucket, so that no peak is lost. */
static void add_line(wm_text *to, const frame *f, const wm_line_chart *chart, const wm_series *series)
{
    size_t bucket = chart->n / (POINTS_MAX / 2) + 1, n_finite = 0, last = 0;

    wm_text_printf(to, "<polyline class=\"line %s\" points=\"", series->colour);
    for (size_t i = 0; i < chart->n; i += bucket) {
        size_t least = SIZE_MAX, most = SIZE_MAX, a, b;

        for (size_t j = i; j < i + bucket && j < chart->n; j++) {
            if (!isfinite(series->values[j]))
                continue;
            if (least == SIZE_MAX || series->values[j] < series->values[least])
                least = j;
            if (most == SIZE_MAX || series->values[j] > series->values[most])
                most = j;
        }
        if (least == SIZE_MAX)
            continue;
        a = least < most ? least : most;
        b = least < most ? most : least;
        add_point(to, f, chart->x[a], series->values[a]);
        if (b != a)
            add_point(to, f, chart->x[b], series->values[b]);
        n_finite++;
        last = b;
    }
    wm_text_add(to, "\"/>\n");
    if (n_finite > 0)
        wm_text_printf(to, "<circle class=\"dot %s\" r=\"3\" cx=\"%.1f\" cy=\"%.1f\"/>\n", series->colour,
                       LEFT + place(&f->x, chart->x[last], PLOT_WIDTH),
                       TOP + PLOT_HEIGHT - place(&f->y, series->values[last], PLOT_HEIGHT));
}

/* Over each round (or few) a column that lights up under the pointer and says the values. */
static void add_titles(wm_text *to, const frame *f, const wm_line_chart *chart)
{
    size_t bucket = (chart->n + TITLES_MAX - 1) / TITLES_MAX;
    double width;

    if (chart->n == 0)
        return;
    width = PLOT_WIDTH / ((f->x.high - f->x.low) > 0 ? f->x.high - f->x.low : 1) * (double)bucket;
    if (width > 60)
        width = 60;
    for (size_t i = bucket - 1; i < chart->n; i += bucket) {
        double middle = LEFT + place(&f->x, chart->x[i], PLOT_WIDTH);

        wm_text_printf(to, "<rect class=\"hit\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>",
                       middle - width / 2, TOP, width, PLOT_HEIGHT);
        wm_add_escaped(to, chart->x_name);
        wm_text_printf(to, " %.0f", chart->x[i]);
        for (size_t s = 0; s < chart->n_series; s++) {
            if (!isfinite(chart->series[s].values[i]))
                continue;
            wm_text_add(to, "\n");
            wm_add_escaped(to, chart->series[s].name);
            wm_text_add(to, ": ");
            wm_add_number(to, chart->series[s].values[i]);
        }
        wm_text_add(to, "</title></rect>\n");
    }
}

/* The x axis is exactly what there is: no empty room at its ends. */
static void x_range(const wm_line_chart *chart, double margin, wm_axis *ret)
{
    wm_axis_init(ret, 0, 1, 2);
    ret->low = (chart->n > 0 ? chart->x[0] : 0) - margin;
    ret->high = (chart->n > 0 ? chart->x[chart->n - 1] : 1) + margin;
    if (ret->high <= ret->low) {
        ret->low -= 0.5;
        ret->high += 0.5;
    }
}

void wm_svg_lines(wm_text *to, const wm_line_chart *chart)
{
    frame  f;
    double least, most;

    value_range(chart, &least, &most);
    wm_axis_init(&f.y, least, most, 5);
    x_range(chart, 0, &f.x);
    open_svg(to, TOP + PLOT_HEIGHT + BOTTOM, chart->y_name);
    add_y_axis(to, &f.y, chart->y_name);
    add_x_axis(to, &f.x, LEFT, PLOT_WIDTH, TOP + PLOT_HEIGHT, chart->x_name);
    for (size_t s = 0; s < chart->n_series; s++)
        add_line(to, &f, chart, &chart->series[s]);
    add_titles(to, &f, chart);
    wm_text_add(to, "</svg>\n");
}

/* ---- stacked columns ---- */

/* Each column is what one round says; with more rounds than can be told apart, every so-manieth. */
static void add_column(wm_text *to, const frame *f, const wm_line_chart *chart, size_t i, double width)
{
    double base = 0, x = LEFT + place(&f->x, chart->x[i], PLOT_WIDTH) - width / 2;

    for (size_t s = 0; s < chart->n_series; s++) {
        double value = chart->series[s].values[i], height;

        if (!(value > 0) || !isfinite(value))
            continue;
        height = place(&f->y, f->y.low + value, PLOT_HEIGHT);
        wm_text_printf(to, "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>",
                       chart->series[s].colour, x, TOP + PLOT_HEIGHT - base - height, width * 0.92, height);
        base += height;
    }
    wm_text_add(to, "\n");
}

void wm_svg_stack(wm_text *to, const wm_line_chart *chart)
{
    size_t stride = (chart->n + PLOT_WIDTH / 2 - 1) / (PLOT_WIDTH / 2);
    double most = 1, width;
    frame  f;

    for (size_t i = 0; i < chart->n; i++) {
        double sum = 0;

        for (size_t s = 0; s < chart->n_series; s++)
            sum += chart->series[s].values[i];
        most = sum > most ? sum : most;
    }
    wm_axis_init(&f.y, 0, most, 5);
    x_range(chart, 0.5, &f.x);
    width = PLOT_WIDTH / (f.x.high - f.x.low) * (double)(stride > 0 ? stride : 1);
    open_svg(to, TOP + PLOT_HEIGHT + BOTTOM, chart->y_name);
    add_y_axis(to, &f.y, chart->y_name);
    add_x_axis(to, &f.x, LEFT, PLOT_WIDTH, TOP + PLOT_HEIGHT, chart->x_name);
    for (size_t i = 0; i < chart->n; i += stride)
        add_column(to, &f, chart, i, width);
    add_titles(to, &f, chart);
    wm_text_add(to, "</svg>\n");
}

/* ---- bars ---- */

/* A name at the right edge of its room, cut to what fits; the whole of it as title. */
static void add_row_name(wm_text *to, const char *name, double y)
{
    size_t n = strlen(name), fits = wm_screen_fit(name, n, 16);
    char   cut[128];

    snprintf(cut, sizeof cut, "%.*s%s", (int)(fits < 120 ? fits : 120), name, fits < n ? "…" : "");
    wm_text_printf(to, "<text class=\"row\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">", ROW_LABEL - 8, y);
    wm_add_escaped(to, cut);
    if (fits < n) {
        wm_text_add(to, "<title>");
        wm_add_escaped(to, name);
        wm_text_add(to, "</title>");
    }
    wm_text_add(to, "</text>");
}

static void add_bar_axis(wm_text *to, const wm_axis *axis, double width, double height, const char *name)
{
    for (int i = 0; i < tick_count(axis); i++) {
        double value = axis->low + i * axis->step, x = ROW_LABEL + place(axis, value, width);

        wm_text_printf(to, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.1f\"/>", x, x, height);
        wm_text_printf(to, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", x, height + 14);
        add_tick_number(to, axis, value);
        wm_text_add(to, "</text>\n");
    }
    wm_text_printf(to, "<text class=\"axis\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", ROW_LABEL + width / 2,
                   height + 29);
    wm_add_escaped(to, name);
    wm_text_add(to, "</text>\n");
}

static void add_bar(wm_text *to, const wm_axis *axis, double width, double y, const char *row,
                    const wm_series *series, double value)
{
    if (!isfinite(value) || value < 0)
        return;
    wm_text_printf(to, "<rect class=\"bar %s\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"1.5\"><title>",
                   series->colour, ROW_LABEL, y, fmax(place(axis, value, width), 0.5), BAR);
    wm_add_escaped(to, row);
    wm_text_add(to, ", ");
    wm_add_escaped(to, series->name);
    wm_text_add(to, ": ");
    wm_add_number(to, value);
    wm_text_add(to, "</title></rect>\n");
}

void wm_svg_bars(wm_text *to, const wm_bar_chart *chart)
{
    double  most = 0, row_height = (double)chart->n_series * (BAR + BAR_GAP) + ROW_GAP;
    double  height = (double)chart->n * row_height, width = WM_SVG_WIDTH - ROW_LABEL - RIGHT;
    wm_axis axis;

    for (size_t s = 0; s < chart->n_series; s++)
        for (size_t i = 0; i < chart->n; i++)
            if (isfinite(chart->series[s].values[i]))
                most = fmax(most, chart->series[s].values[i]);
    wm_axis_init(&axis, 0, most, 6);
    open_svg(to, height + BOTTOM, chart->x_name);
    add_bar_axis(to, &axis, width, height, chart->x_name);
    for (size_t i = 0; i < chart->n; i++) {
        double y = (double)i * row_height + ROW_GAP / 2.0;

        add_row_name(to, chart->rows[i], y + (row_height - ROW_GAP) / 2 + 3.5);
        for (size_t s = 0; s < chart->n_series; s++)
            add_bar(to, &axis, width, y + (double)s * (BAR + BAR_GAP), chart->rows[i], &chart->series[s],
                    chart->series[s].values[i]);
    }
    wm_text_add(to, "</svg>\n");
}

/* ---- the strip ---- */

static void add_run(wm_text *to, const wm_strip *strip, const wm_axis *axis, double width, size_t row, size_t first,
                    size_t last, uint8_t cell)
{
    double left = ROW_LABEL + place(axis, strip->x[first] - 0.5, width);
    double right = ROW_LABEL + place(axis, strip->x[last] + 0.5, width);
    double gap = right - left > 4 && (right - left) / (double)(last - first + 1) > 3 ? 1 : 0;

    wm_text_printf(to, "<rect class=\"%s\" x=\"%.2f\" y=\"%zu\" width=\"%.2f\" height=\"%d\"><title>",
                   strip->colours[cell], left, row * (CELL + 2), right - left - gap, CELL);
    wm_add_escaped(to, strip->rows[row]);
    wm_text_add(to, ", ");
    wm_add_escaped(to, strip->x_name);
    wm_text_printf(to, first == last ? " %.0f: " : "s %.0f to %.0f: ", strip->x[first], strip->x[last]);
    wm_add_escaped(to, strip->names[cell]);
    wm_text_add(to, "</title></rect>\n");
}

static void add_strip_row(wm_text *to, const wm_strip *strip, const wm_axis *axis, double width, size_t row)
{
    size_t first = 0;

    add_row_name(to, strip->rows[row], (double)(row * (CELL + 2)) + CELL - 3);
    for (size_t i = 0; i < strip->n_columns; i++) {
        uint8_t cell = strip->cell(strip->context, row, i);
        bool    ends = i + 1 == strip->n_columns || strip->cell(strip->context, row, i + 1) != cell ||
                    strip->x[i + 1] != strip->x[i] + 1;

        if (!ends)
            continue;
        if (cell != 0xff)
            add_run(to, strip, axis, width, row, first, i, cell);
        first = i + 1;
    }
}

void wm_svg_strip(wm_text *to, const wm_strip *strip)
{
    double  height = (double)(strip->n_rows * (CELL + 2)), width = WM_SVG_WIDTH - ROW_LABEL - RIGHT;
    wm_axis axis = { .low = 0.5, .high = 1.5, .step = 1 };

    if (strip->n_columns > 0) {
        axis.low = strip->x[0] - 0.5;
        axis.high = strip->x[strip->n_columns - 1] + 0.5;
    }
    open_svg(to, height + BOTTOM, "who took part in which round");
    for (size_t row = 0; row < strip->n_rows; row++)
        add_strip_row(to, strip, &axis, width, row);
    add_x_axis(to, &axis, ROW_LABEL, width, height, strip->x_name);
    wm_text_add(to, "</svg>\n");
}
