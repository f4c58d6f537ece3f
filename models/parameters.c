/* models/parameters.c: the flat vector: how it begins, and its name. */
#include "models/graph.h"

#include <endian.h>
#include <string.h>

static void begin(wm_rng *rng, wm_initial initial, float *values, size_t n)
{
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
    }
}

/* Each tensor has a stream of its own, by name: a layer that is added leaves the others' beginnings as they were. */
void wm_model_init(const wm_model *model, uint64_t seed, float *params)
{
    for (size_t i = 0; i < model->n_tensors; i++) {
        const wm_tensor *tensor = &model->tensors[i];
        wm_rng           rng;

        wm_rng_init_keyed(&rng, seed, "init", 0, tensor->name);
        begin(&rng, model->initials[i], params + tensor->offset, tensor->n);
    }
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
