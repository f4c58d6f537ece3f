/* tests/client/test_csv.c */
#include "tests/client/data_job.h"

#include "client/sources/csv_reader.h"
#include "client/sources/patterns.h"

#include <math.h>
#include <zlib.h>

static const wm_csv_limits small_limits = { .file_bytes = 300000, .line_bytes = 1000, .cells = 10 };

/* All rows as "a|b/c|d"; or the sentence of the error. */
static void read_all(const char *path, char separator, const wm_csv_limits *limits, wm_text *text)
{
    const wm_csv_cell *cells;
    size_t             n;
    wm_csv            *csv;
    wm_error           err;

    wm_text_release(text);
    if (wm_csv_open(path, separator, limits, &csv, &err) != WM_OK) {
        wm_text_add(text, err.text);
        return;
    }
    for (;;) {
        if (wm_csv_next(csv, &cells, &n, &err) != WM_OK) {
            wm_text_release(text);
            wm_text_printf(text, "%s: %s", wm_status_name(err.status), err.text);
            break;
        }
        if (n == 0)
            break;
        if (text->size > 0)
            wm_text_add(text, "/");
        for (size_t i = 0; i < n; i++) {
            wm_text_add(text, i > 0 ? "|" : "");
            wm_text_add_bytes(text, cells[i].text, cells[i].n);
        }
    }
    wm_csv_close(csv);
}

static void files_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *says;
        char        separator;
        const char *file, *want;
    } cases[] = {
        { "a plain file", ',', "a,b\n1,2\n", "a|b/1|2" },
        { "the last line needs no end", ',', "a,b\n1,2", "a|b/1|2" },
        { "Windows' line ends", ',', "a,b\r\n1,2\r\n", "a|b/1|2" },
        { "a byte-order mark", ',',
          "\xef\xbb\xbf"
          "a,b\n1,2\n",
          "a|b/1|2" },
        { "semicolons", ';', "a;b\n1,5;2\n", "a|b/1,5|2" },
        { "tabs, with an empty cell", '\t', "a\tb\n\t2\n", "a|b/|2" },
        { "quotes, and a separator within", ',', "\"a\",\"b, c\"\n", "a|b, c" },
        { "a quote within quotes is doubled", ',', "\"5\"\" pipe\",2\n", "5\" pipe|2" },
        { "a quote inside a plain cell is a character", ',', "5\" pipe,2\n", "5\" pipe|2" },
        { "two quotes inside a plain cell are characters, and the next line is the next row", ',',
          "5\"\" pipe,2\n3,4\n", "5\"\" pipe|2/3|4" },
        { "quotes behind spaces that separate", ' ', "a\"\" \"b c\" \"d\"\n1 2 3\n", "a\"\"|b c|d/1|2|3" },
        { "a quoted cell that does not end, behind a plain one with quotes", ' ', "a\"\" \" \"\" ",
          "malformed: a.csv:1: a quote that begins here is not closed" },
        { "a line end within quotes", ',', "\"a\nb\",2\n3,4\n", "a\nb|2/3|4" },
        { "spaces around cells are not theirs", ',', " a , \"b\" \n", "a|b" },
        { "empty lines are skipped", ',', "a,b\n\n  \n1,2\n\r\n", "a|b/1|2" },
        { "empty cells at the end stay", ',', "a,b\n1,\n,\n", "a|b/1|/|" },
        { "an empty quoted cell", ',', "\"\",x\n", "|x" },
        { "an empty file has no rows", ',', "", "" },
        { "a quote that is not closed is named by its line", ',', "a,b\n1,\"2\n3,4\n",
          "malformed: a.csv:2: a quote that begins here is not closed" },
        { "text after a closing quote is named by its place", ',', "a,b\n\"1\"x,2\n",
          "malformed: a.csv:2:4: text after a closing quote (a quote in a cell is written \"\")" },
        { "lines are counted through quoted line ends", ',', "a\n\"x\ny\"\n\"1\"x\n",
          "malformed: a.csv:4:4: text after a closing quote (a quote in a cell is written \"\")" },
        { "UTF-16 is named", ',',
          "\xff\xfe"
          "a",
          "malformed: a.csv:1:1: the file is in UTF-16: save it as CSV in UTF-8" },
        { "more cells than may be", ',', "1,2,3,4,5,6,7,8,9,10,11\n",
          "malformed: a.csv:1: more than 10 cells in a row" },
    };
    char    folder[4096], *path;
    wm_text text = WM_TEXT_INIT;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "a.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_write(folder, "a.csv", cases[i].file, strlen(cases[i].file));
        read_all(path, cases[i].separator, &small_limits, &text);
        if (strcmp(wm_text_chars(&text), cases[i].want) != 0)
            print_error("# got: %s\n", wm_text_chars(&text));
        assert_case(cases[i].says, strcmp(wm_text_chars(&text), cases[i].want) == 0);
    }
    wm_text_release(&text);
    free(path);
    wm_folder_remove(folder, NULL);
}

static void what_is_too_much_or_no_text_is_refused(void **state)
{
    char    folder[4096], *path, *big = malloc(400000);
    wm_text text = WM_TEXT_INIT;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "a.csv");
    test_write(folder, "a.csv",
               "a,b\n1,\0"
               "2\n",
               9);
    read_all(path, ',', &small_limits, &text);
    assert_string_equal(wm_text_chars(&text), "malformed: a.csv:2:3: a zero byte: this is no text file");
    memset(big, 'x', 400000);
    test_write(folder, "a.csv", big, 2000);
    read_all(path, ',', &small_limits, &text);
    assert_non_null(strstr(wm_text_chars(&text), "a row of more than 1000 bytes"));
    test_write(folder, "a.csv", big, 200000); /* found before all of it is in memory */
    read_all(path, ',', &small_limits, &text);
    assert_non_null(strstr(wm_text_chars(&text), "a row of more than 1000 bytes"));
    memset(big, '\n', 400000);
    test_write(folder, "a.csv", big, 400000);
    read_all(path, ',', &small_limits, &text);
    assert_non_null(strstr(wm_text_chars(&text), "cut it in parts"));
    free(big);
    wm_text_release(&text);
    free(path);
    wm_folder_remove(folder, NULL);
}

/* The cut comes out as an error at every place, except that the empty file is an empty file. */
static void a_gzip_file_that_is_cut_off_is_refused(void **state)
{
    char     folder[4096], *path, plain[5000];
    uint8_t  packed[8192];
    z_stream z = { 0 };
    wm_text  text = WM_TEXT_INIT;
    size_t   n;

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = i % 10 == 9 ? '\n' : (char)('0' + (i * i / 7) % 10);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)plain;
    z.avail_in = sizeof plain;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    n = z.total_out;
    deflateEnd(&z);
    path = wm_path_join(wm_test_folder(folder), "a.csv.gz");
    test_write(folder, "a.csv.gz", packed, n);
    read_all(path, ',', &wm_csv_limits_usual, &text);
    assert_int_equal(text.size, 4999); /* 500 rows of 9 digits with 499 marks between */
    for (size_t cut = 2; cut < n; cut += 3) {
        test_write(folder, "a.csv.gz", packed, cut);
        read_all(path, ',', &wm_csv_limits_usual, &text);
        assert_case("a cut gzip file is an error", strncmp(wm_text_chars(&text), "malformed: ", 11) == 0);
    }
    wm_text_release(&text);
    free(path);
    wm_folder_remove(folder, NULL);
}

static void numbers_are_read_in_full_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        char        decimal;
        double      want; /* NAN: refused */
    } cases[] = {
        { "0", '.', 0 },
        { "-0.7", '.', -0.7 },
        { "1023.2", '.', 1023.2 },
        { "+5", '.', 5 },
        { ".5", '.', 0.5 },
        { "5.", '.', 5 },
        { "1,5", ',', 1.5 },
        { "1.5", ',', NAN },
        { "1,5", '.', NAN },
        { "1e3", '.', 1000 },
        { "1.5E-2", '.', 0.015 },
        { "0.1", '.', 0.1 },
        { "0.000915527344", '.', 0.000915527344 },
        { "5.827000141143799", '.', 5.827000141143799 },
        { "123456789012345678901234", '.', 123456789012345678901234.0 },
        { "0.30000000000000004", '.', 0.30000000000000004 },
        { "9007199254740993", '.', 9007199254740992 },
        { "1e", '.', NAN },
        { "1e+", '.', NAN },
        { "e5", '.', NAN },
        { "-", '.', NAN },
        { ".", '.', NAN },
        { "", '.', NAN },
        { "inf", '.', NAN },
        { "nan", '.', NAN },
        { "0x10", '.', NAN },
        { "1 000", '.', NAN },
        { "1.2.3", '.', NAN },
        { "12a", '.', NAN },
        { "--1", '.', NAN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 0;
        bool   good = wm_number_parse(cases[i].text, strlen(cases[i].text), cases[i].decimal, &value);

        assert_case(cases[i].text, good == !isnan(cases[i].want));
        assert_case(cases[i].text, !good || value == cases[i].want);
    }
}

static const wm_job_column x_column = { .name = "x" };

static wm_job plain_job(void)
{
    static const char *const  names[] = { "x" };
    static const wm_job_input input = {
        .name = "in", .kind = WM_INPUT_WINDOW, .length = 1, .columns = { names, 1 }
    };
    static const wm_job_target target = { .name = "y", .column = "y" };

    return (wm_job){ .data = { .columns = &x_column,
                               .n_columns = 1,
                               .inputs = &input,
                               .n_inputs = 1,
                               .targets = &target,
                               .n_targets = 1,
                               .split = { .train = 1 } } };
}

static void faults_of_a_file_are_named_by_place(void **state)
{
    static const struct {
        const char *says, *file;
        wm_status   want;
        const char *text; /* part of the sentence */
    } cases[] = {
        { "a column that is not there, with those that are", "x,z\n1,2\n", WM_E_MISSING,
          "a.csv:1: there is no column y in the header: x, z" },
        { "a separator that is not", "x;y\n1;2\n", WM_E_MISSING, "x;y (is data.source.csv.separator right?)" },
        { "a row too short", "x,y\n1,2\n3\n4,5\n", WM_E_MALFORMED, "a.csv:3: 1 cells, the header has 2" },
        { "a row too long", "x,y\n1,2,3\n", WM_E_MALFORMED, "a.csv:2: 3 cells, the header has 2" },
        { "a name that comes twice", "x,y,x\n1,2,3\n", WM_E_MALFORMED, "a.csv:1:5: there is a second column x" },
        { "a header and nothing else", "x,y\n", WM_E_MISSING, "a header and no readings" },
        { "an empty file", "", WM_E_MALFORMED, "a.csv: the file is empty" },
    };
    wm_job job = plain_job();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_owners *owners = NULL;
        wm_error   err = { 0 };

        assert_case(cases[i].says, test_open_csv(&job, cases[i].file, &owners, &err) == cases[i].want);
        if (strstr(err.text, cases[i].text) == NULL)
            print_error("# got: %s\n", err.text);
        assert_case(cases[i].says, strstr(err.text, cases[i].text) != NULL);
        assert_null(owners);
    }
}

static void what_can_be_borne_is_borne_and_counted(void **state)
{
    static const struct {
        const char *says, *file;
        size_t      rows, missing, train;
    } cases[] = {
        { "words for missing, in capitals or not", "x,y\n1,2\nNA,2\nna,2\n,2\n3,4\n", 5, 3, 2 },
        { "what is no number counts as missing", "x,y\n1,2\nERROR,2\n3,4\n", 3, 1, 2 },
        { "a last line that is still being written is left out", "x,y\n1,2\n3,4\n5", 2, 0, 2 },
        { "separators at the end of a line", "x,y\n1,2,,\n3,4,\n", 2, 0, 2 },
        { "columns in any order, others between", "q,y,,x\nz,2,,1\nz,4,,3\n", 2, 0, 2 },
    };
    wm_job job = plain_job();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_examples_summary sum;
        wm_owners          *owners;
        wm_error            err;

        assert_ok(test_open_csv(&job, cases[i].file, &owners, &err), &err);
        wm_examples_summarise(wm_owners_examples(owners, 0), &sum);
        assert_case(cases[i].says, sum.rows == cases[i].rows && sum.missing == cases[i].missing &&
                                       sum.counts[WM_TRAIN] == cases[i].train);
        wm_owners_free(owners);
    }
}

static void patterns_find_files_in_order_and_once(void **state)
{
    static const struct {
        const char *pattern, *want; /* names, or NULL: none fits */
    } cases[] = {
        { "*.csv", "a.csv b.csv" }, { "b.csv", "b.csv" },   { "[ab].csv", "a.csv b.csv" },
        { "./sub/*.csv", "c.csv" }, { "*/*.csv", "c.csv" }, { "s?b/c.csv", "c.csv" },
        { "*.gz", NULL },           { "sub", NULL },        { "../*.csv", NULL },
        { "sub/../a.csv", NULL },   { "none/*.csv", NULL },
    };
    char        folder[4096], *sub;
    wm_error    err;
    const char *twice[] = { "b.csv", "*.csv" };
    wm_words    both = { twice, 2 };
    wm_paths    paths;

    (void)state;
    sub = wm_path_join(wm_test_folder(folder), "sub");
    assert_ok(wm_files_system()->make_folder(wm_files_system(), sub, 0755, &err), &err);
    test_write(folder, "b.csv", "x", 1);
    test_write(folder, "a.csv", "x", 1);
    test_write(folder, ".hidden.csv", "x", 1);
    test_write(sub, "c.csv", "x", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_words  one = { &cases[i].pattern, 1 };
        wm_text   got = WM_TEXT_INIT;
        wm_status st = wm_paths_find(folder, &one, &paths, &err);

        assert_case(cases[i].pattern, st == (cases[i].want != NULL ? WM_OK : WM_E_MISSING));
        if (st != WM_OK)
            continue;
        for (size_t k = 0; k < paths.count; k++)
            wm_text_printf(&got, "%s%s", k > 0 ? " " : "", wm_path_name(paths.items[k]));
        assert_case(cases[i].pattern, strcmp(wm_text_chars(&got), cases[i].want) == 0);
        wm_text_release(&got);
        wm_paths_release(&paths);
    }
    assert_ok(wm_paths_find(folder, &both, &paths, &err), &err);
    assert_int_equal(paths.count, 2);
    wm_paths_release(&paths);
    free(sub);
    wm_folder_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_as_people_write_them),
        cmocka_unit_test(what_is_too_much_or_no_text_is_refused),
        cmocka_unit_test(a_gzip_file_that_is_cut_off_is_refused),
        cmocka_unit_test(numbers_are_read_in_full_or_not_at_all),
        cmocka_unit_test(faults_of_a_file_are_named_by_place),
        cmocka_unit_test(what_can_be_borne_is_borne_and_counted),
        cmocka_unit_test(patterns_find_files_in_order_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
