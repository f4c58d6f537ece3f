/* Option tables: every kind of value, right and wrong, with the words of each fault; sections, families,
 * defaults. */
#include "common/config/config.h"
#include "common/config/values.h"
#include "tests/unit.h"

/* ---- a small family ---- */

typedef struct dense {
    int64_t units;
    bool    bias;
} dense;

static const wm_option dense_options[] = {
    { .name = "units",
      .kind = WM_WHOLE,
      .offset = offsetof(dense, units),
      .least = 1,
      .most = 1000,
      .main = true,
      .doc = "outputs" },
    { .name = "bias", .kind = WM_BOOL, .offset = offsetof(dense, bias), .standard = "true", .doc = "adds one" },
};
static const wm_member dense_member = {
    .name = "dense", .options = dense_options, .n_options = 2, .options_size = sizeof(dense), .doc = "linear"
};
static const wm_member relu_member = { .name = "relu", .doc = "max(0, x)" };

typedef struct constant {
    double rate;
} constant;

static const wm_option constant_options[] = {
    { .name = "rate",
      .kind = WM_REAL,
      .offset = offsetof(constant, rate),
      .least = 0,
      .most = 10,
      .main = true,
      .doc = "the rate" },
};
static const wm_member        constant_member = { .name = "constant",
                                                  .options = constant_options,
                                                  .n_options = 1,
                                                  .options_size = sizeof(constant),
                                                  .doc = "stays" };
static const wm_member *const members[] = { &dense_member, &relu_member, &constant_member };
static const wm_family        layers = { .name = "layer", .members = members, .n_members = 3 };

typedef struct families {
    const wm_family *layers, *others; /* others: not handed in */
} families;

/* ---- a file with everything in it ---- */

typedef struct limits {
    int64_t memory;
    double  share;
    int64_t every;
} limits;

static void check_limits(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const limits *l = options;

    if (l->memory < 1024 && l->share > 1)
        wm_faults_add(faults, place, path, "a small memory cannot be shared so widely");
}

static const wm_option limits_options[] = {
    { .name = "memory",
      .kind = WM_BYTES,
      .offset = offsetof(limits, memory),
      .standard = "64MiB",
      .main = true,
      .doc = "bytes" },
    { .name = "share",
      .kind = WM_REAL,
      .offset = offsetof(limits, share),
      .standard = "0.5",
      .least = 0,
      .most = 2,
      .doc = "share" },
    { .name = "every",
      .kind = WM_DURATION,
      .offset = offsetof(limits, every),
      .standard = "24h",
      .least = 1000,
      .most = 86400000,
      .doc = "pause" },
};
static const wm_member limits_section = { .name = "limits",
                                          .options = limits_options,
                                          .n_options = 3,
                                          .options_size = sizeof(limits),
                                          .check = check_limits,
                                          .doc = "limits" };

typedef struct login {
    const char *name;
    const char *word;
} login;

static const wm_option login_options[] = {
    { .name = "name", .kind = WM_WORD, .offset = offsetof(login, name), .doc = "who" },
    { .name = "word", .kind = WM_WORD, .offset = offsetof(login, word), .standard = "", .doc = "secret" },
};
static const wm_member login_section = {
    .name = "login", .options = login_options, .n_options = 2, .options_size = sizeof(login), .doc = "who may"
};

typedef struct record {
    const char           *name, *zone;
    int64_t               count;
    int                   mode;
    unsigned              flags;
    wm_words              columns;
    wm_reals              shares;
    wm_wholes             sizes;
    wm_durations          ahead;
    limits                limits;
    login                 login;
    wm_choice             first, second, other;
    wm_choices            layers;
    const struct wm_yaml *rest;
} record;

static const char *const modes[] = { "slow", "quick", "quickest", NULL };
static const char *const flags[] = { "naive", "alone", "pooled", NULL };
static const wm_option   options[] = {
      { .name = "name", .kind = WM_WORD, .offset = offsetof(record, name), .doc = "what it is called" },
      { .name = "zone", .kind = WM_WORD, .offset = offsetof(record, zone), .optional = true, .doc = "zone" },
      { .name = "count",
        .kind = WM_WHOLE,
        .offset = offsetof(record, count),
        .standard = "3",
        .least = 1,
        .most = 0,
        .doc = "how many" },
      { .name = "mode",
        .kind = WM_CHOICE,
        .offset = offsetof(record, mode),
        .standard = "quick",
        .words = modes,
        .doc = "mode" },
      { .name = "flags",
        .kind = WM_FLAGS,
        .offset = offsetof(record, flags),
        .standard = "[]",
        .words = flags,
        .doc = "flags" },
      { .name = "columns", .kind = WM_WORDS, .offset = offsetof(record, columns), .standard = "[a, b]", .doc = "c" },
      { .name = "shares",
        .kind = WM_REALS,
        .offset = offsetof(record, shares),
        .standard = "[0.7, 0.3]",
        .least = 0,
        .most = 1,
        .doc = "s" },
      { .name = "sizes", .kind = WM_WHOLES, .offset = offsetof(record, sizes), .optional = true, .doc = "s" },
      { .name = "ahead", .kind = WM_DURATIONS, .offset = offsetof(record, ahead), .optional = true, .doc = "s" },
      { .name = "limits",
        .kind = WM_SECTION,
        .offset = offsetof(record, limits),
        .section = &limits_section,
        .doc = "l" },
      { .name = "login",
        .kind = WM_SECTION,
        .offset = offsetof(record, login),
        .section = &login_section,
        .optional = true,
        .doc = "l" },
      { .name = "first",
        .kind = WM_MEMBER,
        .offset = offsetof(record, first),
        .family = offsetof(families, layers),
        .standard = "relu",
        .number = "constant",
        .doc = "f" },
      { .name = "second",
        .kind = WM_MEMBER,
        .offset = offsetof(record, second),
        .family = offsetof(families, layers),
        .optional = true,
        .doc = "f" },
      { .name = "other",
        .kind = WM_MEMBER,
        .offset = offsetof(record, other),
        .family = offsetof(families, others),
        .doc = "not looked at" },
      { .name = "layers",
        .kind = WM_MEMBERS,
        .offset = offsetof(record, layers),
        .family = offsetof(families, layers),
        .optional = true,
        .doc = "f" },
      { .name = "rest", .kind = WM_YAML, .offset = offsetof(record, rest), .optional = true, .doc = "r" },
};
static const wm_member file_table = { .name = "file",
                                      .options = options,
                                      .n_options = sizeof options / sizeof *options,
                                      .options_size = sizeof(record),
                                      .doc = "a file" };

static wm_status read_file(const char *text, record *ret, wm_faults *faults, wm_arena **memory)
{
    static const families handed_in = { .layers = &layers };
    wm_error              err;

    *ret = (record){ 0 };
    wm_faults_init(faults, "");
    return wm_config_read("a.yaml", text, strlen(text), &file_table, &handed_in, faults, ret, memory, &err);
}

static void test_defaults(void **state)
{
    wm_arena *memory = NULL;
    wm_faults faults;
    record    r;

    (void)state;
    assert_int_equal(read_file("name: x\n", &r, &faults, &memory), WM_OK);
    assert_string_equal(r.name, "x");
    assert_null(r.zone);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.mode, 1);
    assert_int_equal(r.flags, 0);
    assert_int_equal(r.columns.count, 2);
    assert_string_equal(r.columns.items[1], "b");
    assert_int_equal(r.shares.count, 2);
    assert_true(r.shares.items[0] == 0.7);
    assert_null(r.sizes.items);
    assert_int_equal(r.limits.memory, 64 << 20);
    assert_true(r.limits.share == 0.5);
    assert_int_equal(r.limits.every, 86400000);
    assert_null(r.login.name); /* an optional section that is not there asks for nothing */
    assert_string_equal(r.login.word, "");
    assert_ptr_equal(r.first.member, &relu_member);
    assert_null(r.first.options);
    assert_null(r.second.member);
    assert_null(r.other.member);
    assert_null(r.rest);
    wm_arena_free(memory);
}

static void test_values(void **state)
{
    static const char text[] =
        "name: '5'\nzone: 050\ncount: 050\nmode: quickest\nflags: [pooled, naive]\n"
        "columns: one\nshares: 1\nsizes: [1, -2]\nahead: [1h, 1.5h]\n"
        "limits: 4KiB\nlogin: {name: me}\nfirst: 0.1\nsecond: {dense: {units: 7, bias: false}}\n"
        "layers: [relu, {dense: 5}]\nrest: {a: 1}\nother: {whatever: it is}\n";
    wm_arena    *memory = NULL;
    wm_faults    faults;
    record       r;
    const dense *d;

    (void)state;
    assert_int_equal(read_file(text, &r, &faults, &memory), WM_OK);
    assert_string_equal(r.name, "5");
    assert_string_equal(r.zone, "050"); /* a word keeps its characters */
    assert_int_equal(r.count, 50);      /* a number is decimal, never octal */
    assert_int_equal(r.mode, 2);
    assert_int_equal(r.flags, 1 | 4);
    assert_int_equal(r.columns.count, 1);
    assert_string_equal(r.columns.items[0], "one");
    assert_true(r.shares.count == 1 && r.shares.items[0] == 1.0);
    assert_true(r.sizes.count == 2 && r.sizes.items[1] == -2);
    assert_true(r.ahead.count == 2 && r.ahead.items[1] == 5400000);
    assert_int_equal(r.limits.memory, 4096);
    assert_true(r.limits.share == 0.5);
    assert_string_equal(r.login.name, "me");
    assert_ptr_equal(r.first.member, &constant_member);
    assert_true(((const constant *)r.first.options)->rate == 0.1);
    d = r.second.options;
    assert_true(d->units == 7 && !d->bias);
    assert_string_equal(r.second.path, "second");
    assert_int_equal(r.second.place.line, 13);
    assert_int_equal(r.layers.count, 2);
    assert_string_equal(r.layers.items[1].path, "layers[1]");
    d = r.layers.items[1].options;
    assert_true(d->units == 5 && d->bias);
    assert_int_equal(r.rest->count, 1);
    assert_null(r.other.member);
    wm_arena_free(memory);
}

static const struct {
    const char *text, *want;
} bad[] = {
    { "", "a.yaml:1:1: name: must be given: what it is called\n" },
    { "- a\n", "a.yaml:1:1: a list stands here, where a mapping of options belongs\n" },
    { "hello\n", "a.yaml:1:1: \"hello\" stands here, where a mapping of options belongs\n" },
    { "name:\n", "a.yaml:1:6: name: nothing stands here, where a word belongs\n" },
    { "name: [a]\n", "a.yaml:1:7: name: a list stands here, where a word belongs\n" },
    { "name: x\ncuont: 1\n", "a.yaml:2:1: cuont: unknown key; did you mean \"count\"?\n" },
    { "name: x\nCOUNT: 1\n", "a.yaml:2:1: COUNT: unknown key; did you mean \"count\"?\n" },
    { "name: x\nlimits: {colour: 1}\n",
      "a.yaml:2:10: limits.colour: unknown key; known here: memory, share, every\n" },
    { "name: x\ncount: fifty\n", "a.yaml:2:8: count: \"fifty\" is not a whole number\n" },
    { "name: x\ncount: 3.5\n", "a.yaml:2:8: count: \"3.5\" is not a whole number\n" },
    { "name: x\ncount: 0x10\n", "a.yaml:2:8: count: \"0x10\" is not a whole number\n" },
    { "name: x\ncount: 1_000\n", "a.yaml:2:8: count: \"1_000\" is not a whole number\n" },
    { "name: x\ncount: 9223372036854775808\n",
      "a.yaml:2:8: count: \"9223372036854775808\" is out of range: it has too many digits\n" },
    { "name: x\ncount: '7'\n", "a.yaml:2:8: count: \"7\" is a word because of its quotes; write 7 without them\n" },
    { "name: x\ncount: 0\n", "a.yaml:2:8: count: \"0\" is out of range: it must be 1 or more\n" },
    { "name: x\ncount: [1]\n", "a.yaml:2:8: count: a list stands here, where a whole number belongs\n" },
    { "name: x\ncount:\n", "a.yaml:2:7: count: nothing stands here, where a whole number belongs\n" },
    { "name: x\nshares: [0.5, 1.5]\n",
      "a.yaml:2:15: shares[1]: \"1.5\" is out of range: it must be from 0 to 1\n" },
    { "name: x\nshares: [.nan]\n", "a.yaml:2:10: shares[0]: \".nan\" is not a number\n" },
    { "name: x\nshares: [inf, 1e999]\n", "a.yaml:2:10: shares[0]: \"inf\" is not a number\n"
                                         "a.yaml:2:15: shares[1]: \"1e999\" is not a number\n" },
    { "name: x\nshares: 0,5\n", "a.yaml:2:9: shares: \"0,5\" has a comma; write 0.5\n" },
    { "name: x\nshares: {a: 1}\n", "a.yaml:2:9: shares: a mapping stands here, where a number belongs\n" },
    { "name: x\nmode: fast\n", "a.yaml:2:7: mode: \"fast\" is not slow, quick or quickest\n" },
    { "name: x\nflags: [alone, lone]\n", "a.yaml:2:16: flags[1]: \"lone\" is not naive, alone or pooled\n" },
    { "name: x\nlimits: {memory: 5 MB}\n",
      "a.yaml:2:18: limits.memory: \"5 MB\" is not a size such as 64KiB or 500MB\n" },
    { "name: x\nlimits: much\n", "a.yaml:2:9: limits: \"much\" is not a size such as 64KiB or 500MB\n" },
    { "name: x\nlimits: {every: 90}\n", "a.yaml:2:17: limits.every: \"90\" has no unit; write 90s, 90m or 90h\n" },
    { "name: x\nlimits: {every: soon}\n",
      "a.yaml:2:17: limits.every: \"soon\" is not a duration such as 90s, 15m or 24h\n" },
    { "name: x\nlimits: {every: 2d}\n",
      "a.yaml:2:17: limits.every: \"2d\" is out of range: it must be from 1s to 1d\n" },
    { "name: x\nlimits: {memory: 1KB, share: 1.5}\n",
      "a.yaml:2:9: limits: a small memory cannot be shared so widely\n" },
    { "name: x\nlogin: {word: w}\n", "a.yaml:2:8: login.name: must be given: who\n" },
    { "name: x\nfirst: {dense: {units: fifty}}\n",
      "a.yaml:2:24: first.dense.units: \"fifty\" is not a whole number\n" },
    { "name: x\nfirst: {dense: fifty}\n", "a.yaml:2:16: first.dense: \"fifty\" is not a whole number\n" },
    { "name: x\nfirst: dense\n", "a.yaml:2:8: first.dense.units: must be given: outputs\n" },
    { "name: x\nfirst: dens\n", "a.yaml:2:8: first: \"dens\" is not a known layer; did you mean \"dense\"?\n" },
    { "name: x\nfirst: {conv: 3}\n",
      "a.yaml:2:9: first: \"conv\" is not a known layer; known here: dense, relu, constant\n" },
    { "name: x\nfirst: {relu: 3}\n",
      "a.yaml:2:15: first.relu: \"3\" stands here, where a mapping of options belongs\n" },
    { "name: x\nfirst: {relu: {leak: 3}}\n",
      "a.yaml:2:16: first.relu.leak: unknown key; there are no options here\n" },
    { "name: x\nfirst: {relu: , dense: 3}\n",
      "a.yaml:2:8: first: a layer is written name or {name: {options}}; this mapping has 2 keys\n" },
    { "name: x\nfirst: [relu]\n", "a.yaml:2:8: first: a list stands here, where a layer belongs\n" },
    { "name: x\nfirst: 11\n", "a.yaml:2:8: first.constant: \"11\" is out of range: it must be from 0 to 10\n" },
    { "name: x\nsecond: 1\n",
      "a.yaml:2:9: second: \"1\" is not a known layer; known here: dense, relu, constant\n" },
    { "name: x\nlayers: []\nmode: 1\n", "a.yaml:3:7: mode: \"1\" is not slow, quick or quickest\n" },
    { "count: 0\nname: x\nname: y\nfirst: 50ms\n",
      "a.yaml:1:8: count: \"0\" is out of range: it must be 1 or more\n"
      "a.yaml:3:1: name: is given twice; first on line 2\n"
      "a.yaml:4:8: first: \"50ms\" is not a known layer; known here: dense, relu, constant\n" },
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wm_arena *memory = NULL;
        wm_faults faults;
        record    r;

        assert_case(bad[i].text, read_file(bad[i].text, &r, &faults, &memory) == WM_E_INVALID);
        if (strcmp(wm_text_chars(&faults.lines), bad[i].want) != 0)
            print_error(" got: %swant: %s", wm_text_chars(&faults.lines), bad[i].want);
        assert_case(bad[i].text, strcmp(wm_text_chars(&faults.lines), bad[i].want) == 0);
        assert_null(memory);
        wm_faults_release(&faults);
    }
}

static const struct {
    const char *text;
    bool        good;
    int64_t     want;
} durations[] = {
    { "0", true, 0 },          { "250ms", true, 250 },       { "90s", true, 90000 },     { "15m", true, 900000 },
    { "1.5h", true, 5400000 }, { "7d", true, 604800000 },    { "2w", true, 1209600000 }, { "10", false, 0 },
    { "0.5ms", false, 0 },     { "-1s", false, 0 },          { "1h30m", false, 0 },      { "s", false, 0 },
    { "1 s", false, 0 },       { "99999999999w", false, 0 }, { "", false, 0 },           { "1e3s", true, 1000000 },
};

static const struct {
    const char *text;
    bool        good;
    int64_t     want;
} sizes[] = {
    { "4096", true, 4096 },       { "64KiB", true, 65536 },    { "1.5MiB", true, 1572864 },
    { "500MB", true, 500000000 }, { "1TiB", true, 1ll << 40 }, { "7B", true, 7 },
    { "1.5B", false, 0 },         { "5 MB", false, 0 },        { "5mb", false, 0 },
    { "9999999TiB", false, 0 },   { "-1", false, 0 },          { "KiB", false, 0 },
};

static void test_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        int64_t ms = 0;

        assert_case(durations[i].text, wm_duration_parse(durations[i].text, &ms) == durations[i].good);
        assert_case(durations[i].text, ms == durations[i].want);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = 0;

        assert_case(sizes[i].text, wm_bytes_parse(sizes[i].text, &n) == sizes[i].good);
        assert_case(sizes[i].text, n == sizes[i].want);
    }
}

static void test_whole_numbers_to_the_last_digit(void **state)
{
    int64_t n = 0;

    (void)state;
    assert_true(wm_whole_parse("9223372036854775807", &n) && n == INT64_MAX);
    assert_true(wm_whole_parse("-9223372036854775808", &n) && n == INT64_MIN);
    assert_true(wm_whole_parse("+050", &n) && n == 50);
    assert_false(wm_whole_parse("9223372036854775808", &n));
    assert_false(wm_whole_parse("-9223372036854775809", &n));
    assert_false(wm_whole_parse("-", &n));
    assert_false(wm_whole_parse("", &n));
    assert_false(wm_whole_parse("1e3", &n));
}

static void test_duration_words(void **state)
{
    char text[WM_DURATION_WORDS];

    (void)state;
    assert_string_equal(wm_duration_words(0, text), "0");
    assert_string_equal(wm_duration_words(250, text), "250ms");
    assert_string_equal(wm_duration_words(90000, text), "90s");
    assert_string_equal(wm_duration_words(600000, text), "10m");
    assert_string_equal(wm_duration_words(86400000, text), "1d");
    assert_string_equal(wm_duration_words(14 * 86400000, text), "2w");
}

static void test_the_nearest_word(void **state)
{
    static const char *const names[] = { "batch", "rate", "epochs", "clip" };
    static const struct {
        const char *word, *want;
    } cases[] = {
        { "bacth", "batch" }, { "Rate", "rate" }, { "RATE", "rate" }, { "epoch", "epochs" }, { "clipp", "clip" },
        { "momentum", NULL }, { "", NULL },       { "x", NULL },      { "rates", "rate" }, { "cat", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = wm_nearest(cases[i].word, names, 4);

        assert_case(cases[i].word, (got == NULL) == (cases[i].want == NULL));
        assert_case(cases[i].word, got == NULL || strcmp(got, cases[i].want) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_whole_numbers_to_the_last_digit),
        cmocka_unit_test(test_duration_words),
        cmocka_unit_test(test_the_nearest_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
