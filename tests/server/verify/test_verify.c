/* tests/server/verify/test_verify.c
 *
 * The history checker: what holds is said to hold, each file is held against its name, and nothing is changed. */
#include "tests/server/verify/history.h"

#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

static void a_history_that_holds_is_said_to_hold_and_what_was_let_go_is_named(void **state)
{
    history *h = *state;

    history_verify(h);
    assert_holds(h, "an office as it was left");
    assert_int_equal(h->result.runs, 1);
    assert_int_equal(h->result.rounds, HISTORY_ROUNDS);
    assert_int_equal(h->result.updates, HISTORY_ROUNDS * 3);
    assert_int_equal(h->result.recomputed, HISTORY_KEEP);
    assert_int_equal(h->result.let_go, HISTORY_ROUNDS - HISTORY_KEEP);
    assert_int_equal(h->result.notes, 1);
    assert_non_null(strstr(wm_text_chars(&h->said),
                           "rounds 1 to 3 were not computed again: the job keeps the files "
                           "of its newest 3 rounds"));
}

static void a_history_that_was_only_forged_anew_still_holds(void **state)
{
    history *h = *state;

    history_forge(h); /* else the cases below would find what the forging does */
    history_verify(h);
    assert_holds(h, "the same lines, linked again");
}

static void a_run_from_before_sums_of_statistics_were_kept_holds_and_says_so(void **state)
{
    history *h = *state;

    history_sql(h,
                "UPDATE runs SET statistics = NULL;"
                "UPDATE audit SET detail = substr(detail, 1, instr(detail, ' sums=') - 1) WHERE what = 'scaled'");
    history_forge(h);
    history_verify(h);
    assert_holds(h, "an older run");
    assert_non_null(
        strstr(wm_text_chars(&h->said),
               "its scaling was not computed again: it was made before the sums of statistics were kept"));
}

/* Names and times of all files, and the database's bytes. */
static char *look_of(const history *h)
{
    wm_text     text = WM_TEXT_INIT;
    char      **names;
    size_t      n;
    struct stat info;
    wm_error    err;

    assert_ok(wm_folder_names(h->folder, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char *path = history_path(h, names[i]);

        assert_int_equal(stat(path, &info), 0);
        wm_text_printf(&text, "%s %lld %ld.%09ld\n", names[i], (long long)info.st_size, (long)info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
        free(path);
    }
    wm_names_free(names, n);
    return text.chars;
}

static void nothing_in_the_folder_is_changed(void **state)
{
    history *h = *state;
    char    *before = look_of(h), *after;

    history_verify(h);
    after = look_of(h);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void a_store_that_is_open_is_verified_through_its_handle_or_a_snapshot(void **state)
{
    history           *h = *state;
    wm_store          *store;
    wm_verify_result   result;
    wm_verify_settings set = { .files = wm_files_system(), .folder = h->folder };
    char              *snapshot;
    wm_error           err;

    assert_ok(wm_store_open(wm_files_system(), h->folder, wm_clock_system(), &store, &err), &err);
    assert_int_equal(wm_verify(&set, &result, &err), WM_E_REFUSED);
    assert_ok(wm_verify_store(store, &set, &result, &err), &err);
    assert_int_equal(result.violations, 0);
    assert_int_equal(result.recomputed, HISTORY_KEEP);
    assert_ok(wm_store_snapshot(store, &snapshot, &err), &err);
    set.folder = snapshot;
    set.office = h->folder;
    assert_ok(wm_verify(&set, &result, &err), &err);
    assert_int_equal(result.violations, 0);
    assert_int_equal(result.recomputed, HISTORY_KEEP);
    wm_store_close(store);
    assert_ok(wm_store_open(wm_files_system(), h->folder, wm_clock_system(), &store, &err), &err);
    assert_false(wm_files_system()->exists(wm_files_system(), snapshot)); /* nobody reads it any more */
    wm_store_close(store);
    free(snapshot);
}

static void a_folder_without_a_store_is_said_to_be_none(void **state)
{
    wm_verify_settings set = { .files = wm_files_system(), .folder = "/nowhere" };
    wm_verify_result   result;
    wm_error           err;

    (void)state;
    assert_int_equal(wm_verify(&set, &result, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "neither an office nor a backup"));
}

/* A file of the office: changed, cut, or taken away. */
static void try_file(history *h, const char *name, const char *damaged, const char *missing)
{
    char    *path = history_path(h, name);
    uint8_t *bytes, *bad;
    size_t   n;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, FILE_MAX, &bytes, &n, &err), &err);
    bad = malloc(n + 1);
    assert_non_null(bad);
    memcpy(bad, bytes, n);
    bad[n] = 0;
    bad[n - 1] ^= 1;
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n, 0600, &err), &err);
    history_verify(h);
    assert_said(h, name, damaged);
    assert_non_null(strstr(wm_text_chars(&h->said), name));
    assert_int_equal(h->result.violations, 1); /* it is said once, whoever needs the file */
    bad[n - 1] ^= 1;
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n - 1, 0600, &err), &err);
    history_verify(h);
    assert_case(name, h->result.violations == 1);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n + 1, 0600, &err), &err);
    history_verify(h);
    assert_case(name, h->result.violations == 1);
    assert_int_equal(unlink(path), 0);
    history_verify(h);
    if (missing != NULL)
        assert_said(h, name, missing);
    else
        assert_holds(h, name);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bytes, n, 0600, &err), &err);
    free(bad);
    free(bytes);
    free(path);
}

static void every_file_is_held_against_its_name(void **state)
{
    history *h = *state;
    char   **names, *blobs = history_path(h, "blobs"), name[128];
    size_t   n;
    wm_error err;

    assert_ok(wm_folder_names(blobs, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "blobs/%s", names[i]);
        try_file(h, name, "is damaged: its bytes are not those that its name promises", "is missing");
    }
    assert_int_equal(n, (HISTORY_KEEP + 1) + HISTORY_KEEP + 1 + 1); /* models, sums, the scaling and its sums */
    snprintf(name, sizeof name, "runs/%s/model.safetensors", h->run);
    try_file(h, name, "its parameters are not those whose SHA-256 it names", NULL);
    wm_names_free(names, n);
    history_verify(h);
    assert_holds(h, "the files put back");
    assert_ok(wm_folder_remove(blobs, &err), &err);
    history_verify(h);
    assert_int_equal(h->result.violations, n);
    assert_false(wm_files_system()->exists(wm_files_system(), blobs)); /* nor is it made */
    free(blobs);
}

static void a_run_folder_of_another_run_is_named(void **state)
{
    history *h = *state;

    history_sql(h, "UPDATE rounds SET model_after = CAST(zeroblob(31) || x'01' AS BLOB) WHERE round = 6"
                   ";UPDATE runs SET model = CAST(zeroblob(31) || x'01' AS BLOB)");
    history_verify(h);
    assert_said(h, "a model that the run never had", "model.safetensors: run");
    assert_said(h, "a model that the run never had", "it is no model of that run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_history_that_holds_is_said_to_hold_and_what_was_let_go_is_named),
        CASE(a_history_that_was_only_forged_anew_still_holds),
        CASE(a_run_from_before_sums_of_statistics_were_kept_holds_and_says_so),
        CASE(nothing_in_the_folder_is_changed),
        CASE(a_store_that_is_open_is_verified_through_its_handle_or_a_snapshot),
        CASE(a_folder_without_a_store_is_said_to_be_none),
        CASE(every_file_is_held_against_its_name),
        CASE(a_run_folder_of_another_run_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
