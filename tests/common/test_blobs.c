/* tests/common/test_blobs.c */
#include "tests/dying.h"
#include "tests/unit.h"

#include "common/blobs.h"

#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    char      folder[4096];
    wm_blobs *blobs;
} fixture;

static int open_blobs(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char    *path;
    wm_error err;

    assert_non_null(f);
    path = wm_path_join(wm_test_folder(f->folder), "blobs");
    assert_ok(wm_blobs_new(wm_files_system(), path, &f->blobs, &err), &err);
    free(path);
    *state = f;
    return 0;
}

static int close_blobs(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_blobs_free(f->blobs);
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    free(f);
    return 0;
}

static char *path_of(fixture *f, const wm_digest *name)
{
    char text[WM_DIGEST_TEXT], tail[128];

    snprintf(tail, sizeof tail, "blobs/%s", wm_digest_text(name, text));
    return wm_path_join(f->folder, tail);
}

/* The name is FIPS 180-4's digest of "abc". */
static void what_was_put_is_named_by_its_sha256_and_comes_back(void **state)
{
    fixture  *f = *state;
    wm_error  err;
    wm_digest name, want;
    uint8_t  *bytes;
    size_t    n;

    assert_ok(wm_blobs_put(f->blobs, "abc", 3, &name, &err), &err);
    assert_true(wm_digest_parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", &want));
    assert_true(wm_digest_equal(&name, &want));
    assert_true(wm_blobs_has(f->blobs, &name));
    assert_ok(wm_blobs_put(f->blobs, "abc", 3, NULL, &err), &err);
    assert_ok(wm_blobs_get(f->blobs, &name, 3, &bytes, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_memory_equal(bytes, "abc", 3);
    free(bytes);
    assert_ok(wm_blobs_put(f->blobs, "", 0, &name, &err), &err);
    assert_ok(wm_blobs_get(f->blobs, &name, 0, &bytes, &n, &err), &err);
    assert_int_equal(n, 0);
    free(bytes);
}

static bool range_is(fixture *f, const wm_digest *name, uint64_t offset, const char *want)
{
    char     bytes[16];
    size_t   got = 0;
    uint64_t total = 0;
    wm_error err;

    assert_ok(wm_blobs_get_range(f->blobs, name, offset, bytes, sizeof bytes, &got, &total, &err), &err);
    return got == strlen(want) && memcmp(bytes, want, got) == 0 && total == offset + got;
}

/* Though one of them stays open in between: in turn, after a file was put in its place, and after it was removed. */
static void ranges_are_those_of_the_file_that_has_the_name(void **state)
{
    fixture        *f = *state;
    const wm_files *files = wm_files_system();
    wm_error        err;
    wm_digest       one, two;
    char           *path;
    uint8_t         byte;
    size_t          got;
    uint64_t        total;

    assert_ok(wm_blobs_put(f->blobs, "first", 5, &one, &err), &err);
    assert_ok(wm_blobs_put(f->blobs, "second", 6, &two, &err), &err);
    for (int i = 0; i < 3; i++) {
        assert_true(range_is(f, &one, 1, "irst"));
        assert_true(range_is(f, &two, 0, "second") && range_is(f, &two, 6, ""));
    }
    path = path_of(f, &two);
    assert_ok(files->replace(files, path, "SECOND", 6, 0600, &err), &err); /* put back from a backup */
    assert_true(range_is(f, &two, 2, "COND"));
    assert_ok(wm_blobs_remove(f->blobs, &two, &err), &err);
    assert_int_equal(wm_blobs_get_range(f->blobs, &two, 0, &byte, 1, &got, &total, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, path));
    assert_true(range_is(f, &one, 0, "first"));
    free(path);
}

static void too_large_and_missing_are_said_so(void **state)
{
    fixture  *f = *state;
    wm_error  err;
    wm_digest name;
    uint8_t  *bytes = NULL;
    size_t    n = 77;

    assert_ok(wm_blobs_put(f->blobs, "abcd", 4, &name, &err), &err);
    assert_int_equal(wm_blobs_get(f->blobs, &name, 3, &bytes, &n, &err), WM_E_RANGE);
    assert_ok(wm_blobs_remove(f->blobs, &name, &err), &err);
    assert_false(wm_blobs_has(f->blobs, &name));
    assert_int_equal(wm_blobs_get(f->blobs, &name, 100, &bytes, &n, &err), WM_E_MISSING);
    assert_null(bytes);
    assert_int_equal(n, 77);
    assert_ok(wm_blobs_remove(f->blobs, &name, &err), &err);
}

static void every_flipped_byte_and_every_truncation_is_damage_named_by_its_file(void **state)
{
    fixture    *f = *state;
    wm_error    err;
    wm_digest   name;
    char        good[40], bad[40], *path;
    const char *base;
    uint8_t    *bytes = NULL;
    size_t      n;

    memset(good, 'x', sizeof good);
    assert_ok(wm_blobs_put(f->blobs, good, sizeof good, &name, &err), &err);
    path = path_of(f, &name);
    base = strrchr(path, '/') + 1;
    for (size_t i = 0; i < 2 * sizeof good; i++) {
        size_t left = i < sizeof good ? sizeof good : i - sizeof good;

        memcpy(bad, good, sizeof good);
        bad[i % sizeof good] ^= 1;
        assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, left, 0600, &err), &err);
        assert_int_equal(wm_blobs_get(f->blobs, &name, 100, &bytes, &n, &err), WM_E_DAMAGED);
        assert_non_null(strstr(err.text, base));
        assert_null(bytes);
    }
    free(path);
}

static bool is_it(void *context, const wm_digest *name)
{
    return wm_digest_equal(context, name);
}

static void a_sweep_leaves_what_is_kept_and_what_is_not_ours(void **state)
{
    const wm_files *files = wm_files_system();
    fixture        *f = *state;
    wm_error        err;
    wm_digest       kept, dropped;
    char           *leftover, *foreign, *path;

    assert_ok(wm_blobs_put(f->blobs, "kept", 4, &kept, &err), &err);
    assert_ok(wm_blobs_put(f->blobs, "dropped", 7, &dropped, &err), &err);
    path = path_of(f, &dropped);
    assert_true(asprintf(&leftover, "%s.new-a1B2c3", path) > 0);
    foreign = wm_path_join(f->folder, "blobs/README");
    assert_ok(files->replace(files, leftover, "half", 4, 0600, &err), &err);
    assert_ok(files->replace(files, foreign, "mine", 4, 0600, &err), &err);
    assert_ok(wm_blobs_sweep(f->blobs, is_it, &kept, &err), &err);
    assert_true(wm_blobs_has(f->blobs, &kept));
    assert_false(wm_blobs_has(f->blobs, &dropped));
    assert_false(files->exists(files, leftover));
    assert_true(files->exists(files, foreign));
    free(path);
    free(leftover);
    free(foreign);
}

static void a_death_before_the_rename_leaves_no_blob(void **state)
{
#ifdef WM_CRASH_POINTS
    fixture  *f = *state;
    wm_error  err;
    wm_digest name = wm_sha256_of("soon", 4);
    pid_t     child = fork_to_die_at("file-written");

    if (child == 0) {
        (void)wm_blobs_put(f->blobs, "soon", 4, NULL, &err);
        _exit(0);
    }
    assert_true(was_killed(child));
    assert_false(wm_blobs_has(f->blobs, &name));
    assert_ok(wm_blobs_put(f->blobs, "soon", 4, NULL, &err), &err);
    assert_true(wm_blobs_has(f->blobs, &name));
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_named_by_its_sha256_and_comes_back, open_blobs,
                                        close_blobs),
        cmocka_unit_test_setup_teardown(ranges_are_those_of_the_file_that_has_the_name, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(too_large_and_missing_are_said_so, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(every_flipped_byte_and_every_truncation_is_damage_named_by_its_file,
                                        open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(a_sweep_leaves_what_is_kept_and_what_is_not_ours, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(a_death_before_the_rename_leaves_no_blob, open_blobs, close_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
