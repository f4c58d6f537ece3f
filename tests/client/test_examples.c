/* tests/client/test_examples.c
 *
 * From files and a data section to examples, worked by hand: what each client has, in which part, and what an example
 * shows and asks. An example is written inputs>target, its values one after the other; parts are parted by "|". */
#include "tests/client/data_job.h"

#include <math.h>

typedef struct one_file {
    const char *name, *text;
} one_file;

/* All examples of a part, "1,2>3 2,3>4". */
static void tell_part(wm_examples *examples, const wm_job *job, wm_part part, wm_text *text)
{
    wm_batch_room *room;
    wm_error       err;

    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    for (uint32_t i = 0; i < wm_examples_count(examples, part); i++) {
        size_t   width = wm_job_target_width(job, 0), n = 0;
        wm_batch batch;

        wm_examples_gather(examples, part, &i, 1, room, &batch);
        for (size_t k = 0; k < job->data.n_inputs; k++) {
            wm_shape shape;

            wm_job_input_shape(job, k, &shape);
            assert_true(wm_shape_count(&shape, &n));
            for (size_t v = 0; v < n; v++)
                wm_text_printf(text, "%s%.3g",
                               v > 0   ? ","
                               : k > 0 ? "/"
                               : i > 0 ? " "
                                       : "",
                               (double)batch.inputs[k][v]);
        }
        for (size_t v = 0; batch.classes[0] == NULL && v < width; v++)
            wm_text_printf(text, "%s%.3g", v > 0 ? "," : ">", (double)batch.targets[0][v]);
        if (batch.classes[0] != NULL)
            wm_text_printf(text, ">%d", batch.classes[0][0]);
    }
    wm_batch_room_free(room);
}

/* "north: 1>2 | | 3>4; south: ...": training, validation, test; where they are empty at the end, they are left out. */
static void tell(wm_owners *owners, const wm_job *job, wm_text *text)
{
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        wm_examples *examples = wm_owners_examples(owners, k);
        int          last = WM_TRAIN;
        wm_error     err;

        assert_ok(wm_examples_scale(examples, NULL, &err), &err);
        for (int p = 0; p < WM_PARTS; p++)
            if (wm_examples_count(examples, (wm_part)p) > 0)
                last = p;
        wm_text_printf(text, "%s%s:", k > 0 ? "; " : "", wm_owners_name(owners, k));
        for (int p = 0; p <= last; p++) {
            wm_text_add(text, p > 0 ? " | " : " ");
            tell_part(examples, job, (wm_part)p, text);
        }
    }
}

/* The job of a data section over files, its clients told. */
static wm_status open_job(const char *data, const one_file *files, wm_text *text, wm_error *err)
{
    static const char tail[] = "training: {rate: 0.1}\nrounds: 1\ncohort: {select: all}\nstrategy: fedavg\n"
                               "evaluate: {metrics: rmse}\n";
    const char *first = strstr(data, "    now: {") != NULL ? "{from: [now, ago], concat: }, flatten" : "flatten";
    wm_text     yaml = WM_TEXT_INIT;
    char        folder[4096];
    wm_owners_settings settings = { .folder = wm_test_folder(folder) };
    wm_owners         *owners;
    wm_job            *job;
    wm_status          st;

    wm_text_printf(&yaml, "job: a\ndata:\n%smodel: {layers: [%s, {dense: 1}], loss: mse}\n%s", data, first, tail);
    test_write(folder, "a.yaml", wm_text_chars(&yaml), yaml.size);
    for (size_t i = 0; files[i].name != NULL; i++)
        test_write(folder, files[i].name, files[i].text, strlen(files[i].text));
    job = test_parse(folder, "a.yaml", NULL, 0);
    settings.source = &job->data.source;
    settings.owner = &job->data.owner;
    st = wm_owners_open(job, &settings, &owners, err);
    if (st == WM_OK) {
        tell(owners, job, text);
        wm_owners_free(owners);
    }
    wm_job_free(job);
    wm_text_release(&yaml);
    wm_folder_remove(folder, NULL);
    return st;
}

#define ROWS_OF_X             "  source: {csv: \"*.csv\"}\n  split: {time: [1, 0, 0]}\n"
#define HOURS                 "  time: t\n"
#define PAST_OF(what, length) "  inputs: {past: {window: {columns: [" what "], length: " #length "}}}\n"

static const struct {
    const char *says;
    const char *data;
    one_file    files[4];
    const char *want;
} cases[] = {
    { "a target some rows on, where there is no time",
      ROWS_OF_X "  columns: {x: {}}\n" PAST_OF("x", 2) "  targets: {next: {column: x, steps: [1, 2]}}\n",
      { { "a.csv", "x\n1\n2\n3\n4\n5\n" } },
      "client: 1,2>3,4 2,3>4,5" },
    { "every second example of a series, counted from its first",
      ROWS_OF_X "  columns: {x: {}}\n  examples: 2\n" PAST_OF("x", 2) "  targets: {next: {column: x, steps: 1}}\n",
      { { "a.csv", "x\n1\n2\n3\n4\n5\n6\n7\n" } },
      "client: 1,2>3 3,4>5 5,6>7" },
    { "a window does not cross from one activity to the next",
      ROWS_OF_X "  columns: {x: {}, do: {categories: [walk, sit]}}\n  examples: {every: 2, within: do}\n" PAST_OF(
          "x", 2) "  targets: {do: {column: do}}\n",
      { { "a.csv",
          "x,do\n1,walk\n2,walk\n3,walk\n4,walk\n5,walk\n6,sit\n7,sit\n8,stand\n9,sit\n10,sit\n11,sit\n" } },
      "client: 1,2>0 3,4>0 6,7>1 9,10>1" },
    { "nor from one session to the next, whose rows may be mixed",
      ROWS_OF_X "  series: s\n  columns: {x: {}}\n" PAST_OF("x", 2) "  targets: {same: {column: x}}\n",
      { { "a.csv", "s,x\nA,1\nB,10\nA,2\nB,20\nA,3\n" }, { "b.csv", "s,x\nA,4\nA,5\n" } },
      "client: 1,2>2 2,3>3 10,20>20 4,5>5" },
    { "the same hour some time ago",
      ROWS_OF_X HOURS "  columns: {x: {}}\n  inputs:\n    now: {window: {columns: [x], length: 1}}\n"
                      "    ago: {window: {columns: [x], length: 2, ago: 2h}}\n"
                      "  targets: {next: {column: x, ahead: 1h}}\n",
      { { "a.csv", "t,x\n0,0\n3600,1\n7200,2\n10800,3\n14400,4\n18000,5\n" } },
      "client: 3/0,1>4 4/1,2>5" },
    { "no example where the time ago is a gap",
      ROWS_OF_X HOURS "  columns: {x: {}}\n  inputs: {ago: {window: {columns: [x], length: 1, ago: 2h}}}\n"
                      "  targets: {next: {column: x, ahead: 1h}}\n",
      { { "a.csv", "t,x\n0,0\n3600,\n7200,2\n10800,3\n14400,4\n18000,5\n" } },
      "client: 0>3 2>5" },
    { "an alarm is a rise over a level",
      ROWS_OF_X HOURS "  columns: {x: {}}\n" PAST_OF(
          "x", 1) "  targets: {up: {column: x, ahead: 1h, difference: true, above: 2}}\n",
      { { "a.csv", "t,x\n0,1\n3600,3\n7200,6\n10800,5\n" } },
      "client: 1>0 3>1 6>0" },
    { "or a value over it, which need not be whole",
      ROWS_OF_X HOURS
      "  columns: {x: {}}\n" PAST_OF("x", 1) "  targets: {high: {column: x, ahead: 1h, above: 0}}\n",
      { { "a.csv", "t,x\n0,1\n3600,-0.5\n7200,0.25\n10800,0\n" } },
      "client: 1>0 -0.5>1 0.25>0" },
    { "a word that is in no list is the other category",
      ROWS_OF_X
      "  columns: {w: {categories: [a, b], other: true}, y: {}}\n" PAST_OF("w", 1) "  targets: {y: {column: y}}\n",
      { { "a.csv", "w,y\nb,1\nz,2\n,3\n" } },
      "client: 0,1,0>1 0,0,1>2" },
    { "and is a class of its own: normal, or an attack of whatever name",
      ROWS_OF_X "  columns: {x: {}, kind: {categories: [normal], other: true}}\n" PAST_OF(
          "x", 1) "  targets: {kind: {column: kind}}\n",
      { { "a.csv", "x,kind\n1,normal\n2,smurf\n3,neptune\n" } },
      "client: 1>0 2>1 3>1" },
    { "a category's number, for an embedding",
      ROWS_OF_X "  columns: {w: {categories: [a, b, c], index: true, missing: {fill: last, mask: true}}}\n" PAST_OF(
          "w", 2) "  targets: {w: {column: w, steps: 1}}\n",
      { { "a.csv", "w\nb\nNA\nc\na\nb\n" } },
      "client: 1,0,1,1>2 1,1,2,0>0 2,0,0,0>1" },
    { "numbers of all sizes by their logarithm",
      ROWS_OF_X "  columns: {x: {transform: log, range: [-2, 100000]}, y: {}}\n" PAST_OF(
          "x", 1) "  targets: {y: {column: y}}\n",
      { { "a.csv", "x,y\n0,1\n99999,2\n-1,3\n100001,4\n" } },
      "client: 0>1 11.5>2 -0.693>3" },
    { "a wide table is a series for each sensor",
      "  source: {csv: {files: \"*.csv\", melt: {name: sensor, value: speed}}}\n  split: {time: [1, 0, 0]}\n"
      "  series: sensor\n  columns: {speed: {}}\n" PAST_OF("speed",
                                                           1) "  targets: {next: {column: speed, steps: 1}}\n",
      { { "a.csv", "7,8\n1,10\n2,20\n3,30\n" } },
      "client: 1>2 2>3 10>20 20>30" },
    { "its sensors may be the owners, some of its columns only, beside others that stay",
      "  source: {csv: {files: \"*.csv\", melt: {name: who, value: v, columns: [n, s]}}}\n  owner: {column: who}\n"
      "  split: {time: [1, 0, 0]}\n  columns: {v: {}, z: {}}\n" PAST_OF("v, z",
                                                                        1) "  targets: {same: {column: v}}\n",
      { { "a.csv", "n,z,s,m\n1,5,2,9\n3,6,4,9\n" } },
      "n: 1,5>1 3,6>3; s: 2,5>2 4,6>4" },
    { "several sensors are one district's, and one is nobody's",
      "  source: {csv: {files: \"*.csv\"}}\n  owner: {groups: {column: s, of: {West: [\"1\", \"3\"], East: [\"2\"]}}}\n"
      "  series: s\n  split: {time: [1, 0, 0]}\n  columns: {x: {}}\n" PAST_OF("x",
                                                                              1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "s,x\n1,10\n2,20\n3,30\n4,40\n1,11\n" } },
      "east: 20>20; west: 10>10 11>11 30>30" },
    { "a file without a header is read by names that are given",
      "  source: {csv: {files: \"*.csv\", header: [a, b]}}\n  split: {time: [1, 0, 0]}\n  columns: {b: {}}\n" PAST_OF(
          "b", 1) "  targets: {same: {column: b}}\n",
      { { "a.csv", "1,2\n3,4\n" } },
      "client: 2>2 4>4" },
    { "a row that was there before is left out, in whatever file",
      "  source: {csv: {files: \"*.csv\", distinct: true}}\n  split: {time: [1, 0, 0]}\n  columns: {b: {}}\n" PAST_OF(
          "b", 1) "  targets: {same: {column: b}}\n",
      { { "a.csv", "a,b\n1,2\n1,2\n1,3\n11,2\n" }, { "b.csv", "a,b\n1,2\n1,4\n" } },
      "client: 2>2 3>3 2>2 4>4" },
    { "a month is a client",
      "  source: {csv: \"*.csv\"}\n  owner: month\n  time: {column: t, zone: Asia/Shanghai}\n"
      "  split: {time: [1, 0, 0]}\n  columns: {x: {}}\n" PAST_OF("x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "t,x\n2014-01-31 22:00,1\n2014-01-31 23:00,2\n2014-02-01 00:00,3\n2014-12-31 23:00,4\n" } },
      "2014-01: 1>1 2>2; 2014-02: 3>3; 2014-12: 4>4" },
    { "times that are counted, from the first row of each file on",
      ROWS_OF_X
      "  time: {start: \"2012-03-01 00:00\", step: 6h, zone: UTC}\n"
      "  columns: {x: {}, day: {cycle: 24h}}\n" PAST_OF("x, day", 1) "  targets: {next: {column: x, ahead: 12h}}\n",
      { { "a.csv", "x\n1\n2\n3\n" }, { "b.csv", "x\n4\n5\n6\n" } },
      "client: 1,0,1>3 4,0,1>6" },
    { "a row of a wide table is one time for all of its sensors",
      "  source: {csv: {files: \"*.csv\", melt: {name: s, value: x}}}\n  series: s\n"
      "  time: {start: \"2012-03-01\", step: 6h, zone: UTC}\n  split: {time: [1, 0, 0]}\n"
      "  columns: {x: {}, day: {cycle: 24h}}\n" PAST_OF("x, day", 1) "  targets: {next: {column: x, ahead: 6h}}\n",
      { { "a.csv", "7,8\n1,10\n2,20\n3,30\n" } },
      "client: 1,0,1>2 2,1,6.12e-17>3 10,0,1>20 20,1,6.12e-17>30" },
    { "the beginning of every file trains, and no example looks over the border",
      "  source: {csv: \"*.csv\"}\n  split: {rows: {train: 3, validate: 2}}\n  columns: {x: {}}\n" PAST_OF(
          "x", 2) "  targets: {same: {column: x}}\n",
      { { "a.csv", "x\n1\n2\n3\n4\n5\n6\n7\n" }, { "b.csv", "x\n11\n12\n13\n14\n" } },
      "client: 1,2>2 2,3>3 11,12>12 12,13>13 | 4,5>5 | 6,7>7" },
    { "numbers as their difference from the last, and nothing else",
      ROWS_OF_X "  columns: {x: {missing: {fill: last, mask: true}}, w: {categories: [a, b]}}\n"
                "  inputs: {past: {window: {columns: [w, x], length: 2, difference: true}}}\n"
                "  targets: {next: {column: x, steps: 1}}\n",
      { { "a.csv", "x,w\n10,a\n12,b\nNA,b\n17,a\n16,a\n" } },
      "client: 0,1,0,0,0,1,0,1>17 0,1,-5,1,1,0,0,0>16" },
    { "events come when they come, and a window can show how long after one another",
      ROWS_OF_X "  time: {column: t, events: true}\n  columns: {x: {}, day: {cycle: 4h}}\n"
                "  inputs: {past: {window: {columns: [x, day], length: 2, elapsed: true}}}\n"
                "  targets: {next: {column: x, steps: 1}}\n",
      { { "a.csv", "t,x\n0,1\n7200,3\n3600,2\n90000,4\n90001,5\n" } },
      "client: 1,0,1,0,2,1,6.12e-17,0.819>3 2,1,6.12e-17,0.819,3,1.22e-16,-1,0.819>4 "
      "3,1.22e-16,-1,0.819,4,1,6.12e-17,1.13>5" },
    { "a client that is left out is all test, the others keep a test part of their own",
      "  source: {csv: \"*.csv\"}\n  owner: file\n  split: {owners: {names: [b], shares: [0.5, 0, 0.5]}}\n"
      "  columns: {x: {}}\n" PAST_OF("x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "x\n1\n2\n3\n4\n" }, { "b.csv", "x\n5\n6\n" } },
      "a: 1>1 2>2 |  | 3>3 4>4; b:  |  | 5>5 6>6" },
    { "left out, it scales by all that it has",
      "  source: {csv: \"*.csv\"}\n  owner: file\n  split: {owners: {names: [b], shares: [0.5, 0, 0.5]}}\n"
      "  columns: {x: {scale: client}}\n" PAST_OF("x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "x\n1\n3\n5\n7\n" }, { "b.csv", "x\n10\n20\n" } },
      "a: -1>-1 1>1 |  | 3>3 5>5; b:  |  | -1>-1 1>1" },
    { "a speaker's speeches, character by character; the line's end is one too",
      "  source: {text: {files: \"*.txt\", speeches_min: 2}}\n  owner: {column: speaker}\n  split: {time: [1, 0, 0]}\n"
      "  columns: {character: {alphabet: \"\\nab\", index: true}}\n" PAST_OF(
          "character", 1) "  targets: {next: {column: character, steps: 1}}\n",
      { { "a.txt", "First Man:\nab\n\nOther:\nbb\nb\n\n\nFirst Man:\nb\n\nOther:\nca" } },
      "first-man: 1>2 2>0 0>2 2>0; other: 2>2 2>0 0>2 2>0" },
};

static void sections_and_files_become_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text   got = WM_TEXT_INIT;
        wm_error  err = { 0 };
        wm_status st = open_job(cases[i].data, cases[i].files, &got, &err);

        if (st != WM_OK || strcmp(wm_text_chars(&got), cases[i].want) != 0)
            print_error("# got: %s%s\n", wm_text_chars(&got), st != WM_OK ? err.text : "");
        assert_case(cases[i].says, st == WM_OK && strcmp(wm_text_chars(&got), cases[i].want) == 0);
        wm_text_release(&got);
    }
}

static const struct {
    const char *says;
    const char *data;
    one_file    files[2];
    wm_status   want;
    const char *sentence;
} refusals[] = {
    { "a given header that the rows do not fit",
      "  source: {csv: {files: \"*.csv\", header: [a, b]}}\n  columns: {b: {}}\n" PAST_OF(
          "b", 1) "  targets: {same: {column: b}}\n",
      { { "a.csv", "1,2,3\n" } },
      WM_E_MALFORMED,
      "a.csv:1: 3 cells, the header has 2" },
    { "a column to melt that is not there",
      "  source: {csv: {files: \"*.csv\", melt: {name: s, value: x, columns: [q]}}}\n  columns: {x: {}}\n" PAST_OF(
          "x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "a,b\n1,2\n" } },
      WM_E_MISSING,
      "a.csv:1: there is no column q in the header: a, b" },
    { "a wide table of which nothing is left",
      "  source: {csv: {files: \"*.csv\", melt: {name: s, value: x}}}\n  columns: {x: {}, a: {}}\n" PAST_OF(
          "x, a", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "a\n1\n" } },
      WM_E_MISSING,
      "a.csv:1: no column is left to melt" },
    { "months without a time",
      "  source: {csv: \"*.csv\"}\n  owner: month\n  columns: {x: {}}\n" PAST_OF(
          "x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "x\n1\n" } },
      WM_E_INVALID,
      "months need readings with a time" },
    { "a start that is no date",
      "  source: {csv: \"*.csv\"}\n  time: {start: \"2012-02-31\", step: 1h}\n  columns: {x: {}}\n" PAST_OF(
          "x", 1) "  targets: {same: {column: x}}\n",
      { { "a.csv", "x\n1\n" } },
      WM_E_INVALID,
      "data.time.start: 2012-02-31 is no date" },
    { "a column that a text has not",
      "  source: {text: \"*.txt\"}\n  columns: {word: {alphabet: ab}}\n" PAST_OF(
          "word", 1) "  targets: {same: {column: word}}\n",
      { { "a.txt", "A:\na\n" } },
      WM_E_MISSING,
      "none is named word" },
    { "a character that is to be a number",
      "  source: {text: \"*.txt\"}\n  columns: {character: {}}\n" PAST_OF(
          "character", 1) "  targets: {same: {column: character}}\n",
      { { "a.txt", "A:\na\n" } },
      WM_E_MISSING,
      "as must be character" },
    { "a text without a speaker",
      "  source: {text: \"*.txt\"}\n  columns: {character: {alphabet: ab}}\n" PAST_OF(
          "character", 1) "  targets: {same: {column: character}}\n",
      { { "a.txt", "\nabab\nba\n" } },
      WM_E_MALFORMED,
      "a.txt:2: the block begins with no speaker and colon" },
};

static void what_cannot_be_read_so_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        wm_text   got = WM_TEXT_INIT;
        wm_error  err = { 0 };
        wm_status st = open_job(refusals[i].data, refusals[i].files, &got, &err);

        if (st != refusals[i].want || strstr(err.text, refusals[i].sentence) == NULL)
            print_error("# got: %s %s%s\n", wm_status_name(st), wm_text_chars(&got), err.text);
        assert_case(refusals[i].says, st == refusals[i].want && strstr(err.text, refusals[i].sentence) != NULL);
        wm_text_release(&got);
    }
}

static const struct {
    const char *says;
    const char *line; /* the third of the file, under data: */
    const char *want;
} mistakes[] = {
    { "groups that are a list", "  owner: {groups: {column: s, of: [a, b]}}",
      "a.yaml:3:35: data.owner.groups: a mapping from owners to lists of the column's texts belongs here\n" },
    { "a group of one text that is no list", "  owner: {groups: {column: s, of: {a: x}}}",
      "a.yaml:3:39: data.owner.groups: the owner a needs a list of the column's texts\n" },
    { "a group of lists", "  owner: {groups: {column: s, of: {a: [[x]]}}}",
      "a.yaml:3:40: data.owner.groups: the owner a is a list of texts\n" },
    { "a sensor of two districts", "  owner: {groups: {column: s, of: {a: [x, y], b: [z, y]}}}",
      "a.yaml:3:54: data.owner.groups: \"y\" is listed twice\n" },
    { "a melted table whose two columns are one", "  source: {csv: {files: a, melt: {name: x, value: x}}}",
      "a.yaml:3:17: data.source.csv: melt: name and value are both \"x\"\n" },
    { "a melted table without a name", "  source: {csv: {files: a, melt: {value: x}}}",
      "a.yaml:3:34: data.source.csv.melt.name: must be given: What the headings of the melted columns become a column "
      "of: sensor.\n" },
};

static void mistakes_are_told_with_their_place(void **state)
{
    static const char rest[] = "  columns: {x: {}}\n  inputs: {past: {window: {columns: [x], length: 1}}}\n"
                               "  targets: {same: {column: x}}\nmodel: {layers: [flatten, {dense: 1}], loss: mse}\n"
                               "training: {rate: 0.1}\nrounds: 1\ncohort: {select: all}\nstrategy: fedavg\n"
                               "evaluate: {metrics: rmse}\n";

    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        wm_text   yaml = WM_TEXT_INIT;
        wm_faults faults;
        wm_job   *job = NULL;
        wm_error  err;
        wm_status st;

        wm_text_printf(&yaml, "job: a\ndata:\n%s\n%s", mistakes[i].line, rest);
        wm_faults_init(&faults, "a.yaml");
        st = wm_job_parse("a.yaml", wm_text_chars(&yaml), yaml.size, &wm_client_families, NULL, 0, &faults, &job,
                          &err);
        if (strcmp(wm_text_chars(&faults.lines), mistakes[i].want) != 0)
            print_error("# got: %s\n", wm_text_chars(&faults.lines));
        assert_case(mistakes[i].says, st == WM_E_INVALID);
        assert_case(mistakes[i].says, strcmp(wm_text_chars(&faults.lines), mistakes[i].want) == 0);
        wm_faults_release(&faults);
        wm_text_release(&yaml);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_files_become_examples),
        cmocka_unit_test(what_cannot_be_read_so_is_refused),
        cmocka_unit_test(mistakes_are_told_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
