/* server/issuer/store.c
 *
 * The file: its form, opening and closing. What is in it: store_tokens.c, store_certificates.c, store_names.c. */
#include "server/issuer/statements.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "WMis", so that another program's file is not taken for ours; and the version of what follows. */
enum { APPLICATION = 0x574d6973, VERSION = 1 };

/* Digests, serials and ids are blobs; times are milliseconds of wall clock. A certificate's row stays for ever, its
 * chain only as long as somebody may ask for it again. */
static const char schema[] =
    "CREATE TABLE tokens (id BLOB PRIMARY KEY, name TEXT NOT NULL, secret BLOB NOT NULL, made_ms INTEGER NOT NULL,"
    " ends_ms INTEGER NOT NULL, spent_key BLOB, serial BLOB, CHECK ((spent_key IS NULL) = (serial IS NULL)))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE certificates (serial BLOB PRIMARY KEY, name TEXT NOT NULL, purpose INTEGER NOT NULL,"
    " key BLOB NOT NULL, issued_ms INTEGER NOT NULL, not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL,"
    " revoked_ms INTEGER, next BLOB, chain TEXT) STRICT, WITHOUT ROWID;"
    "CREATE INDEX certificates_by_name ON certificates (name);"
    "CREATE INDEX certificates_by_issue ON certificates (issued_ms);"
    "CREATE INDEX certificates_with_chain ON certificates (not_after_ms) WHERE chain IS NOT NULL;"
    "CREATE TABLE revoked (name TEXT PRIMARY KEY, revoked_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE server_names (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;";

/* SQLite opens for reading alone what it may not write, or what a damaged header says a newer SQLite wrote. */
static wm_status check_whole(wm_issuer_store *store, const char *path, wm_error *err)
{
    int64_t   findings = 0;
    wm_status st = wm_issuer_store_number(
        store, "SELECT count(*) FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'", &findings, err);

    if (st == WM_OK && findings > 0)
        st = wm_fail(err, WM_E_DAMAGED, "%s is damaged: put it back from a backup", path);
    if (st == WM_OK && sqlite3_db_readonly(store->db, "main") != 0)
        st = wm_fail(
            err, WM_E_IO,
            "%s can be read but not written: its permissions forbid it, or its header is damaged; then put it "
            "back from a backup",
            path);
    return st;
}

static wm_status set_up(wm_issuer_store *store, const char *path, wm_error *err)
{
    int64_t   application, version, tables;
    char      sql[sizeof schema + 160];
    wm_status st =
        wm_issuer_store_run(store,
                            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                            "PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;",
                            "be opened", err);

    if (st == WM_OK)
        st = wm_issuer_store_number(store, "PRAGMA application_id", &application, err);
    if (st == WM_OK)
        st = wm_issuer_store_number(store, "PRAGMA user_version", &version, err);
    if (st == WM_OK)
        st = wm_issuer_store_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st != WM_OK)
        return st;
    if (application == APPLICATION && version == VERSION)
        return check_whole(store, path, err);
    if (application == APPLICATION && version > VERSION)
        return wm_fail(err, WM_E_INVALID, "%s was written by a newer version of this program: use that one", path);
    if (application != 0 || version != 0 || tables != 0)
        return wm_fail(err, WM_E_DAMAGED, "%s is not an issuer's store: put it back from a backup", path);
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
             schema, APPLICATION, VERSION);
    return wm_issuer_store_run(store, sql, "be made", err);
}

wm_status wm_issuer_store_open(const char *path, const char *vfs, wm_issuer_store **ret, wm_error *err)
{
    wm_status        st;
    wm_issuer_store *store = calloc(1, sizeof *store);
    int              fd;

    if (store == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the issuer's store");
    /* SQLite would make it readable for all; its journals take after it. */
    fd = vfs == NULL ? open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600) : -1;
    if (vfs == NULL && fd < 0) {
        st = wm_fail(err, WM_E_IO, "cannot open %s: %s", path, strerror(errno));
        goto out;
    }
    if (fd >= 0)
        close(fd);
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs) !=
        SQLITE_OK) {
        st = store->db != NULL ? wm_issuer_store_fail(store, err, "be opened")
                               : wm_fail(err, WM_E_NOMEM, "no memory for a store");
        goto out;
    }
    sqlite3_busy_timeout(store->db, 2000);
    st = set_up(store, path, err);
    if (st == WM_OK) {
        *ret = store;
        store = NULL;
    }
out:
    wm_issuer_store_close(store);
    return st;
}

void wm_issuer_store_close(wm_issuer_store *store)
{
    if (store == NULL)
        return;
    sqlite3_close(store->db);
    free(store);
}

wm_status wm_issuer_store_latest(wm_issuer_store *store, int64_t *ret, wm_error *err)
{
    return wm_issuer_store_number(store,
                                  "SELECT max(coalesce((SELECT max(issued_ms) FROM certificates), 0),"
                                  " coalesce((SELECT max(made_ms) FROM tokens), 0),"
                                  " coalesce((SELECT max(revoked_ms) FROM revoked), 0))",
                                  ret, err);
}
