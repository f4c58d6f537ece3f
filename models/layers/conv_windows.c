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

/* An example [h][w][c] that the kernel slides over: of the input, or of the output's gradient. The first of oh x ow windows
 * begins `top` rows and `left` columns before it, the next ones sh and sw further. */
typedef struct field {
    size_t h, w, c;
    size_t top, left;
    size_t oh, ow, sh, sw;
} field;

static field inputs_of(const wm_conv *c)
{
    const wm_sliding *s = &c->s;

    return (field){ s->h, s->w, s->c, s->top, s->left, s->oh, s->ow, s->sh, s->sw };
}

static field slopes_of(const wm_conv *c)
{
    const wm_sliding *s = &c->s;

    return (field){ s->oh, s->ow, c->out, s->kh - 1 - s->top, s->kw - 1 - s->left, s->h, s->w, 1, 1 };
}

/* Columns that the windows see. */
static size_t columns_of(const wm_conv *c, const field *f)
{
    return (f->ow - 1) * f->sw + c->s.kw;
}

static size_t frame_size(const wm_conv *c, const field *f)
{
    return f->h * columns_of(c, f) * f->c;
}

/* The windows of *x; where they see columns that it has not, *x becomes `frame`, which holds it between zeros: all is zero there,
 * but for the example before it, which stood in the same place. Windows a stride apart may leave the last columns unseen. */
static wm_windows windows_of(const wm_conv *c, const field *f, const float **x, float *frame)
{
    size_t seen = columns_of(c, f), width = f->w, kept = seen - f->left < f->w ? seen - f->left : f->w;

    if (f->left > 0 || seen > f->w) {
        width = seen;
        for (size_t y = 0; y < f->h; y++)
            memcpy(frame + (y * width + f->left) * f->c, *x + y * f->w * f->c, kept * f->c * sizeof *frame);
        *x = frame;
    }
    return (wm_windows){ .lines = f->oh,
                         .line = f->sh * width * f->c,
                         .each = f->ow,
                         .ld = f->sw * f->c,
                         .runs = c->s.kh,
                         .next = width * f->c,
                         .run = c->s.kw * f->c,
                         .before = f->top * width * f->c,
                         .size = f->h * width * f->c };
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
    size_t      a = frame_size(c, &inputs), b = frame_size(c, &slopes);

    return a > b ? a : b;
}

void wm_conv_windows_begin(const wm_conv *c, float *scratch)
{
    memset(scratch, 0, wm_conv_windows_scratch(c) * sizeof *scratch);
}

void wm_conv_windows_forward(const wm_conv *c, float *scratch, const float *weights, const float *x, float *y)
{
    const field inputs = inputs_of(c);
    wm_windows  windows = windows_of(c, &inputs, &x, scratch);

    wm_gemm_windows(WM_GEMM_NN, &windows, c->out, x, weights, y);
}

void wm_conv_windows_weights(const wm_conv *c, float *scratch, const float *x, const float *dy, float *grads)
{
    const field inputs = inputs_of(c);
    wm_windows  windows = windows_of(c, &inputs, &x, scratch);

    wm_gemm_windows(WM_GEMM_TN, &windows, c->out, x, dy, grads);
}

void wm_conv_windows_inputs(const wm_conv *c, float *scratch, const float *weights, const float *dy, float *dx)
{
    const field slopes = slopes_of(c);
    wm_windows  windows = windows_of(c, &slopes, &dy, scratch);

    wm_gemm_windows(WM_GEMM_NN, &windows, c->in, dy, weights, dx);
}
