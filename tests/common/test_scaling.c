/* tests/common/test_scaling.c */
#include "tests/unit.h"

#include "common/job/scaling.h"

#include <math.h>

static const char *const window_words[] = { "pm25", "wind" };

/* Three columns: pm25 is federated and used, wind is not scaled, spare is federated but nobody uses it. */
static const wm_job_column columns[] = {
    { .name = "pm25",
      .kind = WM_COLUMN_NUMBER,
      .has_range = true,
      .low = 0,
      .high = 1000,
      .scale = WM_SCALE_FEDERATED },
    { .name = "wind", .kind = WM_COLUMN_NUMBER, .scale = WM_SCALE_NONE },
    { .name = "spare",
      .kind = WM_COLUMN_NUMBER,
      .has_range = true,
      .low = 0,
      .high = 1,
      .scale = WM_SCALE_FEDERATED },
};
static const wm_job_input inputs[] = {
    { .name = "past", .kind = WM_INPUT_WINDOW, .columns = { window_words, 2 }, .length = 2 },
};
static const wm_job job = { .data = { .columns = columns, .n_columns = 3, .inputs = inputs, .n_inputs = 1 } };

static void sum_up(const double *readings, size_t n, int64_t sums[3][3])
{
    uint64_t squares = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t u = wm_statistics_fixed(&columns[0], readings[i]);

        sums[WM_STATISTICS_COUNT][0]++;
        sums[WM_STATISTICS_SUM][0] += u;
        squares += (uint64_t)(u * u);
    }
    sums[WM_STATISTICS_SQUARES][0] += (int64_t)(squares >> WM_STATISTICS_SQUARE_BITS);
}

static void only_what_is_used_and_federated_is_counted(void **state)
{
    wm_update_spec spec;

    (void)state;
    assert_true(wm_scaling_covers(&job, 0));
    assert_false(wm_scaling_covers(&job, 1));
    assert_false(wm_scaling_covers(&job, 2));
    wm_statistics_spec(&job, &spec);
    assert_int_equal(spec.n_parts, 3);
    assert_string_equal(spec.parts[2].name, "squares");
    assert_int_equal(spec.parts[2].n, 3);
    assert_true(spec.parts[2].bound == 0x1p48); /* 2^24 rows of (2^20)^2 / 2^16 */
}

/* 10, 20, 30 at one client and 40, 100 at the other: mean 40, variance (900+400+100+0+3600)/5 = 1000. */
static void two_clients_give_mean_and_deviation_of_all_readings(void **state)
{
    static const double north[] = { 10, 20, 30 }, south[] = { 40, 100 };
    int64_t             sums[3][3] = { { 0 } };
    const int64_t      *views[3] = { sums[0], sums[1], sums[2] };
    wm_scaling          scaling, again;
    uint8_t            *bytes;
    size_t              n;
    wm_error            err;

    (void)state;
    sum_up(north, 3, sums);
    sum_up(south, 2, sums);
    assert_ok(wm_scaling_from_statistics(&job, views, &scaling, &err), &err);
    assert_true(fabs(scaling.mean[0] - 40) < 1e-3); /* a unit is 500 / 2^20 */
    assert_true(fabs(scaling.deviation[0] - sqrt(1000)) < 1e-3);
    assert_true(scaling.mean[1] == 0 && scaling.deviation[1] == 1);
    assert_true(scaling.mean[2] == 0 && scaling.deviation[2] == 1);

    assert_ok(wm_scaling_encode(&scaling, &bytes, &n, &err), &err);
    assert_int_equal(n, 48);
    assert_ok(wm_scaling_decode(&job, bytes, n, &again, &err), &err);
    assert_memory_equal(scaling.mean, again.mean, 3 * sizeof(double));
    assert_memory_equal(scaling.deviation, again.deviation, 3 * sizeof(double));
    wm_scaling_release(&again);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(wm_scaling_decode(&job, bytes, cut, &again, &err), WM_E_MALFORMED);
    memset(bytes + 8, 0, 8);
    assert_int_equal(wm_scaling_decode(&job, bytes, n, &again, &err), WM_E_MALFORMED); /* deviation 0 */
    memset(bytes, 0xff, 8);
    assert_int_equal(wm_scaling_decode(&job, bytes, n, &again, &err), WM_E_MALFORMED); /* mean NaN */
    free(bytes);
    wm_scaling_release(&scaling);
}

static void a_column_without_readings_or_spread_is_named(void **state)
{
    static const double same[] = { 7, 7, 7, 7 };
    int64_t             sums[3][3] = { { 0 } };
    const int64_t      *views[3] = { sums[0], sums[1], sums[2] };
    wm_scaling          scaling;
    wm_error            err;

    (void)state;
    assert_int_equal(wm_scaling_from_statistics(&job, views, &scaling, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "no client has a reading of column pm25"));
    sum_up(same, 4, sums);
    assert_int_equal(wm_scaling_from_statistics(&job, views, &scaling, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "column pm25 is the same everywhere (about 7)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_used_and_federated_is_counted),
        cmocka_unit_test(two_clients_give_mean_and_deviation_of_all_readings),
        cmocka_unit_test(a_column_without_readings_or_spread_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
