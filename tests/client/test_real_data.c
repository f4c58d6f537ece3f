/* tests/client/test_real_data.c
 *
 * The zoo's jobs on Beijing's twelve stations and on MNIST, where these are present: WM_DATA, or ../shared/data beside
 * the source. The figures are those that come with the sets. */
#include "tests/client/data_job.h"

#include "client/examples_make.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

enum { COLUMNS_MAX = 32, BATCH = 32 };

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

/* A job of the zoo, with one setting; its owners are opened from `set`. false if the set is not here. */
static bool open_zoo(const char *set, const char *name, const char *key, const char *value, const char *only,
                     wm_job **job, wm_owners **owners)
{
    const wm_setting   setting = { key, value };
    const char        *source = getenv("WM_SOURCE");
    char               path[4096], zoo[4096];
    wm_owners_settings settings = { .folder = test_data_folder(set, path), .only = only };
    double             begin;
    wm_error           err;

    if (settings.folder == NULL) {
        print_message("# skipped: no %s (set WM_DATA)\n", set);
        return false; /* cmocka's skip() says "not ok", which fails under meson */
    }
    snprintf(zoo, sizeof zoo, "%s/models/zoo", source != NULL ? source : ".");
    *job = test_parse(zoo, name, &setting, key != NULL);
    settings.source = &(*job)->data.source;
    settings.owner = &(*job)->data.owner;
    begin = seconds();
    assert_ok(wm_owners_open(*job, &settings, owners, &err), &err);
    print_cost(name, begin);
    return true;
}

static void beijing_is_twelve_stations_of_four_years_of_hours(void **state)
{
    static const char *const names[] = { "aotizhongxin", "changping", "dingling", "dongsi",
                                         "guanyuan",     "gucheng",   "huairou",  "nongzhanguan",
                                         "shunyi",       "tiantan",   "wanliu",   "wanshouxigong" };
    size_t                   least = SIZE_MAX, most = 0;
    wm_owners               *owners;
    wm_job                  *job;

    (void)state;
    if (!open_zoo("beijing_multisite_air", "air_quality.yaml", "data.inputs.past.window.columns", "[PM2.5]", NULL,
                  &job, &owners))
        return;
    assert_int_equal(wm_owners_count(owners), 12);
    for (size_t i = 0; i < 12; i++) {
        wm_examples_summary sum;

        assert_string_equal(wm_owners_name(owners, i), names[i]);
        wm_examples_summarise(wm_owners_examples(owners, i), &sum);
        assert_int_equal(sum.rows, 35064);
        least = sum.missing < least ? sum.missing : least;
        most = sum.missing > most ? sum.missing : most;
    }
    assert_int_equal(least, 382);
    assert_int_equal(most, 953);
    wm_owners_free(owners);
    wm_job_free(job);
}

/* Of all stations together, as the server would make it of their sums. */
static void scaling_of_all(const wm_job *job, wm_owners *owners, wm_scaling *ret)
{
    int64_t        total[WM_STATISTICS_PARTS][COLUMNS_MAX] = { { 0 } };
    const int64_t *parts[WM_STATISTICS_PARTS] = { total[0], total[1], total[2] };
    double         begin = seconds();
    wm_error       err;

    assert_true(job->data.n_columns <= COLUMNS_MAX);
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        int64_t   sums[WM_STATISTICS_PARTS][COLUMNS_MAX] = { { 0 } };
        wm_update update = { .values = { sums[0], sums[1], sums[2] } };

        assert_ok(wm_examples_statistics(wm_owners_examples(owners, k), &update, &err), &err);
        for (int i = 0; i < WM_STATISTICS_PARTS; i++)
            for (size_t c = 0; c < COLUMNS_MAX; c++)
                total[i][c] += sums[i][c];
    }
    assert_ok(wm_scaling_from_statistics(job, parts, ret, &err), &err);
    print_cost("statistics", begin);
}

static void the_zoo_on_beijing_is_scaled_and_gathered(void **state)
{
    wm_owners     *owners;
    wm_job        *job;
    wm_scaling     scaling;
    wm_batch_room *room;
    wm_error       err;
    double         begin, squares = 0;
    size_t         n = 0, tests = 0;

    (void)state;
    if (!open_zoo("beijing_multisite_air", "air_quality.yaml", NULL, NULL, NULL, &job, &owners))
        return;
    scaling_of_all(job, owners, &scaling);
    assert_true(scaling.mean[0] > 66 &&
                scaling.mean[0] < 87); /* PM2.5; 65.99 to 86.19 by station, over all years */
    assert_ok(wm_batch_room_new(job, BATCH, &room, &err), &err);
    for (size_t k = 0; k < wm_owners_count(owners); k++)
        assert_ok(wm_examples_scale(wm_owners_examples(owners, k), &scaling, &err), &err);
    begin = seconds();
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        const wm_examples *examples = wm_owners_examples(owners, k);

        assert_true(wm_examples_count(examples, WM_TRAIN) > 18000);
        for (uint32_t at = 0; at + BATCH <= wm_examples_count(examples, WM_TRAIN); at += BATCH, n += BATCH) {
            uint32_t index[BATCH];
            wm_batch batch;

            for (uint32_t i = 0; i < BATCH; i++)
                index[i] = at + i;
            wm_examples_gather(examples, WM_TRAIN, index, BATCH, room, &batch);
            for (size_t i = 0; i < BATCH; i++)
                assert_true(fabsf(batch.targets[0][i]) < 15);
        }
    }
    print_message("# %zu examples in batches of %d\n", n, BATCH);
    print_cost("gathering them", begin);

    /* Persistence six hours ahead: about 56.7 on the last fifth. */
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        const wm_examples *examples = wm_owners_examples(owners, k);

        for (uint32_t i = 0; i < wm_examples_count(examples, WM_TEST); i++, tests++) {
            wm_batch batch;
            float    truth, naive;

            wm_examples_gather(examples, WM_TEST, &i, 1, room, &batch);
            truth = batch.targets[0][0];
            wm_examples_unscale(examples, WM_TEST, &i, 1, 0, &truth);
            wm_examples_naive(examples, WM_TEST, &i, 1, 0, &naive);
            squares += (double)(truth - naive) * (double)(truth - naive);
        }
    }
    print_message("# persistence: rmse %.1f over %zu\n", sqrt(squares / (double)tests), tests);
    assert_true(fabs(sqrt(squares / (double)tests) - 56.7) < 2);
    wm_batch_room_free(room);
    wm_scaling_release(&scaling);
    wm_owners_free(owners);
    wm_job_free(job);
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

/* The set's own windows: 128 samples at every 64th, inside one labelled stretch of a session. The counts of the six
 * activities are those that come with it. */
static void the_windows_of_activities_are_the_published_ones(void **state)
{
    static const size_t want[6] = { 1226, 1073, 987, 1293, 1423, 1413 };
    size_t              labels[6] = { 0 };
    wm_owners          *owners;
    wm_job             *job;

    (void)state;
    if (!open_zoo("uci_har_raw", "activity.yaml", "data.split",
                  "{owners: {names: [subject_01], shares: [1, 0, 0]}}", NULL, &job, &owners))
        return;
    assert_int_equal(wm_owners_count(owners), 21);
    for (size_t k = 0; k < 21; k++) {
        const wm_examples *examples = wm_owners_examples(owners, k);

        for (int p = 0; p < WM_PARTS; p++) {
            size_t   n = wm_examples_count(examples, (wm_part)p);
            int32_t *classes = calloc(n + 1, sizeof *classes);

            assert_non_null(classes);
            wm_examples_classes(examples, (wm_part)p, 0, classes);
            for (size_t i = 0; i < n; i++)
                labels[classes[i]]++;
            free(classes);
        }
    }
    assert_memory_equal(labels, want, sizeof want);
    wm_owners_free(owners);
    wm_job_free(job);
}

static const char shards[] = "{shards: {clients: 100, per_client: 2}}";

static void mnist_is_dealt_whole_and_once(void **state)
{
    static const size_t train[10] = { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 };
    static const size_t test[10] = { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 };
    size_t              labels[10];
    double              mean;
    wm_owners          *owners;
    wm_job             *job;

    (void)state;
    if (!open_zoo("mnist", "digits.yaml", "data.owner", shards, NULL, &job, &owners))
        return;
    assert_int_equal(wm_owners_count(owners), 100);
    assert_string_equal(wm_owners_name(owners, 7), "client-007");
    for (size_t k = 0; k < 100; k++) {
        assert_int_equal(wm_owners_train_count(owners, k), 600);
        assert_int_equal(wm_examples_count(wm_owners_examples(owners, k), WM_TEST), 100);
    }
    tally(owners, job, WM_TRAIN, labels, &mean);
    assert_memory_equal(labels, train, sizeof train);
    assert_true(fabs(mean - 33.3184) < 5e-5);
    tally(owners, job, WM_TEST, labels, &mean);
    assert_memory_equal(labels, test, sizeof test);
    assert_true(fabs(mean - 33.7912) < 5e-5);
    wm_owners_free(owners);
    wm_job_free(job);
}

/* One client alone, as a gateway opens it, holds what it held among the others. */
static void a_dealt_client_alone_is_the_same(void **state)
{
    wm_owners     *owners, *one;
    wm_job        *job, *again;
    wm_batch_room *room_a, *room_b;
    wm_batch       a, b;
    wm_error       err;

    (void)state;
    if (!open_zoo("mnist", "digits.yaml", "data.owner", shards, NULL, &job, &owners))
        return;
    assert_true(open_zoo("mnist", "digits.yaml", "data.owner", shards, "client-042", &again, &one));
    assert_int_equal(wm_owners_count(one), 1);
    assert_ok(wm_batch_room_new(job, 1, &room_a, &err), &err);
    assert_ok(wm_batch_room_new(job, 1, &room_b, &err), &err);
    for (uint32_t i = 0; i < 600; i++) {
        wm_examples_gather(wm_owners_examples(owners, 42), WM_TRAIN, &i, 1, room_a, &a);
        wm_examples_gather(wm_owners_examples(one, 0), WM_TRAIN, &i, 1, room_b, &b);
        assert_int_equal(a.classes[0][0], b.classes[0][0]);
        assert_memory_equal(a.inputs[0], b.inputs[0], 784 * sizeof(float));
    }
    wm_batch_room_free(room_a);
    wm_batch_room_free(room_b);
    wm_owners_free(owners);
    wm_owners_free(one);
    wm_job_free(job);
    wm_job_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beijing_is_twelve_stations_of_four_years_of_hours),
        cmocka_unit_test(the_zoo_on_beijing_is_scaled_and_gathered),
        cmocka_unit_test(the_windows_of_activities_are_the_published_ones),
        cmocka_unit_test(mnist_is_dealt_whole_and_once),
        cmocka_unit_test(a_dealt_client_alone_is_the_same),
    };
    char path[4096];

    if (test_data_folder("beijing_multisite_air", path) == NULL && test_data_folder("mnist", path) == NULL) {
        printf("1..0 # SKIP no real data here (set WM_DATA)\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
