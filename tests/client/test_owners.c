/* tests/client/test_owners.c
 *
 * Who gets which examples: owners in the data, owners that are dealt to, names, and what a gateway may refuse. */
#include "tests/client/data_job.h"

#include "client/examples_make.h"
#include "client/owner_names.h"
#include "client/readings.h"

enum { ROWS = 600, CLASSES = 5 };

/* Rows "id,label,x": the id is the row, so that who has which can be read back from a batch. */
typedef struct label_job {
    wm_job        job;
    wm_job_column column;
    wm_job_input  input;
    wm_job_target target;
} label_job;

static void label_init(label_job *label)
{
    static const char *const names[] = { "id" };

    memset(label, 0, sizeof *label);
    label->column = (wm_job_column){ .name = "id", .scale = WM_SCALE_NONE };
    label->input = (wm_job_input){ .name = "in", .kind = WM_INPUT_WINDOW, .length = 1, .columns = { names, 1 } };
    label->target = (wm_job_target){ .name = "class", .column = "label", .classes = CLASSES };
    label->job.seed = 11;
    label->job.data = (wm_job_data){ .columns = &label->column,
                                     .n_columns = 1,
                                     .inputs = &label->input,
                                     .n_inputs = 1,
                                     .targets = &label->target,
                                     .n_targets = 1,
                                     .split = { .kind = WM_SPLIT_RANDOM, .train = 0.8, .test = 0.2 } };
}

static void write_labels(const char *folder)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_add(&text, "id,label,who\n");
    for (int i = 0; i < ROWS; i++)
        wm_text_printf(&text, "%d,%d,Gate %c\n", i, i * 7 % CLASSES, 'C' - i % 3);
    test_write(folder, "rows.csv", wm_text_chars(&text), text.size);
    wm_text_release(&text);
}

/* A division by rule `name`: the owners, which the caller frees. `only`, `clients`, `allowed` as in the settings. */
static wm_status divide(const wm_job *job, const char *name, const void *options, const wm_owners_settings *more,
                        wm_owners **ret, wm_error *err)
{
    wm_csv_options csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice source = test_choice(&wm_sources, "csv", &csv), owner = test_choice(&wm_owner_rules, name, options);
    wm_owners_settings settings = *more;
    char               folder[4096];
    wm_status          st;

    settings.folder = wm_test_folder(folder);
    settings.source = &source;
    settings.owner = &owner;
    write_labels(folder);
    st = wm_owners_open(job, &settings, ret, err);
    wm_folder_remove(folder, NULL);
    return st;
}

/* owner_of[row] <- who has it, in which part; asserts that each row has one owner. */
static void who_has_what(wm_owners *owners, const wm_job *job, int owner_of[ROWS], int part_of[ROWS], int *labels)
{
    wm_batch_room *room;
    wm_error       err;

    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    for (int i = 0; i < ROWS; i++)
        owner_of[i] = -1;
    for (size_t k = 0; k < wm_owners_count(owners); k++) {
        wm_examples *examples = wm_owners_examples(owners, k);

        assert_ok(wm_examples_scale(examples, NULL, &err), &err);
        for (int p = 0; p < WM_PARTS; p++) {
            for (uint32_t i = 0; i < wm_examples_count(examples, (wm_part)p); i++) {
                wm_batch batch;
                int      row;

                wm_examples_gather(examples, (wm_part)p, &i, 1, room, &batch);
                row = (int)batch.inputs[0][0];
                assert_in_range(row, 0, ROWS - 1);
                assert_int_equal(owner_of[row], -1);
                owner_of[row] = (int)k;
                part_of[row] = p;
                labels[row] = batch.classes[0][0];
                assert_int_equal(labels[row], row * 7 % CLASSES);
            }
        }
    }
    wm_batch_room_free(room);
    for (int i = 0; i < ROWS; i++)
        assert_int_not_equal(owner_of[i], -1);
}

static void dealing_gives_every_example_once_and_repeats_by_seed(void **state)
{
    static const struct {
        int64_t clients;
    } iid = { 12 };
    static const struct {
        int64_t clients, per_client;
    } shards = { 12, 2 };
    static const struct {
        double  alpha;
        int64_t clients;
    } dirichlet = { 0.3, 12 };
    static const struct {
        const char *name;
        const void *options;
    } cases[] = { { "iid", &iid }, { "shards", &shards }, { "dirichlet", &dirichlet } };
    static const wm_owners_settings plain = { 0 };

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        int        owner_of[ROWS], again_of[ROWS], other_of[ROWS], part[ROWS], labels[ROWS];
        label_job  label;
        wm_owners *owners, *again, *other;
        wm_error   err;

        label_init(&label);
        assert_ok(divide(&label.job, cases[c].name, cases[c].options, &plain, &owners, &err), &err);
        assert_ok(divide(&label.job, cases[c].name, cases[c].options, &plain, &again, &err), &err);
        assert_case(cases[c].name, wm_owners_count(owners) == 12);
        assert_string_equal(wm_owners_name(owners, 0), "client-000");
        assert_string_equal(wm_owners_name(owners, 11), "client-011");
        who_has_what(owners, &label.job, owner_of, part, labels);
        who_has_what(again, &label.job, again_of, part, labels);
        assert_memory_equal(owner_of, again_of, sizeof owner_of);
        for (size_t k = 0; k < 12; k++) /* held out: 120 of 600, ten each whatever the rule */
            assert_int_equal(wm_examples_count(wm_owners_examples(owners, k), WM_TEST), 10);
        label.job.seed = 12;
        assert_ok(divide(&label.job, cases[c].name, cases[c].options, &plain, &other, &err), &err);
        who_has_what(other, &label.job, other_of, part, labels);
        assert_case(cases[c].name, memcmp(owner_of, other_of, sizeof owner_of) != 0);
        wm_owners_free(owners);
        wm_owners_free(again);
        wm_owners_free(other);
    }
}

static int labels_of(const int owner_of[ROWS], const int part_of[ROWS], const int labels[ROWS], int client)
{
    unsigned seen = 0;

    for (int i = 0; i < ROWS; i++)
        if (owner_of[i] == client && part_of[i] == WM_TRAIN)
            seen |= 1u << labels[i];
    return __builtin_popcount(seen);
}

/* 480 training rows in 30 shards of 16; a class has about 96, so a shard has one label, or two at a border. */
static void a_client_of_two_shards_knows_few_labels(void **state)
{
    static const struct {
        int64_t clients, per_client;
    } shards = { 15, 2 };
    static const wm_owners_settings plain = { 0 };
    int                             owner_of[ROWS], part[ROWS], labels[ROWS], total = 0;
    label_job                       label;
    wm_owners                      *owners;
    wm_error                        err;

    (void)state;
    label_init(&label);
    assert_ok(divide(&label.job, "shards", &shards, &plain, &owners, &err), &err);
    who_has_what(owners, &label.job, owner_of, part, labels);
    for (int k = 0; k < 15; k++) {
        assert_int_equal(wm_owners_train_count(owners, (size_t)k), 32);
        assert_in_range(labels_of(owner_of, part, labels, k), 1, 4);
        total += labels_of(owner_of, part, labels, k);
    }
    assert_in_range(total, 15, 34); /* 30 shards and at most 4 borders */
    wm_owners_free(owners);
}

static void owners_in_the_data_are_named_and_ordered(void **state)
{
    static const char *const        column = "who";
    static const wm_owners_settings plain = { 0 }, two = { .clients = 2 }, only = { .only = "gate-b" },
                                    nobody = { .only = "gate-x" };
    int          owner_of[ROWS], part[ROWS], labels[ROWS];
    label_job    label;
    wm_owners   *owners;
    wm_examples *pooled, *again;
    wm_error     err;

    (void)state;
    label_init(&label);
    assert_ok(divide(&label.job, "column", &column, &plain, &owners, &err), &err);
    assert_int_equal(wm_owners_count(owners), 3);
    assert_string_equal(wm_owners_name(owners, 0), "gate-a");
    assert_string_equal(wm_owners_name(owners, 2), "gate-c");
    who_has_what(owners, &label.job, owner_of, part, labels);
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(owner_of[i], 2 - i % 3);
    assert_ok(wm_owners_pooled(owners, &pooled, &err), &err);
    assert_ok(wm_owners_pooled(owners, &again, &err), &err);
    assert_ptr_equal(pooled, again);
    assert_int_equal(wm_examples_count(pooled, WM_TRAIN), 480);
    wm_owners_free(owners);

    assert_ok(divide(&label.job, "column", &column, &two, &owners, &err), &err);
    assert_int_equal(wm_owners_count(owners), 2);
    wm_owners_free(owners);
    assert_ok(divide(&label.job, "column", &column, &only, &owners, &err), &err);
    assert_int_equal(wm_owners_count(owners), 1);
    assert_string_equal(wm_owners_name(owners, 0), "gate-b");
    assert_int_equal(wm_owners_train_count(owners, 0), 160);
    wm_owners_free(owners);
    assert_int_equal(divide(&label.job, "column", &column, &nobody, &owners, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "gate-x"));
}

/* The pooled view is the owners' examples, one owner's after the other's. */
static void pooling_changes_no_example(void **state)
{
    static const char *const        column = "who";
    static const wm_owners_settings plain = { 0 };
    label_job                       label;
    wm_owners                      *owners;
    wm_examples                    *pooled;
    wm_batch_room                  *room_a, *room_b;
    wm_error                        err;
    uint32_t                        at = 0;

    (void)state;
    label_init(&label);
    assert_ok(divide(&label.job, "column", &column, &plain, &owners, &err), &err);
    assert_ok(wm_owners_pooled(owners, &pooled, &err), &err);
    assert_ok(wm_examples_scale(pooled, NULL, &err), &err);
    assert_ok(wm_batch_room_new(&label.job, 1, &room_a, &err), &err);
    assert_ok(wm_batch_room_new(&label.job, 1, &room_b, &err), &err);
    for (size_t k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < wm_owners_train_count(owners, k); i++, at++) {
            wm_batch a, b;

            wm_examples_gather(wm_owners_examples(owners, k), WM_TRAIN, &i, 1, room_a, &a);
            wm_examples_gather(pooled, WM_TRAIN, &at, 1, room_b, &b);
            assert_true(a.inputs[0][0] == b.inputs[0][0] && a.classes[0][0] == b.classes[0][0]);
        }
    }
    assert_int_equal(at, wm_examples_count(pooled, WM_TRAIN));
    wm_batch_room_free(room_a);
    wm_batch_room_free(room_b);
    wm_owners_free(owners);
}

static void divisions_that_cannot_be_are_refused(void **state)
{
    static const struct {
        int64_t clients, per_client;
    } many = { 300, 2 };
    static const struct {
        int64_t clients;
    } iid = { 4 };
    static const char *const column = "who", *const absent = "whom";
    const wm_words     id = WORDS("id"), both = WORDS("id", "label");
    wm_owners_settings plain = { 0 };
    label_job          label;
    wm_owners         *owners = NULL;
    wm_error           err;

    (void)state;
    label_init(&label);
    assert_int_equal(divide(&label.job, "shards", &many, &plain, &owners, &err), WM_E_INVALID);
    assert_int_equal(divide(&label.job, "column", &absent, &plain, &owners, &err), WM_E_MISSING);
    plain.allowed = &id;
    assert_int_equal(divide(&label.job, "column", &column, &plain, &owners, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "the column label"));
    plain.allowed = &both;
    assert_ok(divide(&label.job, "column", &column, &plain, &owners, &err), &err);
    wm_owners_free(owners);
    owners = NULL;
    plain = (wm_owners_settings){ 0 };
    label.target.classes = 0;
    assert_int_equal(divide(&label.job, "shards", &many, &plain, &owners, &err), WM_E_INVALID);
    assert_ok(divide(&label.job, "iid", &iid, &plain, &owners, &err), &err);
    wm_owners_free(owners);
    owners = NULL;
    label.job.data.split = (wm_job_split){ .kind = WM_SPLIT_OWNERS, .owners = WORDS("Gate A", "Gate Z") };
    assert_int_equal(divide(&label.job, "column", &column, &plain, &owners, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "Gate Z"));
    label.job.data.split.owners.count = 1;
    assert_ok(divide(&label.job, "column", &column, &plain, &owners, &err), &err);
    assert_int_equal(wm_owners_train_count(owners, 0), 0); /* gate-a is left out whole */
    assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), WM_TEST), 200);
    assert_int_equal(wm_owners_train_count(owners, 1), 200);
    wm_owners_free(owners);
}

/* ids[..] <- the rows of owner k, part by part; how many. */
static size_t rows_of(wm_owners *owners, const wm_job *job, size_t k, int ids[ROWS])
{
    wm_examples   *examples = wm_owners_examples(owners, k);
    wm_batch_room *room;
    size_t         n = 0;
    wm_error       err;

    assert_ok(wm_batch_room_new(job, 1, &room, &err), &err);
    assert_ok(wm_examples_scale(examples, NULL, &err), &err);
    for (int p = 0; p < WM_PARTS; p++)
        for (uint32_t i = 0; i < wm_examples_count(examples, (wm_part)p); i++) {
            wm_batch batch;

            wm_examples_gather(examples, (wm_part)p, &i, 1, room, &batch);
            assert_true(n < ROWS);
            ids[n++] = (int)batch.inputs[0][0];
        }
    wm_batch_room_free(room);
    return n;
}

static void a_gateway_is_dealt_what_the_simulation_deals_it(void **state)
{
    static const struct {
        int64_t clients;
    } iid = { 12 };
    static const wm_owners_settings plain = { 0 }, fifth = { .only = "client-005" },
                                    nobody = { .only = "client-012" };
    int        all_rows[ROWS], own_rows[ROWS];
    label_job  label;
    wm_owners *all, *own;
    size_t     n;
    wm_error   err;

    (void)state;
    label_init(&label);
    assert_ok(divide(&label.job, "iid", &iid, &plain, &all, &err), &err);
    assert_ok(divide(&label.job, "iid", &iid, &fifth, &own, &err), &err);
    assert_int_equal(wm_owners_count(own), 1);
    assert_string_equal(wm_owners_name(own, 0), "client-005");
    n = rows_of(all, &label.job, 5, all_rows);
    assert_int_equal(rows_of(own, &label.job, 0, own_rows), n);
    assert_memory_equal(own_rows, all_rows, n * sizeof *own_rows);
    wm_owners_free(all);
    wm_owners_free(own);
    assert_int_equal(divide(&label.job, "iid", &iid, &nobody, &own, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "client-012"));
}

static const struct {
    const char *says, *rule;
    int64_t     clients; /* of iid */
    size_t      wished;  /* of the settings; 0: as the rule says */
    const char *held_out;
    wm_status   want;
    const char *sentence;
} not_to_be_dealt[] = {
    { "more clients than training examples", "iid", 481, 0, NULL, WM_E_INVALID,
      "480 training examples cannot be dealt to 481 clients" },
    { "more clients than there may be", "iid", 4, SIZE_MAX, NULL, WM_E_INVALID, "examples can be dealt to 1 to" },
    { "an owner held out whom the deal makes", "iid", 4, 0, "client-001", WM_E_INVALID,
      "owners that are dealt to cannot be held out" },
    { "an owner held out with a name that is none", "column", 0, 0, "---", WM_E_MISSING, "there is no owner ---" },
};

static void what_cannot_be_dealt_is_refused_by_name(void **state)
{
    static const char *const column = "who";

    (void)state;
    for (size_t i = 0; i < sizeof not_to_be_dealt / sizeof *not_to_be_dealt; i++) {
        const struct {
            int64_t clients;
        } iid = { not_to_be_dealt[i].clients };
        const char *const  held_out[] = { not_to_be_dealt[i].held_out };
        const bool         dealt = strcmp(not_to_be_dealt[i].rule, "iid") == 0;
        wm_owners_settings settings = { .clients = not_to_be_dealt[i].wished };
        label_job          label;
        wm_owners         *owners = NULL;
        wm_error           err;

        label_init(&label);
        if (held_out[0] != NULL)
            label.job.data.split = (wm_job_split){ .kind = WM_SPLIT_OWNERS, .owners = { held_out, 1 } };
        assert_case(not_to_be_dealt[i].says,
                    divide(&label.job, not_to_be_dealt[i].rule, dealt ? (const void *)&iid : (const void *)&column,
                           &settings, &owners, &err) == not_to_be_dealt[i].want);
        assert_case(not_to_be_dealt[i].says, strstr(err.text, not_to_be_dealt[i].sentence) != NULL);
        assert_null(owners);
    }
}

static void rows_that_are_all_useless_are_refused_with_the_first_reason(void **state)
{
    static const char        file[] = "id,label,who\n1,1,\n2,1,NA\n";
    static const char *const column = "who";
    wm_csv_options           csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice                source = test_choice(&wm_sources, "csv", &csv), none = { 0 },
              owner = test_choice(&wm_owner_rules, "column", &column);
    char               folder[4096];
    wm_owners_settings settings = { .folder = wm_test_folder(folder), .source = &none, .owner = &owner };
    label_job          label;
    wm_owners         *owners;
    wm_error           err;

    (void)state;
    label_init(&label);
    assert_int_equal(wm_owners_open(&label.job, &settings, &owners, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "data.source is not given"));
    settings.source = &source;
    test_write(folder, "rows.csv", file, sizeof file - 1);
    assert_int_equal(wm_owners_open(&label.job, &settings, &owners, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "none of the 2 rows can be used: rows.csv:2: column who"));
    wm_folder_remove(folder, NULL);
}

static void names_are_made_fit_and_parts_taken(void **state)
{
    static const struct {
        const char *text, *want;
    } names[] = {
        { "Aotizhongxin", "aotizhongxin" },
        { "Gate 7/B", "gate-7-b" },
        { "  x__y  ", "x-y" },
        { "O143291001", "o143291001" },
        { "M\xc3\xbcnchen", "m-nchen" },
        { "---", NULL },
        { "", NULL },
    };
    static const struct {
        const char *pattern, *file, *want;
    } parts[] = {
        { NULL, "north.csv.gz", "north" },
        { NULL, "north", "north" },
        { "PRSA_Data_{}_*", "PRSA_Data_Dongsi_20130301-20170228.csv.gz", "Dongsi" },
        { "{}_*.csv", "north_2020_1.csv", "north" },
        { "*_{}.csv", "2020_north.csv", "north" },
        { "x_{}.csv", "north.csv", NULL },
        { "x_{}.csv", "x_.csv", NULL },
    };
    char long_name[200], name[WM_OWNER_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool good = wm_owner_name(names[i].text, strlen(names[i].text), name);

        assert_case(names[i].text, good == (names[i].want != NULL));
        assert_case(names[i].text, !good || strcmp(name, names[i].want) == 0);
    }
    memset(long_name, 'a', sizeof long_name);
    assert_true(wm_owner_name(long_name, sizeof long_name, name));
    assert_int_equal(strlen(name), 63);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *begin;
        size_t      n;
        bool        good = wm_file_part(parts[i].pattern, parts[i].file, &begin, &n);

        assert_case(parts[i].file, good == (parts[i].want != NULL));
        assert_case(parts[i].file, !good || (strlen(parts[i].want) == n && memcmp(begin, parts[i].want, n) == 0));
    }
}

static void two_owners_of_one_name_are_refused(void **state)
{
    static const char *const column = "who";
    wm_csv_options           csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice                source = test_choice(&wm_sources, "csv", &csv),
              owner = test_choice(&wm_owner_rules, "column", &column);
    static const char  file[] = "id,label,who\n1,1,Gate A\n2,1,gate_a\n";
    char               folder[4096];
    wm_owners_settings settings = { .folder = wm_test_folder(folder), .source = &source, .owner = &owner };
    label_job          label;
    wm_owners         *owners;
    wm_error           err;

    (void)state;
    label_init(&label);
    test_write(folder, "rows.csv", file, sizeof file - 1);
    assert_int_equal(wm_owners_open(&label.job, &settings, &owners, &err), WM_E_MALFORMED);
    assert_non_null(
        strstr(err.text, "rows.csv:3: the owners \"Gate A\" and \"gate_a\" would both be named gate-a"));
    wm_folder_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dealing_gives_every_example_once_and_repeats_by_seed),
        cmocka_unit_test(a_client_of_two_shards_knows_few_labels),
        cmocka_unit_test(owners_in_the_data_are_named_and_ordered),
        cmocka_unit_test(pooling_changes_no_example),
        cmocka_unit_test(divisions_that_cannot_be_are_refused),
        cmocka_unit_test(a_gateway_is_dealt_what_the_simulation_deals_it),
        cmocka_unit_test(what_cannot_be_dealt_is_refused_by_name),
        cmocka_unit_test(rows_that_are_all_useless_are_refused_with_the_first_reason),
        cmocka_unit_test(names_are_made_fit_and_parts_taken),
        cmocka_unit_test(two_owners_of_one_name_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
