/* tests/server/report/test_report_files.c: what a run leaves in its folder, but for the page. */
#include "tests/server/report/fixture.h"

#include "models/safetensors.h"
#include "server/report/csv.h"

#include <jansson.h>
#include <math.h>
#include <unistd.h>

/* ---- csv ---- */

static void a_line_of_rounds_csv_is_what_it_is(void **state)
{
    static const struct {
        const char      *says;
        wm_history_round round;
        const char      *want;
    } cases[] = {
        { "an evaluated round",
          { .round = 3,
            .selected = 12,
            .accepted = 10,
            .refused = 1,
            .late = 1,
            .seconds = 2.5,
            .train_loss = 0.125,
            .bytes_up = 1000,
            .bytes_down = UINT64_MAX,
            .evaluated = true,
            .evaluation = { .loss = 0.5, .metrics = { 61.25, 40 } } },
          "3,2.500,12,10,1,1,0.125,0.5,61.25,1000,18446744073709551615\n" },
        { "a round without an evaluation leaves its columns empty",
          { .round = 4,
            .selected = 4,
            .accepted = 4,
            .seconds = 0.0004,
            .train_loss = 1.0 / 3,
            .evaluation = { .loss = 9, .metrics = { 9 } } },
          "4,0.000,4,4,0,0,0.333333333,,,0,0\n" },
        { "what is not a number is empty",
          { .round = 5,
            .seconds = (double)NAN,
            .train_loss = (double)NAN,
            .evaluated = true,
            .evaluation = { .loss = (double)INFINITY, .metrics = { (double)NAN } } },
          "5,0.000,0,0,0,0,,,,0,0\n" },
    };

    (void)state;
    assert_string_equal(
        wm_rounds_csv_header,
        "round,seconds,selected,accepted,refused,late,train_loss,eval_loss,metric,bytes_up,bytes_down\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text text = WM_TEXT_INIT;

        wm_rounds_csv_row(&cases[i].round, &text);
        assert_case(cases[i].says, strcmp(wm_text_chars(&text), cases[i].want) == 0);
        wm_text_release(&text);
    }
}

static void a_text_in_csv_is_one_field_and_no_formula(void **state)
{
    static const struct {
        const char *says, *text, *want;
    } cases[] = {
        { "plain", "not finite", "not finite" },
        { "a comma", "a, b", "\"a, b\"" },
        { "quotes", "part \"delta\"", "\"part \"\"delta\"\"\"" },
        { "a line end would be another row", "a\nb\r\tc", "a?b??c" },
        { "a formula", "=HYPERLINK(1)", "'=HYPERLINK(1)" },
        { "another", "@SUM(A1,A2)", "\"'@SUM(A1,A2)\"" },
        { "not UTF-8", "a\xff\xc0", "a??" },
        { "UTF-8", "Zürich", "Zürich" },
        { "nothing", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_text text = WM_TEXT_INIT;

        wm_csv_text(&text, cases[i].text);
        assert_case(cases[i].says, strcmp(wm_text_chars(&text), cases[i].want) == 0);
        wm_text_release(&text);
    }
}

static void clients_csv_counts_each_round_once(void **state)
{
    static const char want[] = "client,selected,accepted,refused,late,declined,missed,examples,last_refusal\n"
                               "east,2,1,1,0,0,0,500,\"not finite, at 3\"\n"
                               "north,2,0,0,1,1,0,0,few rows\n"
                               "west,1,0,0,0,0,1,0,\n";
    char             *names[] = { "east", "north", "west" };
    fixture          *f = *state;
    wm_run_record     record = { .population = names, .n_population = 3 };
    wm_contribution   c[3] = { { .client = 0, .verdict = WM_VERDICT_ACCEPTED, .weight = 500 },
                               { .client = 1, .verdict = WM_VERDICT_NONE },
                               { .client = 2, .verdict = WM_VERDICT_NONE } };
    wm_round_record   round = { .round = 1, .contributions = c, .n_contributions = 3 };
    wm_history        history;
    wm_text           text = WM_TEXT_INIT;
    wm_error          err;
    bool              again;

    assert_ok(wm_history_init(&history, 3, &err), &err);
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    assert_false(again);
    c[1].verdict = WM_VERDICT_LATE; /* found out while the round was evaluated */
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    assert_true(again);
    round = (wm_round_record){ .round = 2, .contributions = c, .n_contributions = 2 };
    c[0] = (wm_contribution){ .client = 0, .verdict = WM_VERDICT_REFUSED, .reason = "not finite, at 3" };
    c[1] = (wm_contribution){ .client = 1, .verdict = WM_VERDICT_DECLINED, .reason = "few rows" };
    assert_ok(wm_history_add(&history, &round, &again, &err), &err);
    wm_clients_csv(f->job, &record, &history, NULL, &text);
    assert_string_equal(wm_text_chars(&text), want);
    assert_int_equal(history.n_rounds, 2);
    assert_int_equal(history.n_refusals, 2);
    wm_text_release(&text);
    wm_history_release(&history);
}

/* ---- the folder ---- */

static void rounds_csv_grows_with_every_round_and_the_pages_follow(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *text;

    start(f);
    folder = open_folder(f, f->out);
    text = file_of(f->out, "rounds.csv", NULL);
    assert_string_equal(text, wm_rounds_csv_header);
    free(text);
    text = file_of(f->out, "job.yaml", NULL);
    assert_string_equal(text, f->record.job_text);
    free(text);
    do_rounds(f, folder, 1, 4); /* 400 ms each: the third flushes */
    text = file_of(f->out, "rounds.csv", NULL);
    assert_int_equal(count_char(text, '\n'), 5);
    assert_non_null(strstr(text, "\n4,"));
    free(text);
    text = file_of(f->out, "summary.json", NULL);
    assert_non_null(strstr(text, "\"rounds\": 3,"));
    assert_non_null(strstr(text, "\"outcome\": \"running\""));
    free(text);
    finish(f, folder, 4);
    text = file_of(f->out, "summary.json", NULL);
    assert_non_null(strstr(text, "\"rounds\": 4,"));
    assert_non_null(strstr(text, "\"outcome\": \"done\""));
    free(text);
    wm_run_folder_free(folder);
}

static void summary_json_says_how_it_ended(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *text, digest[WM_DIGEST_TEXT];
    wm_digest      model;
    json_t        *json, *final;

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 5);
    finish(f, folder, 5);
    model = wm_params_digest(f->params, wm_model_n_params(f->model));
    text = file_of(f->out, "summary.json", NULL);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "run")), "ab0102030405060708090a0b0c0d0e0f");
    assert_string_equal(json_string_value(json_object_get(json, "outcome")), "done");
    assert_string_equal(json_string_value(json_object_get(json, "model_sha256")), wm_digest_text(&model, digest));
    assert_int_equal(json_integer_value(json_object_get(json, "rounds")), 5);
    assert_int_equal(json_integer_value(json_object_get(json, "rounds_planned")), 30);
    assert_true(json_real_value(json_object_get(json, "wall_seconds")) == 16.5);
    assert_int_equal(json_integer_value(json_object_get(json, "refused")), 1);
    final = json_object_get(json, "final");
    assert_true(json_real_value(json_object_get(json_object_get(final, "federated"), "rmse")) == 60.5);
    assert_true(json_is_null(json_object_get(json_object_get(final, "naive"), "loss")));
    assert_int_equal(json_object_size(json_object_get(json, "final_per_client")), N_STATIONS);
    json_decref(json);
    free(text);
    wm_run_folder_free(folder);
}

/* The server died when the run was over and its folder did not know; it is back an hour later. */
static void a_run_lasted_until_its_end_and_not_until_somebody_wrote_it_down(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    wm_standing    standing;
    wm_error       err;

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 5);
    finish(f, folder, 5);
    wm_run_folder_free(folder);
    f->now.wall_ms += 3600 * 1000;
    folder = open_folder(f, f->out); /* writes what the ledger has */
    for (int closed = 0; closed < 2; closed++) {
        char   *text = file_of(f->out, "summary.json", NULL);
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

        assert_true(json_real_value(json_object_get(json, "wall_seconds")) == 16.5);
        json_decref(json);
        free(text);
        assert_ok(wm_store_ledger(f->store)->load(wm_store_ledger(f->store), RUN, &standing, &err), &err);
        assert_ok(wm_run_folder_close(folder, &standing, NULL, &err), &err);
    }
    wm_run_folder_free(folder);
}

static void the_newest_model_lies_there_and_can_be_evaluated_alone(void **state)
{
    fixture       *f = *state;
    wm_run_folder *folder;
    float         *params = calloc(wm_model_n_params(f->model), sizeof *params);
    char          *path = wm_path_join(f->out, "model.safetensors"), *job;
    wm_error       err;

    assert_non_null(params);
    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 2);
    finish(f, folder, 2);
    assert_ok(wm_safetensors_read(wm_files_system(), path, f->model, params, &err), &err);
    assert_memory_equal(params, f->params, wm_model_n_params(f->model) * sizeof *params);
    assert_ok(wm_safetensors_metadata(wm_files_system(), path, "job", &job, &err), &err);
    assert_string_equal(job, f->record.job_text);
    free(job);
    wm_run_folder_free(folder);
    free(params);
    free(path);
}

static void a_run_that_was_interrupted_leaves_the_same_folder(void **state)
{
    static const char *const names[] = { "rounds.csv", "clients.csv",  "model.safetensors",
                                         "job.yaml",   "summary.json", "report.html" };
    fixture                 *f = *state;
    wm_run_folder           *folder;
    char                    *there = wm_path_join(f->folder, "undisturbed");
    wm_error                 err;
    char                    *half = wm_path_join(there, "rounds.csv");

    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 3);
    wm_run_folder_free(folder); /* as if killed: nothing was closed */
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 4, 6);
    finish(f, folder, 6);
    wm_run_folder_free(folder);

    /* The same run from its ledger, in one go, over what a torn write left. */
    assert_ok(wm_files_system()->make_folder(wm_files_system(), there, 0755, &err), &err);
    assert_ok(wm_files_system()->append(wm_files_system(), half, "round,sec", 9, &err), &err);
    folder = open_folder(f, there);
    {
        wm_final_record final;
        wm_standing     standing;

        assert_ok(wm_store_final(f->store, RUN, &final, &err), &err);
        assert_ok(wm_store_ledger(f->store)->load(wm_store_ledger(f->store), RUN, &standing, &err), &err);
        assert_ok(wm_run_folder_close(folder, &standing, &final, &err), &err);
        free(final.clients);
    }
    wm_run_folder_free(folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n_one, n_two;
        char  *one = file_of(f->out, names[i], &n_one), *two = file_of(there, names[i], &n_two);

        assert_case(names[i], n_one == n_two && memcmp(one, two, n_one) == 0);
        free(one);
        free(two);
    }
    free(there);
    free(half);
}

/* ---- a disk that fails now and then ---- */

typedef struct failing {
    wm_files files;
    bool     fails;
} failing;

static wm_status failing_append(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err)
{
    if (((const failing *)self->state)->fails) {
        (void)wm_files_system()->append(wm_files_system(), path, bytes, n / 2, NULL); /* a torn row */
        return wm_fail(err, WM_E_FULL, "cannot write %s: no space left", path);
    }
    return wm_files_system()->append(wm_files_system(), path, bytes, n, err);
}

static void a_row_that_was_torn_is_mended_by_the_next_round(void **state)
{
    fixture        *f = *state;
    failing         disk = { .files = *wm_files_system() };
    wm_run_folder  *folder;
    wm_contribution contributions[N_STATIONS];
    wm_error        err;
    char           *text;

    disk.files.append = failing_append;
    disk.files.state = &disk;
    start(f);
    folder = open_folder_on(&disk.files, f, f->out);
    for (uint32_t i = 1; i <= 3; i++) {
        wm_round_record round = round_of(f, i, contributions);

        commit(f, &round);
        disk.fails = i == 2;
        assert_int_equal(wm_run_folder_round(folder, &round, &err), i == 2 ? WM_E_FULL : WM_OK);
    }
    text = file_of(f->out, "rounds.csv", NULL);
    assert_int_equal(count_char(text, '\n'), 4);
    assert_non_null(strstr(text, "\n2,"));
    assert_non_null(strstr(text, "\n3,"));
    assert_int_equal(strncmp(text, wm_rounds_csv_header, strlen(wm_rounds_csv_header)), 0);
    free(text);
    wm_run_folder_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_rounds_csv_is_what_it_is),
        cmocka_unit_test(a_text_in_csv_is_one_field_and_no_formula),
        CASE(clients_csv_counts_each_round_once),
        CASE(rounds_csv_grows_with_every_round_and_the_pages_follow),
        CASE(summary_json_says_how_it_ended),
        CASE(a_run_lasted_until_its_end_and_not_until_somebody_wrote_it_down),
        CASE(the_newest_model_lies_there_and_can_be_evaluated_alone),
        CASE(a_run_that_was_interrupted_leaves_the_same_folder),
        CASE(a_row_that_was_torn_is_mended_by_the_next_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
