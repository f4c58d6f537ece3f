/* tests/client/test_windows.c
 *
 * Small series worked by hand: which rows are examples, what a batch of them holds, and that no part sees another. */
#include "tests/client/data_job.h"

#include "client/examples_make.h"

#include <math.h>

/* A job over hourly readings of x in a column t of hours since 1970: window of `length`, target `ahead` hours. */
typedef struct small_job {
    wm_job        job;
    wm_job_column columns[3];
    wm_job_input  inputs[2];
    wm_job_target targets[2];
    const char   *time[1], *names[3];
    int64_t       ahead[2];
} small_job;

static void small_init(small_job *small, int64_t length, int64_t ahead_hours)
{
    memset(small, 0, sizeof *small);
    small->time[0] = "t";
    small->names[0] = "x";
    small->ahead[0] = ahead_hours * HOUR;
    small->columns[0] = (wm_job_column){ .name = "x", .scale = WM_SCALE_NONE };
    small->inputs[0] =
        (wm_job_input){ .name = "past", .kind = WM_INPUT_WINDOW, .length = length, .columns = { small->names, 1 } };
    small->targets[0] = (wm_job_target){ .name = "next", .column = "x", .ahead = { small->ahead, 1 } };
    small->job.data = (wm_job_data){
        .time_columns = { small->time, 1 },
        .columns = small->columns,
        .n_columns = 1,
        .inputs = small->inputs,
        .n_inputs = 1,
        .targets = small->targets,
        .n_targets = 1,
        .split = { .train = 1 },
    };
}

/* "t,x" with a row an hour; '.' in `pattern` is no row at all, '?' an empty cell, else the value is the hour. */
static void series_text(const char *pattern, wm_text *text)
{
    wm_text_add(text, "t,x\n");
    for (size_t h = 0; pattern[h] != '\0'; h++) {
        if (pattern[h] == '.')
            continue;
        wm_text_printf(text, "%zu,", h * 3600 + 86400);
        if (pattern[h] != '?')
            wm_text_printf(text, "%zu", h);
        wm_text_add(text, "\n");
    }
}

/* The x of `now` of each training example, in one line: "1 2 6". */
static void now_values(wm_owners *owners, const wm_job *job, wm_text *text)
{
    const wm_examples *examples = wm_owners_examples(owners, 0);
    size_t             length = (size_t)job->data.inputs[0].length;
    wm_batch_room     *room;
    wm_error           err;

    assert_ok(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), &err);
    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    for (uint32_t i = 0; i < wm_examples_count(examples, WM_TRAIN); i++) {
        wm_batch batch;

        wm_examples_gather(examples, WM_TRAIN, &i, 1, room, &batch);
        wm_text_printf(text, "%s%g", i > 0 ? " " : "", (double)batch.inputs[0][length - 1]);
    }
    wm_batch_room_free(room);
}

static void windows_stop_at_gaps_that_may_not_be_filled(void **state)
{
    static const struct {
        const char  *says;
        wm_fill_rule fill;
        int64_t      limit;
        const char  *pattern, *want; /* windows of 2, target 1 ahead */
    } cases[] = {
        { "without a gap all but the ends are examples", WM_FILL_NONE, 0, "xxxxx", "1 2 3" },
        { "a missing hour takes part in no example", WM_FILL_NONE, 0, "xxxx.xxxxx", "1 2 6 7 8" },
        { "an empty cell is the same", WM_FILL_NONE, 0, "xxxx?xxxxx", "1 2 6 7 8" },
        { "filled, it may be looked at and never predicted", WM_FILL_LAST, 1, "xxxx.xxxxx", "1 2 3 5 6 7 8" },
        { "a gap over the limit is not crossed", WM_FILL_LAST, 1, "xxxx..xxxx", "1 2 7 8" },
        { "a gap of the limit is", WM_FILL_LAST, 2, "xxxx..xxxx", "1 2 3 6 7 8" },
        { "an interpolated value is not known before its time", WM_FILL_LINEAR, 2, "xxxx..xxxx", "1 2 6 7 8" },
        { "nothing is interpolated over the limit", WM_FILL_LINEAR, 1, "xxxx..xxxx", "1 2 7 8" },
        { "zero is a value", WM_FILL_ZERO, 1, "xxxx.xxxxx", "1 2 0 5 6 7 8" },
        { "a beginning cannot be filled with the last value", WM_FILL_LAST, 5, "?xxxx", "2 3" },
        { "a silence of years", WM_FILL_LAST, 2,
          "xxxx........................................................................xxxx", "1 2 77 78" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text    file = WM_TEXT_INIT, got = WM_TEXT_INIT;
        wm_owners *owners;
        wm_error   err;
        small_job  small;

        small_init(&small, 2, 1);
        small.columns[0].fill = cases[i].fill;
        small.columns[0].fill_limit = cases[i].limit;
        series_text(cases[i].pattern, &file);
        assert_ok(test_open_csv(&small.job, wm_text_chars(&file), &owners, &err), &err);
        now_values(owners, &small.job, &got);
        if (strcmp(wm_text_chars(&got), cases[i].want) != 0)
            print_error("# got: %s\n", wm_text_chars(&got));
        assert_case(cases[i].says, strcmp(wm_text_chars(&got), cases[i].want) == 0);
        wm_owners_free(owners);
        wm_text_release(&file);
        wm_text_release(&got);
    }
}

static void interpolated_values_lie_on_the_line(void **state)
{
    small_job      small;
    wm_text        file = WM_TEXT_INIT;
    wm_owners     *owners;
    wm_batch_room *room;
    wm_batch       batch;
    wm_error       err;
    uint32_t       third = 2;

    (void)state;
    small_init(&small, 3, 1);
    small.columns[0].fill = WM_FILL_LINEAR;
    small.columns[0].fill_limit = 2;
    small.columns[0].mask = true;
    series_text("xxxx..xxxx", &file);
    assert_ok(test_open_csv(&small.job, wm_text_chars(&file), &owners, &err), &err);
    assert_ok(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), &err);
    assert_ok(wm_batch_room_new(&small.job, 1, &room, &err), &err);
    /* Examples are at 2, 6, 7, 8: at 3 the target is filled. At 7 the window is 5, 6, 7, of which 5 was filled. */
    assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), WM_TRAIN), 4);
    wm_examples_gather(wm_owners_examples(owners, 0), WM_TRAIN, &third, 1, room, &batch);
    {
        static const float want[6] = { 5, 1, 6, 0, 7, 0 };

        for (size_t v = 0; v < 6; v++)
            assert_true(fabsf(batch.inputs[0][v] - want[v]) < 1e-5f);
        assert_true(batch.targets[0][0] == 8);
    }
    wm_batch_room_free(room);
    wm_owners_free(owners);
    wm_text_release(&file);
}

/* Worked by hand: windows of 3, 2 hours ahead, 100 hours: now is 2..97. Half of 96 is the example at 50, 0.7 of them
 * the one at 69 (67.2 rounds to 67); what reaches over 50 or 69 is in no part. */
static void parts_by_time_do_not_see_each_other(void **state)
{
    small_job          small;
    wm_text            file = WM_TEXT_INIT;
    wm_owners         *owners;
    const wm_examples *examples;
    wm_error           err;
    char               pattern[101] = { 0 };

    (void)state;
    memset(pattern, 'x', 100);
    small_init(&small, 3, 2);
    small.job.data.split = (wm_job_split){ .kind = WM_SPLIT_TIME, .train = 0.5, .validate = 0.2, .test = 0.3 };
    series_text(pattern, &file);
    assert_ok(test_open_csv(&small.job, wm_text_chars(&file), &owners, &err), &err);
    examples = wm_owners_examples(owners, 0);
    assert_int_equal(wm_examples_count(examples, WM_TRAIN), 46);
    assert_int_equal(wm_examples_rows(examples, WM_TRAIN)[0], 2);
    assert_int_equal(wm_examples_rows(examples, WM_TRAIN)[45], 47);
    assert_int_equal(wm_examples_count(examples, WM_VALIDATE), 15);
    assert_int_equal(wm_examples_rows(examples, WM_VALIDATE)[0], 52);
    assert_int_equal(wm_examples_rows(examples, WM_VALIDATE)[14], 66);
    assert_int_equal(wm_examples_count(examples, WM_TEST), 27);
    assert_int_equal(wm_examples_rows(examples, WM_TEST)[0], 71);
    assert_int_equal(wm_examples_rows(examples, WM_TEST)[26], 97);
    wm_owners_free(owners);
    wm_text_release(&file);
}

/* The same hours, and a file of earlier ones: it is all test, and the hours divide as if it were not there. */
static void what_is_in_no_file_for_the_test_divides_by_time(void **state)
{
    static const size_t want[WM_PARTS] = { 46, 46, 7 };
    wm_csv_options      csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice           source = test_choice(&wm_sources, "csv", &csv);
    char                folder[4096], pattern[101] = { 0 };
    wm_owners_settings  settings = { .folder = wm_test_folder(folder), .source = &source };
    wm_text             file = WM_TEXT_INIT, earlier = WM_TEXT_INIT;
    small_job           small;
    wm_owners          *owners;
    wm_error            err;

    (void)state;
    memset(pattern, 'x', 100);
    series_text(pattern, &file);
    wm_text_add(&earlier, "t,x\n");
    for (int h = 0; h < 11; h++)
        wm_text_printf(&earlier, "%d,%d\n", h * 3600, h);
    test_write(folder, "flood.csv", wm_text_chars(&earlier), earlier.size);
    test_write(folder, "quiet.csv", wm_text_chars(&file), file.size);
    small_init(&small, 3, 2);
    small.job.data.split =
        (wm_job_split){ .kind = WM_SPLIT_FILES, .train = 0.5, .validate = 0.5, .test_files = "flood*" };
    assert_ok(wm_owners_open(&small.job, &settings, &owners, &err), &err);
    for (int p = 0; p < WM_PARTS; p++)
        assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), (wm_part)p), want[p]);
    wm_owners_free(owners);
    wm_folder_remove(folder, NULL);
    wm_text_release(&file);
    wm_text_release(&earlier);
}

static void what_is_known_to_be_an_anomaly_trains_nothing(void **state)
{
    static const struct {
        const char *says, *labels, *want; /* windows of 2, target 1 ahead */
    } cases[] = {
        { "all is normal", "00000000", "1 2 3 4 5 6" },
        { "nothing trains that looks at it or predicts it", "00010000", "1 5 6" },
        { "nor at the last of several", "00011000", "1 6" },
        { "there may be several words for normal", "00020000", "1 2 3 4 5 6" },
        { "what is not known is not known to be one", "000?0000", "1 2 3 4 5 6" },
        { "a client may have nothing else", "11111111", "" },
    };
    static const double normal[] = { 0, 2 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text    file = WM_TEXT_INIT, got = WM_TEXT_INIT;
        wm_owners *owners;
        wm_error   err;
        small_job  small;

        small_init(&small, 2, 1);
        small.job.evaluate.anomaly =
            (wm_job_anomaly){ .false_alarms = 0.1, .label = "attack", .normal = { normal, 2 } };
        wm_text_add(&file, "t,x,attack\n");
        for (int h = 0; cases[i].labels[h] != '\0'; h++)
            wm_text_printf(&file, "%d,%d,%.*s\n", h * 3600, h, cases[i].labels[h] != '?', cases[i].labels + h);
        assert_ok(test_open_csv(&small.job, wm_text_chars(&file), &owners, &err), &err);
        now_values(owners, &small.job, &got);
        assert_case(cases[i].says, strcmp(wm_text_chars(&got), cases[i].want) == 0);
        wm_owners_free(owners);
        wm_text_release(&file);
        wm_text_release(&got);
    }
}

static void rows_become_a_grid_whatever_their_order(void **state)
{
    static const struct {
        const char *says, *file, *want;
    } cases[] = {
        { "rows may come in any order", "t,x\n90000,1\n86400,0\n97200,3\n93600,2\n", "1 2" },
        { "the last of two at one time wins", "t,x\n86400,0\n90000,7\n90000,1\n93600,2\n97200,3\n", "1 2" },
        { "times that tremble fall on the nearest step",
          "t,x\n86400,0\n90000,1\n93598,2\n97203,3\n100800,4\n104400,5\n", "1 2 3 4" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text    got = WM_TEXT_INIT;
        wm_owners *owners;
        wm_error   err;
        small_job  small;

        small_init(&small, 2, 1);
        assert_ok(test_open_csv(&small.job, cases[i].file, &owners, &err), &err);
        now_values(owners, &small.job, &got);
        assert_case(cases[i].says, strcmp(wm_text_chars(&got), cases[i].want) == 0);
        wm_owners_free(owners);
        wm_text_release(&got);
    }
}

/* On 2024-10-27 Berlin had 02:00 twice: six readings an hour apart, none of them a duplicate. */
static void the_hour_that_comes_twice_is_two_hours(void **state)
{
    static const char file[] =
        "t,x\n2024-10-27 00:00,0\n2024-10-27 01:00,1\n2024-10-27 02:00,2\n2024-10-27 02:00,3\n"
        "2024-10-27 03:00,4\n2024-10-27 04:00,5\n";
    small_job  small;
    wm_text    got = WM_TEXT_INIT;
    wm_owners *owners;
    wm_error   err;

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        print_message("# skipped: tzdata is not installed\n");
        return;
    }
    small_init(&small, 2, 1);
    small.job.data.zone = "Europe/Berlin";
    assert_ok(test_open_csv(&small.job, file, &owners, &err), &err);
    now_values(owners, &small.job, &got);
    assert_string_equal(wm_text_chars(&got), "1 2 3 4");
    wm_owners_free(owners);
    wm_text_release(&got);
}

static void every_kind_of_column_has_its_channels(void **state)
{
    static const char *const categories[] = { "calm", "flood" }, *const names[] = { "wd", "state", "clock" };
    static const char   file[] = "t,wd,state,y\n2024-01-01 00:00,NNE,calm,1\n2024-01-01 01:00,e,flood,2\n"
                                 "2024-01-01 02:00,270.000000000000000,calm,3\n2024-01-01 03:00,nowhere,calm,4\n";
    static const double want[3][6] = {
        /* wind sine and cosine, calm, flood, clock's sine and cosine (a cycle of 4 hours) */
        { 0.38268343, 0.92387953, 1, 0, 0, 1 },
        { 1, 0, 0, 1, 1, 0 },
        { -1, 0, 1, 0, 0, -1 },
    };
    small_job      small;
    wm_owners     *owners;
    wm_batch_room *room;
    wm_error       err;

    (void)state;
    small_init(&small, 1, 0);
    small.columns[0] = (wm_job_column){ .name = "wd", .kind = WM_COLUMN_COMPASS, .compass_points = 16 };
    small.columns[1] =
        (wm_job_column){ .name = "state", .kind = WM_COLUMN_CATEGORIES, .categories = { categories, 2 } };
    small.columns[2] = (wm_job_column){ .name = "clock", .kind = WM_COLUMN_CYCLE, .cycle_ms = 4 * HOUR };
    small.job.data.n_columns = 3;
    small.inputs[0].columns = (wm_words){ names, 3 };
    small.targets[0] = (wm_job_target){ .name = "y", .column = "y" };
    assert_ok(test_open_csv(&small.job, file, &owners, &err), &err);
    assert_ok(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), &err);
    assert_ok(wm_batch_room_new(&small.job, 1, &room, &err), &err);
    assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), WM_TRAIN), 3); /* "nowhere" is missing */
    for (uint32_t i = 0; i < 3; i++) {
        wm_batch batch;

        wm_examples_gather(wm_owners_examples(owners, 0), WM_TRAIN, &i, 1, room, &batch);
        for (size_t v = 0; v < 6; v++)
            assert_true(fabs((double)batch.inputs[0][v] - want[i][v]) < 1e-6);
        assert_true(batch.targets[0][0] == (float)(i + 1));
    }
    wm_batch_room_free(room);
    wm_owners_free(owners);
}

/* Of three words only the first two are classes: a label beyond them must never reach a loss. */
static void a_label_is_the_index_of_its_word(void **state)
{
    static const char *const words[] = { "calm", "rising", "flood" };
    static const char        file[] = "t,x,state\n0,1,rising\n3600,2,flood\n7200,3,calm\n10800,4,rising\n";
    static const int32_t     want[3] = { 1, 0, 1 };
    small_job                small;
    wm_owners               *owners;
    wm_batch_room           *room;
    wm_error                 err;
    float                    naive[2];
    uint32_t                 first = 0;

    (void)state;
    small_init(&small, 1, 0);
    small.columns[1] = (wm_job_column){ .name = "state", .kind = WM_COLUMN_CATEGORIES, .categories = { words, 3 } };
    small.job.data.n_columns = 2;
    small.targets[0] = (wm_job_target){ .name = "state", .column = "state", .classes = 2 };
    assert_ok(test_open_csv(&small.job, file, &owners, &err), &err);
    assert_ok(wm_examples_scale(wm_owners_examples(owners, 0), NULL, &err), &err);
    assert_ok(wm_batch_room_new(&small.job, 1, &room, &err), &err);
    assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), WM_TRAIN), 3);
    for (uint32_t i = 0; i < 3; i++) {
        wm_batch batch;

        wm_examples_gather(wm_owners_examples(owners, 0), WM_TRAIN, &i, 1, room, &batch);
        assert_int_equal(batch.classes[0][0], want[i]);
    }
    wm_examples_naive(wm_owners_examples(owners, 0), WM_TRAIN, &first, 1, 0, naive);
    assert_true(naive[0] == 0 && naive[1] == 1); /* the majority */
    wm_batch_room_free(room);
    wm_owners_free(owners);
}

/* Two horizons of a difference, and the hour at the farther one as a second input. */
static void horizons_differences_and_inputs_at_the_target(void **state)
{
    static const char *const clock[] = { "clock" };
    static const char        file[] = "t,x\n0,10\n3600,11\n7200,13\n10800,16\n14400,20\n";
    small_job                small;
    wm_owners               *owners;
    wm_examples             *examples;
    wm_batch_room           *room;
    wm_batch                 batch;
    wm_error                 err;
    uint32_t                 first = 0;
    float                    values[2];

    (void)state;
    small_init(&small, 1, 1);
    small.ahead[1] = 3 * HOUR;
    small.columns[0].scale = WM_SCALE_CLIENT;
    small.columns[1] = (wm_job_column){ .name = "clock", .kind = WM_COLUMN_CYCLE, .cycle_ms = 4 * HOUR };
    small.inputs[1] = (wm_job_input){ .name = "when", .kind = WM_INPUT_AT, .columns = { clock, 1 } };
    small.targets[0].ahead.count = 2;
    small.targets[0].difference = true;
    small.job.data.n_columns = 2;
    small.job.data.n_inputs = 2;
    assert_ok(test_open_csv(&small.job, file, &owners, &err), &err);
    examples = wm_owners_examples(owners, 0);
    assert_int_equal(wm_examples_count(examples, WM_TRAIN), 2);
    assert_ok(wm_examples_scale(examples, NULL, &err), &err);
    assert_ok(wm_batch_room_new(&small.job, 1, &room, &err), &err);
    wm_examples_gather(examples, WM_TRAIN, &first, 1, room, &batch);
    /* 10, 11, 13, 16, 20: mean 14, variance (16 + 9 + 1 + 4 + 36) / 5 = 13.2 */
    assert_true(fabs((double)batch.inputs[0][0] - (10 - 14) / sqrt(13.2)) < 1e-6);
    assert_true(fabs((double)batch.inputs[1][0] - -1) < 1e-6); /* three of four hours: sine -1, cosine 0 */
    assert_true(fabs((double)batch.targets[0][0] - 1 / sqrt(13.2)) < 1e-6);
    assert_true(fabs((double)batch.targets[0][1] - 6 / sqrt(13.2)) < 1e-6);
    memcpy(values, batch.targets[0], sizeof values);
    wm_examples_unscale(examples, WM_TRAIN, &first, 1, 0, values);
    assert_true(fabsf(values[0] - 11) < 1e-5f && fabsf(values[1] - 16) < 1e-5f);
    wm_examples_naive(examples, WM_TRAIN, &first, 1, 0, values);
    assert_true(values[0] == 10 && values[1] == 10);
    wm_batch_room_free(room);
    wm_owners_free(owners);
}

static void jobs_that_do_not_fit_the_data_are_refused(void **state)
{
    small_job  small;
    wm_owners *owners = NULL;
    wm_error   err;

    (void)state;
    small_init(&small, 2, 1);
    small.ahead[0] = 90 * 60000;
    assert_int_equal(test_open_csv(&small.job, "t,x\n0,1\n3600,2\n7200,3\n", &owners, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "data.targets.next"));
    small_init(&small, 2, 1);
    small.job.data.split = (wm_job_split){ .kind = WM_SPLIT_RANDOM, .train = 0.5, .test = 0.5 };
    assert_int_equal(test_open_csv(&small.job, "t,x\n0,1\n3600,2\n7200,3\n", &owners, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "split by time"));
    small_init(&small, 2, 1);
    assert_int_equal(test_open_csv(&small.job, "t,x\nyesterday,1\n", &owners, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "a.csv:2: \"yesterday\" in column t is no time"));
    small_init(&small, 2, 1);
    small.job.data.zone = "Europe/Atlantis";
    assert_int_equal(test_open_csv(&small.job, "t,x\n0,1\n", &owners, &err), WM_E_MISSING);
    assert_null(owners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_stop_at_gaps_that_may_not_be_filled),
        cmocka_unit_test(interpolated_values_lie_on_the_line),
        cmocka_unit_test(parts_by_time_do_not_see_each_other),
        cmocka_unit_test(what_is_in_no_file_for_the_test_divides_by_time),
        cmocka_unit_test(what_is_known_to_be_an_anomaly_trains_nothing),
        cmocka_unit_test(rows_become_a_grid_whatever_their_order),
        cmocka_unit_test(the_hour_that_comes_twice_is_two_hours),
        cmocka_unit_test(every_kind_of_column_has_its_channels),
        cmocka_unit_test(a_label_is_the_index_of_its_word),
        cmocka_unit_test(horizons_differences_and_inputs_at_the_target),
        cmocka_unit_test(jobs_that_do_not_fit_the_data_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
