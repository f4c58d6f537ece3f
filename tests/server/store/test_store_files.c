/* tests/server/store/test_store_files.c
 *
 * One process at a time, sound files, and room on the disk. */
#include "tests/server/store/fixture.h"

#include "server/store/schema.h"

#include <signal.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void two_processes_never_have_it_open(void **state)
{
    fixture  *f = *state;
    wm_store *second = NULL;
    wm_error  err;
    char      pid[32];

    assert_int_equal(wm_store_open(wm_files_system(), f->folder, wm_clock_system(), &second, &err), WM_E_REFUSED);
    assert_null(second);
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_ok(do_queue(f->store, &err), &err);
    reopen(f);
}

static void another_program_with_the_database_open_is_told(void **state)
{
    fixture *f = *state;
    wm_error err;
    char    *path = inside(f, "store.db");
    sqlite3 *db;

    wm_store_close(f->store);
    f->store = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(try_open(f, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "another program holds it"));
    sqlite3_close(db);
    assert_ok(try_open(f, &err), &err);
    free(path);
}

static void nobody_else_may_read_it(void **state)
{
    static const char *const files[] = { "store.db", "store.db-wal", "lock", "blobs" };
    fixture                 *f = *state;
    struct stat              info;
    wm_error                 err;
    char                    *db = inside(f, "store.db");

    perform(f, N_TRANSITIONS);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = inside(f, files[i]);

        assert_int_equal(stat(path, &info), 0);
        assert_case(files[i], (info.st_mode & 077) == 0);
        free(path);
    }
    wm_store_close(f->store);
    f->store = NULL;
    assert_int_equal(chmod(db, 0644), 0); /* as it was made once */
    assert_ok(try_open(f, &err), &err);
    assert_int_equal(stat(db, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    free(db);
}

static void an_older_file_takes_the_steps_that_it_lacks(void **state)
{
    static const char *const steps[] = { "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (5)",
                                         "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 6",
                                         "CREATE TABLE b AS SELECT x + y AS z FROM a", "CREATE TABEL c (oops)" };
    fixture                 *f = *state;
    char                    *path = inside(f, "old.db");
    wm_error                 err;
    wm_db                    db;
    int64_t                  z = 0, version = 0;

    for (size_t known = 1; known <= 3; known++) {
        assert_ok(wm_db_open(path, &db, &err), &err);
        assert_ok(wm_schema_apply(&db, steps, known, &err), &err);
        wm_db_close(&db);
    }
    assert_ok(wm_db_open(path, &db, &err), &err);
    assert_ok(wm_db_number(&db, "SELECT z FROM b", &z, &err), &err);
    assert_int_equal(z, 11);
    assert_int_equal(wm_schema_apply(&db, steps, 2, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "newer wardmote (version 3 of its tables, this program knows 2)"));
    assert_int_not_equal(wm_schema_apply(&db, steps, 4, &err), WM_OK);
    assert_ok(wm_db_number(&db, "PRAGMA user_version", &version, &err), &err);
    assert_int_equal(version, 3);
    wm_db_close(&db);
    free(path);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), f->folder, 0700, &err), &err);
    run_sql(f, "CREATE TABLE photos (name TEXT)");
    assert_int_equal(try_open(f, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, "another program"));
    run_sql(f, "INSERT INTO photos VALUES ('still here')");
}

static void a_damaged_file_is_said_so_and_never_a_crash(void **state)
{
    fixture *f = *state;
    wm_error err;
    char    *db = inside(f, "store.db");
    uint8_t *whole, *bad;
    size_t   n, refused = 0;

    perform(f, N_TRANSITIONS);
    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_files_system()->read(wm_files_system(), db, 1 << 24, &whole, &n, &err), &err);
    bad = malloc(n);
    assert_non_null(bad);
    for (size_t page = 0; page < n / 4096; page++) {
        memcpy(bad, whole, n);
        for (size_t i = 0; i < 64; i++)
            bad[page * 4096 + i] ^= 0x5a;
        assert_ok(wm_files_system()->replace(wm_files_system(), db, bad, n, 0600, &err), &err);
        if (try_open(f, &err) != WM_OK) {
            assert_int_equal(err.status, WM_E_DAMAGED);
            refused++;
        }
        wm_store_close(f->store);
        f->store = NULL;
    }
    assert_int_equal(refused, n / 4096);
    assert_ok(wm_files_system()->replace(wm_files_system(), db, whole, n / 2, 0600, &err), &err);
    assert_int_equal(try_open(f, &err), WM_E_DAMAGED);
    free(whole);
    free(bad);
    free(db);
}

static wm_status queue_large(wm_store *store, unsigned i, wm_error *err)
{
    static char   text[20000];
    wm_queued_job job = { .job_name = "large", .job_text = memset(text, 'x', sizeof text - 1) };

    memcpy(job.id, &i, sizeof i);
    return wm_store_queue_add(store, &job, err);
}

/* In a child: adds until the disk says no, makes room, and adds again. Exits with 0 if all went as it should.
 */
static void fill_and_make_room(fixture *f, wm_status want, void (*make_room)(const fixture *f))
{
    wm_error err = { 0 };
    unsigned i = 0;
    char    *before, *full, *after;

    for (;;) {
        before = everything(f->store);
        if (++i > 1000 || queue_large(f->store, i, &err) != WM_OK)
            break;
        free(before);
    }
    full = everything(f->store);
    if (err.status != want || strcmp(before, full) != 0)
        _exit(1);
    make_room(f);
    if (queue_large(f->store, i, &err) != WM_OK)
        _exit(2);
    before = everything(f->store);
    reopen(f);
    after = everything(f->store);
    _exit(strcmp(before, after) == 0 ? 0 : 3);
}

static void lift_limit(const fixture *f)
{
    struct rlimit limit = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

    (void)f;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(4);
}

/* A limit of the file's size stands for a quota, which no test may set: both come to SQLite as an error of the disk. */
static void a_quota_is_said_to_be_one_and_nothing_is_half_done(void **state)
{
    fixture *f = *state;
    int      how;
    pid_t    child;

    wm_store_close(f->store);
    f->store = NULL;
    child = fork();
    if (child == 0) {
        struct rlimit limit = { .rlim_cur = 500 << 10, .rlim_max = RLIM_INFINITY };

        signal(SIGXFSZ, SIG_IGN);
        if (try_open(f, NULL) != WM_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(5);
        fill_and_make_room(f, WM_E_FULL, lift_limit);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

static void remove_ballast(const fixture *f)
{
    char *ballast = inside(f, "ballast");

    unlink(ballast);
    free(ballast);
}

static void a_full_disk_is_said_so_and_nothing_is_half_done(void **state)
{
    fixture *f = *state;
    int      how;
    pid_t    child;

    wm_store_close(f->store);
    f->store = NULL;
    child = fork();
    if (child == 0) { /* a small disk of its own, seen by nobody else and gone with the child */
        char *ballast = inside(f, "ballast"), *room = calloc(1, 600 << 10);

        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", f->folder, "tmpfs", 0, "size=1200k") != 0)
            _exit(77);
        if (room == NULL ||
            wm_files_system()->replace(wm_files_system(), ballast, room, 600 << 10, 0600, NULL) != WM_OK ||
            try_open(f, NULL) != WM_OK)
            _exit(5);
        fill_and_make_room(f, WM_E_FULL, remove_ballast);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == 77) {
        leave_out("no small disk may be mounted here");
    }
    assert_int_equal(WEXITSTATUS(how), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(two_processes_never_have_it_open),
        CASE(another_program_with_the_database_open_is_told),
        CASE(nobody_else_may_read_it),
        CASE(an_older_file_takes_the_steps_that_it_lacks),
        CASE(a_database_of_another_program_is_left_alone),
        CASE(a_damaged_file_is_said_so_and_never_a_crash),
        CASE(a_quota_is_said_to_be_one_and_nothing_is_half_done),
        CASE(a_full_disk_is_said_so_and_nothing_is_half_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
