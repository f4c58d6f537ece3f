/* tests/fuzz/fuzz_safetensors.c
 *
 * libFuzzer's bytes as a model file. Nothing that they hold may do more than be refused; what is accepted must have been
 * written so, to the bit. */
#include "models/safetensors.h"
#include "models/start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct input {
    const uint8_t *bytes;
    size_t         n;
} input;

static wm_status input_read(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                            wm_error *err)
{
    const input *at = self->state;

    if (at->n > limit)
        return wm_fail(err, WM_E_RANGE, "%s is over %zu bytes", path, limit);
    *ret = malloc(at->n + 1);
    if (*ret == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory");
    memcpy(*ret, at->bytes, at->n);
    (*ret)[at->n] = 0;
    *n = at->n;
    return WM_OK;
}

/* x {3} -> "a", dense 2 -> y: eight parameters, small enough for a fuzzer to write their header. */
static wm_model *small_model(void)
{
    static const int64_t units = 2, ahead[2] = { 0 };
    static wm_job_input  inputs[] = {
         { .name = "x", .kind = WM_INPUT_PIXELS, .pixels = { .rank = 1, .dim = { 3 } } }
    };
    static wm_job_target targets[] = { { .name = "y", .column = "y", .ahead = { ahead, 2 } } };
    static wm_job_layer  layers[1];
    static wm_job_loss   losses[1];
    static wm_job        job;
    wm_model            *model = NULL;

    layers[0] = (wm_job_layer){
        .name = "a",
        .layer = { .member = wm_family_find(&wm_layers, "dense"), .options = &units, .path = "model.layers[0]" }
    };
    losses[0] = (wm_job_loss){ .target = "y",
                               .head = "a",
                               .weight = 1,
                               .loss = { .member = wm_family_find(&wm_losses, "mse"), .path = "model.loss" } };
    job = (wm_job){ .name = "fuzz",
                    .data = { .inputs = inputs, .n_inputs = 1, .targets = targets, .n_targets = 1 },
                    .model = { .layers = layers, .n_layers = 1, .losses = losses, .n_losses = 1 } };
    if (wm_model_new(&job, NULL, &model, NULL) != WM_OK)
        abort();
    return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    input          at = { bytes, n };
    const wm_files files = { .read = input_read, .state = &at };
    wm_model      *model = small_model();
    float          params[8], was[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    char          *text = NULL;
    wm_faults      faults;
    wm_error       err;

    memcpy(params, was, sizeof params);
    if (wm_model_n_params(model) != 8)
        abort();
    if (wm_safetensors_read(&files, "m", model, params, &err) != WM_OK) {
        if (memcmp(params, was, sizeof params) != 0)
            abort();
    } else if (n < 8 + sizeof params || memcmp(params, bytes + n - sizeof params, 6 * sizeof *params) != 0) {
        /* both tensors fill the data: the weight is first, or behind the two values of the bias */
        if (memcmp(params, bytes + n - 6 * sizeof *params, 6 * sizeof *params) != 0)
            abort();
    }
    if (wm_safetensors_metadata(&files, "m", "job", &text, &err) == WM_OK)
        free(text);
    wm_faults_init(&faults, "m");
    if (wm_start_read(&files, "m", model, &faults, params, &err) == WM_OK) /* what is surplus, or not finite, is told */
        for (size_t p = 0; p < 8; p++)
            if (!isfinite(params[p]))
                abort();
    wm_faults_release(&faults);
    wm_model_free(model);
    return 0;
}
