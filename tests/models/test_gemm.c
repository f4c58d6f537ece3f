/* tests/models/test_gemm.c
 *
 * Products against the plain loops, at sizes on both sides of every cut: as a network calls them, and the kernels for each
 * width of vector, which the compiler makes of narrower ones where the machine has none so wide. */
#include "tests/models/net.h"

#include "models/gemm.h"

#include <math.h>

#define TARGET

#define LANES     4
#define ROWS_MOST 6
#define DOT_ROWS  3
#define NAMED(x)  x##_4
#include "models/gemm_tiles.h"
#undef LANES
#undef ROWS_MOST
#undef DOT_ROWS
#undef NAMED

#define LANES     16
#define ROWS_MOST 12
#define DOT_ROWS  6
#define NAMED(x)  x##_16
#include "models/gemm_tiles.h"

static const wm_gemm_form forms[] = { WM_GEMM_NN, WM_GEMM_NT, WM_GEMM_TN };

static void as_networks_do(const product *p)
{
    wm_gemm_scaled(p->form, p->m, p->n, p->k, p->alpha, p->a, p->lda, p->b, p->ldb, p->c, p->ldc);
}

static const struct {
    const char *name;
    void (*multiply)(const product *p);
} ways[] = {
    { "wm_gemm", as_networks_do },
    { "vectors of 4", gemm_4 },
    { "vectors of 16", gemm_16 },
};

enum { WAYS = sizeof ways / sizeof *ways };

static const struct {
    size_t m, n, k;
} sizes[] = {
    { 1, 1, 1 },      { 1, 7, 3 },      { 3, 1, 200 },   { 10, 200, 784 }, { 10, 10, 200 },  { 50, 200, 784 },
    { 10, 784, 200 }, { 200, 784, 10 }, { 64, 115, 86 }, { 65, 33, 17 },   { 7, 16, 1000 },  { 2, 333, 2049 },
    { 13, 31, 5 },    { 200, 10, 50 },  { 57, 38, 64 },  { 33, 1, 1 },     { 5, 6, 1 },      { 100, 129, 130 },
    { 24, 40, 515 },  { 25, 40, 515 },  { 25, 40, 31 },  { 24, 40, 31 },   { 99, 301, 290 },
};

/* A matrix of `rows` x `cols` with rows `ld` apart. */
static float *matrix(wm_rng *rng, size_t rows, size_t ld)
{
    return net_floats(rng, rows * ld);
}

static void check(size_t way, wm_gemm_form form, size_t m, size_t n, size_t k, size_t extra, size_t shift)
{
    wm_rng  rng;
    size_t  a_rows = form == WM_GEMM_TN ? k : m, lda = (form == WM_GEMM_TN ? m : k) + extra;
    size_t  b_rows = form == WM_GEMM_NT ? n : k, ldb = (form == WM_GEMM_NT ? k : n) + extra, ldc = n + extra;
    float   alpha = extra > 0 ? -0.3f : 1;
    float  *a, *b, *c, *want, *room;
    product p;

    wm_rng_init(&rng, m * 1000003 + n * 1009 + k);
    a = matrix(&rng, a_rows, lda);
    b = matrix(&rng, b_rows, ldb);
    c = matrix(&rng, m, ldc);
    want = malloc(m * ldc * sizeof *want);
    room = malloc((m * ldc + shift + a_rows * lda + shift + b_rows * ldb) * sizeof *room);
    assert_true(want != NULL && room != NULL);
    memcpy(want, c, m * ldc * sizeof *want);
    memcpy(room + shift, c, m * ldc * sizeof *want);
    memcpy(room + shift + m * ldc + shift, a, a_rows * lda * sizeof *want);
    memcpy(room + shift + m * ldc + shift + a_rows * lda, b, b_rows * ldb * sizeof *want);
    p = (product){ form, m, n, k, a, lda, b, ldb, alpha, c, ldc, NULL };
    ways[way].multiply(&p);
    p.c = room + shift;
    p.a = p.c + m * ldc + shift;
    p.b = p.a + a_rows * lda;
    ways[way].multiply(&p);
    wm_gemm_reference(form, m, n, k, alpha, a, lda, b, ldb, want, ldc);
    for (size_t i = 0; i < m * ldc; i++) {
        /* the error of a sum of k products of normal numbers grows with its root; untouched behind each row */
        double most = i % ldc < n ? 3e-6 * (1 + sqrt((double)k)) : 0;

        if (!(fabs((double)c[i] - (double)want[i]) <= most))
            fail_msg("%s, form %d, %zu x %zu x %zu, rows %zu apart: at %zu %.9g, not %.9g", ways[way].name, form, m,
                     n, k, ldc, i, (double)c[i], (double)want[i]);
    }
    if (memcmp(c, room + shift, m * ldc * sizeof *c) != 0)
        fail_msg("%s, form %d, %zu x %zu x %zu: other bits at another alignment", ways[way].name, form, m, n, k);
    free(a);
    free(b);
    free(c);
    free(want);
    free(room);
}

static void products_are_right_at_every_size_and_alignment(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++)
        for (size_t f = 0; f < 3; f++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                check(way, forms[f], sizes[s].m, sizes[s].n, sizes[s].k, 0, 1);
                check(way, forms[f], sizes[s].m, sizes[s].n, sizes[s].k, 3, 5);
            }
}

static void small_sizes_are_right_one_by_one(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++)
        for (size_t f = 0; f < 3; f++)
            for (size_t m = 1; m < 20; m++)
                for (size_t n = 1; n < 36; n++)
                    check(way, forms[f], m, n, 1 + (m * 7 + n * 3) % 41, 0, 1);
}

static void a_product_is_added_times_alpha(void **state)
{
    float         a[3] = { 1, 2, 3 }, b[3] = { 4, 5, 6 }, c;
    const product p = { WM_GEMM_NT, 1, 1, 3, a, 3, b, 3, -0.5f, &c, 1, NULL };

    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        c = 100;
        ways[way].multiply(&p);
        assert_true(c == 84);
    }
}

static void an_empty_product_changes_nothing(void **state)
{
    float a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 2, 3, 4 }, c[4] = { 5, 6, 7, 8 };

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        wm_gemm(forms[f], 0, 2, 2, a, 2, b, 2, c, 2);
        wm_gemm(forms[f], 2, 0, 2, a, 2, b, 2, c, 2);
        wm_gemm(forms[f], 2, 2, 0, a, 2, b, 2, c, 2);
    }
    assert_true(c[0] == 5 && c[1] == 6 && c[2] == 7 && c[3] == 8);
}

/* Zero times NaN is NaN: a library that skips zeros would hide it. */
static void nan_and_infinity_go_through(void **state)
{
    (void)state;
    for (size_t f = 0; f < 3; f++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t m = sizes[s].m, n = sizes[s].n, k = sizes[s].k;
            float *a = calloc(m * k, sizeof *a), *b = calloc(n * k, sizeof *b), *c = calloc(m * n, sizeof *c);

            assert_true(a != NULL && b != NULL && c != NULL);
            a[m * k - 1] = s % 2 == 0 ? NAN : INFINITY; /* in the last row of the result */
            wm_gemm(forms[f], m, n, k, a, forms[f] == WM_GEMM_TN ? m : k, b, forms[f] == WM_GEMM_NT ? k : n, c, n);
            for (size_t i = 0; i < m * n; i++)
                assert_true(isnan(c[i]) == (i >= (m - 1) * n));
            free(a);
            free(b);
            free(c);
        }
}

/* ---- windows ---- */

static void windows_as_networks_do(const product *p)
{
    if (wm_gemm_knows_windows())
        wm_gemm_windows(p->form, p->windows, p->n, p->a, p->b, p->c);
    else
        gemm_4(p);
}

/* A kernel of kh x kw over an image of h x w x c, `top` rows of zeros above it and as many as are needed below, n channels
 * out. */
static const struct {
    size_t h, w, c, kh, kw, sh, sw, top, n;
} slidings[] = {
    { 1, 1, 1, 1, 1, 1, 1, 0, 1 },     { 8, 8, 3, 3, 3, 1, 1, 1, 5 },   { 14, 18, 32, 5, 5, 1, 1, 2, 64 },
    { 28, 32, 1, 5, 5, 1, 1, 2, 32 },  { 1, 128, 9, 1, 5, 1, 1, 0, 8 }, { 1, 400, 3, 1, 4, 1, 2, 0, 17 },
    { 6, 70, 70, 2, 5, 1, 1, 1, 16 },  { 9, 9, 4, 3, 2, 2, 3, 0, 33 },  { 3, 300, 2, 3, 3, 1, 1, 2, 7 },
    { 2, 12, 5, 7, 3, 1, 1, 6, 9 },    { 40, 40, 1, 9, 9, 3, 2, 4, 3 }, { 7, 5, 130, 3, 2, 1, 1, 1, 40 },
    { 300, 4, 1, 290, 3, 1, 1, 0, 6 }, { 5, 6, 8, 1, 1, 1, 1, 0, 20 },
};

static wm_windows windows_of(size_t s)
{
    size_t width = slidings[s].w * slidings[s].c;

    return (wm_windows){ .lines = (slidings[s].h + slidings[s].top) / slidings[s].sh,
                         .line = slidings[s].sh * width,
                         .each = (slidings[s].w - slidings[s].kw) / slidings[s].sw + 1,
                         .ld = slidings[s].sw * slidings[s].c,
                         .runs = slidings[s].kh,
                         .next = width,
                         .run = slidings[s].kw * slidings[s].c,
                         .before = slidings[s].top * width,
                         .size = slidings[s].h * width };
}

/* The matrix that the windows are, as gemm.h says it. */
static float *laid_out(const wm_windows *w, const float *x, size_t rows, size_t columns)
{
    float *a = malloc(rows * columns * sizeof *a);

    assert_non_null(a);
    for (size_t r = 0; r < rows; r++)
        for (size_t q = 0; q < columns; q++) {
            size_t o = r / w->each * w->line + q / w->run * w->next;
            bool   inside = o >= w->before && o < w->before + w->size;

            a[r * columns + q] = inside ? x[o - w->before + r % w->each * w->ld + q % w->run] : 0;
        }
    return a;
}

static void check_windows(void (*multiply)(const product *p), wm_gemm_form form, size_t s)
{
    wm_windows w = windows_of(s);
    size_t     rows = w.lines * w.each, columns = w.runs * w.run, n = slidings[s].n;
    size_t     m = form == WM_GEMM_NN ? rows : columns, k = form == WM_GEMM_NN ? columns : rows;
    wm_rng     rng;
    float     *x, *a, *b, *c, *want = malloc(m * n * sizeof *want);
    product    p;

    wm_rng_init(&rng, s);
    x = matrix(&rng, 1, w.size);
    a = laid_out(&w, x, rows, columns);
    b = matrix(&rng, k, n);
    c = matrix(&rng, m, n);
    assert_non_null(want);
    memcpy(want, c, m * n * sizeof *c);
    p = (product){ form, m, n, k, x, w.ld, b, n, 1, c, n, &w };
    multiply(&p);
    wm_gemm_reference(form, m, n, k, 1, a, columns, b, n, want, n);
    for (size_t i = 0; i < m * n; i++)
        if (!(fabs((double)c[i] - (double)want[i]) <= 3e-6 * (1 + sqrt((double)k))))
            fail_msg("sliding %zu, form %d: at %zu of %zu x %zu %.9g, not %.9g", s, form, i, m, n, (double)c[i],
                     (double)want[i]);
    free(x);
    free(a);
    free(b);
    free(c);
    free(want);
}

static void windows_are_multiplied_as_if_their_rows_were_laid_out(void **state)
{
    static void (*const multiplies[])(const product *p) = { windows_as_networks_do, gemm_4, gemm_16 };

    (void)state;
    for (size_t way = 0; way < sizeof multiplies / sizeof *multiplies; way++)
        for (size_t s = 0; s < sizeof slidings / sizeof *slidings; s++) {
            check_windows(multiplies[way], WM_GEMM_NN, s);
            check_windows(multiplies[way], WM_GEMM_TN, s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right_at_every_size_and_alignment),
        cmocka_unit_test(small_sizes_are_right_one_by_one),
        cmocka_unit_test(a_product_is_added_times_alpha),
        cmocka_unit_test(an_empty_product_changes_nothing),
        cmocka_unit_test(nan_and_infinity_go_through),
        cmocka_unit_test(windows_are_multiplied_as_if_their_rows_were_laid_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
