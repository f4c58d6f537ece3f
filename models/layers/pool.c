/* models/layers/pool.c
 *
 * Poolings over time and over images: the largest or the mean of the places under a window, channel by channel, as
 * torch.nn.MaxPool and AvgPool; places outside of the input do not count. The global ones pool all positions into one
 * vector of channels. A maximum keeps which place it took, the first of equal ones, for the way back; a NaN is the
 * largest of all, as in PyTorch. */
#include "models/layers/elementwise.h"
#include "models/layers/sliding.h"

#include <string.h>

typedef struct pool_options {
    wm_wholes kernel, stride;
    int       padding;
} pool_options;

/* ---- the kernels, over the channels of one output position ---- */

WM_KERNEL static void larger(const float *x, float *y, uint32_t *from, uint32_t place, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        bool takes = !(x[c] <= y[c]) && !(y[c] != y[c]);

        y[c] = takes ? x[c] : y[c];
        from[c] = takes ? place : from[c];
    }
}

WM_KERNEL static void add_scaled(float *to, const float *x, size_t n, float factor)
{
    for (size_t c = 0; c < n; c++)
        to[c] += factor * x[c];
}

/* The places of one window. */
typedef struct window {
    size_t y0, y1, x0, x1, places;
    size_t top, left; /* of the place (y0, x0) in the input */
} window;

static window window_of(const wm_sliding *s, size_t position)
{
    size_t oy = position / s->ow, ox = position % s->ow;
    window w;

    wm_sliding_clip(oy, s->sh, s->top, 1, s->kh, s->h, &w.y0, &w.y1);
    wm_sliding_clip(ox, s->sw, s->left, 1, s->kw, s->w, &w.x0, &w.x1);
    w.top = oy * s->sh + w.y0 - s->top;
    w.left = ox * s->sw + w.x0 - s->left;
    w.places = (w.y1 - w.y0) * (w.x1 - w.x0);
    return w;
}

static size_t place_at(const wm_sliding *s, const window *w, size_t i)
{
    size_t across = w->x1 - w->x0;

    return (w->top + i / across) * s->w + w->left + i % across;
}

/* from (NULL: nobody wants it) [positions][c] <- the place that each maximum took */
static void max_example(const wm_sliding *s, const float *x, float *y, uint32_t *from, uint32_t *nowhere)
{
    for (size_t p = 0; p < s->oh * s->ow; p++, y += s->c) {
        window    w = window_of(s, p);
        size_t    first = place_at(s, &w, 0);
        uint32_t *at = from != NULL ? from + p * s->c : nowhere;

        memcpy(y, x + first * s->c, s->c * sizeof *y);
        for (size_t c = 0; c < s->c; c++)
            at[c] = (uint32_t)first;
        for (size_t i = 1; i < w.places; i++) {
            size_t place = place_at(s, &w, i);

            larger(x + place * s->c, y, at, (uint32_t)place, s->c);
        }
    }
}

static void mean_example(const wm_sliding *s, const float *x, float *y)
{
    memset(y, 0, s->oh * s->ow * s->c * sizeof *y);
    for (size_t p = 0; p < s->oh * s->ow; p++, y += s->c) {
        window w = window_of(s, p);

        for (size_t i = 0; i < w.places; i++)
            add_scaled(y, x + place_at(s, &w, i) * s->c, s->c, 1 / (float)w.places);
    }
}

static void mean_back(const wm_sliding *s, const float *dy, float *dx)
{
    for (size_t p = 0; p < s->oh * s->ow; p++, dy += s->c) {
        window w = window_of(s, p);

        for (size_t i = 0; i < w.places; i++)
            add_scaled(dx + place_at(s, &w, i) * s->c, dy, s->c, 1 / (float)w.places);
    }
}

static void max_back(const wm_sliding *s, const float *dy, const uint32_t *from, float *dx)
{
    for (size_t p = 0; p < s->oh * s->ow; p++, dy += s->c, from += s->c)
        for (size_t c = 0; c < s->c; c++)
            dx[from[c] * s->c + c] += dy[c];
}

/* ---- what a member is ---- */

typedef struct pool {
    bool images, global, max;
} pool;

/* A global pooling is one window over everything. */
static const char *geometry(const void *options, pool kind, const wm_shape *x, wm_sliding *ret,
                            char text[WM_ERROR_TEXT])
{
    const pool_options *self = options;
    wm_sliding_options  sliding = { 0 };

    if (kind.global) {
        size_t places = wm_values(x) / x->dim[x->rank - 1];

        if (x->rank < 2)
            return "takes time x channels or height x width x channels";
        *ret = (wm_sliding){ .h = 1,
                             .w = places,
                             .c = x->dim[x->rank - 1],
                             .kh = 1,
                             .kw = places,
                             .sh = 1,
                             .sw = 1,
                             .dh = 1,
                             .dw = 1,
                             .oh = 1,
                             .ow = 1 };
        return NULL;
    }
    sliding.kernel = self->kernel;
    sliding.stride = self->stride;
    sliding.padding = self->padding;
    return wm_sliding_init(&sliding, kind.images, x, ret, text);
}

static void pool_fit(const void *options, pool kind, wm_fit *fit)
{
    wm_sliding  s;
    char        text[WM_ERROR_TEXT];
    const char *wrong = geometry(options, kind, &fit->inputs[0], &s, text);

    if (wrong != NULL) {
        wm_fit_refuse(fit, "%s", wrong);
        return;
    }
    if (s.h * s.w > UINT32_MAX) {
        wm_fit_refuse(fit, "%zu positions are too many to pool", s.h * s.w);
        return;
    }
    fit->output = kind.global   ? (wm_shape){ .rank = 1, .dim = { (uint32_t)s.c } }
                  : kind.images ? (wm_shape){ .rank = 3, .dim = { (uint32_t)s.oh, (uint32_t)s.ow, (uint32_t)s.c } }
                                : (wm_shape){ .rank = 2, .dim = { (uint32_t)s.ow, (uint32_t)s.c } };
    if (kind.max) {
        fit->saved.each = s.oh * s.ow * s.c;
        fit->scratch.once = s.c; /* an evaluation keeps nothing */
    }
    fit->work = (uint64_t)s.oh * s.ow * s.kh * s.kw * s.c / 2;
}

static void pool_forward(const void *options, pool kind, const wm_layer_run *run)
{
    wm_sliding s;
    char       text[WM_ERROR_TEXT];
    size_t     x, y;

    geometry(options, kind, &run->input_shapes[0], &s, text);
    x = s.h * s.w * s.c;
    y = s.oh * s.ow * s.c;
    for (size_t b = 0; b < run->B; b++)
        if (kind.max)
            max_example(&s, run->inputs[0] + b * x, run->output + b * y,
                        run->saved != NULL ? (uint32_t *)(void *)run->saved + b * y : NULL,
                        (uint32_t *)(void *)run->scratch);
        else
            mean_example(&s, run->inputs[0] + b * x, run->output + b * y);
}

static void pool_backward(const void *options, pool kind, const wm_layer_run *run)
{
    wm_sliding s;
    char       text[WM_ERROR_TEXT];
    size_t     x, y;

    if (run->input_grads[0] == NULL)
        return;
    geometry(options, kind, &run->input_shapes[0], &s, text);
    x = s.h * s.w * s.c;
    y = s.oh * s.ow * s.c;
    memset(run->input_grads[0], 0, run->B * x * sizeof *run->input_grads[0]);
    for (size_t b = 0; b < run->B; b++)
        if (kind.max)
            max_back(&s, run->output_grad + b * y, (const uint32_t *)(const void *)run->saved + b * y,
                     run->input_grads[0] + b * x);
        else
            mean_back(&s, run->output_grad + b * y, run->input_grads[0] + b * x);
}

static const wm_option options[] = {
    { .name = "kernel",
      .kind = WM_WHOLES,
      .offset = offsetof(pool_options, kernel),
      .least = 1,
      .most = 65536,
      .standard = "2",
      .main = true,
      .doc = "Size of the window; for an image one number, or [height, width]." },
    { .name = "stride",
      .kind = WM_WHOLES,
      .offset = offsetof(pool_options, stride),
      .least = 1,
      .most = 65536,
      .optional = true,
      .doc = "Distance of the windows; without it the size of the window." },
    WM_SLIDING_PADDING(pool_options),
};

#define POOL(name_, is_images, is_global, is_max, words, ...)              \
    static void name_##_fit(const void *set, wm_fit *fit)                  \
    {                                                                      \
        pool_fit(set, (pool){ is_images, is_global, is_max }, fit);        \
    }                                                                      \
    static void name_##_forward(const void *set, const wm_layer_run *run)  \
    {                                                                      \
        pool_forward(set, (pool){ is_images, is_global, is_max }, run);    \
    }                                                                      \
    static void name_##_backward(const void *set, const wm_layer_run *run) \
    {                                                                      \
        pool_backward(set, (pool){ is_images, is_global, is_max }, run);   \
    }                                                                      \
    const wm_layer_ops wm_layer_##name_ = {                                \
        .member = { .name = #name_, .doc = words, __VA_ARGS__ },           \
        .inputs_least = 1,                                                 \
        .inputs_most = 1,                                                  \
        .fit = name_##_fit,                                                \
        .forward = name_##_forward,                                        \
        .backward = name_##_backward,                                      \
    };
#define SLIDES \
    .options = options, .n_options = sizeof options / sizeof *options, .options_size = sizeof(pool_options)

POOL(max_pool1d, false, false, true, "The largest of a few steps of time, for each channel.", SLIDES)
POOL(max_pool2d, true, false, true, "The largest of a patch of an image, for each channel.", SLIDES)
POOL(avg_pool1d, false, false, false, "The mean of a few steps of time, for each channel.", SLIDES)
POOL(avg_pool2d, true, false, false, "The mean of a patch of an image, for each channel.", SLIDES)
POOL(global_max_pool, false, true, true, "The largest over all time or the whole image, for each channel.",
     .options = NULL)
POOL(global_avg_pool, false, true, false, "The mean over all time or the whole image, for each channel.",
     .options = NULL)
