/* tests/client/test_data_check.c
 *
 * The first thing that is wrong with a gateway's readings, in words. */
#include "tests/client/data_job.h"

#include "client/data_check.h"

static const char good[] = "t,level,state\n0,1,calm\n3600,2,calm\n7200,3,flood\n10800,4,calm\n";

static wm_status check(const wm_job *job, const char *file, size_t examples_min, wm_text *report, wm_error *err)
{
    const wm_words     allowed = WORDS("level", "state");
    wm_csv_options     csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice          source = test_choice(&wm_sources, "csv", &csv);
    char               folder[4096];
    wm_owners_settings settings = {
        .folder = wm_test_folder(folder), .source = &source, .alone = "north", .allowed = &allowed
    };
    wm_status st;

    if (file != NULL)
        test_write(folder, "river.csv", file, strlen(file));
    st = wm_check_readings(job, &settings, examples_min, report, err);
    wm_folder_remove(folder, NULL);
    return st;
}

static wm_job river_job(void)
{
    static const char *const time[] = { "t" }, *const names[] = { "level" };
    static const wm_job_column level = { .name = "level", .has_range = true, .low = -10, .high = 10 };
    static const wm_job_input  input = {
         .name = "past", .kind = WM_INPUT_WINDOW, .length = 2, .columns = { names, 1 }
    };
    static const int64_t       ahead[] = { HOUR };
    static const wm_job_target target = { .name = "level", .column = "level", .ahead = { ahead, 1 } };

    return (wm_job){ .data = { .time_columns = { time, 1 },
                               .columns = &level,
                               .n_columns = 1,
                               .inputs = &input,
                               .n_inputs = 1,
                               .targets = &target,
                               .n_targets = 1,
                               .split = { .train = 1 } } };
}

static void the_first_thing_that_is_wrong_is_named(void **state)
{
    static const struct {
        const char *says;
        bool        with_job;
        const char *file;
        wm_status   want;
        const char *text; /* part of the sentence, or of the report if all is well */
    } cases[] = {
        { "all is well, without a job", false, good, WM_OK, "column state: 4 of 4 rows have a value" },
        { "all is well with one", true, good, WM_OK, "north: 2 examples to train on" },
        { "no file", false, NULL, WM_E_MISSING, "fits *.csv" },
        { "a column that is not there", false, "t,level\n0,1\n", WM_E_MISSING, "there is no column state" },
        { "no rows", false, "t,level,state\n", WM_E_MISSING, "no readings" },
        { "a sensor that never spoke", false, "t,level,state\n0,NA,calm\n1,,calm\n", WM_E_RANGE,
          "column level has no value in any of 2 rows" },
        { "a word where the job wants numbers", true, "t,level,state\n0,1,x\n3600,ERR,x\n7200,3,x\n",
          WM_E_MALFORMED, "river.csv:3:6: \"ERR\" in column level is not a number" },
        { "other units than the job's", true, "t,level,state\n0,1000,x\n3600,2000,x\n", WM_E_RANGE,
          "all 2 values are out of the job's range" },
        { "times that cannot be read", true, "t,level,state\nnoon,1,x\n", WM_E_MALFORMED,
          "river.csv:2: \"noon\" in column t is no time" },
        { "too few examples", true, "t,level,state\n0,1,x\n3600,2,x\n7200,3,x\n", WM_E_REFUSED,
          "north has 1 examples to train on, at least 2 are needed" },
    };
    wm_job job = river_job();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text     report = WM_TEXT_INIT;
        wm_error    err = { 0 };
        wm_status   st = check(cases[i].with_job ? &job : NULL, cases[i].file, 2, &report, &err);
        const char *text = st == WM_OK ? wm_text_chars(&report) : err.text;

        if (strstr(text, cases[i].text) == NULL)
            print_error("# got: %s\n", text);
        assert_case(cases[i].says, st == cases[i].want && strstr(text, cases[i].text) != NULL);
        wm_text_release(&report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_thing_that_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
