/* models/layers/conv_rows.c: convolutions by rows (sliding.h), a portion of them at a time, so that they stay in the
 * processor's cache. */
#include "models/gemm.h"
#include "models/layers/conv.h"

#include <string.h>

enum { PORTION = 32768 }; /* floats of a portion's rows: 128 KiB, half of a small second-level cache */

/* Positions whose rows are made at a time. */
static size_t portion_of(const wm_conv *c)
{
    size_t portion = c->wide < PORTION ? PORTION / c->wide : 1;

    return portion < c->positions ? portion : c->positions;
}

static size_t portion_at(const wm_conv *c, size_t first)
{
    size_t portion = portion_of(c);

    return c->positions - first < portion ? c->positions - first : portion;
}

size_t wm_conv_rows_scratch(const wm_conv *c)
{
    return portion_of(c) * c->wide;
}

void wm_conv_rows_forward(const wm_conv *c, float *scratch, const float *weights, const float *x, float *y)
{
    size_t all = c->out * c->groups;

    for (size_t first = 0, n; first < c->positions; first += n) {
        n = portion_at(c, first);
        for (size_t g = 0; g < c->groups; g++) {
            wm_sliding_rows(&c->s, x, g * c->in, c->in, first, n, scratch);
            wm_gemm(WM_GEMM_NN, n, c->out, c->wide, scratch, c->wide, weights + g * c->wide * c->out, c->out,
                    y + first * all + g * c->out, all);
        }
    }
}

void wm_conv_rows_weights(const wm_conv *c, float *scratch, const float *x, const float *dy, float *grads)
{
    size_t all = c->out * c->groups;

    for (size_t first = 0, n; first < c->positions; first += n) {
        n = portion_at(c, first);
        for (size_t g = 0; g < c->groups; g++) {
            wm_sliding_rows(&c->s, x, g * c->in, c->in, first, n, scratch);
            wm_gemm(WM_GEMM_TN, c->wide, c->out, n, scratch, c->wide, dy + first * all + g * c->out, all,
                    grads + g * c->wide * c->out, c->out);
        }
    }
}

void wm_conv_rows_inputs(const wm_conv *c, float *scratch, const float *weights, const float *dy, float *dx)
{
    size_t all = c->out * c->groups;

    for (size_t first = 0, n; first < c->positions; first += n) {
        n = portion_at(c, first);
        for (size_t g = 0; g < c->groups; g++) {
            memset(scratch, 0, n * c->wide * sizeof *scratch);
            wm_gemm(WM_GEMM_NT, n, c->wide, c->out, dy + first * all + g * c->out, all,
                    weights + g * c->wide * c->out, c->out, scratch, c->wide);
            wm_sliding_rows_add(&c->s, scratch, g * c->in, c->in, first, n, dx);
        }
    }
}
