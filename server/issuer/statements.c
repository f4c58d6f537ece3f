/* server/issuer/statements.c */
#include "server/issuer/statements.h"

#include "common/crash.h"

#include <stdbool.h>
#include <string.h>

/* ---- failures ---- */

wm_status wm_issuer_store_fail(wm_issuer_store *store, wm_error *err, const char *deed)
{
    int  code = sqlite3_errcode(store->db);
    bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR; /* ours are right */
    wm_status st = code == SQLITE_FULL    ? WM_E_FULL
                   : code == SQLITE_NOMEM ? WM_E_NOMEM
                   : damaged              ? WM_E_DAMAGED
                                          : WM_E_IO;

    return wm_fail(err, st, "the issuer's store cannot %s: %s%s", deed, sqlite3_errmsg(store->db),
                   damaged ? "; put issuer.db back from a backup" : "");
}

wm_status wm_issuer_store_run(wm_issuer_store *store, const char *sql, const char *deed, wm_error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WM_OK
                                                                       : wm_issuer_store_fail(store, err, deed);
}

wm_status wm_issuer_store_damaged(const char *what, wm_error *err)
{
    return wm_fail(err, WM_E_DAMAGED, "the issuer's store holds a %s that it cannot have written: restore a backup",
                   what);
}

/* ---- prepare, bind in order, step ---- */

wm_statement wm_statement_of(wm_issuer_store *store, const char *deed, const char *sql)
{
    wm_statement q = { .store = store, .deed = deed };

    q.code = sqlite3_prepare_v2(store->db, sql, -1, &q.statement, NULL);
    return q;
}

void wm_statement_blob(wm_statement *q, const void *bytes, size_t n)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_blob(q->statement, ++q->n_bound, n > 0 ? bytes : "", (int)n, SQLITE_STATIC);
}

void wm_statement_text(wm_statement *q, const char *text)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_text(q->statement, ++q->n_bound, text, -1, SQLITE_STATIC);
}

void wm_statement_int(wm_statement *q, int64_t value)
{
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_int64(q->statement, ++q->n_bound, value);
}

bool wm_statement_row(wm_statement *q)
{
    if (q->code == SQLITE_OK || q->code == SQLITE_ROW)
        q->code = sqlite3_step(q->statement);
    return q->code == SQLITE_ROW;
}

wm_status wm_statement_end(wm_statement *q, wm_error *err)
{
    wm_status st = WM_OK;

    if (q->code != SQLITE_OK && q->code != SQLITE_ROW && q->code != SQLITE_DONE)
        st = wm_issuer_store_fail(q->store, err, q->deed);
    sqlite3_finalize(q->statement);
    q->statement = NULL;
    return st;
}

wm_status wm_statement_do(wm_statement *q, wm_error *err)
{
    wm_statement_row(q);
    return wm_statement_end(q, err);
}

bool wm_statement_column_exactly(wm_statement *q, int column, void *to, size_t n)
{
    const void *bytes = sqlite3_column_blob(q->statement, column);

    if (bytes == NULL || (size_t)sqlite3_column_bytes(q->statement, column) != n)
        return false;
    memcpy(to, bytes, n);
    return true;
}

bool wm_statement_column_serial(wm_statement *q, int column, wm_serial *ret)
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

bool wm_statement_column_name(wm_statement *q, int column, char *to, size_t room)
{
    const char *text = (const char *)sqlite3_column_text(q->statement, column);

    if (text == NULL || strlen(text) >= room)
        return false;
    strcpy(to, text);
    return true;
}

/* ---- whole deeds ---- */

wm_status wm_issuer_store_number(wm_issuer_store *store, const char *sql, int64_t *ret, wm_error *err)
{
    wm_statement q = wm_statement_of(store, "read", sql);

    *ret = wm_statement_row(&q) ? sqlite3_column_int64(q.statement, 0) : 0;
    return wm_statement_end(&q, err);
}

wm_status wm_issuer_store_on_name(wm_issuer_store *store, const char *deed, const char *sql, const char *name,
                                  wm_error *err)
{
    wm_statement q = wm_statement_of(store, deed, sql);

    wm_statement_text(&q, name);
    return wm_statement_do(&q, err);
}

wm_status wm_issuer_store_on_time(wm_issuer_store *store, const char *deed, const char *sql, int64_t ms,
                                  wm_error *err)
{
    wm_statement q = wm_statement_of(store, deed, sql);

    wm_statement_int(&q, ms);
    return wm_statement_do(&q, err);
}

wm_status wm_issuer_store_changed_one(wm_issuer_store *store, const char *what, wm_error *err)
{
    return sqlite3_changes(store->db) == 1 ? WM_OK : wm_fail(err, WM_E_EXISTS, "%s", what);
}

/* ---- transactions ---- */

wm_status wm_issuer_store_begin(wm_issuer_store *store, wm_error *err)
{
    return wm_issuer_store_run(store, "BEGIN IMMEDIATE", "begin", err);
}

wm_status wm_issuer_store_finish(wm_issuer_store *store, wm_status st, const char *before, const char *after,
                                 wm_error *err)
{
    if (st == WM_OK) {
        wm_crash_point(before);
        st = wm_issuer_store_run(store, "COMMIT", "commit", err);
    }
    if (st == WM_OK)
        wm_crash_point(after);
    else if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}
