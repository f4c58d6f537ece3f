/* models/layers/conv_windows.c
 *
 * Convolutions by windows (gemm.h). What lies under the kernel at one position is one run of values for each of the kernel's
 * rows, as long as there is one group and nothing is left out between the places; the next position's begin a stride further.
 * Rows of padding are left out by the product; columns of it are zeros at both sides of a copy of the example, which is all that
 * is copied. By rows each value is copied as often as the kernel has places.
 *
 * Where the stride is 1, the gradient of the input is again a convolution: of the output's gradient, framed by the kernel's
 * size less one, with the kernel turned round and its channels in and out exchanged. */
#include "models/gemm.h"
#include "models/layers/conv.h"

#include <string.h>

enum { ACROSS_LEAST = 4 }; /* positions side by side; the product's tiles have six */

/* Examples [h][w][c], a batch's inputs or slopes, that a kernel slides over with some columns of zeros on both sides. */
typedef struct field {
    size_t h, w, c;
    size_t top, left; /* rows and columns that the first window begins before the example */
    size_t framed_w;  /* columns that the windows see */
} field;

static field inputs_of(const wm_conv *c)
{
    const wm_sliding *s = &c->s;

    return (field){ s->h, s->w, s->c, s->top, s->left, (s->ow - 1) * s->sw + s->kw };
}

static field slopes_of(const wm_conv *c)
{
    const wm_sliding *s = &c->s;

    return (field){ s->oh, s->ow, c->out, s->kh - 1 - s->top, s->kw - 1 - s->left, s->w + s->kw - 1 };
}

static size_t size_of(const field *f)
{
    return f->h * f->framed_w * f->c;
}

/* What a product reads: *x, framed in `frame` where columns are missing; there all is zero but for the example before, which
 * stood where this one goes. The windows lie `stride` apart, and there are oh x ow of them. A stride may leave rows and columns
 * at the end unread. */
static wm_windows windows_of(const wm_conv *c, const field *f, size_t oh, size_t ow, size_t sh, size_t sw,
                             const float **x, float *frame)
{
    size_t width = f->w, columns = f->framed_w - f->left < f->w ? f->framed_w - f->left : f->w;

    if (f->left > 0 || f->framed_w > f->w) {
        width = f->framed_w;
        for (size_t y = 0; y < f->h; y++)
            memcpy(frame + (y * width + f->left) * f->c, *x + y * f->w * f->c, columns * f->c * sizeof *frame);
        *x = frame;
    }
    return (wm_windows){ .lines = oh,
                         .line = sh * width * f->c,
                         .each = ow,
                         .ld = sw * f->c,
                         .runs = c->s.kh,
                         .next = width * f->c,
                         .run = c->s.kw * f->c,
                         .before = f->top * width * f->c,
                         .size = f->h * width * f->c };
}

static wm_windows windows_of_inputs(const wm_conv *c, const float **x, float *frame)
{
    const field f = inputs_of(c);

    return windows_of(c, &f, c->s.oh, c->s.ow, c->s.sh, c->s.sw, x, frame);
}

bool wm_conv_by_windows(const wm_conv *c)
{
    return wm_gemm_knows_windows() && c->groups == 1 && c->s.dh == 1 && c->s.dw == 1 && c->s.ow >= ACROSS_LEAST;
}

bool wm_conv_inputs_by_windows(const wm_conv *c)
{
    return wm_conv_by_windows(c) && c->s.sh == 1 && c->s.sw == 1;
}

size_t wm_conv_windows_scratch(const wm_conv *c)
{
    const field inputs = inputs_of(c), slopes = slopes_of(c);

    return size_of(&inputs) > size_of(&slopes) ? size_of(&inputs) : size_of(&slopes);
}

void wm_conv_windows_begin(const wm_conv *c, float *scratch)
{
    memset(scratch, 0, wm_conv_windows_scratch(c) * sizeof *scratch);
}

void wm_conv_windows_forward(const wm_conv *c, float *scratch, const float *weights, const float *x, float *y)
{
    wm_windows windows = windows_of_inputs(c, &x, scratch);

    wm_gemm_windows(WM_GEMM_NN, &windows, c->out, x, weights, y);
}

void wm_conv_windows_weights(const wm_conv *c, float *scratch, const float *x, const float *dy, float *grads)
{
    wm_windows windows = windows_of_inputs(c, &x, scratch);

    wm_gemm_windows(WM_GEMM_TN, &windows, c->out, x, dy, grads);
}

void wm_conv_windows_inputs(const wm_conv *c, float *scratch, const float *weights, const float *dy, float *dx)
{
    const field f = slopes_of(c);
    wm_windows  windows = windows_of(c, &f, c->s.h, c->s.w, 1, 1, &dy, scratch);

    wm_gemm_windows(WM_GEMM_NN, &windows, c->in, dy, weights, dx);
}
