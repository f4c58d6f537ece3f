/* models/gemm_product.h: a product of gemm.h as one thing, and the ways through its matrix a. */
#ifndef WM_MODELS_GEMM_PRODUCT_H
#define WM_MODELS_GEMM_PRODUCT_H

#include "models/gemm.h"

enum { GEMM_ROWS_FEW = 24 }; /* up to here nothing is laid out anew, which few rows do not repay */

typedef struct product {
    wm_gemm_form form;
    size_t       m, n, k;
    const float *a;
    size_t       lda;
    const float *b;
    size_t       ldb;
    float        alpha;
    float       *c;
    size_t       ldc;

    /* Not NULL: what a is; m is the number of their rows and k that of their columns (NN), or the other way round (TN). */
    const wm_windows *windows;
} product;

/* A way through a, along m or along k: `lines` of them, `apart`, each of `each` elements. */
typedef struct gemm_way {
    size_t lines, apart, each;
} gemm_way;

static inline size_t gemm_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline gemm_way gemm_way_of(const product *p, bool along_m)
{
    const wm_windows *w = p->windows;

    if (w == NULL)
        return (gemm_way){ .lines = 1, .each = along_m ? p->m : p->k };
    if (along_m == (p->form == WM_GEMM_NN))
        return (gemm_way){ .lines = w->lines, .apart = w->line, .each = w->each };
    return (gemm_way){ .lines = w->runs, .apart = w->next, .each = w->run };
}

/* From l on, at most `most` elements: whole lines, or a piece of one that is longer. */
static inline gemm_way gemm_stretch(const gemm_way *way, size_t l, size_t most)
{
    if (way->each > most)
        return (gemm_way){ .lines = 1, .each = gemm_least(most, way->each - l % way->each) };
    return (gemm_way){ .lines = gemm_least(most / way->each, way->lines - l / way->each),
                       .apart = way->apart,
                       .each = way->each };
}

/* Of a stretch that begins at `offset`, the lines that are not zeros by being outside of windows: *k becomes them, and *a where
 * they begin. Returns how many are left out before them. */
static inline size_t gemm_inside(const product *p, size_t offset, gemm_way *k, const float **a)
{
    const wm_windows *w = p->windows;
    size_t            from = 0, to = k->lines;

    if (w == NULL) {
        *a = p->a;
        return 0;
    }
    while (from < to && offset + from * k->apart < w->before)
        from++;
    while (to > from && offset + (to - 1) * k->apart - w->before >= w->size)
        to--;
    k->lines = to - from;
    *a = from < to ? p->a + (offset + from * k->apart - w->before) : NULL;
    return from;
}

#endif
