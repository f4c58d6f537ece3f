/* tests/client/test_real_data.c
 *
 * Beijing's twelve stations and MNIST, where they are present: WM_DATA, or ../shared/data beside the source. The
 * figures are those that come with the sets. */
#include "tests/client/data_job.h"

#include "client/examples_make.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_cost(const char *what, double begin)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    print_message("# %s: %.2f s, peak of the process %ld MiB\n", what, seconds() - begin, usage.ru_maxrss / 1024);
}

static const wm_job_column beijing_columns[] = {
    { .name = "PM2.5", .has_range = true, .low = 0, .high = 1000, .scale = WM_SCALE_FEDERATED },
};

static wm_job beijing_job(void)
{
    static wm_job_input      input = { .name = "past", .kind = WM_INPUT_WINDOW, .length = 24 };
    static wm_job_target     target = { .name = "pm25", .column = "PM2.5" };
    static const char *const columns[] = { "PM2.5" }, *const times[] = { "year", "month", "day", "hour" };
    static const int64_t ahead[] = { 6 * HOUR };

    input.columns = (wm_words){ columns, 1 };
    target.ahead = (wm_durations){ ahead, 1 };
    return (wm_job){ .name = "beijing",
                     .seed = 1,
                     .data = { .time_columns = { times, 4 },
                               .zone = "Asia/Shanghai",
                               .columns = beijing_columns,
                               .n_columns = 1,
                               .inputs = &input,
                               .n_inputs = 1,
                               .targets = &target,
                               .n_targets = 1,
                               .rows_min = 100,
                               .split = { .kind = WM_SPLIT_TIME, .train = 0.7, .validate = 0.1, .test = 0.2 } } };
}

static void beijing_is_twelve_stations_of_four_years_of_hours(void **state)
{
    static const char *const names[] = { "aotizhongxin", "changping", "dingling", "dongsi",
                                         "guanyuan",     "gucheng",   "huairou",  "nongzhanguan",
                                         "shunyi",       "tiantan",   "wanliu",   "wanshouxigong" };
    char                     path[4096];
    const char              *folder = test_data_folder("beijing_multisite_air", path);
    test_csv_options         csv = { WORDS("PRSA_Data_*.csv.gz"), WORDS("NA"), ",", 0 };
    const char              *column = "station";
    wm_job                   job = beijing_job();
    wm_choice                source = test_choice(&wm_sources, "csv", &csv),
              owner = test_choice(&wm_owner_rules, "column", &column);
    wm_owners_settings settings = { .folder = folder, .source = &source, .owner = &owner };
    size_t             least = SIZE_MAX, most = 0;
    double             begin = seconds();
    wm_owners         *owners;
    wm_error           err;

    (void)state;
    if (folder == NULL) {
        print_message("# skipped: no Beijing data (set WM_DATA)\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    assert_ok(wm_owners_open(&job, &settings, &owners, &err), &err);
    print_cost("Beijing, one column", begin);
    assert_int_equal(wm_owners_count(owners), 12);
    for (size_t i = 0; i < 12; i++) {
        wm_examples_summary sum;

        assert_string_equal(wm_owners_name(owners, i), names[i]);
        wm_examples_summarise(wm_owners_examples(owners, i), &sum);
        assert_int_equal(sum.rows, 35064);
        least = sum.missing < least ? sum.missing : least;
        most = sum.missing > most ? sum.missing : most;
        assert_true(sum.counts[WM_TRAIN] > 3 * sum.counts[WM_TEST]);
    }
    assert_int_equal(least, 382);
    assert_int_equal(most, 953);
    wm_owners_free(owners);
}

static wm_job mnist_job(void)
{
    static const wm_job_input  input = { .name = "image", .kind = WM_INPUT_PIXELS, .pixels = { 3, { 28, 28, 1 } } };
    static const wm_job_target target = { .name = "digit", .column = "label", .classes = 10 };

    return (wm_job){ .name = "digits",
                     .seed = 1,
                     .data = { .inputs = &input,
                               .n_inputs = 1,
                               .targets = &target,
                               .n_targets = 1,
                               .split = { .kind = WM_SPLIT_FILES, .test_files = "t10k-*" } } };
}

/* Counts of labels and the mean pixel over all owners of a part. */
static void tally(wm_owners *owners, const wm_job *job, wm_part part, size_t labels[10], double *mean)
{
    wm_batch_room *room;
    wm_error       err;
    double         sum = 0;
    size_t         n = 0;

    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    memset(labels, 0, 10 * sizeof *labels);
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        const wm_examples *examples = wm_owners_examples(owners, k);

        for (uint32_t i = 0; i < wm_examples_count(examples, part); i++, n++) {
            wm_batch batch;

            wm_examples_gather(examples, part, &i, 1, room, &batch);
            labels[batch.classes[0][0]]++;
            for (size_t v = 0; v < 784; v++)
                sum += (double)batch.inputs[0][v];
        }
    }
    *mean = sum * 255 / 784 / (double)n;
    wm_batch_room_free(room);
}

static void mnist_is_dealt_whole_and_once(void **state)
{
    static const size_t train[10] = { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 };
    static const size_t test[10] = { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 };
    char                path[4096];
    const char         *folder = test_data_folder("mnist", path);
    test_idx_options    idx = { WORDS("*-images-*"), WORDS("*-labels-*") };
    struct {
        int64_t clients, per_client;
    } shards = { 100, 2 };
    wm_job    job = mnist_job();
    wm_choice source = test_choice(&wm_sources, "idx", &idx),
              owner = test_choice(&wm_owner_rules, "shards", &shards);
    wm_owners_settings settings = { .folder = folder, .source = &source, .owner = &owner };
    double             begin = seconds(), mean;
    size_t             labels[10];
    wm_owners         *owners, *one;
    wm_error           err;

    (void)state;
    if (folder == NULL) {
        print_message("# skipped: no MNIST data (set WM_DATA)\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    assert_ok(wm_owners_open(&job, &settings, &owners, &err), &err);
    print_cost("MNIST in 200 shards", begin);
    assert_int_equal(wm_owners_count(owners), 100);
    assert_string_equal(wm_owners_name(owners, 7), "client-007");
    for (size_t k = 0; k < 100; k++) {
        assert_int_equal(wm_owners_train_count(owners, k), 600);
        assert_int_equal(wm_examples_count(wm_owners_examples(owners, k), WM_TEST), 100);
    }
    tally(owners, &job, WM_TRAIN, labels, &mean);
    assert_memory_equal(labels, train, sizeof train);
    assert_true(fabs(mean - 33.3184) < 5e-5);
    tally(owners, &job, WM_TEST, labels, &mean);
    assert_memory_equal(labels, test, sizeof test);
    assert_true(fabs(mean - 33.7912) < 5e-5);

    /* One client alone holds what it held among the others. */
    settings.only = "client-042";
    assert_ok(wm_owners_open(&job, &settings, &one, &err), &err);
    assert_int_equal(wm_owners_count(one), 1);
    {
        wm_batch_room *room_a, *room_b;
        wm_batch       a, b;

        assert_ok(wm_batch_room_new(&job, 1, &room_a, &err), &err);
        assert_ok(wm_batch_room_new(&job, 1, &room_b, &err), &err);
        for (uint32_t i = 0; i < 600; i++) {
            wm_examples_gather(wm_owners_examples(owners, 42), WM_TRAIN, &i, 1, room_a, &a);
            wm_examples_gather(wm_owners_examples(one, 0), WM_TRAIN, &i, 1, room_b, &b);
            assert_int_equal(a.classes[0][0], b.classes[0][0]);
            assert_memory_equal(a.inputs[0], b.inputs[0], 784 * sizeof(float));
        }
        wm_batch_room_free(room_a);
        wm_batch_room_free(room_b);
    }
    wm_owners_free(owners);
    wm_owners_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beijing_is_twelve_stations_of_four_years_of_hours),
        cmocka_unit_test(mnist_is_dealt_whole_and_once),
    };

    char path[4096];

    if (test_data_folder("beijing_multisite_air", path) == NULL && test_data_folder("mnist", path) == NULL) {
        printf("1..0 # SKIP no real data here (set WM_DATA)\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
