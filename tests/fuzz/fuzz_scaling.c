/* tests/fuzz/fuzz_scaling.c
 *
 * The scaling of a run, as a gateway fetches it: what is taken can be used, and is the same bytes when it is written
 * again. The first byte says how many columns the job has. */
#include "common/job/scaling.h"

#include "tests/fuzz/take.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const wm_job_column columns[] = { { .name = "a" }, { .name = "b" }, { .name = "c" }, { .name = "d" } };
    taker                      from = { bytes, n };
    const wm_job               job = { .data = { .columns = columns, .n_columns = take_number(&from, 1) % 5 } };
    uint8_t                   *copy = take_copy(&from), *again;
    size_t                     n_again;
    wm_scaling                 scaling;
    wm_error                   err = { WM_OK, "" };

    if (wm_scaling_decode(&job, copy, from.n, &scaling, &err) == WM_OK) {
        must(scaling.n_columns == job.data.n_columns);
        for (size_t i = 0; i < scaling.n_columns; i++)
            must(isfinite(scaling.mean[i]) && isfinite(scaling.deviation[i]) && scaling.deviation[i] > 0);
        must(wm_scaling_encode(&scaling, &again, &n_again, &err) == WM_OK);
        must(n_again == from.n && (n_again == 0 || memcmp(again, copy, n_again) == 0));
        free(again);
        wm_scaling_release(&scaling);
    } else {
        must(err.text[0] != '\0');
    }
    free(copy);
    return 0;
}
