/* server/issuer/statements.h
 *
 * What the issuer's store is written with: one statement from its text to its end, and deeds that are one transaction.
 * For the store_*.c of this folder alone; the issuer's lock is held around all of it. */
#ifndef WM_SERVER_ISSUER_STATEMENTS_H
#define WM_SERVER_ISSUER_STATEMENTS_H

#include "server/issuer/store.h"

#include <sqlite3.h>

struct wm_issuer_store {
    sqlite3 *db;
};

/* ---- failures ---- */

/* SQLite's last failure as a status, with the sentence "the issuer's store cannot <deed>: ...". */
wm_status wm_issuer_store_fail(wm_issuer_store *store, wm_error *err, const char *deed);

/* WM_E_DAMAGED: there is a `what` in it that we cannot have written. */
wm_status wm_issuer_store_damaged(const char *what, wm_error *err);

/* ---- statements: prepare, bind in order, step ---- */

/* One on its way; a failure stays until it is asked for, so that the callers read straight down. */
typedef struct wm_statement {
    wm_issuer_store *store;
    sqlite3_stmt    *statement;
    const char      *deed; /* "add a token": for the error */
    int              n_bound, code;
} wm_statement;

wm_statement wm_statement_of(wm_issuer_store *store, const char *deed, const char *sql);
void         wm_statement_blob(wm_statement *q, const void *bytes, size_t n); /* what is bound is borrowed */
void         wm_statement_text(wm_statement *q, const char *text);            /* NULL binds NULL */
void         wm_statement_int(wm_statement *q, int64_t value);

bool      wm_statement_row(wm_statement *q); /* true while there is a row */
wm_status wm_statement_end(wm_statement *q, wm_error *err);
wm_status wm_statement_do(wm_statement *q,
                          wm_error     *err); /* the one step of a statement without rows, and the end */

/* Columns of the present row; false: it is not as it was written. */
bool wm_statement_column_exactly(wm_statement *q, int column, void *to, size_t n);
bool wm_statement_column_serial(wm_statement *q, int column, wm_serial *ret);
bool wm_statement_column_name(wm_statement *q, int column, char *to, size_t room);

/* ---- whole deeds ---- */

wm_status wm_issuer_store_run(wm_issuer_store *store, const char *sql, const char *deed, wm_error *err);
wm_status wm_issuer_store_number(wm_issuer_store *store, const char *sql, int64_t *ret, wm_error *err);

/* A statement without rows, with one parameter. */
wm_status wm_issuer_store_on_name(wm_issuer_store *store, const char *deed, const char *sql, const char *name,
                                  wm_error *err);
wm_status wm_issuer_store_on_time(wm_issuer_store *store, const char *deed, const char *sql, int64_t ms,
                                  wm_error *err);

/* WM_E_EXISTS, `what` being the sentence, unless the last statement changed a row: its guard in WHERE did not let it. */
wm_status wm_issuer_store_changed_one(wm_issuer_store *store, const char *what, wm_error *err);

/* Inside another deed's transaction. */
wm_status wm_issuer_store_insert(wm_issuer_store *store, const wm_certificate_record *record, wm_error *err);

/* _finish commits if `st` is WM_OK and takes everything back if not; `before` and `after` are crash points. */
wm_status wm_issuer_store_begin(wm_issuer_store *store, wm_error *err);
wm_status wm_issuer_store_finish(wm_issuer_store *store, wm_status st, const char *before, const char *after,
                                 wm_error *err);

#endif
