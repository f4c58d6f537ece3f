/* tests/fuzz/fuzz_update.c
 *
 * libFuzzer's bytes as an update, as a statistics update and as a stored blob of sums. The first byte says which, and
 * whether the key in the header is made right first, since no fuzzer guesses a digest. What is accepted must keep every
 * promise that the fold relies on. */
#include "server/accumulator.h"
#include "tests/fuzz/update_spec.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void promises_are_kept(const wm_update_spec *spec, const wm_update *update)
{
    assert(update->weight >= 1 && update->weight <= spec->weight_cap);
    for (size_t i = 0; i < spec->n_parts; i++)
        for (size_t v = 0; v < spec->parts[i].n; v++) {
            double value = spec->parts[i].kind == WM_PART_F32 ? (double)((const float *)update->values[i])[v]
                                                              : (double)((const int64_t *)update->values[i])[v];

            assert(fabs(value) <= spec->parts[i].bound); /* NaN fails too */
        }
}

static void as_update(const wm_update_spec *spec, uint8_t *bytes, size_t n, bool key_is_right)
{
    wm_update_key   want = a_key();
    wm_update       update = { .key = want, .bytes = bytes, .n_bytes = n };
    wm_accumulator *acc;

    if (key_is_right && n >= WM_UPDATE_HEADER) {
        memcpy(&update.weight, bytes + WM_UPDATE_HEADER - 8, 8);
        wm_update_seal(&update, spec);
    }
    if (wm_update_open(spec, &want, bytes, n, &update, NULL) != WM_OK)
        return;
    promises_are_kept(spec, &update);
    if (wm_accumulator_new(spec, 1, &acc, NULL) != WM_OK)
        abort();
    wm_accumulator_add(acc, &update);
    wm_accumulator_free(acc);
}

static void as_sums(uint8_t *bytes, size_t n)
{
    wm_job job = a_job();
    float  params[PARAMS] = { 0 };

    if (wm_sums_apply(&job, PARAMS, bytes, n, params, NULL, NULL, NULL) != WM_OK)
        for (size_t p = 0; p < PARAMS; p++)
            assert(params[p] == 0); /* refused is untouched */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    wm_job         job = a_job();
    wm_update_spec spec;
    uint8_t       *copy;

    if (n < 1)
        return 0;
    copy = malloc(n); /* of its own size, so that a read past it is seen */
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes + 1, n - 1);
    wm_strategy_spec(&job, PARAMS, &spec);
    if ((bytes[0] & IS_SUMS) != 0)
        as_sums(copy, n - 1);
    else
        as_update((bytes[0] & HAS_INTEGERS) != 0 ? &mixed : &spec, copy, n - 1, (bytes[0] & KEY_IS_RIGHT) != 0);
    free(copy);
    return 0;
}
