/* models/gemm_dots.h
 *
 * Of few rows of a, the form NT: sums that run along the rows of both matrices, a tile of them at a time, and across the
 * vectors at the end. A part of the template of gemm_tiles.h, which includes it; not to be included alone. */

/* The sums of four vectors, across each. */
INLINED TARGET wm_four NAMED(totals)(const NAMED(vector) v[4])
{
    wm_four part[4];

    UNROLLED
    for (size_t j = 0; j < 4; j++) {
        part[j] = __builtin_shufflevector(v[j], v[j], 0, 1, 2, 3);
#if LANES > 4
        part[j] += __builtin_shufflevector(v[j], v[j], 4, 5, 6, 7);
#endif
#if LANES > 8
        part[j] +=
            __builtin_shufflevector(v[j], v[j], 8, 9, 10, 11) + __builtin_shufflevector(v[j], v[j], 12, 13, 14, 15);
#endif
    }
    part[0] = __builtin_shufflevector(part[0], part[1], 0, 4, 1, 5) +
              __builtin_shufflevector(part[0], part[1], 2, 6, 3, 7);
    part[2] = __builtin_shufflevector(part[2], part[3], 0, 4, 1, 5) +
              __builtin_shufflevector(part[2], part[3], 2, 6, 3, 7);
    return __builtin_shufflevector(part[0], part[2], 0, 1, 4, 5) +
           __builtin_shufflevector(part[0], part[2], 2, 3, 6, 7);
}

/* c[rows][columns] += the dots of rows of a and rows of b, both constants where it is inlined. */
INLINED TARGET void NAMED(dots)(size_t rows, size_t columns, size_t k, const float *a, size_t lda, const float *b,
                                size_t ldb, float alpha, float *c, size_t ldc)
{
    NAMED(vector) sums[DOT_ROWS][DOT_COLUMNS] = { 0 }, left[DOT_ROWS];
    size_t whole = k - k % LANES;

    assert(whole > 0);
    UNROLLED
    for (size_t i = 0; i < rows; i++)
        left[i] = *(const NAMED(vector) *)(a + i * lda);
    UNROLLED
    for (size_t j = 0; j < columns; j++) {
        NAMED(vector) right = *(const NAMED(vector) *)(b + j * ldb);

        UNROLLED
        for (size_t i = 0; i < rows; i++)
            sums[i][j] = left[i] * right;
    }
    for (size_t l = LANES; l < whole; l += LANES) {
        UNROLLED
        for (size_t i = 0; i < rows; i++)
            left[i] = *(const NAMED(vector) *)(a + i * lda + l);
        UNROLLED
        for (size_t j = 0; j < columns; j++) {
            NAMED(vector) right = *(const NAMED(vector) *)(b + j * ldb + l);

            UNROLLED
            for (size_t i = 0; i < rows; i++)
                sums[i][j] += left[i] * right;
        }
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        wm_four total = NAMED(totals)(sums[i]);

        for (size_t l = whole; l < k; l++)
            for (size_t j = 0; j < columns; j++)
                total[j] += a[i * lda + l] * b[j * ldb + l];
        if (columns == DOT_COLUMNS)
            *(wm_four *)(c + i * ldc) += alpha * total;
        else
            c[i * ldc] += alpha * total[0];
    }
}

#define DOTS(rows)                                                                        \
    case rows:                                                                            \
        if (columns == DOT_COLUMNS)                                                       \
            NAMED(dots)(rows, DOT_COLUMNS, k, a, p->lda, b, p->ldb, p->alpha, c, p->ldc); \
        else                                                                              \
            NAMED(dots)(rows, 1, k, a, p->lda, b, p->ldb, p->alpha, c, p->ldc);           \
        break;

/* Rows [i, i + rows), columns [j, j + columns): DOT_COLUMNS of them or one. */
static TARGET void NAMED(some_dots)(const product *p, size_t i, size_t rows, size_t j, size_t columns, size_t l,
                                    size_t k)
{
    const float *a = p->a + i * p->lda + l, *b = p->b + j * p->ldb + l;
    float       *c = p->c + i * p->ldc + j;

    switch (rows) {
        DOTS(1)
        DOTS(2)
        DOTS(3)
#if DOT_ROWS > 3
        DOTS(4)
        DOTS(5)
        DOTS(6)
#endif
    default:
        assert(false);
    }
}
#undef DOTS

static TARGET void NAMED(by_dots)(const product *p)
{
    size_t blocks = (p->m + DOT_ROWS - 1) / DOT_ROWS;

    for (size_t l = 0, k; l < p->k; l += k) {
        k = p->k - l < DOT_STRETCH + LANES ? p->k - l : DOT_STRETCH; /* the last, too, has a vector at least */
        for (size_t j = 0, columns; j < p->n; j += columns) {
            columns = p->n - j < DOT_COLUMNS ? 1 : DOT_COLUMNS;
            for (size_t block = 0, i = 0, rows; block < blocks; block++, i += rows) {
                rows = p->m / blocks + (block < p->m % blocks);
                NAMED(some_dots)(p, i, rows, j, columns, l, k);
            }
        }
    }
}
