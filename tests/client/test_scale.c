/* tests/client/test_scale.c
 *
 * Statistics of several clients, added up, against mean and deviation of all their training readings at once. */
#include "tests/client/data_job.h"

#include "client/examples_make.h"
#include "common/rng.h"

#include <math.h>

enum { CLIENTS = 3, HOURS = 500 };

typedef struct scale_job {
    wm_job        job;
    wm_job_column columns[2];
    wm_job_input  input;
    wm_job_target target;
} scale_job;

static void scale_init(scale_job *scale)
{
    static const char *const time[] = { "t" }, *const names[] = { "x", "flat" };
    static const int64_t ahead[] = { HOUR };

    memset(scale, 0, sizeof *scale);
    scale->columns[0] = (wm_job_column){ .name = "x", .has_range = true, .low = -50, .high = 1000 };
    scale->columns[1] = (wm_job_column){ .name = "flat", .has_range = true, .low = 0, .high = 0.1 };
    scale->input = (wm_job_input){ .name = "in", .kind = WM_INPUT_WINDOW, .length = 2, .columns = { names, 1 } };
    scale->target = (wm_job_target){ .name = "x", .column = "x", .ahead = { ahead, 1 } };
    scale->job.data = (wm_job_data){ .time_columns = { time, 1 },
                                     .columns = scale->columns,
                                     .n_columns = 2,
                                     .inputs = &scale->input,
                                     .n_inputs = 1,
                                     .targets = &scale->target,
                                     .n_targets = 1,
                                     .rows_min = 100,
                                     .split = { .train = 0.6, .validate = 0.2, .test = 0.2 } };
}

/* The readings of all clients, as text and as numbers; one reading in 50 is out of range. */
static void write_clients(const char *folder, double readings[CLIENTS][HOURS])
{
    wm_text text = WM_TEXT_INIT;
    wm_rng  rng;

    wm_rng_init(&rng, 4);
    wm_text_add(&text, "who,t,x,flat\n");
    for (int k = 0; k < CLIENTS; k++) {
        for (int h = 0; h < HOURS; h++) {
            double x = rint(10 * (100 + 60 * k + 30 * wm_rng_normal(&rng))) / 10;

            readings[k][h] = h % 50 == 49 ? NAN : (double)(float)x;
            wm_text_printf(&text, "w%d,%d,%.1f,0.1\n", k, h * 3600, h % 50 == 49 ? 5000 : x);
        }
    }
    test_write(folder, "all.csv", wm_text_chars(&text), text.size);
    wm_text_release(&text);
}

static wm_status open_clients(const wm_job *job, const char *folder, wm_owners **ret, wm_error *err)
{
    const char    *column = "who";
    wm_csv_options csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice      source = test_choice(&wm_sources, "csv", &csv),
              owner = test_choice(&wm_owner_rules, "column", &column);
    wm_owners_settings settings = { .folder = folder, .source = &source, .owner = &owner };

    return wm_owners_open(job, &settings, ret, err);
}

/* An update's values without the bytes of an update. */
typedef struct sums {
    int64_t   values[WM_STATISTICS_PARTS][2];
    wm_update update;
} sums;

static void sums_init(sums *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < WM_STATISTICS_PARTS; i++)
        s->update.values[i] = s->values[i];
}

/* Mean and deviation of the rows that training examples look at or predict: all hours up to the last one's target. */
static void expected(wm_owners *owners, double readings[CLIENTS][HOURS], double *mean, double *deviation,
                     double *count)
{
    double n = 0, sum = 0, squares = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < CLIENTS; k++) {
            const wm_examples *examples = wm_owners_examples(owners, k);
            bool               seen[HOURS] = { false };

            for (size_t i = 0; i < wm_examples_count(examples, WM_TRAIN); i++) {
                uint32_t now = wm_examples_rows(examples, WM_TRAIN)[i];

                seen[now - 1] = seen[now] = seen[now + 1] = true;
            }
            for (int h = 0; h < HOURS; h++) {
                if (!seen[h] || isnan(readings[k][h]))
                    continue;
                if (pass == 0) {
                    n++;
                    sum += readings[k][h];
                } else {
                    squares += (readings[k][h] - sum / n) * (readings[k][h] - sum / n);
                }
            }
        }
    }
    *mean = sum / n;
    *deviation = sqrt(squares / n);
    *count = n;
}

static void sums_of_clients_are_the_statistics_of_all(void **state)
{
    double         readings[CLIENTS][HOURS], mean, deviation, count;
    int64_t        total[WM_STATISTICS_PARTS][2] = { { 0 } };
    const int64_t *parts[WM_STATISTICS_PARTS] = { total[0], total[1], total[2] };
    char           folder[4096];
    scale_job      scale;
    wm_owners     *owners;
    wm_scaling     scaling;
    wm_error       err;

    (void)state;
    scale_init(&scale);
    write_clients(wm_test_folder(folder), readings);
    assert_ok(open_clients(&scale.job, folder, &owners, &err), &err);
    for (size_t k = 0; k < CLIENTS; k++) {
        sums one;

        sums_init(&one);
        assert_ok(wm_examples_statistics(wm_owners_examples(owners, k), &one.update, &err), &err);
        assert_in_range(one.update.weight, 280, 305);
        for (int i = 0; i < WM_STATISTICS_PARTS; i++) {
            total[i][0] += one.values[i][0];
            assert_int_equal(one.values[i][1], 0); /* nothing uses `flat` */
        }
    }
    expected(owners, readings, &mean, &deviation, &count);
    assert_int_equal(total[WM_STATISTICS_COUNT][0], count);
    assert_ok(wm_scaling_from_statistics(&scale.job, parts, &scaling, &err), &err);
    assert_true(fabs(scaling.mean[0] - mean) < 1e-3);
    assert_true(fabs(scaling.deviation[0] - deviation) < 1e-3);

    /* There and back: what a batch holds, unscaled, is the reading. */
    for (size_t k = 0; k < CLIENTS; k++) {
        wm_examples   *examples = wm_owners_examples(owners, k);
        wm_batch_room *room;

        assert_ok(wm_examples_scale(examples, &scaling, &err), &err);
        assert_ok(wm_batch_room_new(&scale.job, 1, &room, &err), &err);
        for (uint32_t i = 0; i < wm_examples_count(examples, WM_TEST); i++) {
            uint32_t now = wm_examples_rows(examples, WM_TEST)[i];
            wm_batch batch;
            float    value;

            wm_examples_gather(examples, WM_TEST, &i, 1, room, &batch);
            value = batch.targets[0][0];
            assert_true(fabs((double)value - (readings[k][now + 1] - mean) / deviation) < 1e-4);
            wm_examples_unscale(examples, WM_TEST, &i, 1, 0, &value);
            assert_true(fabs((double)value - readings[k][now + 1]) < 1e-3);
            wm_examples_naive(examples, WM_TEST, &i, 1, 0, &value);
            assert_true((double)value == readings[k][now]);
        }
        wm_batch_room_free(room);
    }
    wm_scaling_release(&scaling);
    wm_owners_free(owners);
    wm_folder_remove(folder, NULL);
}

static void few_rows_give_no_statistics(void **state)
{
    double     readings[CLIENTS][HOURS];
    char       folder[4096];
    scale_job  scale;
    wm_owners *owners;
    wm_error   err;
    sums       one;

    (void)state;
    scale_init(&scale);
    scale.job.data.rows_min = 301;
    write_clients(wm_test_folder(folder), readings);
    assert_ok(open_clients(&scale.job, folder, &owners, &err), &err);
    sums_init(&one);
    assert_int_equal(wm_examples_statistics(wm_owners_examples(owners, 0), &one.update, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "301"));
    assert_int_equal(one.values[0][0], 0);
    assert_int_equal(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), WM_E_INVALID); /* it needs one */
    wm_owners_free(owners);
    wm_folder_remove(folder, NULL);
}

/* 0.1 is not a float: read as one it lies outside [0, 0.1] by a rounding, which must not matter. */
static void a_constant_at_the_edge_of_its_range_is_scaled_by_one(void **state)
{
    static const char *const both[] = { "x", "flat" };
    double                   readings[CLIENTS][HOURS];
    char                     folder[4096];
    scale_job                scale;
    wm_owners               *owners;
    wm_batch_room           *room;
    wm_batch                 batch;
    wm_error                 err;
    uint32_t                 first = 0;
    sums                     one;

    (void)state;
    scale_init(&scale);
    scale.input.columns = (wm_words){ both, 2 };
    write_clients(wm_test_folder(folder), readings);
    assert_ok(open_clients(&scale.job, folder, &owners, &err), &err);
    sums_init(&one);
    assert_ok(wm_examples_statistics(wm_owners_examples(owners, 0), &one.update, &err), &err);
    assert_int_equal(one.values[WM_STATISTICS_SUM][1],
                     one.values[WM_STATISTICS_COUNT][1] * (1 << WM_STATISTICS_BITS));
    wm_owners_free(owners);

    scale.columns[0].scale = scale.columns[1].scale = WM_SCALE_CLIENT;
    assert_ok(open_clients(&scale.job, folder, &owners, &err), &err);
    assert_ok(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), &err);
    assert_ok(wm_batch_room_new(&scale.job, 1, &room, &err), &err);
    wm_examples_gather(wm_owners_examples(owners, 0), WM_TRAIN, &first, 1, room, &batch);
    assert_true(fabsf(batch.inputs[0][1]) < 1e-6f && fabsf(batch.inputs[0][3]) < 1e-6f);
    assert_true(fabsf(batch.inputs[0][0]) < 5);
    wm_batch_room_free(room);
    wm_owners_free(owners);
    wm_folder_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_clients_are_the_statistics_of_all),
        cmocka_unit_test(few_rows_give_no_statistics),
        cmocka_unit_test(a_constant_at_the_edge_of_its_range_is_scaled_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
