/* tests/common/test_files.c */
#include "tests/unit.h"

#include "common/crypto/digest.h"
#include "common/files.h"

#include <sys/stat.h>
#include <unistd.h>

static void a_replaced_file_reads_back_whole_with_its_mode(void **state)
{
    const wm_files *files = wm_files_system();
    char            folder[4096], *path;
    wm_error        err;
    uint8_t        *bytes;
    size_t          n;
    struct stat     info;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "key");
    assert_ok(files->replace(files, path, "first", 5, 0600, &err), &err);
    assert_ok(files->replace(files, path, "second one", 10, 0600, &err), &err);
    assert_ok(files->read(files, path, 100, &bytes, &n, &err), &err);
    assert_int_equal(n, 10);
    assert_string_equal(bytes, "second one");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    free(bytes);
    assert_int_equal(files->read(files, path, 9, &bytes, &n, &err), WM_E_RANGE);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_int_equal(files->read(files, path, 9, &bytes, &n, &err), WM_E_MISSING);
    free(path);
}

/* And not a name that the writer never gave. */
static void a_file_that_cannot_be_made_is_named(void **state)
{
    const wm_files *files = wm_files_system();
    char            folder[4096], want[4200], *path;
    wm_error        err;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "none/key");
    snprintf(want, sizeof want, "cannot create %s: No such file or directory", path);
    assert_int_equal(files->replace(files, path, "x", 1, 0600, &err), WM_E_MISSING);
    assert_string_equal(err.text, want);
    free(path);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* A path's folder, as programs that write beside it see it. */
static void the_folder_of_a_path(void **state)
{
    static const struct {
        const char *path, *folder;
    } cases[] = { { "a/b/c", "a/b" }, { "/a", "/" }, { "a", "." }, { "/a/b", "/a" }, { "a/", "a" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = wm_path_folder(cases[i].path);

        assert_non_null(folder);
        assert_string_equal(folder, cases[i].folder);
        free(folder);
    }
}

static void folders_are_made_with_those_above_and_list_sorted(void **state)
{
    const wm_files *files = wm_files_system();
    char            folder[4096], *path, *file, **names;
    size_t          n;
    wm_error        err;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "a/b/c");
    assert_ok(files->make_folder(files, path, 0700, &err), &err);
    assert_ok(files->make_folder(files, path, 0700, &err), &err);
    for (const char *name = "zmb"; *name != '\0'; name++) {
        file = wm_path_join(path, (char[]){ *name, '\0' });
        assert_ok(files->replace(files, file, "", 0, 0644, &err), &err);
        free(file);
    }
    assert_ok(wm_folder_names(path, &names, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "b");
    assert_string_equal(names[2], "z");
    wm_names_free(names, n);
    free(path);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* FIPS 180-4's example "abc". */
static void sha256_gives_the_standard_s_example(void **state)
{
    static const char want[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    wm_digest         digest = wm_sha256_of("abc", 3), parsed;
    char              text[WM_DIGEST_TEXT];

    (void)state;
    assert_string_equal(wm_digest_text(&digest, text), want);
    assert_true(wm_digest_parse(want, &parsed));
    assert_true(wm_digest_equal(&digest, &parsed));
    assert_false(wm_digest_parse("ba78", &parsed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_file_reads_back_whole_with_its_mode),
        cmocka_unit_test(a_file_that_cannot_be_made_is_named),
        cmocka_unit_test(the_folder_of_a_path),
        cmocka_unit_test(folders_are_made_with_those_above_and_list_sorted),
        cmocka_unit_test(sha256_gives_the_standard_s_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
