/* Trees of YAML: what is refused and where, what is kept as it was written, and that writing and reading
 * agree. */
#include "common/config/document.h"
#include "common/config/settings.h"
#include "tests/unit.h"

enum { BYTES_MAX = 1 << 20 };

static wm_status read_tree(const char *text, size_t n, size_t bytes_max, wm_arena *arena, wm_faults *faults,
                           wm_yaml **root)
{
    wm_error err;

    wm_faults_init(faults, "a.yaml");
    return wm_document_read(text, n, bytes_max, arena, faults, root, &err);
}

static wm_arena *new_arena(void)
{
    wm_arena *arena = NULL;
    wm_error  err;

    assert_ok(wm_arena_new_growing(0, &arena, &err), &err);
    return arena;
}

static const struct {
    const char *says, *text, *want; /* the lines of faults */
} bad[] = {
    { "a key given twice is a fault, and the first is named", "rounds: 1\ntraining:\n  rate: 1\n  rate: 2\n",
      "a.yaml:4:3: training.rate: is given twice; first on line 3\n" },
    { "every key given twice is named in one go", "a: 1\na: 2\nb: {c: 1, c: 2}\n",
      "a.yaml:2:1: a: is given twice; first on line 1\na.yaml:3:11: b.c: is given twice; first on line 3\n" },
    { "an entry of a list has its number in the path", "layers:\n  - relu\n  - {a: 1, a: 2}\n",
      "a.yaml:3:12: layers[1].a: is given twice; first on line 3\n" },
    { "an alias is refused", "a: &x 1\nb: *x\n",
      "a.yaml:1:4: a: the anchor \"&x\" is not used here; write the value out\n"
      "a.yaml:2:4: b: the alias \"*x\" is not used here; write the value out\n" },
    { "a tag is refused", "a: !!str 1\n",
      "a.yaml:1:4: a: the tag \"tag:yaml.org,2002:str\" is not used here; leave it out\n" },
    { "a tag of our own is refused", "a: !run {x: 1}\n",
      "a.yaml:1:4: a: the tag \"!run\" is not used here; leave it out\n" },
    { "a directive is refused", "%YAML 1.1\n---\na: 1\n",
      "a.yaml:1:1: directives (lines with %) are not used here\n" },
    { "a second document is refused", "a: 1\n---\nb: 1\n",
      "a.yaml:2:1: a second document begins here; one file holds one\n" },
    { "a list cannot be a key", "? [a, b]\n: 1\n", "a.yaml:1:3: a key must be a word, not a list\n" },
    { "a tab where a space belongs has its place", "a:\n\tb: 1\n",
      "a.yaml:2:1: not YAML: found character that cannot start any token, while scanning for the next token "
      "(which "
      "began on line 2)\n" },
    { "an open bracket has the line where it was opened", "a: [1, 2\nb: 1\n",
      "a.yaml:2:2: not YAML: did not find expected ',' or ']', while parsing a flow sequence (which began on "
      "line 1)\n" },
    { "a wrong indent is a syntax error", "a: 1\n  b: 2\n",
      "a.yaml:2:4: not YAML: mapping values are not allowed in this context\n" },
    { "a zero character written with an escape is refused", "a: \"x\\0y\"\n",
      "a.yaml:1:4: a: a zero character stands in the text\n" },
    { "a terminal's escape in a key does not reach the terminal", "\"a\\e[31m\": 1\n\"a\\e[31m\": 2\n",
      "a.yaml:2:1: a?[31m: is given twice; first on line 1\n" },
    { "a newline in a key stays one line of faults", "\"a\\nb\": 1\n\"a\\nb\": 2\n",
      "a.yaml:2:1: a?b: is given twice; first on line 1\n" },
};

static void test_bad_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wm_arena *arena = new_arena();
        wm_yaml  *root = NULL;
        wm_faults faults;

        read_tree(bad[i].text, strlen(bad[i].text), BYTES_MAX, arena, &faults, &root);
        if (strcmp(wm_text_chars(&faults.lines), bad[i].want) != 0)
            print_error("%s:\n got: %s want: %s", bad[i].says, wm_text_chars(&faults.lines), bad[i].want);
        assert_case(bad[i].says, strcmp(wm_text_chars(&faults.lines), bad[i].want) == 0);
        wm_faults_release(&faults);
        wm_arena_free(arena);
    }
}

static const struct {
    const char *says, *text;
    size_t      n;
    const char *want; /* the front of the first fault */
} bytes[] = {
    { "the two bytes that hang another parser", "%\xf8", 2, "a.yaml:1:2: not a text in UTF-8: " },
    { "a zero byte", "a: b\0c\n", 7, "a.yaml:1:5: not a text in UTF-8: control characters are not allowed" },
    { "a zero byte on the second line", "a: b\nc\0", 7, "a.yaml:2:2: not a text in UTF-8: " },
    { "half a character", "a: \xc3", 4, "a.yaml:1:4: not a text in UTF-8: " },
    { "a surrogate", "a: \xed\xa0\x80", 6, "a.yaml:1:4: not a text in UTF-8: " },
    { "UTF-16",
      "\xff\xfe"
      "a\0:\0 \0\x31\0",
      10, "a.yaml:1:1: not a text in UTF-8: " },
    { "an overlong zero", "\xc0\x80", 2, "a.yaml:1:1: not a text in UTF-8: " },
};

static void test_bytes_that_are_not_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        wm_arena *arena = new_arena();
        wm_yaml  *root = NULL;
        wm_faults faults;
        wm_status st = read_tree(bytes[i].text, bytes[i].n, BYTES_MAX, arena, &faults, &root);

        if (strncmp(wm_text_chars(&faults.lines), bytes[i].want, strlen(bytes[i].want)) != 0)
            print_error("%s: got: %s", bytes[i].says, wm_text_chars(&faults.lines));
        assert_case(bytes[i].says, st == WM_E_INVALID);
        assert_case(bytes[i].says,
                    strncmp(wm_text_chars(&faults.lines), bytes[i].want, strlen(bytes[i].want)) == 0);
        wm_faults_release(&faults);
        wm_arena_free(arena);
    }
}

/* front, then n times the middle */
static void assert_refused(const char *front, const char *middle, size_t n, const char *want)
{
    wm_arena *arena = new_arena();
    wm_yaml  *root = NULL;
    wm_text   text = WM_TEXT_INIT;
    wm_faults faults;

    wm_text_add(&text, front);
    for (size_t i = 0; i < n; i++)
        wm_text_add(&text, middle);
    assert_false(text.bad);
    assert_int_equal(read_tree(text.chars, text.size, BYTES_MAX, arena, &faults, &root), WM_E_INVALID);
    if (strstr(wm_text_chars(&faults.lines), want) == NULL)
        print_error("got: %s", wm_text_chars(&faults.lines));
    assert_non_null(strstr(wm_text_chars(&faults.lines), want));
    assert_null(root);
    wm_faults_release(&faults);
    wm_text_release(&text);
    wm_arena_free(arena);
}

static void test_limits(void **state)
{
    (void)state;
    assert_refused("", "[", 100000, "more than 32 levels inside each other");
    assert_refused("", "{a: ", 100000, "more than 32 levels inside each other");
    assert_refused("", "- ", 200000, "more than 32 levels inside each other");
    assert_refused("", "? ", 200000, "a key must be a word");
    assert_refused("a: [", "1,", 100000, "more than 10000 values in one file");
    assert_refused("", "- x\n", 100000, "a.yaml:10000:3: [9999]: more than 10000 values in one file\n");
    assert_refused("#", "x", BYTES_MAX, "a.yaml: has 1048577 bytes; 1048576 are the most\n");
}

static void test_a_full_arena_is_no_fault_of_the_file(void **state)
{
    wm_arena *arena = NULL;
    wm_yaml  *root = NULL;
    wm_faults faults;
    wm_error  err;

    (void)state;
    assert_ok(wm_arena_new(256, &arena, &err), &err);
    assert_int_equal(read_tree("a: [1, 2, 3, 4]", 15, BYTES_MAX, arena, &faults, &root), WM_E_NOMEM);
    assert_int_equal(faults.count, 0);
    assert_null(root);
    wm_arena_free(arena);
}

static void test_places_and_characters_are_kept(void **state)
{
    static const char text[] = "\xef\xbb\xbfjob: air\nlayers: [relu, {dense: 050}]\nname: \"50\"\nnone:\n";
    wm_arena         *arena = new_arena();
    wm_yaml          *root = NULL, *node;
    wm_faults         faults;

    (void)state;
    assert_int_equal(read_tree(text, sizeof text - 1, BYTES_MAX, arena, &faults, &root), WM_OK);
    assert_int_equal(root->count, 4);
    node = wm_yaml_get(root, "layers");
    assert_int_equal(node->kind, WM_YAML_LIST);
    assert_true(node->flow);
    assert_int_equal(node->first->next->kind, WM_YAML_MAP);
    node = wm_yaml_get(node->first->next, "dense");
    assert_string_equal(node->text, "050");
    assert_int_equal(node->place.line, 2);
    assert_int_equal(node->place.column, 24);
    assert_int_equal(node->key_place.column, 17);
    assert_true(wm_yaml_get(root, "name")->quoted);
    assert_true(wm_yaml_is_empty(wm_yaml_get(root, "none")));
    assert_null(wm_yaml_get(root, "layer"));
    wm_faults_release(&faults);
    wm_arena_free(arena);
}

static void test_nothing_at_all_is_an_empty_mapping(void **state)
{
    static const char *const texts[] = { "", "# only a comment\n", "---\n...\n" };
    wm_arena                *arena = new_arena();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        wm_yaml  *root = NULL;
        wm_faults faults;

        assert_int_equal(read_tree(texts[i], strlen(texts[i]), BYTES_MAX, arena, &faults, &root), WM_OK);
        assert_int_equal(root->kind, WM_YAML_MAP);
        assert_int_equal(root->count, 0);
        wm_faults_release(&faults);
    }
    wm_arena_free(arena);
}

static void test_only_the_first_faults_are_kept(void **state)
{
    wm_faults faults;
    wm_text   report = WM_TEXT_INIT;
    wm_error  err;

    (void)state;
    wm_faults_init(&faults, "a.yaml");
    for (int i = 0; i < 60; i++)
        wm_faults_add(&faults, (wm_place){ 3, 4 }, "x", "is wrong");
    assert_int_equal(faults.count, 60);
    assert_int_equal(wm_faults_result(&faults, &err), WM_E_INVALID);
    assert_string_equal(err.text, "a.yaml:3:4: x: is wrong (and 59 more)");
    wm_faults_report(&faults, &report);
    assert_non_null(strstr(wm_text_chars(&report), "a.yaml: and 10 more faults\n"));
    assert_int_equal(report.size,
                     50 * strlen("a.yaml:3:4: x: is wrong\n") + strlen("a.yaml: and 10 more faults\n"));
    wm_text_release(&report);
    wm_faults_release(&faults);
}

static void test_a_long_fault_is_cut_between_characters(void **state)
{
    wm_faults faults;
    wm_error  err;
    char      words[4000];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof words; i += 2)
        memcpy(words + i, "\xc3\xa9", 3);
    for (size_t odd = 0; odd < 2; odd++) {
        size_t n;

        wm_faults_init(&faults, odd ? "a" : "ab");
        wm_faults_add(&faults, (wm_place){ 0, 0 }, "", "%s", words);
        n = faults.lines.size;
        assert_in_range(n, 900, 1010);
        assert_string_equal(faults.lines.chars + n - 4, "...\n");
        assert_memory_equal(faults.lines.chars + n - 6, "\xc3\xa9", 2);
        assert_int_equal(wm_faults_result(&faults, &err), WM_E_INVALID);
        wm_faults_release(&faults);
    }
}

/* ---- --set, and writing ---- */

static const char job[] = "job: air\n"
                          "data:\n"
                          "  columns: {PM2.5: {range: [0, 1000]}, wd: {compass: 16}}\n"
                          "model:\n"
                          "  layers: [flatten, {dense: 64}, relu]\n"
                          "training:\n"
                          "  optimiser: sgd\n"
                          "  rate: 0.1\n"
                          "evaluate:\n";

static const struct {
    const char *says, *key, *value, *want; /* what must be in the tree as written */
} sets[] = {
    { "a value is replaced", "training.rate", "0.5", "  rate: 0.5\n" },
    { "a value is added", "seed", "7", "\nseed: 7\n" },
    { "what is on the way is made", "cohort.select", "{uniform: 0.1}", "cohort: {select: {uniform: 0.1}}\n" },
    { "a section that stands empty is filled", "evaluate.every", "5", "evaluate: {every: 5}\n" },
    { "an entry of a list is reached by its place", "model.layers[1].dense", "32", "{dense: 32}" },
    { "an entry of a list is replaced as a whole", "model.layers[2]", "tanh", "[flatten, {dense: 64}, tanh]" },
    { "a key with a dot is found", "data.columns.PM2.5.range", "[0, 500]", "PM2.5: {range: [0, 500]}" },
    { "an option of a member that stood alone", "training.optimiser.sgd.momentum", "0.9",
      "optimiser: {sgd: {momentum: 0.9}}" },
    { "nothing after = is nothing", "training.rate", "", "  rate: ~\n" },
    { "quotes keep a word a word", "job", "\"050\"", "job: \"050\"\n" },
};

static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        wm_setting setting = { sets[i].key, sets[i].value };
        wm_arena  *arena = new_arena();
        wm_yaml   *root = NULL;
        wm_text    text = WM_TEXT_INIT, again = WM_TEXT_INIT;
        wm_faults  faults;
        wm_error   err;

        assert_int_equal(read_tree(job, sizeof job - 1, BYTES_MAX, arena, &faults, &root), WM_OK);
        assert_ok(wm_settings_apply(&setting, 1, arena, root, &faults, &err), &err);
        assert_case(sets[i].says, faults.count == 0);
        assert_ok(wm_document_write(root, &text, &err), &err);
        if (strstr(text.chars, sets[i].want) == NULL)
            print_error("got: %s", text.chars);
        assert_case(sets[i].says, strstr(text.chars, sets[i].want) != NULL);

        /* what was written reads back as the same tree */
        assert_int_equal(wm_document_read(text.chars, text.size, BYTES_MAX, arena, &faults, &root, &err), WM_OK);
        assert_ok(wm_document_write(root, &again, &err), &err);
        assert_string_equal(text.chars, again.chars);
        wm_text_release(&text);
        wm_text_release(&again);
        wm_faults_release(&faults);
        wm_arena_free(arena);
    }
}

static const struct {
    const char *key, *value, *want;
} bad_sets[] = {
    { "model.layers[3].dense", "1", "there is no [3] in \"model.layers\", which has 3 entries" },
    { "model.layers.dense", "1", "\"model.layers\" is a list; say which of its entries, as in [0]" },
    { "model.layers[x]", "1", "a place in a list is written [0], [1], ..." },
    { "model.layers[99999999999999999999]", "1", "a place in a list is written [0], [1], ..." },
    { "model.layers[1]dense", "1", "after ] comes . or [ or the end" },
    { "job[0]", "1", "\"job\" is not a list" },
    { "job.name", "x", "\"job\" is \"air\", which has no keys; set it to {...} as a whole" },
    { "training.optimiser.adam.rate", "1",
      "\"training.optimiser\" is \"sgd\", which has no keys; set it to {...} as a whole" },
    { "", "1", "a name is missing in the path" },
    { "training.", "1", "a name is missing in the path" },
    { "training..rate", "1", "a name is missing in the path" },
    { "job", "[1", "not YAML: did not find expected ',' or ']'" },
    { "job", "*x", "the alias \"*x\" is not used here" },
    { "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "1", "more than 32 levels" },
    { "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "[[[1]]]", "more than 32 levels" },
};

static void test_settings_that_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_sets / sizeof *bad_sets; i++) {
        wm_setting setting = { bad_sets[i].key, bad_sets[i].value };
        wm_arena  *arena = new_arena();
        wm_yaml   *root = NULL;
        wm_faults  faults;
        wm_error   err;

        assert_int_equal(read_tree(job, sizeof job - 1, BYTES_MAX, arena, &faults, &root), WM_OK);
        assert_ok(wm_settings_apply(&setting, 1, arena, root, &faults, &err), &err);
        if (strstr(wm_text_chars(&faults.lines), bad_sets[i].want) == NULL)
            print_error("got: %s", wm_text_chars(&faults.lines));
        assert_case(bad_sets[i].key, faults.count == 1);
        assert_case(bad_sets[i].key, strncmp(wm_text_chars(&faults.lines), "--set: ", 7) == 0);
        assert_case(bad_sets[i].key, strstr(wm_text_chars(&faults.lines), bad_sets[i].want) != NULL);
        wm_faults_release(&faults);
        wm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_bytes_that_are_not_text),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_full_arena_is_no_fault_of_the_file),
        cmocka_unit_test(test_places_and_characters_are_kept),
        cmocka_unit_test(test_nothing_at_all_is_an_empty_mapping),
        cmocka_unit_test(test_only_the_first_faults_are_kept),
        cmocka_unit_test(test_a_long_fault_is_cut_between_characters),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_settings_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
