/* server/issuer/store.c */
#include "server/issuer/store.h"

#include "common/crash.h"
#include "common/crypto/authority.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wm_issuer_store {
    sqlite3 *db;
};

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

static wm_status store_fail(wm_issuer_store *store, wm_error *err, const char *deed)
{
    int       code = sqlite3_errcode(store->db);
    wm_status st = code == SQLITE_FULL                               ? WM_E_FULL
                   : code == SQLITE_NOMEM                            ? WM_E_NOMEM
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? WM_E_DAMAGED
                                                                     : WM_E_IO;

    return wm_fail(err, st, "the issuer's store cannot %s: %s", deed, sqlite3_errmsg(store->db));
}

static wm_status run(wm_issuer_store *store, const char *sql, const char *deed, wm_error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WM_OK : store_fail(store, err, deed);
}

/* ---- statements: prepare, bind in order, step ---- */

/* One statement on its way; a failure stays until it is asked for, so that the callers read straight down. */
typedef struct query {
    wm_issuer_store *store;
    sqlite3_stmt    *statement;
    const char      *deed; /* "add a token": for the error */
    int              n_bound, code;
} query;

static query ask(wm_issuer_store *store, const char *deed, const char *sql)
{
    query q = { .store = store, .deed = deed };

    q.code = sqlite3_prepare_v2(store->db, sql, -1, &q.statement, NULL);
    return q;
}

static void bind_blob(query *q, const void *bytes, size_t n)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_blob(q->statement, ++q->n_bound, n > 0 ? bytes : "", (int)n, SQLITE_STATIC);
}

static void bind_text(query *q, const char *text)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_text(q->statement, ++q->n_bound, text, -1, SQLITE_STATIC);
}

static void bind_int(query *q, int64_t value)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_int64(q->statement, ++q->n_bound, value);
}

/* True while there is a row. */
static bool next_row(query *q)
{
    if (q->code == SQLITE_OK || q->code == SQLITE_ROW)
        q->code = sqlite3_step(q->statement);
    return q->code == SQLITE_ROW;
}

static wm_status end(query *q, wm_error *err)
{
    wm_status st = WM_OK;

    if (q->code != SQLITE_OK && q->code != SQLITE_ROW && q->code != SQLITE_DONE)
        st = store_fail(q->store, err, q->deed);
    sqlite3_finalize(q->statement);
    q->statement = NULL;
    return st;
}

static wm_status end_deed(query *q, wm_error *err)
{
    next_row(q);
    return end(q, err);
}

/* A column that must have exactly n bytes. */
static bool column_exactly(query *q, int column, void *to, size_t n)
{
    const void *bytes = sqlite3_column_blob(q->statement, column);

    if (bytes == NULL || (size_t)sqlite3_column_bytes(q->statement, column) != n)
        return false;
    memcpy(to, bytes, n);
    return true;
}

static bool column_serial(query *q, int column, wm_serial *ret)
{
    const void *bytes = sqlite3_column_blob(q->statement, column);
    int         n = sqlite3_column_bytes(q->statement, column);

    if (n < 0 || n > WM_SERIAL_MAX || (n > 0 && bytes == NULL))
        return false;
    if (n > 0)
        memcpy(ret->bytes, bytes, (size_t)n);
    ret->size = (uint8_t)n;
    return true;
}

static bool column_name(query *q, int column, char *to, size_t room)
{
    const char *text = (const char *)sqlite3_column_text(q->statement, column);

    if (text == NULL || strlen(text) >= room)
        return false;
    strcpy(to, text);
    return true;
}

static wm_status damaged(const char *what, wm_error *err)
{
    return wm_fail(err, WM_E_DAMAGED, "the issuer's store holds a %s that it cannot have written: restore a backup",
                   what);
}

/* ---- opening ---- */

static wm_status read_number(wm_issuer_store *store, const char *sql, int64_t *ret, wm_error *err)
{
    query q = ask(store, "read", sql);

    *ret = next_row(&q) ? sqlite3_column_int64(q.statement, 0) : 0;
    return end(&q, err);
}

static wm_status set_up(wm_issuer_store *store, const char *path, wm_error *err)
{
    int64_t   application, version, tables;
    char      sql[sizeof schema + 160];
    wm_status st = run(store,
                       "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;",
                       "be opened", err);

    if (st == WM_OK)
        st = read_number(store, "PRAGMA application_id", &application, err);
    if (st == WM_OK)
        st = read_number(store, "PRAGMA user_version", &version, err);
    if (st == WM_OK)
        st = read_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st != WM_OK)
        return st;
    if (application == APPLICATION && version == VERSION)
        return WM_OK;
    if (application == APPLICATION && version > VERSION)
        return wm_fail(err, WM_E_INVALID, "%s was written by a newer version of this program: use that one", path);
    if (application != 0 || version != 0 || tables != 0)
        return wm_fail(err, WM_E_DAMAGED, "%s is not an issuer's store", path);
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
             schema, APPLICATION, VERSION);
    return run(store, sql, "be made", err);
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
        st = store->db != NULL ? store_fail(store, err, "be opened")
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

/* ---- transactions ---- */

static wm_status begin(wm_issuer_store *store, wm_error *err)
{
    return run(store, "BEGIN IMMEDIATE", "begin", err);
}

/* Commits if all went well, takes everything back if not; `before` and `after` are crash points. */
static wm_status finish(wm_issuer_store *store, wm_status st, const char *before, const char *after, wm_error *err)
{
    if (st == WM_OK) {
        wm_crash_point(before);
        st = run(store, "COMMIT", "commit", err);
    }
    if (st == WM_OK)
        wm_crash_point(after);
    else if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

/* ---- tokens ---- */

static wm_status insert_token(wm_issuer_store *store, const wm_token_record *token, wm_error *err)
{
    query q =
        ask(store, "add a token", "INSERT INTO tokens (id, name, secret, made_ms, ends_ms) VALUES (?, ?, ?, ?, ?)");

    bind_blob(&q, token->id, sizeof token->id);
    bind_text(&q, token->name);
    bind_blob(&q, token->secret.bytes, WM_DIGEST_SIZE);
    bind_int(&q, token->made_ms);
    bind_int(&q, token->ends_ms);
    return end_deed(&q, err);
}

static wm_status deed_on_name(wm_issuer_store *store, const char *deed, const char *sql, const char *name,
                              wm_error *err)
{
    query q = ask(store, deed, sql);

    bind_text(&q, name);
    return end_deed(&q, err);
}

static wm_status deed_on_time(wm_issuer_store *store, const char *deed, const char *sql, int64_t ms, wm_error *err)
{
    query q = ask(store, deed, sql);

    bind_int(&q, ms);
    return end_deed(&q, err);
}

wm_status wm_issuer_store_add_token(wm_issuer_store *store, const wm_token_record *token, int64_t forget_before_ms,
                                    wm_error *err)
{
    wm_status st = begin(store, err);

    if (st != WM_OK)
        return st;
    st = deed_on_time(store, "forget old tokens", "DELETE FROM tokens WHERE spent_key IS NULL AND ends_ms <= ?",
                      forget_before_ms, err);
    if (st == WM_OK)
        st = insert_token(store, token, err);
    return finish(store, st, "issuer-token-before-commit", "issuer-token-after-commit", err);
}

wm_status wm_issuer_store_token(wm_issuer_store *store, const uint8_t id[WM_TOKEN_ID_SIZE], wm_token_record *ret,
                                wm_error *err)
{
    query           q = ask(store, "look up a token",
                            "SELECT name, secret, made_ms, ends_ms, spent_key, serial FROM tokens WHERE id = ?");
    wm_token_record token = { .spent = false };
    bool            found, good;
    wm_status       st;

    bind_blob(&q, id, WM_TOKEN_ID_SIZE);
    found = next_row(&q);
    good = !found;
    if (found) {
        memcpy(token.id, id, sizeof token.id);
        token.made_ms = sqlite3_column_int64(q.statement, 2);
        token.ends_ms = sqlite3_column_int64(q.statement, 3);
        token.spent = sqlite3_column_type(q.statement, 4) != SQLITE_NULL;
        good = column_name(&q, 0, token.name, sizeof token.name) &&
               column_exactly(&q, 1, token.secret.bytes, WM_DIGEST_SIZE) &&
               (!token.spent || (column_exactly(&q, 4, token.spent_key.bytes, WM_DIGEST_SIZE) &&
                                 column_serial(&q, 5, &token.serial)));
    }
    st = end(&q, err);
    if (st != WM_OK)
        return st;
    if (!good)
        return damaged("token", err);
    if (!found)
        return wm_fail(err, WM_E_MISSING, "there is no such token");
    *ret = token;
    return WM_OK;
}

/* ---- certificates ---- */

void wm_certificate_record_release(wm_certificate_record *record)
{
    free(record->chain);
    record->chain = NULL;
}

#define CERTIFICATE_COLUMNS "serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms, revoked_ms, next"

/* The columns above, from the row that the query stands on. */
static bool read_certificate(query *q, wm_certificate_record *ret)
{
    ret->purpose =
        sqlite3_column_int(q->statement, 2) == WM_PURPOSE_SERVER ? WM_PURPOSE_SERVER : WM_PURPOSE_GATEWAY;
    ret->issued_ms = sqlite3_column_int64(q->statement, 4);
    ret->not_before_ms = sqlite3_column_int64(q->statement, 5);
    ret->not_after_ms = sqlite3_column_int64(q->statement, 6);
    ret->revoked = sqlite3_column_type(q->statement, 7) != SQLITE_NULL;
    return column_serial(q, 0, &ret->serial) && column_name(q, 1, ret->name, sizeof ret->name) &&
           column_exactly(q, 3, ret->key.bytes, WM_DIGEST_SIZE) && column_serial(q, 8, &ret->next);
}

/* The one certificate that a bound query finds, with its chain in column 9. */
static wm_status one_certificate(query *q, wm_certificate_record *ret, wm_error *err)
{
    wm_certificate_record record = { .chain = NULL };
    bool                  found = next_row(q), good = !found;
    wm_status             st;

    if (found) {
        const char *chain = (const char *)sqlite3_column_text(q->statement, 9);

        good = read_certificate(q, &record);
        if (chain != NULL && (record.chain = strdup(chain)) == NULL)
            q->code = SQLITE_NOMEM;
    }
    st = end(q, err);
    if (st == WM_OK && !good)
        st = damaged("certificate", err);
    if (st == WM_OK && !found)
        st = wm_fail(err, WM_E_MISSING, "there is no such certificate");
    if (st == WM_OK)
        *ret = record;
    else
        wm_certificate_record_release(&record);
    return st;
}

wm_status wm_issuer_store_certificate(wm_issuer_store *store, const wm_serial *serial, wm_certificate_record *ret,
                                      wm_error *err)
{
    query q = ask(store, "look up a certificate",
                  "SELECT " CERTIFICATE_COLUMNS ", chain FROM certificates WHERE serial = ?");

    bind_blob(&q, serial->bytes, serial->size);
    return one_certificate(&q, ret, err);
}

wm_status wm_issuer_store_server_certificate(wm_issuer_store *store, const wm_digest *key,
                                             wm_certificate_record *ret, wm_error *err)
{
    query q = ask(store, "look up the server's certificate",
                  "SELECT " CERTIFICATE_COLUMNS ", chain FROM certificates"
                  " WHERE purpose = 0 AND key = ? AND chain IS NOT NULL ORDER BY issued_ms DESC, serial LIMIT 1");

    _Static_assert(WM_PURPOSE_SERVER == 0, "as the statement has it");
    bind_blob(&q, key->bytes, WM_DIGEST_SIZE);
    return one_certificate(&q, ret, err);
}

static wm_status insert_certificate(wm_issuer_store *store, const wm_certificate_record *record, wm_error *err)
{
    query q =
        ask(store, "add a certificate",
            "INSERT INTO certificates (serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms, chain)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

    bind_blob(&q, record->serial.bytes, record->serial.size);
    bind_text(&q, record->name);
    bind_int(&q, record->purpose);
    bind_blob(&q, record->key.bytes, WM_DIGEST_SIZE);
    bind_int(&q, record->issued_ms);
    bind_int(&q, record->not_before_ms);
    bind_int(&q, record->not_after_ms);
    bind_text(&q, record->chain);
    return end_deed(&q, err);
}

/* WM_E_EXISTS unless the last statement changed a row: its guard in WHERE did not let it. */
static wm_status changed_one(wm_issuer_store *store, const char *what, wm_error *err)
{
    return sqlite3_changes(store->db) == 1 ? WM_OK : wm_fail(err, WM_E_EXISTS, "%s", what);
}

wm_status wm_issuer_store_spend(wm_issuer_store *store, const wm_token_record *token,
                                const wm_certificate_record *certificate, wm_error *err)
{
    wm_status st = begin(store, err);
    query     q;

    if (st != WM_OK)
        return st;
    q = ask(store, "spend a token",
            "UPDATE tokens SET spent_key = ?, serial = ? WHERE id = ? AND spent_key IS NULL AND"
            " NOT EXISTS (SELECT 1 FROM revoked WHERE revoked.name = tokens.name)");
    bind_blob(&q, certificate->key.bytes, WM_DIGEST_SIZE);
    bind_blob(&q, certificate->serial.bytes, certificate->serial.size);
    bind_blob(&q, token->id, sizeof token->id);
    st = end_deed(&q, err);
    if (st == WM_OK)
        st = changed_one(store, "the token was spent already", err);
    if (st == WM_OK)
        st = insert_certificate(store, certificate, err);
    return finish(store, st, "issuer-spend-before-commit", "issuer-spend-after-commit", err);
}

wm_status wm_issuer_store_renew(wm_issuer_store *store, const wm_serial *old,
                                const wm_certificate_record *certificate, int64_t forget_before_ms, wm_error *err)
{
    wm_status st = begin(store, err);
    query     q;

    if (st != WM_OK)
        return st;
    q = ask(store, "renew a certificate",
            "UPDATE certificates SET next = ? WHERE serial = ? AND next IS NULL AND revoked_ms IS NULL");
    bind_blob(&q, certificate->serial.bytes, certificate->serial.size);
    bind_blob(&q, old->bytes, old->size);
    st = end_deed(&q, err);
    if (st == WM_OK)
        st = changed_one(store, "the certificate was renewed already", err);
    if (st == WM_OK)
        st = insert_certificate(store, certificate, err);
    if (st == WM_OK)
        st = deed_on_time(store, "drop old chains",
                          "UPDATE certificates SET chain = NULL WHERE chain IS NOT NULL AND not_after_ms <= ?",
                          forget_before_ms, err);
    return finish(store, st, "issuer-renew-before-commit", "issuer-renew-after-commit", err);
}

wm_status wm_issuer_store_add_server(wm_issuer_store *store, const wm_certificate_record *certificate,
                                     wm_error *err)
{
    wm_status st = begin(store, err);

    if (st != WM_OK)
        return st;
    st = insert_certificate(store, certificate, err);
    return finish(store, st, "issuer-server-before-commit", "issuer-server-after-commit", err);
}

wm_status wm_issuer_store_list(wm_issuer_store *store, const wm_serial *after, const char *name, int64_t from_ms,
                               size_t most, void (*each)(void *context, const wm_certificate_record *record),
                               void *context, wm_error *err)
{
    bool  good = true;
    query q = ask(store, "list certificates",
                  "SELECT " CERTIFICATE_COLUMNS " FROM certificates WHERE serial > ?1 AND not_after_ms >= ?2"
                  " AND (?3 IS NULL OR name = ?3) ORDER BY serial LIMIT ?4");

    bind_blob(&q, after->bytes, after->size);
    bind_int(&q, from_ms);
    bind_text(&q, name); /* NULL binds NULL */
    bind_int(&q, (int64_t)most);
    while (good && next_row(&q)) {
        wm_certificate_record record = { .chain = NULL };

        good = read_certificate(&q, &record);
        if (good)
            each(context, &record);
    }
    if (!good) {
        (void)end(&q, NULL);
        return damaged("certificate", err);
    }
    return end(&q, err);
}

wm_status wm_issuer_store_latest(wm_issuer_store *store, int64_t *ret, wm_error *err)
{
    return read_number(store,
                       "SELECT max(coalesce((SELECT max(issued_ms) FROM certificates), 0),"
                       " coalesce((SELECT max(made_ms) FROM tokens), 0),"
                       " coalesce((SELECT max(revoked_ms) FROM revoked), 0))",
                       ret, err);
}

/* ---- names ---- */

wm_status wm_issuer_store_revoke(wm_issuer_store *store, const char *name, int64_t wall_ms, wm_error *err)
{
    wm_status st = begin(store, err);
    query     q;

    if (st != WM_OK)
        return st;
    q = ask(store, "revoke certificates",
            "UPDATE certificates SET revoked_ms = ? WHERE name = ? AND purpose = 1 AND revoked_ms IS NULL");
    _Static_assert(WM_PURPOSE_GATEWAY == 1, "as the statement has it");
    bind_int(&q, wall_ms);
    bind_text(&q, name);
    st = end_deed(&q, err);
    if (st == WM_OK)
        st = deed_on_name(store, "drop tokens", "DELETE FROM tokens WHERE name = ? AND spent_key IS NULL", name,
                          err);
    if (st == WM_OK) {
        q = ask(store, "bar a name", "INSERT OR IGNORE INTO revoked (name, revoked_ms) VALUES (?, ?)");
        bind_text(&q, name);
        bind_int(&q, wall_ms);
        st = end_deed(&q, err);
    }
    return finish(store, st, "issuer-revoke-before-commit", "issuer-revoke-after-commit", err);
}

wm_status wm_issuer_store_is_revoked(wm_issuer_store *store, const char *name, bool *ret, wm_error *err)
{
    query     q = ask(store, "look up a name", "SELECT 1 FROM revoked WHERE name = ?");
    bool      found;
    wm_status st;

    bind_text(&q, name);
    found = next_row(&q);
    st = end(&q, err);
    if (st == WM_OK)
        *ret = found;
    return st;
}

wm_status wm_issuer_store_allow_names(wm_issuer_store *store, const char *const *names, size_t n, wm_error *err)
{
    int64_t   count = 0;
    wm_status st = begin(store, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < n; i++)
        st = deed_on_name(store, "add a name", "INSERT OR IGNORE INTO server_names (name) VALUES (?)", names[i],
                          err);
    if (st == WM_OK)
        st = read_number(store, "SELECT count(*) FROM server_names", &count, err);
    if (st == WM_OK && count > WM_SERVER_NAMES_MAX)
        st = wm_fail(err, WM_E_RANGE, "the server would have %lld names, at most %d go into its certificate",
                     (long long)count, WM_SERVER_NAMES_MAX);
    return finish(store, st, "issuer-names-before-commit", "issuer-names-after-commit", err);
}

wm_status wm_issuer_store_names(wm_issuer_store *store, char (*names)[WM_HOST_TEXT], size_t *n, wm_error *err)
{
    query     q = ask(store, "read the server's names", "SELECT name FROM server_names ORDER BY position");
    size_t    count = 0;
    bool      good = true;
    wm_status st;

    while (good && next_row(&q)) {
        good = count < WM_SERVER_NAMES_MAX && column_name(&q, 0, names[count], WM_HOST_TEXT);
        count++;
    }
    st = end(&q, err);
    if (st != WM_OK)
        return st;
    if (count > WM_SERVER_NAMES_MAX)
        return wm_fail(err, WM_E_RANGE, "the server has more than %d names", WM_SERVER_NAMES_MAX);
    if (!good)
        return damaged("server's name", err);
    *n = count;
    return WM_OK;
}
