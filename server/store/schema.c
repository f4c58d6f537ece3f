/* server/store/schema.c */
#include "server/store/schema.h"

#include "common/crash.h"

#include <stdio.h>

enum { APPLICATION_ID = 0x574d5354 }; /* "WMST": so that file(1) and we know whose database it is */

/* Digests are 32-byte blobs, NULL where there is none; times are milliseconds since 1970; counts that are
 * uint64 keep their bits. Round 0 of a run is its statistics round. */
static const char version_1[] =
    "CREATE TABLE runs ("
    "  id BLOB PRIMARY KEY CHECK (length(id) = 16), job_name TEXT NOT NULL, job_text TEXT NOT NULL,"
    "  job_digest BLOB NOT NULL,"
    "  seed INTEGER NOT NULL, rounds INTEGER NOT NULL, keep INTEGER NOT NULL,"
    "  started_ms INTEGER NOT NULL, ended_ms INTEGER,"
    /* where it stands: wm_standing */
    "  phase INTEGER NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL, opened_ms INTEGER NOT NULL,"
    "  model BLOB, server_state BLOB, scaling BLOB, without_gain INTEGER NOT NULL, best_loss REAL,"
    "  outcome INTEGER NOT NULL, why TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE population ("
    "  run BLOB NOT NULL REFERENCES runs(id), client INTEGER NOT NULL, name TEXT NOT NULL,"
    "  PRIMARY KEY (run, client)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE rounds ("
    "  run BLOB NOT NULL REFERENCES runs(id), round INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    "  opened_ms INTEGER NOT NULL, seconds REAL, selected INTEGER NOT NULL, accepted INTEGER NOT NULL,"
    "  refused INTEGER NOT NULL, late INTEGER NOT NULL, train_loss REAL, bytes_up INTEGER NOT NULL,"
    "  bytes_down INTEGER NOT NULL, model_before BLOB, model_after BLOB, sums BLOB, server_state BLOB,"
    "  total_weight INTEGER NOT NULL, evaluated INTEGER NOT NULL,"
    "  PRIMARY KEY (run, round)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE contributions ("
    "  run BLOB NOT NULL REFERENCES runs(id), round INTEGER NOT NULL, client INTEGER NOT NULL,"
    "  verdict INTEGER NOT NULL, reason TEXT NOT NULL, digest BLOB, weight INTEGER NOT NULL, loss REAL, "
    "seconds REAL,"
    "  PRIMARY KEY (run, round, client)"
    ") STRICT, WITHOUT ROWID;"

    /* Evaluations: of a round (round > 0, client -1: all together) and the last one (round 0, client -1 or
       each). */
    "CREATE TABLE results ("
    "  run BLOB NOT NULL REFERENCES runs(id), round INTEGER NOT NULL, client INTEGER NOT NULL,"
    "  contender INTEGER NOT NULL, examples INTEGER NOT NULL, loss REAL,"
    "  m0 REAL, m1 REAL, m2 REAL, m3 REAL, m4 REAL, m5 REAL, m6 REAL, m7 REAL,"
    "  PRIMARY KEY (run, round, client, contender)"
    ") STRICT, WITHOUT ROWID;"

    /* The blobs that a kept round holds on to; what leaves this table and is named nowhere else may be
       removed. */
    "CREATE TABLE checkpoints ("
    "  run BLOB NOT NULL REFERENCES runs(id), round INTEGER NOT NULL, digest BLOB NOT NULL,"
    "  PRIMARY KEY (run, round, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX checkpoints_by_digest ON checkpoints (digest);"

    "CREATE TABLE queue ("
    "  place INTEGER PRIMARY KEY AUTOINCREMENT, run BLOB NOT NULL UNIQUE CHECK (length(run) = 16),"
    "  job_name TEXT NOT NULL, job_text TEXT NOT NULL, seed INTEGER NOT NULL, added_ms INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE gateways ("
    "  name TEXT PRIMARY KEY, serial TEXT NOT NULL, not_after_ms INTEGER NOT NULL, enrolled_ms INTEGER NOT "
    "NULL,"
    "  last_seen_ms INTEGER NOT NULL DEFAULT 0, refused_ms INTEGER NOT NULL DEFAULT 0,"
    "  refusal TEXT NOT NULL DEFAULT '', rows INTEGER NOT NULL DEFAULT 0, revoked_ms INTEGER NOT NULL "
    "DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE certificates ("
    "  serial TEXT PRIMARY KEY, name TEXT NOT NULL, not_after_ms INTEGER NOT NULL, issued_ms INTEGER NOT "
    "NULL,"
    "  revoked_ms INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT ''"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX certificates_by_name ON certificates (name);"

    "CREATE TABLE audit ("
    "  line INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, run BLOB, what TEXT NOT NULL, detail TEXT NOT "
    "NULL,"
    "  hash BLOB NOT NULL CHECK (length(hash) = 32)"
    ") STRICT;"
    /* The last line again, so that a line cut off the end is missed as well. */
    "CREATE TABLE audit_head ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1), lines INTEGER NOT NULL, hash BLOB NOT NULL CHECK "
    "(length(hash) = 32)"
    ") STRICT;"
    "INSERT INTO audit_head VALUES (1, 0, zeroblob(32));";

/* Who was drawn into an open round in the place of somebody who was away. */
static const char version_2[] =
    "CREATE TABLE substitutes ("
    "  run BLOB NOT NULL REFERENCES runs(id), round INTEGER NOT NULL, client INTEGER NOT NULL,"
    "  place_of INTEGER NOT NULL,"
    "  PRIMARY KEY (run, round, client), UNIQUE (run, round, place_of)"
    ") STRICT, WITHOUT ROWID;";

/* The exact sums of the statistics round, which the scaling was made from; NULL in a run from before this. */
static const char version_3[] = "ALTER TABLE runs ADD COLUMN statistics BLOB;";

const char *const wm_schema_steps[] = { version_1, version_2, version_3 };
const size_t      wm_schema_n_steps = sizeof wm_schema_steps / sizeof *wm_schema_steps;

static wm_status take_step(wm_db *db, const char *step, size_t version, wm_error *err)
{
    char      number[96];
    wm_status st = wm_db_run(db, "BEGIN IMMEDIATE", err);

    if (st != WM_OK)
        return st;
    snprintf(number, sizeof number, "PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID,
             version);
    st = wm_db_run(db, step, err);
    if (st == WM_OK)
        st = wm_db_run(db, number, err);
    wm_crash_point("store-schema-before");
    if (st == WM_OK)
        st = wm_db_run(db, "COMMIT", err);
    wm_crash_point("store-schema-after");
    if (st != WM_OK && sqlite3_get_autocommit(db->handle) == 0)
        (void)wm_db_run(db, "ROLLBACK", NULL);
    return st;
}

wm_status wm_schema_apply(wm_db *db, const char *const *steps, size_t n_steps, wm_error *err)
{
    int64_t   version = 0, application = 0, tables = 0;
    wm_status st = wm_db_number(db, "PRAGMA user_version", &version, err);

    if (st == WM_OK)
        st = wm_db_number(db, "PRAGMA application_id", &application, err);
    if (st == WM_OK)
        st = wm_db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st != WM_OK)
        return st;
    if (tables > 0 && application != APPLICATION_ID)
        return wm_fail(err, WM_E_DAMAGED,
                       "%s is a database of another program; name another folder, or put it back from a backup",
                       db->path);
    if (version < 0)
        return wm_fail(err, WM_E_DAMAGED, "%s is damaged: its tables have no version; put it back from a backup",
                       db->path);
    if ((size_t)version > n_steps)
        return wm_fail(err, WM_E_REFUSED,
                       "%s was written by a newer wardmote (version %lld of its tables, this program knows %zu); "
                       "install the newer one",
                       db->path, (long long)version, n_steps);
    for (size_t v = (size_t)version; st == WM_OK && v < n_steps; v++)
        st = take_step(db, steps[v], v + 1, err);
    return st;
}
