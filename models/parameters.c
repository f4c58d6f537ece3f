/* models/parameters.c: the flat vector: how it begins, and its name. */
#include "models/graph.h"
#include "models/initialiser.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

/* A matrix whose rows, if there are not more of them than columns, or else whose columns, are vectors. */
typedef struct matrix {
    float *at;
    size_t columns;
    size_t vectors, length;
    bool   rows; /* are the vectors */
} matrix;

static float *element(const matrix *m, size_t vector, size_t i)
{
    return m->at + (m->rows ? vector * m->columns + i : i * m->columns + vector);
}

/* dots[k] <- vector k times those before it. Memory is walked through in its order, whichever way the vectors lie. */
static void dots_with_those_before(const matrix *m, size_t k, double *dots)
{
    for (size_t j = 0; j < k; j++)
        dots[j] = 0;
    if (m->rows)
        for (size_t j = 0; j < k; j++)
            for (size_t i = 0; i < m->length; i++)
                dots[j] += (double)*element(m, j, i) * (double)*element(m, k, i);
    else
        for (size_t i = 0; i < m->length; i++)
            for (size_t j = 0; j < k; j++)
                dots[j] += (double)*element(m, j, i) * (double)*element(m, k, i);
}

static void take_off(const matrix *m, size_t k, const double *dots)
{
    if (m->rows)
        for (size_t j = 0; j < k; j++)
            for (size_t i = 0; i < m->length; i++)
                *element(m, k, i) -= (float)(dots[j] * (double)*element(m, j, i));
    else
        for (size_t i = 0; i < m->length; i++) {
            double sum = 0;

            for (size_t j = 0; j < k; j++)
                sum += dots[j] * (double)*element(m, j, i);
            *element(m, k, i) -= (float)sum;
        }
}

static void give_length(const matrix *m, size_t k, double length)
{
    double squares = 0, factor;

    for (size_t i = 0; i < m->length; i++)
        squares += (double)*element(m, k, i) * (double)*element(m, k, i);
    factor = squares > 0 ? length / sqrt(squares) : 0;
    for (size_t i = 0; i < m->length; i++)
        *element(m, k, i) = (float)(factor * (double)*element(m, k, i));
}

/* Gram and Schmidt, each vector twice, which makes up for what rounding leaves. Normal numbers have no direction that
 * they prefer, and neither has what becomes of them. */
static void make_orthogonal(const matrix *m, double length)
{
    double dots[WM_ORTHOGONAL_SIDE_MAX];

    assert(m->vectors <= WM_ORTHOGONAL_SIDE_MAX);
    for (size_t k = 0; k < m->vectors; k++) {
        give_length(m, k, 1);
        for (int twice = 0; twice < 2; twice++) {
            dots_with_those_before(m, k, dots);
            take_off(m, k, dots);
            give_length(m, k, 1);
        }
    }
    for (size_t k = 0; k < m->vectors; k++)
        give_length(m, k, length);
}

static matrix matrix_of(float *values, const wm_tensor *tensor)
{
    size_t rows = tensor->shape.dim[0], columns = tensor->n / rows;
    bool   are_rows = rows <= columns;

    return (matrix){ .at = values,
                     .columns = columns,
                     .vectors = are_rows ? rows : columns,
                     .length = are_rows ? columns : rows,
                     .rows = are_rows };
}

static void begin(wm_rng *rng, wm_initial initial, const wm_tensor *tensor, float *values)
{
    size_t n = tensor->n;
    matrix m;

    switch (initial.kind) {
    case WM_INITIAL_CONSTANT:
        for (size_t i = 0; i < n; i++)
            values[i] = (float)initial.a;
        break;
    case WM_INITIAL_UNIFORM:
        for (size_t i = 0; i < n; i++)
            values[i] = (float)(initial.a * (2 * wm_rng_unit(rng) - 1));
        break;
    case WM_INITIAL_NORMAL:
        for (size_t i = 0; i < n; i++)
            values[i] = (float)(initial.a * wm_rng_normal(rng));
        break;
    case WM_INITIAL_ORTHOGONAL:
        for (size_t i = 0; i < n; i++)
            values[i] = (float)wm_rng_normal(rng);
        m = matrix_of(values, tensor);
        make_orthogonal(&m, initial.a);
        break;
    }
}

/* Each tensor has a stream of its own, by name: a layer that is added leaves the others' beginnings as they were. */
static void begin_tensors(const wm_model *model, uint64_t seed, size_t first, size_t n, float *values)
{
    for (size_t i = first; i < first + n; i++) {
        const wm_tensor *tensor = &model->tensors[i];
        wm_rng           rng;

        wm_rng_init_keyed(&rng, seed, "init", 0, tensor->name);
        begin(&rng, model->initials[i], tensor, values);
        values += tensor->n;
    }
}

void wm_model_init(const wm_model *model, uint64_t seed, float *params)
{
    begin_tensors(model, seed, 0, model->n_tensors, params);
}

void wm_model_init_own(const wm_model *model, uint64_t seed, float *own)
{
    begin_tensors(model, seed, model->n_tensors, model->n_own_tensors, own);
    for (size_t i = 0; i < model->n_buffers; i++)
        for (size_t j = 0; j < model->buffers[i].n; j++)
            own[model->n_own_params + model->buffers[i].offset + j] = (float)model->buffers[i].value;
}

void wm_model_copy_frozen(const wm_model *model, const float *from, float *params)
{
    memcpy(params, from, model->n_frozen * sizeof *params);
}

wm_digest wm_params_digest(const float *params, size_t n)
{
    uint32_t  block[1024];
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    for (size_t done = 0; done < n;) {
        size_t some = n - done < 1024 ? n - done : 1024;

        memcpy(block, params + done, some * sizeof *block);
        for (size_t i = 0; i < some; i++)
            block[i] = htole32(block[i]);
        wm_sha256_add(&sha, block, some * sizeof *block);
        done += some;
    }
    wm_sha256_take(&sha, &digest);
    return digest;
}
