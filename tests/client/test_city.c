/* tests/client/test_city.c */
#include "tests/client/data_job.h"

#include "client/city.h"
#include "client/sources/csv_reader.h"

#include <math.h>

typedef struct city_job {
    wm_job        job;
    wm_job_column columns[3];
    wm_job_input  input;
    wm_job_target target;
} city_job;

/* PM2.5 six hours ahead from PM2.5, the wind's direction and the hour. */
static void city_init(city_job *city)
{
    static const char *const time[] = { "time" }, *const names[] = { "pm25", "wind_direction", "clock" };
    static const int64_t ahead[] = { 6 * HOUR };

    memset(city, 0, sizeof *city);
    city->columns[0] = (wm_job_column){ .name = "pm25",
                                        .has_range = true,
                                        .high = 1000,
                                        .scale = WM_SCALE_CLIENT,
                                        .fill = WM_FILL_LAST,
                                        .fill_limit = 6 };
    city->columns[1] = (wm_job_column){ .name = "wind_direction",
                                        .kind = WM_COLUMN_COMPASS,
                                        .compass_points = 16,
                                        .fill = WM_FILL_LAST,
                                        .fill_limit = 6 };
    city->columns[2] = (wm_job_column){ .name = "clock", .kind = WM_COLUMN_CYCLE, .cycle_ms = 24 * HOUR };
    city->input = (wm_job_input){ .name = "past", .kind = WM_INPUT_WINDOW, .length = 24, .columns = { names, 3 } };
    city->target = (wm_job_target){ .name = "pm25", .column = "pm25", .ahead = { ahead, 1 } };
    city->job.data = (wm_job_data){ .time_columns = { time, 1 },
                                    .columns = city->columns,
                                    .n_columns = 3,
                                    .inputs = &city->input,
                                    .n_inputs = 1,
                                    .targets = &city->target,
                                    .n_targets = 1,
                                    .split = { .train = 0.8, .test = 0.2 } };
}

static wm_owners *open_city(const wm_job *job, const char *folder, int64_t gateways, int64_t days)
{
    static wm_csv_options csv;
    wm_synthetic_options  synthetic = { gateways, days, 5 };
    wm_choice             source =
        folder != NULL ? test_choice(&wm_sources, "csv", &csv) : test_choice(&wm_sources, "synthetic", &synthetic);
    const char        *take = NULL;
    wm_choice          owner = test_choice(&wm_owner_rules, "file", &take);
    wm_owners_settings settings = { .folder = folder, .source = &source, .owner = &owner };
    wm_owners         *owners;
    wm_error           err;

    csv = (wm_csv_options){ WORDS("*.csv"), WORDS("NA"), ",", 0 };
    assert_ok(wm_owners_open(job, &settings, &owners, &err), &err);
    return owners;
}

static void same_examples(const wm_job *job, wm_owners *a, size_t i, wm_owners *b, size_t k)
{
    wm_examples   *x = wm_owners_examples(a, i), *y = wm_owners_examples(b, k);
    wm_batch_room *room_x, *room_y;
    wm_error       err;

    assert_string_equal(wm_owners_name(a, i), wm_owners_name(b, k));
    assert_int_equal(wm_examples_count(x, WM_TRAIN), wm_examples_count(y, WM_TRAIN));
    assert_ok(wm_examples_scale(x, NULL, &err), &err);
    assert_ok(wm_examples_scale(y, NULL, &err), &err);
    assert_ok(wm_batch_room_new(job, 1, &room_x, &err), &err);
    assert_ok(wm_batch_room_new(job, 1, &room_y, &err), &err);
    for (uint32_t e = 0; e < wm_examples_count(x, WM_TRAIN); e++) {
        wm_batch p, q;

        wm_examples_gather(x, WM_TRAIN, &e, 1, room_x, &p);
        wm_examples_gather(y, WM_TRAIN, &e, 1, room_y, &q);
        assert_memory_equal(p.inputs[0], q.inputs[0], 24 * 5 * sizeof(float));
        assert_memory_equal(p.targets[0], q.targets[0], sizeof(float));
    }
    wm_batch_room_free(room_x);
    wm_batch_room_free(room_y);
}

static void the_files_and_the_source_are_the_same_city(void **state)
{
    wm_city_settings settings = { .gateways = 3, .days = 20, .seed = 5 };
    char             folder[4096], *path;
    wm_owners       *files, *source, *larger;
    city_job         city;
    wm_error         err;

    (void)state;
    city_init(&city);
    assert_ok(wm_city_write(wm_test_folder(folder), &settings, &err), &err);
    files = open_city(&city.job, folder, 0, 0);
    source = open_city(&city.job, NULL, 3, 20);
    larger = open_city(&city.job, NULL, 9, 20);
    assert_int_equal(wm_owners_count(files), 3);
    for (size_t i = 0; i < 3; i++) {
        size_t k = 0;

        same_examples(&city.job, files, i, source, i);
        while (strcmp(wm_owners_name(larger, k), wm_owners_name(files, i)) != 0)
            k++;
        same_examples(&city.job, files, i, larger, k); /* whatever the others are */
    }
    path = wm_path_join(folder, "README.txt");
    assert_true(wm_files_system()->exists(wm_files_system(), path));
    free(path);
    assert_int_equal(wm_city_write(folder, &settings, &err), WM_E_EXISTS); /* never among other files */
    wm_owners_free(files);
    wm_owners_free(source);
    wm_owners_free(larger);
    wm_folder_remove(folder, NULL);
}

/* Over a year: what a real set has, within wide bounds, so that a change of the generator that spoils it is seen. */
static void the_city_is_plausible(void **state)
{
    for (size_t k = 0; k < 6; k++) {
        double       sum = 0, most = 0, day = 0, night = 0;
        size_t       n = 0, missing = 0, absent = 0, impossible = 0, stuck = 0;
        wm_district *district;
        wm_error     err;
        double       before = NAN;

        (void)state;
        assert_ok(wm_district_new(1, k, &district, &err), &err);
        for (int h = 0; h < 24 * 365; h++) {
            wm_city_hour hour;
            double       pm25;

            wm_district_next(district, &hour);
            pm25 = hour.values[WM_CITY_PM25];
            absent += hour.absent;
            missing += (size_t)(isnan(pm25) != 0);
            impossible += (size_t)(pm25 > 1000);
            stuck += (size_t)(pm25 == before);
            before = pm25;
            if (!isnan(pm25) && pm25 <= 1000) {
                sum += pm25;
                most = fmax(most, pm25);
                n++;
            }
            if (h % 24 == 8 && !isnan(hour.values[WM_CITY_TRAFFIC_FLOW]))
                day += hour.values[WM_CITY_TRAFFIC_FLOW];
            if (h % 24 == 3 && !isnan(hour.values[WM_CITY_TRAFFIC_FLOW]))
                night += hour.values[WM_CITY_TRAFFIC_FLOW];
        }
        assert_true(sum / (double)n > 10 && sum / (double)n < 100);
        assert_true(most > 60 && most < 800);
        assert_true(day > 2 * night);
        assert_in_range(missing, 40, 200);
        assert_in_range(absent, 10, 300);
        assert_in_range(impossible, 1, 40);
        assert_in_range(stuck, 4, 400);
        wm_district_free(district);
    }
}

/* What happens in six hours is partly to be foreseen: persistence corrected by nothing but the usual change of that
 * hour of the day is better by a tenth already. */
static void persistence_is_beaten_by_the_hour_of_the_day(void **state)
{
    double       persistence = 0, corrected = 0, changes[24] = { 0 }, seen[24] = { 0 };
    double      *pm25 = calloc(24 * 365, sizeof *pm25);
    wm_district *district;
    wm_error     err;

    (void)state;
    assert_non_null(pm25);
    assert_ok(wm_district_new(1, 0, &district, &err), &err);
    for (int h = 0; h < 24 * 365; h++) {
        wm_city_hour hour;

        wm_district_next(district, &hour);
        pm25[h] = hour.values[WM_CITY_PM25] > 1000 ? NAN : hour.values[WM_CITY_PM25];
        if (h >= 6 && !isnan(pm25[h]) && !isnan(pm25[h - 6])) {
            changes[h % 24] += pm25[h] - pm25[h - 6];
            seen[h % 24]++;
        }
    }
    for (int h = 6; h < 24 * 365; h++) {
        double change = pm25[h] - pm25[h - 6], usual = changes[h % 24] / seen[h % 24];

        if (isnan(change))
            continue;
        persistence += change * change;
        corrected += (change - usual) * (change - usual);
    }
    assert_true(sqrt(corrected) < 0.9 * sqrt(persistence));
    wm_district_free(district);
    free(pm25);
}

static void the_job_that_comes_with_it_runs_on_it(void **state)
{
    wm_city_settings   city = { .gateways = 2, .days = 40, .seed = 1 };
    char               folder[4096];
    wm_owners_settings settings = { .folder = wm_test_folder(folder) };
    wm_owners         *owners;
    wm_job            *job;
    wm_error           err;

    (void)state;
    assert_ok(wm_city_write(folder, &city, &err), &err);
    job = test_parse(folder, "city.yaml", NULL, 0);
    settings.source = &job->data.source;
    settings.owner = &job->data.owner;
    assert_ok(wm_owners_open(job, &settings, &owners, &err), &err);
    assert_int_equal(wm_owners_count(owners), 2);
    for (size_t i = 0; i < 2; i++) {
        wm_examples_summary sum;

        wm_examples_summarise(wm_owners_examples(owners, i), &sum);
        assert_true(sum.counts[WM_TRAIN] > 450 && sum.counts[WM_VALIDATE] > 20 && sum.counts[WM_TEST] > 100);
        assert_true(sum.filled > sum.missing / 2);
    }
    wm_owners_free(owners);
    wm_job_free(job);
    wm_folder_remove(folder, NULL);
}

static void sizes_out_of_range_are_refused(void **state)
{
    static const wm_city_settings cases[] = { { 0, 10, 1 }, { 1, 0, 1 }, { 10001, 10, 1 }, { 1, 3661, 1 } };
    char                          folder[4096];
    wm_error                      err;

    (void)state;
    wm_test_folder(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(wm_city_write(folder, &cases[i], &err), WM_E_INVALID);
    wm_folder_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_and_the_source_are_the_same_city),
        cmocka_unit_test(the_city_is_plausible),
        cmocka_unit_test(persistence_is_beaten_by_the_hour_of_the_day),
        cmocka_unit_test(the_job_that_comes_with_it_runs_on_it),
        cmocka_unit_test(sizes_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
