/* models/layers/sliding.c */
#include "models/layers/sliding.h"

#include "models/vector.h"

#include <stdio.h>
#include <string.h>

const char *const wm_padding_words[] = { [WM_PADDING_VALID] = "valid", [WM_PADDING_SAME] = "same", NULL };

/* Number i of a list that stands for height and width; `standard` for an empty one. */
static size_t of_list(const wm_wholes *list, bool images, size_t i, size_t standard)
{
    if (!images && i == 0)
        return 1; /* time has one row */
    if (list->count == 0)
        return standard;
    return (size_t)list->items[list->count == 1 || !images ? 0 : i];
}

/* Output positions of one direction, and what is put before. */
static bool positions(size_t size, size_t kernel, size_t stride, size_t dilation, int padding, size_t *n,
                      size_t *before)
{
    size_t reach = (kernel - 1) * dilation + 1, need;

    *before = 0;
    if (padding == WM_PADDING_VALID) {
        *n = reach <= size ? (size - reach) / stride + 1 : 0;
        return *n > 0;
    }
    *n = (size + stride - 1) / stride;
    need = (*n - 1) * stride + reach;
    *before = need > size ? (need - size) / 2 : 0;
    return true;
}

/* A place of the kernel that looks at padding wherever the kernel stands; a dilation of 1 is only a wide kernel. */
static bool is_lost(size_t size, size_t kernel, size_t dilation)
{
    return kernel > 1 && dilation > 1 && dilation >= size;
}

static const char *over(const wm_sliding *s, bool images, char text[48])
{
    size_t across = (s->kw - 1) * s->dw + 1;

    if (images)
        snprintf(text, 48, "%zu x %zu", (s->kh - 1) * s->dh + 1, across);
    else
        snprintf(text, 48, "%zu steps", across);
    return text;
}

static bool good_list(const wm_wholes *list, bool images)
{
    return list->count <= (images ? 2 : 1);
}

const char *wm_sliding_init(const wm_sliding_options *options, bool images, const wm_shape *input, wm_sliding *ret,
                            char text[WM_ERROR_TEXT])
{
    wm_sliding s = { 0 };
    char       shape[WM_SHAPE_TEXT], reach[48];

    wm_shape_text(input, shape);
    if (input->rank != (images ? 3 : 2)) {
        snprintf(text, WM_ERROR_TEXT, "takes %s, and gets %s%s",
                 images ? "height x width x channels" : "time x channels", shape,
                 images && input->rank == 2    ? "; for a window take the layer that ends in 1d"
                 : !images && input->rank == 3 ? "; for an image take the layer that ends in 2d"
                                               : "");
        return text;
    }
    if (!good_list(&options->kernel, images) || !good_list(&options->stride, images) ||
        !good_list(&options->dilation, images)) {
        snprintf(text, WM_ERROR_TEXT, "kernel, stride and dilation are one number%s",
                 images ? ", or height and width" : "");
        return text;
    }
    s.h = images ? input->dim[0] : 1;
    s.w = input->dim[images ? 1 : 0];
    s.c = input->dim[input->rank - 1];
    s.kh = of_list(&options->kernel, images, 0, 1);
    s.kw = of_list(&options->kernel, images, 1, 1);
    s.sh = of_list(&options->stride, images, 0, s.kh);
    s.sw = of_list(&options->stride, images, 1, s.kw);
    s.dh = of_list(&options->dilation, images, 0, 1);
    s.dw = of_list(&options->dilation, images, 1, 1);
    if (!positions(s.h, s.kh, s.sh, s.dh, options->padding, &s.oh, &s.top) ||
        !positions(s.w, s.kw, s.sw, s.dw, options->padding, &s.ow, &s.left)) {
        snprintf(text, WM_ERROR_TEXT,
                 "a kernel that reaches over %s does not fit into %s; make it smaller, or `padding: same`",
                 over(&s, images, reach), shape);
        return text;
    }
    if (is_lost(s.h, s.kh, s.dh) || is_lost(s.w, s.kw, s.dw)) {
        snprintf(text, WM_ERROR_TEXT,
                 "places %zu apart are not both in %s, wherever the kernel stands; lower the dilation",
                 is_lost(s.w, s.kw, s.dw) ? s.dw : s.dh, shape);
        return text;
    }
    *ret = s;
    return NULL;
}

wm_sliding wm_sliding_of(const wm_sliding_options *options, bool images, const wm_shape *input)
{
    wm_sliding s = { 0 };
    char       text[WM_ERROR_TEXT];

    wm_sliding_init(options, images, input, &s, text);
    return s;
}

/* One output position's row. Places of one kernel row lie side by side in the input where all channels are taken and
 * nothing is left out between them: then they are one copy. */
static void row_of(const wm_sliding *s, const float *x, size_t at, size_t width, size_t oy, size_t ox, float *row)
{
    bool   whole = s->dw == 1 && width == s->c;
    size_t y0, y1, x0, x1, line = s->kw * width;

    wm_sliding_clip(oy, s->sh, s->top, s->dh, s->kh, s->h, &y0, &y1);
    wm_sliding_clip(ox, s->sw, s->left, s->dw, s->kw, s->w, &x0, &x1);
    memset(row, 0, y0 * line * sizeof *row);
    memset(row + y1 * line, 0, (s->kh - y1) * line * sizeof *row);
    for (size_t ky = y0; ky < y1; ky++) {
        const float *from =
            x + ((oy * s->sh + ky * s->dh - s->top) * s->w + ox * s->sw + x0 * s->dw - s->left) * s->c + at;
        float *to = row + ky * line;

        memset(to, 0, x0 * width * sizeof *to);
        memset(to + x1 * width, 0, (s->kw - x1) * width * sizeof *to);
        if (whole)
            memcpy(to + x0 * width, from, (x1 - x0) * width * sizeof *to);
        for (size_t kx = x0; !whole && kx < x1; kx++)
            for (size_t c = 0; c < width; c++)
                to[kx * width + c] = from[(kx - x0) * s->dw * s->c + c];
    }
}

static void row_add(const wm_sliding *s, const float *row, size_t at, size_t width, size_t oy, size_t ox, float *x)
{
    bool   whole = s->dw == 1 && width == s->c;
    size_t y0, y1, x0, x1, line = s->kw * width;

    wm_sliding_clip(oy, s->sh, s->top, s->dh, s->kh, s->h, &y0, &y1);
    wm_sliding_clip(ox, s->sw, s->left, s->dw, s->kw, s->w, &x0, &x1);
    for (size_t ky = y0; ky < y1; ky++) {
        float *to = x + ((oy * s->sh + ky * s->dh - s->top) * s->w + ox * s->sw + x0 * s->dw - s->left) * s->c + at;
        const float *from = row + ky * line;

        if (whole)
            wm_vector_add(to, from + x0 * width, (x1 - x0) * width);
        for (size_t kx = x0; !whole && kx < x1; kx++)
            for (size_t c = 0; c < width; c++)
                to[(kx - x0) * s->dw * s->c + c] += from[kx * width + c];
    }
}

void wm_sliding_rows(const wm_sliding *s, const float *x, size_t at, size_t width, size_t first, size_t n,
                     float *rows)
{
    for (size_t i = 0; i < n; i++)
        row_of(s, x, at, width, (first + i) / s->ow, (first + i) % s->ow, rows + i * s->kh * s->kw * width);
}

void wm_sliding_rows_add(const wm_sliding *s, const float *rows, size_t at, size_t width, size_t first, size_t n,
                         float *x)
{
    for (size_t i = 0; i < n; i++)
        row_add(s, rows + i * s->kh * s->kw * width, at, width, (first + i) / s->ow, (first + i) % s->ow, x);
}
