/* server/store/database.c */
#include "server/store/database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `e`: the errno that SQLite's last call has left. SQLite itself calls only ENOSPC full; a quota or a limit of the file's
 * size comes as SQLITE_IOERR, and sqlite3_system_errno() does not have it. */
static wm_status status_of(int code, int e)
{
    switch (code & 0xff) {
    case SQLITE_IOERR:
        return e == ENOSPC || e == EDQUOT || e == EFBIG ? WM_E_FULL : WM_E_IO;
    case SQLITE_NOMEM:
        return WM_E_NOMEM;
    case SQLITE_FULL:
        return WM_E_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WM_E_REFUSED;
    case SQLITE_ERROR: /* our statements are right: it is the file that has not what they name, or an unknown format */
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return WM_E_DAMAGED;
    case SQLITE_CONSTRAINT:
        return WM_E_EXISTS;
    case SQLITE_TOOBIG:
        return WM_E_RANGE;
    default:
        return WM_E_IO;
    }
}

/* What the person can do about it. */
static const char *advice(wm_status status)
{
    switch (status) {
    case WM_E_FULL:
        return "; nothing of it was kept; make room on the disk or in the quota, and try again";
    case WM_E_IO:
        return "; see whether the disk is read-only or failing";
    case WM_E_REFUSED:
        return "; another program holds it: stop that one first";
    case WM_E_DAMAGED:
        return "; put it back from a backup";
    default:
        return "";
    }
}

wm_status wm_db_fail(const wm_db *db, const char *deed, wm_error *err)
{
    int       e = errno, code = sqlite3_extended_errcode(db->handle);
    wm_status status = status_of(code, e);

    return wm_fail(err, status, "cannot %s in %s: %s%s", deed, db->path, sqlite3_errmsg(db->handle),
                   advice(status));
}

wm_status wm_db_run(wm_db *db, const char *sql, wm_error *err)
{
    errno = 0;
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return wm_db_fail(db, "write", err);
    return WM_OK;
}

wm_status wm_db_number(wm_db *db, const char *sql, int64_t *ret, wm_error *err)
{
    wm_query q;
    int64_t  number = 0;

    wm_query_init(&q, db, sql, err);
    if (wm_query_row(&q))
        number = wm_column_int(&q);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    *ret = number;
    return WM_OK;
}

/* integrity_check stops at the first finding and answers "ok" where there is none. */
static wm_status check_whole(wm_db *db, wm_error *err)
{
    wm_query q;
    char     finding[200] = "";

    wm_query_init(&q, db, "PRAGMA integrity_check(1)", err);
    if (wm_query_row(&q))
        wm_column_copy(&q, finding, sizeof finding);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (strcmp(finding, "ok") != 0)
        return wm_fail(err, WM_E_DAMAGED, "%s is damaged (%s); put it back from a backup", db->path, finding);
    return WM_OK;
}

static wm_status set_up(wm_db *db, wm_error *err)
{
    wm_query  q;
    char      mode[16] = "";
    wm_status st;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Exclusive before the first access: the WAL's index is then in our memory, and there is no second
     * connection. */
    st = wm_db_run(db,
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA mmap_size = 0; PRAGMA synchronous = FULL;"
                   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                   "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 8388608",
                   err);
    if (st != WM_OK)
        return st;
    wm_query_init(&q, db, "PRAGMA journal_mode = WAL", err);
    if (wm_query_row(&q))
        wm_column_copy(&q, mode, sizeof mode);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (strcmp(mode, "wal") != 0)
        return wm_fail(err, WM_E_IO, "%s cannot keep a write-ahead log (mode \"%s\"); move it to a local disk",
                       db->path, mode);
    /* SQLite opens for reading alone what it may not write, or what a damaged header says a newer SQLite wrote. */
    if (sqlite3_db_readonly(db->handle, "main") != 0)
        return wm_fail(err, WM_E_IO,
                       "%s can be read but not written: its permissions forbid it, or its header is damaged; then put "
                       "it back from a backup",
                       db->path);
    return check_whole(db, err);
}

wm_status wm_db_make_private(const char *path, wm_error *err)
{
    int       fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    wm_status st = WM_OK;

    if (fd < 0 || fchmod(fd, 0600) != 0)
        st = wm_fail(err, errno == ENOSPC || errno == EDQUOT ? WM_E_FULL : WM_E_IO, "cannot make %s: %s", path,
                     strerror(errno));
    if (fd >= 0)
        close(fd);
    return st;
}

wm_status wm_db_open(const char *path, wm_db *ret, wm_error *err)
{
    wm_db     db = { .path = strdup(path) };
    wm_status st;

    if (db.path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to open %s", path);
    /* No mutex of SQLite's own: the store's lock is around every use. */
    if (sqlite3_open_v2(path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        st = db.handle != NULL ? wm_db_fail(&db, "open it", err)
                               : wm_fail(err, WM_E_NOMEM, "no memory to open %s", path);
    else
        st = set_up(&db, err);
    if (st != WM_OK) {
        wm_db_close(&db);
        return st;
    }
    *ret = db;
    return WM_OK;
}

void wm_db_close(wm_db *db)
{
    sqlite3_close(db->handle);
    free(db->path);
    *db = (wm_db){ 0 };
}

/* ---- queries ---- */

static void stick(wm_query *q, int code, const char *deed)
{
    if (code != SQLITE_OK && q->st == WM_OK)
        q->st = wm_db_fail(q->db, deed, q->err);
}

static void damaged(wm_query *q, const char *what)
{
    if (q->st == WM_OK)
        q->st = wm_fail(q->err, WM_E_DAMAGED, "%s is damaged: %s in \"%.60s\"; put it back from a backup",
                        q->db->path, what, sqlite3_sql(q->stmt));
}

void wm_query_init(wm_query *q, wm_db *db, const char *sql, wm_error *err)
{
    *q = (wm_query){ .db = db, .err = err };
    stick(q, sqlite3_prepare_v2(db->handle, sql, -1, &q->stmt, NULL), "prepare a statement");
}

void wm_bind_int(wm_query *q, int64_t value)
{
    if (q->st == WM_OK)
        stick(q, sqlite3_bind_int64(q->stmt, ++q->bound, value), "write");
}

void wm_bind_u64(wm_query *q, uint64_t value)
{
    int64_t bits;

    memcpy(&bits, &value, sizeof bits);
    wm_bind_int(q, bits);
}

void wm_bind_real(wm_query *q, double value)
{
    if (q->st == WM_OK)
        stick(q, sqlite3_bind_double(q->stmt, ++q->bound, value), "write");
}

void wm_bind_text(wm_query *q, const char *text)
{
    if (q->st == WM_OK)
        stick(q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_TRANSIENT), "write");
}

void wm_bind_blob(wm_query *q, const void *bytes, size_t n)
{
    if (q->st == WM_OK)
        stick(q, sqlite3_bind_blob64(q->stmt, ++q->bound, bytes, n, SQLITE_TRANSIENT), "write");
}

void wm_bind_digest(wm_query *q, const wm_digest *digest)
{
    if (!wm_digest_is_zero(digest))
        wm_bind_blob(q, digest->bytes, WM_DIGEST_SIZE);
    else if (q->st == WM_OK)
        stick(q, sqlite3_bind_null(q->stmt, ++q->bound), "write");
}

bool wm_query_row(wm_query *q)
{
    int code;

    if (q->st != WM_OK || q->ended)
        return false;
    q->column = 0;
    errno = 0;
    code = sqlite3_step(q->stmt);
    if (code == SQLITE_ROW)
        return true;
    q->ended = true;
    if (code != SQLITE_DONE)
        stick(q, code, sqlite3_stmt_readonly(q->stmt) ? "read" : "write");
    return false;
}

void wm_query_again(wm_query *q)
{
    while (wm_query_row(q))
        ;
    if (q->st != WM_OK)
        return;
    stick(q, sqlite3_reset(q->stmt), "write");
    q->bound = 0;
    q->ended = false;
}

wm_status wm_query_done(wm_query *q)
{
    while (wm_query_row(q))
        ;
    sqlite3_finalize(q->stmt); /* NULL is fine; the failure, if any, was told by step */
    q->stmt = NULL;
    return q->st;
}

int64_t wm_column_int(wm_query *q)
{
    if (q->st != WM_OK)
        return 0;
    return sqlite3_column_int64(q->stmt, q->column++);
}

int64_t wm_column_within(wm_query *q, int64_t least, int64_t most)
{
    int64_t value = wm_column_int(q);

    if (q->st == WM_OK && (value < least || value > most))
        damaged(q, "a number is out of its range");
    return q->st == WM_OK ? value : least;
}

uint32_t wm_column_u32(wm_query *q)
{
    return (uint32_t)wm_column_within(q, 0, UINT32_MAX);
}

uint64_t wm_column_u64(wm_query *q)
{
    int64_t  bits = wm_column_int(q);
    uint64_t value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

double wm_column_real(wm_query *q)
{
    if (q->st != WM_OK)
        return (double)NAN;
    if (sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL) {
        q->column++;
        return (double)NAN;
    }
    return sqlite3_column_double(q->stmt, q->column++);
}

const char *wm_column_text(wm_query *q)
{
    const char *text;
    bool        is_null;

    if (q->st != WM_OK)
        return "";
    is_null = sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL;
    text = (const char *)sqlite3_column_text(q->stmt, q->column);
    if (text == NULL && !is_null)
        stick(q, SQLITE_NOMEM, "read");
    else if (text != NULL && strlen(text) != (size_t)sqlite3_column_bytes(q->stmt, q->column))
        damaged(q, "a text goes on behind a zero"); /* what nobody would see, nor any digest cover */
    q->column++;
    return text != NULL ? text : "";
}

void wm_column_copy(wm_query *q, char *text, size_t room)
{
    const char *from = wm_column_text(q);
    size_t      n = strnlen(from, room - 1);

    assert(room > 0);
    memcpy(text, from, n);
    text[n] = '\0';
}

char *wm_column_dup(wm_query *q)
{
    const char *text = wm_column_text(q);
    char       *copy = q->st == WM_OK ? strdup(text) : NULL;

    if (copy == NULL && q->st == WM_OK)
        q->st = wm_fail(q->err, WM_E_NOMEM, "no memory to read from %s", q->db->path);
    return copy;
}

void wm_column_blob(wm_query *q, void *bytes, size_t n)
{
    const void *from;

    if (q->st != WM_OK)
        return;
    from = sqlite3_column_blob(q->stmt, q->column);
    if (from == NULL || (size_t)sqlite3_column_bytes(q->stmt, q->column++) != n)
        damaged(q, "a value has not the size that it must have");
    else
        memcpy(bytes, from, n);
}

wm_digest wm_column_digest(wm_query *q)
{
    wm_digest digest = { 0 };

    if (q->st == WM_OK && sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL)
        q->column++;
    else
        wm_column_blob(q, digest.bytes, WM_DIGEST_SIZE);
    return digest;
}
