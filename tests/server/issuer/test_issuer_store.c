/* tests/server/issuer/test_issuer_store.c
 *
 * What lies where the issuer's store should be: nothing, another's file, one of a later day, rows that it cannot have
 * written. */
#include "tests/unit.h"

#include "common/crypto/authority.h"
#include "server/issuer/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

typedef struct scene {
    char folder[4096], path[4200];
} scene;

static int set_up(void **state)
{
    scene           *s = calloc(1, sizeof *s);
    wm_issuer_store *store;
    wm_error         err;

    assert_non_null(s);
    snprintf(s->path, sizeof s->path, "%s/issuer.db", wm_test_folder(s->folder));
    assert_ok(wm_issuer_store_open(s->path, NULL, &store, &err), &err);
    wm_issuer_store_close(store);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene   *s = *state;
    wm_error err;

    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s);
    return 0;
}

static void change(const char *path, const char *sql)
{
    sqlite3 *db;
    char    *why = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static const struct {
    const char *says, *sql;
    wm_status   want;
    const char *sentence;
} files[] = {
    { "a later version's is left to that", "PRAGMA user_version = 99", WM_E_INVALID,
      "was written by a newer version of this program" },
    { "another program's is left alone", "PRAGMA application_id = 7", WM_E_DAMAGED, "is not an issuer's store" },
    { "a table without our mark is not ours", "PRAGMA application_id = 0; PRAGMA user_version = 0", WM_E_DAMAGED,
      "is not an issuer's store" },
    { "a row that its index does not have is damage",
      "INSERT INTO certificates (serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms) VALUES "
      "(x'07', 'a', 1, zeroblob(32), 1, 1, 9); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
      "'CREATE INDEX certificates_by_issue ON certificates (not_after_ms)' WHERE name = 'certificates_by_issue'",
      WM_E_DAMAGED, "issuer.db is damaged: put it back from a backup" },
    { "a table that begins nowhere is damage",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99 WHERE name = 'certificates'",
      WM_E_DAMAGED, "put issuer.db back from a backup" },
};

static void a_file_that_is_no_store_of_ours_is_refused_by_name(void **state)
{
    scene           *s = *state;
    wm_issuer_store *store = NULL;
    wm_error         err;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        set_up((void **)&s);
        change(s->path, files[i].sql);
        assert_case(files[i].says, wm_issuer_store_open(s->path, NULL, &store, &err) == files[i].want);
        assert_case(files[i].says, strstr(err.text, files[i].sentence) != NULL);
        assert_null(store);
        tear_down((void **)&s);
    }
}

static void a_place_where_no_file_can_be_is_named(void **state)
{
    const scene     *s = *state;
    char             nowhere[4300];
    wm_issuer_store *store = NULL;
    wm_error         err;

    snprintf(nowhere, sizeof nowhere, "%s/none/issuer.db", s->folder);
    assert_int_equal(wm_issuer_store_open(nowhere, NULL, &store, &err), WM_E_IO);
    assert_non_null(strstr(err.text, "cannot open "));
    assert_int_equal(wm_issuer_store_open(s->path, "no such file system", &store, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, "no such vfs"));
    assert_null(store);
}

/* Byte 18 of a database says which version of the format may write it. */
static void a_file_that_may_only_be_read_is_said_so(void **state)
{
    const scene     *s = *state;
    int              fd = open(s->path, O_WRONLY | O_CLOEXEC);
    wm_issuer_store *store = NULL;
    wm_error         err;

    assert_int_equal(pwrite(fd, "\x03", 1, 18), 1);
    close(fd);
    assert_int_equal(wm_issuer_store_open(s->path, NULL, &store, &err), WM_E_IO);
    assert_non_null(strstr(err.text, "can be read but not written"));
    assert_null(store);
}

static void ignore(void *context, const wm_certificate_record *record)
{
    (void)context;
    (void)record;
}

static wm_status read_names(wm_issuer_store *store, wm_error *err)
{
    char   names[WM_SERVER_NAMES_MAX][WM_HOST_TEXT];
    size_t n = 0;

    return wm_issuer_store_names(store, names, &n, err);
}

static wm_status read_list(wm_issuer_store *store, wm_error *err)
{
    return wm_issuer_store_list(store, &(wm_serial){ .size = 0 }, NULL, 0, 10, ignore, NULL, err);
}

static wm_status read_certificate(wm_issuer_store *store, wm_error *err)
{
    wm_certificate_record record = { .chain = NULL };

    return wm_issuer_store_certificate(store, &(wm_serial){ .size = 1, .bytes = { 7 } }, &record, err);
}

static wm_status read_token(wm_issuer_store *store, wm_error *err)
{
    static const uint8_t id[WM_TOKEN_ID_SIZE] = { 1 };
    wm_token_record      record;

    return wm_issuer_store_token(store, id, &record, err);
}

static wm_status add_names(wm_issuer_store *store, wm_error *err)
{
    return wm_issuer_store_allow_names(store, (const char *const[]){ "one.more" }, 1, err);
}

#define CERTIFICATE \
    "INSERT INTO certificates (serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms, next) VALUES "
#define FULL_OF_NAMES                                                                 \
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) " \
    "INSERT INTO server_names (name) SELECT 'n' || i FROM n"

static const struct {
    const char *says, *sql;
    wm_status (*read)(wm_issuer_store *store, wm_error *err);
    wm_status   want;
    const char *sentence;
} rows[] = {
    { "a server's name that is too long", "INSERT INTO server_names (name) VALUES (printf('%.*c', 400, 'a'))",
      read_names, WM_E_DAMAGED, "holds a server's name that it cannot have written" },
    { "more names of the server than go into a certificate", FULL_OF_NAMES, read_names, WM_E_RANGE,
      "the server has more than" },
    { "one name more than there may be", FULL_OF_NAMES, add_names, WM_E_RANGE, "the server would have 101 names" },
    { "a serial that is too long, in the list", CERTIFICATE "(zeroblob(40), 'a', 1, zeroblob(32), 1, 1, 9, NULL)",
      read_list, WM_E_DAMAGED, "holds a certificate that it cannot have written" },
    { "a key's digest that is too short", CERTIFICATE "(x'07', 'a', 1, zeroblob(31), 1, 1, 9, NULL)",
      read_certificate, WM_E_DAMAGED, "holds a certificate that it cannot have written" },
    { "a certificate's name that is too long",
      CERTIFICATE "(x'07', printf('%.*c', 400, 'a'), 1, zeroblob(32), 1, 1, 9, NULL)", read_certificate,
      WM_E_DAMAGED, "holds a certificate that it cannot have written" },
    { "a successor's serial that is too long", CERTIFICATE "(x'07', 'a', 1, zeroblob(32), 1, 1, 9, zeroblob(40))",
      read_certificate, WM_E_DAMAGED, "holds a certificate that it cannot have written" },
    { "a token's secret that is too short",
      "INSERT INTO tokens (id, name, secret, made_ms, ends_ms) VALUES (CAST(x'01' || zeroblob(15) AS BLOB), 'a', "
      "zeroblob(31), 1, 9)",
      read_token, WM_E_DAMAGED, "holds a token that it cannot have written" },
};

static void a_row_that_it_cannot_have_written_is_damage(void **state)
{
    scene           *s = *state;
    wm_issuer_store *store;
    wm_error         err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_up((void **)&s);
        change(s->path, rows[i].sql);
        assert_ok(wm_issuer_store_open(s->path, NULL, &store, &err), &err);
        if (rows[i].read(store, &err) != rows[i].want || strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("\"%s\": %s: %s", rows[i].says, wm_status_name(err.status), err.text);
        wm_issuer_store_close(store);
        tear_down((void **)&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_no_store_of_ours_is_refused_by_name),
        cmocka_unit_test_setup_teardown(a_place_where_no_file_can_be_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_may_only_be_read_is_said_so, set_up, tear_down),
        cmocka_unit_test(a_row_that_it_cannot_have_written_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
