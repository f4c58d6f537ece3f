/* tests/tool/test_mistakes.c
 *
 * What a person mistypes is answered by one sentence that is true and says what would be right, and nothing is left behind:
 * a job that runs, with one thing in it, on the command line or in the readings changed. */
#include "tests/unit.h"

#include "common/files.h"
#include "server/tool/tool.h"

#include <unistd.h>

/* A folder with job.yaml, readings/north.csv and readings/south.csv, which is the working directory. */
typedef struct scene {
    char  folder[4096], before[4096];
    char *out, *said;
    int   code;
} scene;

static const char job[] = "job: no2\n"
                          "data:\n"
                          "  source: {csv: {files: \"*.csv\"}}\n"
                          "  owner: file\n"
                          "  time: {column: time, zone: UTC}\n"
                          "  columns:\n"
                          "    no2:  {range: [0, 500]}\n"
                          "    hour: {cycle: 24h}\n"
                          "  inputs: {past: {window: {columns: [no2, hour], length: 8}}}\n"
                          "  targets: {no2: {column: no2, ahead: 3h}}\n"
                          "  scale: federated\n"
                          "  split: {time: [0.7, 0.1, 0.2]}\n"
                          "model:\n"
                          "  layers: [flatten, {dense: 16}, relu, {dense: 1}]\n"
                          "  loss: mse\n"
                          "training: {optimiser: sgd, rate: 0.003, batch: 16}\n"
                          "rounds: 2\n"
                          "evaluate: {metrics: [rmse]}\n";

enum { HOURS = 400, WORDS_MAX = 16 };

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_readings(const char *path)
{
    static char text[HOURS * 40];
    size_t      n = (size_t)snprintf(text, sizeof text, "time,no2\n");

    for (int i = 0; i < HOURS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-03-%02d %02d:00,%d\n", 1 + i / 24, i % 24,
                              40 + i % 24 + i % 7);
    write_text(path, text);
}

/* path <- text, in which `from` is `to`. */
static void write_changed(const char *path, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char       *changed = malloc(strlen(text) + strlen(to) + 1);

    assert_case(from, at != NULL);
    assert_non_null(changed);
    sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_text(path, changed);
    free(changed);
}

static int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    assert_non_null(getcwd(s->before, sizeof s->before));
    wm_test_folder(s->folder);
    assert_int_equal(chdir(s->folder), 0);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), "readings", 0755, NULL), NULL);
    write_text("job.yaml", job);
    write_readings("readings/north.csv");
    write_readings("readings/south.csv");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scene   *s = *state;
    wm_error err;

    assert_int_equal(chdir(s->before), 0);
    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s->out);
    free(s->said);
    free(s);
    return 0;
}

/* `words` is a command line, its words divided by spaces. */
static void say(scene *s, const char *words)
{
    char  *line = strdup(words), *argv[WORDS_MAX], *rest = NULL;
    size_t n_out, n_said;
    int    argc = 0;
    FILE  *out, *said;

    assert_non_null(line);
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    free(s->out);
    free(s->said);
    out = open_memstream(&s->out, &n_out);
    said = open_memstream(&s->said, &n_said);
    assert_non_null(out);
    assert_non_null(said);
    s->code = wm_tool_main(argc, argv, out, said);
    fclose(out);
    fclose(said);
    free(line);
}

/* One line, with these words in it, and an exit code that tells. */
static void assert_refused(const scene *s, const char *says, const char *words)
{
    if (s->code == 0 || strstr(s->said, words) == NULL || strchr(s->said, '\n') != s->said + strlen(s->said) - 1)
        fail_msg("%s: exit code %d, said: %s", says, s->code, s->said);
}

static void a_wrong_command_line_is_told_what_is_wrong(void **state)
{
    static const struct {
        const char *says, *words, *answer;
    } cases[] = {
        { "a folder that is not there", "wardmote data job.yaml --data reedings",
          "cannot read the folder reedings: No such file or directory" },
        { "a file in the place of a folder", "wardmote data job.yaml --data job.yaml",
          "job.yaml is a file; name the folder that it is in" },
        { "a folder without such files",
          "wardmote data job.yaml --data readings --set data.source.csv.files=x*.dat",
          "no file in readings fits x*.dat: look at --data and data.source" },
        { "a list that is not closed", "wardmote data job.yaml --data readings --set evaluate.metrics=[rmse",
          "--set: evaluate.metrics: \"[rmse\" is not YAML: did not find expected ',' or ']'" },
        { "a pattern without quotes", "wardmote data job.yaml --data readings --set data.source.csv.files=*.csv",
          "\"*.csv\" is not YAML: did not find expected alphabetic or numeric character, while scanning an alias; a value" },
        { "a number with a fraction", "wardmote simulate job.yaml --rounds 1.5", "\"1.5\" is not a whole number" },
        { "a number of many digits", "wardmote simulate job.yaml --rounds 99999999999999999999",
          "--rounds 99999999999999999999 must be from 1 to 1000000" },
        { "a model that is not there", "wardmote predict nowhere.safetensors readings",
          "cannot open nowhere.safetensors" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say(s, cases[i].words);
        assert_refused(s, cases[i].says, cases[i].answer);
    }
}

static void a_wrong_job_is_told_what_is_wrong_and_where(void **state)
{
    static const struct {
        const char *says, *from, *to, *answer;
    } cases[] = {
        { "2^40 units", "dense: 16", "dense: 1099511627776",
          "job.yaml:14:29: model.layers[1].dense: \"1099511627776\" is out of range: it must be from 1 to 2147483647" },
        { "units of more digits than are counted with", "dense: 16", "dense: 99999999999999999999",
          "job.yaml:14:29: model.layers[1].dense: \"99999999999999999999\" is out of range: it must be from 1 to "
          "2147483647" },
        { "a cycle without its unit, which is no column that lacks a range", "cycle: 24h", "cycle: 24",
          "job.yaml:8:19: data.columns.hour.cycle: \"24\" has no unit" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed("job.yaml", job, cases[i].from, cases[i].to);
        say(s, "wardmote model job.yaml");
        assert_refused(s, cases[i].says, cases[i].answer);
    }
}

/* What is wrong is known once the readings are, and it stands in the job all the same. */
static void what_the_readings_contradict_is_told_at_its_place_in_the_job(void **state)
{
    static const struct {
        const char *says, *from, *to, *answer;
    } cases[] = {
        { "a time zone that nobody has heard of", "zone: UTC", "zone: Europe/Berln",
          "job.yaml:5:30: data.time.zone: there is no time zone Europe/Berln" },
        { "more clients than examples", "owner: file", "owner: {iid: 100000}",
          "job.yaml:4:10: data.owner: 540 training examples cannot be dealt to 100000 clients" },
        { "a pattern that a file does not fit", "owner: file", "owner: {file: \"n{}.csv\"}",
          "job.yaml:4:10: data.owner: no owner can be taken from the file name south.csv by the pattern n{}.csv" },
        { "a horizon between two readings", "ahead: 3h", "ahead: 90m",
          "job.yaml:10:18: owner north: data.targets.no2: 1 h 30 min is no whole number of steps" },
        { "an owner who is not there", "time: [0.7, 0.1, 0.2]", "owners: [mars]",
          "job.yaml:12:19: data.split.owners: there is no owner mars in the data" },
        { "another kind of source", "csv: {files: \"*.csv\"}", "idx",
          "job.yaml:3:11: data.source: idx has images, so the job's inputs must be pixels" },
        { "a horizon beyond the readings", "ahead: 3h", "ahead: 366d", "no client has an example to train on" },
        { "a range that nothing is in", "[0, 500]", "[1000, 2000]",
          "`wardmote data job.yaml` tells what became of" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed("job.yaml", job, cases[i].from, cases[i].to);
        say(s, "wardmote simulate job.yaml --data readings --out run");
        assert_refused(s, cases[i].says, cases[i].answer);
    }
    write_text("job.yaml", job); /* another line of it is the k-th --set */
    say(s, "wardmote simulate job.yaml --data readings --out run --set data.time.zone=Europe/Berln");
    assert_refused(s, "a change by the command line",
                   "simulate: data.time.zone: there is no time zone Europe/Berln");
}

/* `data` is where one looks for what became of the readings. */
static void readings_that_cannot_be_used_are_told_by_data(void **state)
{
    static const struct {
        const char *says, *from, *to, *answer;
    } cases[] = {
        { "a word in the place of a number", "02:00,44", "02:00,fourty-two",
          "north.csv:4:18: \\\"fourty-two\\\" in column no2 is not a number" },
        { "a date that no year has", "2024-03-01 02:00", "2024-13-01 02:00",
          "2024-13-01 02:00\\\" in column time is no time" },
    };
    scene   *s = *state;
    uint8_t *text;
    size_t   n;

    assert_ok(wm_files_system()->read(wm_files_system(), "readings/north.csv", 1 << 20, &text, &n, NULL), NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed("readings/north.csv", (const char *)text, cases[i].from, cases[i].to);
        say(s, "wardmote data job.yaml --data readings");
        assert_int_equal(s->code, 0);
        if (strstr(s->said, cases[i].answer) == NULL)
            fail_msg("%s: said: %s", cases[i].says, s->said);
        say(s, "wardmote data job.yaml --data readings --names");
        assert_string_equal(s->said, ""); /* a script asks, and has had the table before */
        assert_string_equal(s->out, "north\nsouth\n");
    }
    free(text);
}

static void more_clients_than_there_are_owners_are_not_made_up(void **state)
{
    scene *s = *state;

    say(s, "wardmote data job.yaml --data readings --clients 200");
    assert_int_equal(s->code, 0);
    assert_non_null(strstr(s->said, "there are 2 owners in the readings, and not the 200 that were asked for"));
    say(s, "wardmote data job.yaml --data readings --clients 2");
    assert_string_equal(s->said, "");
}

/* What helps against an explosion would be no help here. */
static void an_embedding_of_numbers_is_told_what_it_takes(void **state)
{
    scene *s = *state;

    write_changed("job.yaml", job, "[flatten", "[{embedding: {kinds: 4, units: 2}}, flatten");
    say(s, "wardmote simulate job.yaml --data readings --out run");
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said,
                           "0.embedding (embedding) is the first whose output is not; it was given a number that "
                           "is none of its kinds: let it take a column of `categories` with `index: true`"));
}

static void data_that_is_not_there_is_named_as_it_was_asked_for(void **state)
{
    scene *s = *state;

    say(s, "wardmote simulate job.yaml --data readings --out run");
    assert_int_equal(s->code, 0);
    say(s, "wardmote predict run/model.safetensors reedings");
    assert_refused(s, "a folder", "cannot open reedings: No such file or directory");
    say(s, "wardmote predict run/model.safetensors readings/east.csv");
    assert_refused(s, "a file", "cannot open readings/east.csv: No such file or directory");
}

/* The shapes fit, and every figure would be wrong. A column of another name may be the same one in other data. */
static void columns_in_another_order_than_the_models_are_refused(void **state)
{
    static const char *const commands[] = { "wardmote predict run/model.safetensors readings --job other.yaml",
                                            "wardmote evaluate run/model.safetensors other.yaml --data readings" };
    scene                   *s = *state;

    say(s, "wardmote simulate job.yaml --data readings --out run");
    assert_int_equal(s->code, 0);
    write_changed("other.yaml", job, "[no2, hour]", "[hour, no2]");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        say(s, commands[i]);
        assert_refused(
            s, commands[i],
            "other.yaml: data.inputs.past: the model was trained on these columns in another order: no2, hour");
    }
    write_changed("other.yaml", job, "rounds: 2", "rounds: 3");
    say(s, commands[0]);
    assert_int_equal(s->code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_wrong_command_line_is_told_what_is_wrong),
        TEST(a_wrong_job_is_told_what_is_wrong_and_where),
        TEST(what_the_readings_contradict_is_told_at_its_place_in_the_job),
        TEST(readings_that_cannot_be_used_are_told_by_data),
        TEST(more_clients_than_there_are_owners_are_not_made_up),
        TEST(an_embedding_of_numbers_is_told_what_it_takes),
        TEST(columns_in_another_order_than_the_models_are_refused),
        TEST(data_that_is_not_there_is_named_as_it_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
