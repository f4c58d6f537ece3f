/* tests/server/store/test_store_blobs.c
 *
 * Which checkpoints are kept, and backups. */
#include "tests/dying.h"
#include "tests/server/store/fixture.h"

static size_t count_blobs(const fixture *f, const char *folder)
{
    char   **files, *path = inside(f, folder);
    size_t   n;
    wm_error err;

    assert_ok(wm_folder_names(path, &files, &n, &err), &err);
    wm_names_free(files, n);
    free(path);
    return n;
}

static void only_the_newest_checkpoints_are_kept_if_the_job_says_so(void **state)
{
    static const struct {
        const char *says;
        int64_t     keep;
        size_t      want; /* after ten rounds: models, sums and the scaling */
    } cases[] = {
        { "0 keeps everything", 0, 11 + 10 + 1 },
        { "1 keeps what the last round was made of and made", 1, 2 + 1 + 1 },
        { "3 keeps three rounds", 3, 4 + 3 + 1 },
        { "more than there are keeps all", 99, 11 + 10 + 1 },
    };
    fixture *f = *state;
    wm_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_run_record run = run_record(RUN, cases[i].keep);
        wm_standing   first = standing_at(f->store, WM_PHASE_NONE, 0);

        assert_ok(wm_store_ledger(f->store)->start(wm_store_ledger(f->store), &run, &first, &err), &err);
        for (uint32_t round = 1; round <= 10; round++)
            assert_ok(commit_of(f->store, RUN, round, &err), &err);
        assert_case(cases[i].says, count_blobs(f, "blobs") == cases[i].want);
        reopen(f);
        assert_case(cases[i].says, count_blobs(f, "blobs") == cases[i].want);
        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_folder_remove(f->folder, &err), &err);
        assert_ok(try_open(f, &err), &err);
    }
}

static void a_kept_round_holds_the_state_before_it_too(void **state)
{
    fixture      *f = *state;
    wm_run_record run = run_record(RUN, 1);
    wm_standing   standing = standing_at(f->store, WM_PHASE_NONE, 0);
    wm_ledger    *ledger = wm_store_ledger(f->store);
    wm_digest     states[5];
    wm_error      err;

    assert_ok(ledger->start(ledger, &run, &standing, &err), &err);
    for (uint32_t round = 1; round <= 4; round++) {
        wm_contribution contributions[3];
        wm_round_record record = round_record(f->store, round, contributions);

        states[round] = record.server_state = blob_of(f->store, "state", round);
        standing = standing_at(f->store, WM_PHASE_EVALUATE, round);
        standing.server_state = record.server_state;
        assert_ok(ledger->commit(ledger, RUN, &standing, &record, &err), &err);
    }
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &states[4]));
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &states[3])); /* round 4 is computed from it */
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &states[2]));
}

static void a_checkpoint_that_another_run_stands_on_stays(void **state)
{
    fixture      *f = *state;
    wm_error      err;
    wm_run_record one = run_record(RUN, 1), two = run_record(OTHER, 1);
    wm_standing   first = standing_at(f->store, WM_PHASE_NONE, 0);
    wm_ledger    *ledger = wm_store_ledger(f->store);
    wm_digest     start = first.model;

    assert_ok(ledger->start(ledger, &one, &first, &err), &err);
    assert_ok(ledger->start(ledger, &two, &first, &err), &err);
    for (uint32_t round = 1; round <= 4; round++)
        assert_ok(commit_of(f->store, RUN, round, &err), &err);
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &start)); /* the second run still begins there */
    for (uint32_t round = 1; round <= 4; round++)
        assert_ok(commit_of(f->store, OTHER, round, &err), &err);
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &start));
}

static void what_nothing_names_is_swept_at_the_next_opening(void **state)
{
    fixture  *f = *state;
    wm_digest orphan, job;
    wm_error  err;

    perform(f, 6);
    orphan = put(f->store, "sums of a round that never was committed");
    job = put(f->store, "job: air\nseed: 18446744073709551615\n");
    reopen(f);
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &orphan));
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &job)); /* the run's own text, which clients fetch */
    assert_ok(wm_store_audit_verify(f->store, NULL, &err), &err);
}

/* ---- backup ---- */

static void a_backup_is_the_store_as_it_was(void **state)
{
    fixture *f = *state;
    fixture  copy = { .now = f->now };
    wm_error err;
    char    *to = inside(f, "backup"), *before, *after;

    perform(f, 7);
    before = everything(f->store);
    assert_ok(wm_store_backup(f->store, to, &err), &err);
    assert_int_equal(wm_store_backup(f->store, to, &err), WM_E_EXISTS);
    assert_ok(do_close(f->store, &err), &err); /* the store goes on, the copy stays */
    snprintf(copy.folder, sizeof copy.folder, "%s", to);
    assert_ok(try_open(&copy, &err), &err);
    after = everything(copy.store);
    assert_string_equal(before, after);
    assert_int_equal(count_blobs(f, "backup/blobs"), 5); /* two models, sums, scaling and its sums */
    assert_ok(do_close(copy.store, &err), &err);
    wm_store_close(copy.store);
    free(before);
    free(after);
    free(to);
}

static void a_backup_of_a_store_with_a_damaged_checkpoint_is_refused_by_name(void **state)
{
    fixture  *f = *state;
    wm_error  err;
    wm_digest model;
    char     *to = inside(f, "backup"), *blobs = inside(f, "blobs"), *path, text[WM_DIGEST_TEXT], *done;

    perform(f, 7);
    model = blob_of(f->store, "model", 1);
    path = wm_path_join(blobs, wm_digest_text(&model, text));
    assert_ok(wm_files_system()->append(wm_files_system(), path, "x", 1, &err), &err);
    assert_int_equal(wm_store_backup(f->store, to, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, text));
    done = wm_path_join(to, "store.db");
    assert_false(wm_files_system()->exists(wm_files_system(), done));
    free(done);
    free(path);
    free(blobs);
    free(to);
}

static void a_backup_cut_off_is_done_again(void **state)
{
#ifdef WM_CRASH_POINTS
    fixture *f = *state;
    wm_error err;
    char    *to = inside(f, "backup");
    pid_t    child;

    perform(f, 7);
    wm_store_close(f->store);
    f->store = NULL;
    child = fork_to_die_at("store-backup-before");
    if (child == 0) {
        if (try_open(f, NULL) == WM_OK)
            (void)wm_store_backup(f->store, to, NULL);
        _exit(0);
    }
    assert_true(was_killed(child));
    assert_ok(try_open(f, &err), &err);
    assert_ok(wm_store_backup(f->store, to, &err), &err);
    free(to);
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(only_the_newest_checkpoints_are_kept_if_the_job_says_so),
        CASE(a_kept_round_holds_the_state_before_it_too),
        CASE(a_checkpoint_that_another_run_stands_on_stays),
        CASE(what_nothing_names_is_swept_at_the_next_opening),
        CASE(a_backup_is_the_store_as_it_was),
        CASE(a_backup_of_a_store_with_a_damaged_checkpoint_is_refused_by_name),
        CASE(a_backup_cut_off_is_done_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
