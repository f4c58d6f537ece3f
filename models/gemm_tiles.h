/* models/gemm_tiles.h
 *
 * Products of matrices of the sizes that small networks have, as a template: it is included once for each width of vector
 * (gemm_vector.c; tests/models/test_gemm.c), with
 *
 *     LANES               floats of a vector
 *     ROWS_MOST           rows of a tile, 6 or 12: its sums, two vectors a row, and three vectors more fit the registers
 *     DOT_ROWS            the same for dots, 3 or 6: four sums a row, a vector each for the rows, and one more
 *     TARGET              the attribute that lets the compiler use the instructions
 *     NAMED(x)            x with a suffix of its own
 *
 * and leaves NAMED(gemm). A tile of c, up to ROWS_MOST x two vectors, is summed in registers over a stretch of k: for each
 * step two vectors of b's row, times an element of each of a's rows. Libraries for large matrices first lay both matrices
 * out anew, which is not repaid at the few rows of a batch. Here
 *
 *     - of few rows, unless they are windows, nothing is laid out: b is read in strips of a few rows (NN, TN), or sums run along the rows of both
 *       matrices, and across the vector at the end (NT: gemm_dots.h);
 *     - of more rows, panels of b, two vectors wide, are laid out on the stack, PANEL_ROWS of one at most at a time, where
 *       they stay in the first-level cache while a's rows go past; transposed on the way, where it is NT.
 *
 * The order of the sums depends on the sizes alone. The compiler may contract products and sums here (meson.build). */
#ifndef WM_MODELS_GEMM_TILES_H
#define WM_MODELS_GEMM_TILES_H

#include "models/gemm_product.h"
#include "models/kernel.h"
#include "models/lanes.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    PANEL_ROWS = 256, /* of k: with AVX2 a panel is half of the first-level cache */
    STRIP_ROWS = 64,  /* of k */
    K_FEW = 32,       /* below it the sums across dots' vectors cost more than panels */
    DOT_COLUMNS = 4,
    DOT_STRETCH = 512, /* of k: the rows of a batch of ten stay in the first-level cache */
};

/* What is inlined for every size of a tile, and the loops in it that become registers. Not under a sanitizer, whose checks
 * of each access would cost the compiler minutes. */
#if WM_SANITIZED
#define INLINED static
#define UNROLLED
#else
#define INLINED  static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")
#endif

/* What a row of tiles takes of b: `count` tiles side by side, each of whose columns begin `apart` from the ones before. */
typedef struct gemm_right {
    const float *b;
    size_t       ld, count, apart; /* count: set by who counts them */
} gemm_right;

/* to[4][ld_to] <- from[4][ld] transposed */
static inline void gemm_turn_four(const float *from, size_t ld, float *to, size_t ld_to)
{
    wm_four a = *(const wm_four *)from, b = *(const wm_four *)(from + ld), c = *(const wm_four *)(from + 2 * ld),
            d = *(const wm_four *)(from + 3 * ld);
    wm_four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    wm_four ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);

    *(wm_four *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(wm_four *)(to + ld_to) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(wm_four *)(to + 2 * ld_to) = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
    *(wm_four *)(to + 3 * ld_to) = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
}

#endif

typedef float NAMED(vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

enum { NAMED(WIDE) = 2 * LANES };

/* ---- c += alpha a b, a tile at a time ---- */

/* `rows` x `vectors` vectors, both constants where it is inlined; a's element is a[i * a_row + l * a_step], in each line. */
INLINED TARGET void NAMED(tile)(size_t rows, size_t vectors, gemm_way k, const float *a, size_t a_row,
                                size_t a_step, const float *b, size_t ldb, float alpha, float *c, size_t ldc)
{
    NAMED(vector) sums[ROWS_MOST][2], right[2];

    assert(k.lines > 0 && k.each > 0);
    UNROLLED
    for (size_t j = 0; j < vectors; j++)
        right[j] = *(const NAMED(vector) *)(b + j * LANES);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vectors; j++)
            sums[i][j] = a[i * a_row] * right[j];
    }
    for (size_t line = 0, l = 1; line < k.lines; line++, l = 0, a += k.apart, b += k.each * ldb)
        for (; l < k.each; l++) {
            UNROLLED
            for (size_t j = 0; j < vectors; j++)
                right[j] = *(const NAMED(vector) *)(b + l * ldb + j * LANES);
            UNROLLED
            for (size_t i = 0; i < rows; i++) {
                UNROLLED
                for (size_t j = 0; j < vectors; j++)
                    sums[i][j] += a[i * a_row + l * a_step] * right[j];
            }
        }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vectors; j++)
            *(NAMED(vector) *)(c + i * ldc + j * LANES) += alpha * sums[i][j];
    }
}

/* A row of such tiles, with `rows` known at run time only. */
#define TILES(rows)                                                                            \
    case rows:                                                                                 \
        for (size_t t = 0; t < right.count; t++, right.b += right.apart, c += vectors * LANES) \
            NAMED(tile)(rows, vectors, k, a, row, step, right.b, right.ld, alpha, c, ldc);     \
        break;

INLINED TARGET void NAMED(row_of_tiles)(size_t rows, size_t vectors, gemm_way k, const float *a, size_t row,
                                        size_t step, gemm_right right, float alpha, float *c, size_t ldc)
{
    switch (rows) {
        TILES(1)
        TILES(2)
        TILES(3)
        TILES(4)
        TILES(5)
        TILES(6)
#if ROWS_MOST > 6
        TILES(7)
        TILES(8)
        TILES(9)
        TILES(10)
        TILES(11)
        TILES(12)
#endif
    default:
        assert(false);
    }
}
#undef TILES

/* The same of product p, where one of a's two strides is 1. */
INLINED TARGET void NAMED(tiles)(const product *p, size_t rows, size_t vectors, gemm_way k, const float *a,
                                 gemm_right right, float *c, size_t ldc)
{
    if (p->form == WM_GEMM_TN)
        NAMED(row_of_tiles)(rows, vectors, k, a, 1, p->lda, right, p->alpha, c, ldc);
    else
        NAMED(row_of_tiles)(rows, vectors, k, a, p->lda, 1, right, p->alpha, c, ldc);
}

static TARGET void NAMED(tiles_of_one)(const product *p, size_t rows, gemm_way k, const float *a, gemm_right right,
                                       float *c, size_t ldc)
{
    NAMED(tiles)(p, rows, 1, k, a, right, c, ldc);
}

static TARGET void NAMED(tiles_of_two)(const product *p, size_t rows, gemm_way k, const float *a, gemm_right right,
                                       float *c, size_t ldc)
{
    NAMED(tiles)(p, rows, 2, k, a, right, c, ldc);
}

/* The same of n columns, which may end within a tile. Where its last vector would reach beyond them, it works on a place of its
 * own; there b must have zeros (or anything) up to its end. */
static TARGET void NAMED(any_tiles)(const product *p, size_t rows, size_t n, gemm_way k, const float *a,
                                    gemm_right right, float *c)
{
    float own[ROWS_MOST * 2 * LANES];

    right.count = n / NAMED(WIDE);
    NAMED(tiles_of_two)(p, rows, k, a, right, c, p->ldc);
    right.b += right.count * right.apart;
    c += right.count * NAMED(WIDE);
    n %= NAMED(WIDE);
    right.count = 1;
    if (n == LANES)
        NAMED(tiles_of_one)(p, rows, k, a, right, c, p->ldc);
    if (n == 0 || n == LANES)
        return;
    memset(own, 0, rows * NAMED(WIDE) * sizeof *own);
    (n > LANES ? NAMED(tiles_of_two) : NAMED(tiles_of_one))(p, rows, k, a, right, own, NAMED(WIDE));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            c[i * p->ldc + j] += own[i * NAMED(WIDE) + j];
}

/* m rows of c in blocks, each along all n columns, so that c is gone through by rows too. */
static TARGET void NAMED(blocks_of)(const product *p, size_t m, size_t n, gemm_way k, const float *a,
                                    gemm_right right, float *c)
{
    size_t blocks = (m + ROWS_MOST - 1) / ROWS_MOST, step = p->form == WM_GEMM_TN ? 1 : p->lda;

    for (size_t block = 0, i = 0, rows; block < blocks; block++, i += rows, c += rows * p->ldc) {
        rows = m / blocks + (block < m % blocks); /* they differ by one at most */
        NAMED(any_tiles)(p, rows, n, k, a + i * step, right, c);
    }
}

/* ---- panels of b ---- */

/* panel[k][WIDE] <- columns [j, j + n) of rows [l, l + k), zeros behind them. */
static TARGET void NAMED(copy_panel)(const product *p, size_t j, size_t n, size_t l, size_t k, float *panel)
{
    const float *b = p->b + l * p->ldb + j;

    if (n == NAMED(WIDE)) {
        for (size_t i = 0; i < k; i++, b += p->ldb, panel += NAMED(WIDE))
            memcpy(panel, b, NAMED(WIDE) * sizeof *panel);
        return;
    }
    memset(panel, 0, k * NAMED(WIDE) * sizeof *panel);
    for (size_t i = 0; i < k; i++, b += p->ldb, panel += NAMED(WIDE))
        for (size_t q = 0; q < n; q++)
            panel[q] = b[q];
}

/* The same of b [n][k], four by four. */
static TARGET void NAMED(turn_panel)(const product *p, size_t j, size_t n, size_t l, size_t k, float *panel)
{
    const float *b = p->b + j * p->ldb + l;
    size_t       column = 0;

    for (; column + 4 <= n; column += 4, b += 4 * p->ldb) {
        size_t i = 0;

        for (; i + 4 <= k; i += 4)
            gemm_turn_four(b + i, p->ldb, panel + i * NAMED(WIDE) + column, NAMED(WIDE));
        for (; i < k; i++)
            for (size_t q = 0; q < 4; q++)
                panel[i * NAMED(WIDE) + column + q] = b[q * p->ldb + i];
    }
    for (; column < NAMED(WIDE); column++, b += p->ldb)
        for (size_t i = 0; i < k; i++)
            panel[i * NAMED(WIDE) + column] = column < n ? b[i] : 0;
}

static TARGET void NAMED(panel)(const product *p, size_t j, size_t n, size_t l, size_t k, float *panel)
{
    (p->form == WM_GEMM_NT ? NAMED(turn_panel) : NAMED(copy_panel))(p, j, n, l, k, panel);
}

/* The steps [l, l + k) of all rows against the panels, of n columns of c. */
static TARGET void NAMED(lines_by_panels)(const product *p, size_t l, gemm_way k, const gemm_way *ways, size_t n,
                                          const float *panels, float *c)
{
    const gemm_way *m = &ways[0];
    size_t          within = l % ways[1].each * (p->form == WM_GEMM_TN ? p->lda : 1);

    for (size_t line = 0; line < m->lines; line++, c += m->each * p->ldc) {
        const float *a;
        gemm_way     inside = k;
        size_t       offset = line * m->apart + l / ways[1].each * ways[1].apart;
        size_t       skipped = gemm_inside(p, offset, &inside, &a) * k.each;
        gemm_right   right = { panels + skipped * NAMED(WIDE), NAMED(WIDE), 0, k.lines * k.each * NAMED(WIDE) };

        if (inside.lines > 0)
            NAMED(blocks_of)(p, m->each, n, inside, a + within, right, c);
    }
}

static TARGET void NAMED(by_panels)(const product *p)
{
    const gemm_way ways[] = { gemm_way_of(p, true), gemm_way_of(p, false) };
    float          panels[PANEL_ROWS * 2 * LANES];
    size_t         wide = NAMED(WIDE);

    for (size_t l = 0, depth; l < p->k; l += depth) {
        gemm_way k = gemm_stretch(&ways[1], l, PANEL_ROWS);
        size_t   most;

        depth = k.lines * k.each;
        most = PANEL_ROWS / depth * wide;
        for (size_t first = 0; first < p->n; first += most) {
            size_t n = gemm_least(p->n - first, most);

            for (size_t j = 0; j < n; j += wide)
                NAMED(panel)(p, first + j, gemm_least(wide, n - j), l, depth, panels + j * depth);
            NAMED(lines_by_panels)(p, l, k, ways, n, panels, p->c + first);
        }
    }
}

/* ---- NN or TN without panels, but for the last columns ---- */

/* Few rows of a: b is read in strips of consecutive rows, each once from far away. */
static TARGET void NAMED(by_strips)(const product *p)
{
    float  panel[STRIP_ROWS * 2 * LANES];
    size_t whole = p->n - p->n % NAMED(WIDE);

    for (size_t l = 0; l < p->k; l += STRIP_ROWS) {
        const float *a = p->a + l * (p->form == WM_GEMM_TN ? p->lda : 1), *b = p->b + l * p->ldb;
        gemm_way     k = { .lines = 1, .each = gemm_least(STRIP_ROWS, p->k - l) };

        for (size_t j = 0; j < whole; j += NAMED(WIDE))
            NAMED(blocks_of)(p, p->m, NAMED(WIDE), k, a, (gemm_right){ .b = b + j, .ld = p->ldb }, p->c + j);
        if (whole < p->n) {
            NAMED(copy_panel)(p, whole, p->n - whole, l, k.each, panel);
            NAMED(blocks_of)
            (p, p->m, p->n - whole, k, a, (gemm_right){ .b = panel, .ld = NAMED(WIDE) }, p->c + whole);
        }
    }
}

#include "models/gemm_dots.h"

static TARGET void NAMED(gemm)(const product *p)
{
    if (p->form == WM_GEMM_NT)
        (p->m <= GEMM_ROWS_FEW && p->k >= K_FEW ? NAMED(by_dots) : NAMED(by_panels))(p);
    else
        (p->m <= GEMM_ROWS_FEW && p->windows == NULL ? NAMED(by_strips) : NAMED(by_panels))(p);
}
