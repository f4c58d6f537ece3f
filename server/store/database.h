/* server/store/database.h
 *
 * SQLite as the store wants it, and nothing of SQLite above it but queries. One connection, which writes,
 * reads and checkpoints: SQLite before 3.51.3 can corrupt a WAL that two connections reset at once, and
 * Debian 12 has 3.40.1, so the connection holds the database exclusively. WAL with synchronous=FULL: one
 * fdatasync a transaction, and what is committed survives a power cut. No mmap: a bad sector is then an
 * error, not a signal.
 *
 * Inside server/store only. Not thread-safe: the store's lock is held around it. */
#ifndef WM_SERVER_STORE_DATABASE_H
#define WM_SERVER_STORE_DATABASE_H

#include "common/crypto/digest.h"
#include "common/status.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wm_db {
    sqlite3 *handle;
    char    *path; /* for sentences */
} wm_db;

/* Makes the file if it is not there, and nobody else's to read: it has the names of gateways and what they did. Before
 * it is opened, since closing a file lets go of SQLite's locks on it; its log gets the same mode. */
wm_status wm_db_make_private(const char *path, wm_error *err);

/* Opens or makes the file and checks all of it. WM_E_DAMAGED: it is not sound; the sentence has SQLite's
 * finding. WM_E_REFUSED: another program holds it. On failure nothing needs closing. */
wm_status wm_db_open(const char *path, wm_db *ret, wm_error *err);
void      wm_db_close(wm_db *db); /* an empty one is fine */

/* SQLite's last failure as a status, with the sentence "cannot <deed> in <path>: ...". */
wm_status wm_db_fail(const wm_db *db, const char *deed, wm_error *err);

/* Statements without parameters and without rows. */
wm_status wm_db_run(wm_db *db, const char *sql, wm_error *err);

/* The one whole number that `sql` answers. */
wm_status wm_db_number(wm_db *db, const char *sql, int64_t *ret, wm_error *err);

/* One statement from its text to its end. Failures stick: after one, everything else does nothing, and
 * wm_query_done says what it was. Parameters and columns are taken in their order.
 *
 *     wm_query_init(&q, db, "SELECT name FROM population WHERE run = ?", err);
 *     wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
 *     while (wm_query_row(&q))
 *         use(wm_column_text(&q));
 *     st = wm_query_done(&q); */
typedef struct wm_query {
    wm_db        *db;
    sqlite3_stmt *stmt;
    int           bound, column;
    bool          ended;
    wm_status     st;
    wm_error     *err;
} wm_query;

void wm_query_init(wm_query *q, wm_db *db, const char *sql, wm_error *err);

void wm_bind_int(wm_query *q, int64_t value);
void wm_bind_u64(wm_query *q, uint64_t value); /* its bits: SQLite's integers are signed */
void wm_bind_real(wm_query *q, double value);  /* NaN is stored as NULL */
void wm_bind_text(wm_query *q, const char *text);
void wm_bind_blob(wm_query *q, const void *bytes, size_t n);
void wm_bind_digest(wm_query *q, const wm_digest *digest); /* zero is stored as NULL */

bool wm_query_row(wm_query *q); /* the next row; false at the end and after a failure */

/* Runs it and makes it ready for other parameters. */
void wm_query_again(wm_query *q);

/* Runs it to its end if it has not come there, and lets it go. */
wm_status wm_query_done(wm_query *q);

/* Columns of the present row. A value that cannot have been stored by us is WM_E_DAMAGED. */
int64_t     wm_column_int(wm_query *q);
int64_t     wm_column_within(wm_query *q, int64_t least, int64_t most);
uint32_t    wm_column_u32(wm_query *q);
uint64_t    wm_column_u64(wm_query *q);
double      wm_column_real(wm_query *q);                          /* NULL is NaN */
const char *wm_column_text(wm_query *q);                          /* until the next row; "" for NULL */
void        wm_column_copy(wm_query *q, char *text, size_t room); /* cut to fit, zero-terminated */
char       *wm_column_dup(wm_query *q);                           /* the caller's to free; NULL after a failure */
void        wm_column_blob(wm_query *q, void *bytes, size_t n);   /* of exactly n bytes */
wm_digest   wm_column_digest(wm_query *q);

#endif
