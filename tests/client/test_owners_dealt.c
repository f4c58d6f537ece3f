/* tests/client/test_owners_dealt.c
 *
 * Owners that examples are dealt to, by the job's seed: each example once, and to a gateway what the simulation deals it. */
#include "tests/client/label_job.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dealing_gives_every_example_once_and_repeats_by_seed),
        cmocka_unit_test(a_client_of_two_shards_knows_few_labels),
        cmocka_unit_test(a_gateway_is_dealt_what_the_simulation_deals_it),
        cmocka_unit_test(what_cannot_be_dealt_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
