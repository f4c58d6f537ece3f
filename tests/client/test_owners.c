/* tests/client/test_owners.c
 *
 * Owners that the data name: their order, their names, their examples together, and what cannot be divided. Those that are
 * dealt to are in test_owners_dealt.c. */
#include "tests/client/label_job.h"

#include "client/owner_names.h"

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
        cmocka_unit_test(owners_in_the_data_are_named_and_ordered),
        cmocka_unit_test(pooling_changes_no_example),
        cmocka_unit_test(divisions_that_cannot_be_are_refused),
        cmocka_unit_test(rows_that_are_all_useless_are_refused_with_the_first_reason),
        cmocka_unit_test(names_are_made_fit_and_parts_taken),
        cmocka_unit_test(two_owners_of_one_name_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
